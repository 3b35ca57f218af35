"""`info`, `top`, `version`, `config`, `completion`, `--help`, and how commands end in general."""

import json
import os
import pty
import select
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from shopfloor import __version__
from shopfloor.cli import screen
from shopfloor.cli.exits import MEANINGS, Exit, exit_of
from shopfloor.config import ENTRIES
from shopfloor.errors import ConfigError, ProtocolBroken, Refused, ServerUnreachable, StoreDamaged
from tests.cli.programs import Program, Shell, running

PATIENCE_SECONDS = 60.0


def test_info(shell: Shell, server: Program) -> None:
    shell.done("push", "A")
    assert shell.told("info")["faktory"]["queues"] == {"default": 1}
    lines = shell.done("info").splitlines()
    assert lines[0].split(maxsplit=1) == [
        "server",
        f"Shopfloor (Faktory Enterprise compatible) {__version__} at {server.url()}",
    ]
    assert any(line.split() == ["queued", "1", "in", "1", "queues"] for line in lines)


def test_options_of_the_server_stand_before_or_behind_the_command(bare: Shell, server: Program) -> None:
    for arguments in (("--url", server.url(), "--json", "info"), ("info", "--json", "--url", server.url())):
        assert bare(*arguments).document["server"]["description"] == "Shopfloor (Faktory Enterprise compatible)"


def test_top_once(shell: Shell) -> None:
    shell.done("push", "A", "--queue", "low")
    shell.done("queues", "pause", "low")
    document = json.loads(shell.done("top", "--once", "--json"))
    assert document["queues"][0]["name"] == "low"
    assert set(document["per_second"]) == {"processed", "failures", "commands"}
    text = shell.done("top", "--once")
    assert "PROCESSED/S" in text
    assert "paused" in text


def test_top_needs_a_terminal(shell: Shell) -> None:
    said = shell("top")
    assert said.code == 2
    assert "say --once or --json" in said.complaints[0]


def test_top_in_a_terminal_ends_with_q(shell: Shell, server: Program) -> None:
    shell.done("push", "A", "--queue", "urgent")
    inner, outer = pty.openpty()
    command = [sys.executable, "-m", "shopfloor", "top", "--interval", "0.2", "--url", server.url()]
    environment = {**os.environ, "TERM": "xterm", "COLUMNS": "120", "LINES": "40"}
    with subprocess.Popen(command, stdin=outer, stdout=outer, stderr=outer, env=environment) as process:
        os.close(outer)
        seen = _read_until(inner, b"urgent")
        os.write(inner, b"q")
        deadline = time.monotonic() + PATIENCE_SECONDS
        while process.poll() is None and time.monotonic() < deadline:
            seen += _read(inner)
        code = process.poll()
        process.kill()
    os.close(inner)
    assert code == 0, seen


def test_top_for_a_program_writes_a_line_a_look_until_ctrl_c(shell: Shell, server: Program) -> None:
    command = [sys.executable, "-m", "shopfloor", "top", "--json", "--interval", "0.1", "--url", server.url()]
    with subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        looks = [json.loads(process.stdout.readline()) for _ in range(3)]
        process.send_signal(signal.SIGINT)
        process.stdout.read()
        assert process.wait(PATIENCE_SECONDS) == 0
    assert all(set(look) == {"info", "queues", "per_second"} for look in looks)
    assert looks[-1]["per_second"]["commands"] > 0


def test_top_waits_for_a_server_that_is_away(tmp_path: Path) -> None:
    with running(tmp_path, "--storage", "memory://") as program:
        command = [sys.executable, "-m", "shopfloor", "top", "--json", "--interval", "0.1", "--url", program.url()]
        process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE)
        assert process.stdout is not None
        assert "info" in json.loads(process.stdout.readline())
    while "info" in (look := json.loads(process.stdout.readline())):
        pass
    process.kill()
    process.wait()
    process.stdout.close()
    assert look == {"unreachable": True}


def _read_until(terminal: int, word: bytes) -> bytes:
    seen = b""
    deadline = time.monotonic() + PATIENCE_SECONDS
    while word not in seen and time.monotonic() < deadline:
        seen += _read(terminal)
    assert word in seen, seen
    return seen


def _read(terminal: int) -> bytes:
    ready, _, _ = select.select([terminal], [], [], 0.1)
    try:
        return os.read(terminal, 65_536) if ready else b""
    except OSError:  # the other end was closed
        return b""


def test_version(bare: Shell) -> None:
    assert bare.told("version")["shopfloor"] == __version__
    assert bare.done("version").splitlines()[0] == f"shopfloor {__version__}"
    assert bare.done("--version") == f"shopfloor {__version__}\n"


