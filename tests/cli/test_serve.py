"""`shopfloor serve`: how it says that it cannot start, and what signals do."""

import json
import re
import signal
import socket
import urllib.error
import urllib.request
from pathlib import Path

import pytest

from tests.cli.programs import STOP_SECONDS, Program, Shell, running, start


def _end(program: Program) -> tuple[int, list[str]]:
    """Wait until a server has given up; return its code and its last words."""
    code = program.process.wait(STOP_SECONDS)
    return code, [line for line in program.log.read_text().splitlines() if line.startswith("shopfloor: ")]


def test_bad_settings_are_said_one_a_line(bare: Shell) -> None:
    said = bare("serve", "--crashes-max", "1000", "--environment", "production")
    assert said.code == 2
    assert said.complaints[0] == "shopfloor: --crashes-max: 1000 is above 100"
    assert said.complaints[1].startswith("shopfloor: password: production does not start without one")


def test_an_option_that_is_none_of_ours(bare: Shell) -> None:
    said = bare("serve", "--crashes-maxi", "1")
    assert (said.code, len(said.complaints)) == (2, 1)
    assert "--crashes-max" in said.complaints[0]


def test_a_port_that_is_taken(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        binding = f"127.0.0.1:{taken.getsockname()[1]}"
        code, words = _end(start(tmp_path, "-b", binding))
    assert code == 1
    assert len(words) == 1
    assert words[0].startswith(f"shopfloor: cannot listen on {binding}: ")


def test_a_store_that_another_server_has(tmp_path: Path) -> None:
    other = tmp_path / "other"
    other.mkdir()
    with running(tmp_path):
        code, words = _end(start(other, "-d", str(tmp_path / "data")))
    assert code == 4
    assert len(words) == 1


def test_a_store_that_is_none(tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "shopfloor.db").write_text("not a database, but long enough to be taken for one " * 100)
    code, words = _end(start(tmp_path))
    assert (code, len(words)) == (4, 1)


def test_signals(tmp_path: Path) -> None:
    with running(tmp_path, "--storage", "memory://") as program:
        program.process.send_signal(signal.SIGTTIN)
        log = program.wait_for("stack of a task")
        assert "most recent call first" in log
        program.process.send_signal(signal.SIGHUP)
        program.wait_for("configuration reloaded")
        program.process.send_signal(signal.SIGTERM)
        assert program.process.wait(STOP_SECONDS) == 0
        assert "shopfloor stopped" in program.log.read_text()


def test_pages_are_served_beside_the_jobs(tmp_path: Path) -> None:
    password = {"SHOPFLOOR_WEB_PASSWORD": "secret-of-pages"}
    with running(tmp_path, "--storage", "memory://", "-w", "127.0.0.1:0", variables=password) as program:
        found = re.search(r"web=127\.0\.0\.1:(\d+)", program.log.read_text())
        assert found is not None
        address = f"http://127.0.0.1:{found[1]}"
        with urllib.request.urlopen(f"{address}/health", timeout=20) as answer:
            assert json.load(answer)["server"]["faktory_version"] == "1.10.0"
        with pytest.raises(urllib.error.HTTPError, match="401"):
            urllib.request.urlopen(address, timeout=20)
        program.process.send_signal(signal.SIGTERM)
        assert program.process.wait(STOP_SECONDS) == 0


def test_a_web_port_that_is_taken(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        binding = f"127.0.0.1:{taken.getsockname()[1]}"
        code, words = _end(start(tmp_path, "-w", binding))
    assert code == 1
    assert words[0].startswith(f"shopfloor: cannot listen on {binding}: ")
