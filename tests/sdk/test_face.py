"""The face of the SDK: what it exports, and that importing it loads no server code."""

import subprocess
import sys

import shopfloor

SERVER_ROOMS = ("store", "broker", "server", "web", "cli", "config", "testing")


def test_importing_the_face_loads_no_server_code() -> None:
    program = "import sys, shopfloor; print(*(name for name in sys.modules if name.startswith('shopfloor.')))"
    run = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    rooms = {name.split(".")[1] for name in run.stdout.split()}
    assert rooms & {"sdk", "wire"}
    assert not rooms & set(SERVER_ROOMS)


def test_everything_that_is_exported_is_there_and_documented() -> None:
    for name in shopfloor.__all__:
        assert getattr(shopfloor, name).__doc__, name
    assert sorted(shopfloor.__all__) == shopfloor.__all__