def test_config_shows_every_setting_and_where_it_came_from(bare: Shell) -> None:
    said = bare("config", "--json", "--log-level", "debug", variables={"SHOPFLOOR_CRASHES_MAX": "7"})
    rows = {row["name"]: row for row in said.document["settings"]}
    assert list(rows) == [entry.name for entry in ENTRIES]
    assert rows["crashes_max"] == {"name": "crashes_max", "value": 7, "from": "SHOPFLOOR_CRASHES_MAX"}
    assert rows["log_level"] == {"name": "log_level", "value": "debug", "from": "--log-level"}
    assert rows["drain_seconds"]["from"] == "default"


def test_config_hides_secrets(bare: Shell) -> None:
    variables = {"FAKTORY_PASSWORD": "hunter2", "SHOPFLOOR_STORAGE": "redis://:hunter2@host/0"}
    for form in ((), ("--json",), ("--changed",)):
        said = bare("config", *form, variables=variables)
        assert said.code == 0
        assert "hunter2" not in said.out
        assert "********" in said.out


def test_config_that_differs_from_the_defaults(bare: Shell) -> None:
    assert bare.done("config", "--changed") == "every setting is at its default\n"
    lines = bare.done("config", "--changed", "--crashes-max", "9").splitlines()
    assert lines[1].split() == ["crashes_max", "9", "--crashes-max"]
    lines = bare.done("config", "--changed", "--skip-password").splitlines()
    assert lines[1].split() == ["skip_password", "true", "--skip-password"]


@pytest.mark.parametrize("shell_name", ["bash", "zsh", "fish"])
def test_completion(bare: Shell, shell_name: str) -> None:
    assert "_SHOPFLOOR_COMPLETE" in bare.done("completion", shell_name)


def test_what_completion_offers() -> None:
    environment = {
        **os.environ,
        "_SHOPFLOOR_COMPLETE": "bash_complete",
        "COMP_WORDS": "shopfloor queues p",
        "COMP_CWORD": "2",
    }
    offered = subprocess.run(
        [sys.executable, "-m", "shopfloor"], env=environment, capture_output=True, check=True, text=True
    )
    assert {line.partition(",")[2] for line in offered.stdout.split()} == {"pause", "peek"}


def test_help_names_the_commands_and_the_codes(bare: Shell) -> None:
    text = bare.done("--help")
    for meaning in MEANINGS.values():
        assert meaning in text
    assert text.index("serve") < text.index("push") < text.index("completion")


def test_no_command_at_all_shows_the_help(bare: Shell) -> None:
    for arguments in ((), ("queues",)):
        said = bare(*arguments)
        assert (said.code, said.complaints) == (Exit.USAGE, [])
        assert "Commands:" in said.out


def test_an_unknown_command_is_one_line(bare: Shell) -> None:
    said = bare("frobnicate")
    assert (said.code, said.out, len(said.complaints)) == (2, "", 1)


def test_wrong_settings_are_said_one_a_line(bare: Shell) -> None:
    said = bare("config", "--crashes-max", "1000", "--dead-days-max", "0")
    assert said.code == 2
    assert said.complaints == [
        "shopfloor: --crashes-max: 1000 is above 100",
        "shopfloor: --dead-days-max: 0 is below 1",
    ]


def test_a_reader_that_has_seen_enough(tmp_path: Path) -> None:
    program = f"{sys.executable} -m shopfloor config | head -n 1"
    ran = subprocess.run(program, shell=True, capture_output=True, text=True, env={**os.environ, "HOME": str(tmp_path)})  # noqa: S602
    assert ran.stderr == ""
    assert len(ran.stdout.splitlines()) == 1


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (ConfigError("x"), Exit.USAGE),
        (Refused("x"), Exit.PROBLEM),
        (ServerUnreachable("x"), Exit.UNREACHABLE),
        (ProtocolBroken("x"), Exit.UNREACHABLE),
        (StoreDamaged("x"), Exit.STORE),
    ],
)
def test_which_error_ends_in_which_code(error: Exception, code: Exit) -> None:
    assert exit_of(error) == code  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("seconds", "shown"),
    [(0, "0.0s"), (9.96, "10.0s"), (12.4, "12s"), (60, "1m 0s"), (3_725, "1h 2m"), (90_000, "1d 1h")],
)
def test_time_spans_for_people(seconds: float, shown: str) -> None:
    assert screen.duration(seconds) == shown


@pytest.mark.parametrize(
    ("number", "shown"),
    [(0, "0 B"), (1023, "1023 B"), (1536, "1.5 KB"), (5 << 30, "5.0 GB"), (3 << 40, "3.0 TB")],
)
def test_sizes_for_people(number: int, shown: str) -> None:
    assert screen.size(number) == shown
