"""`shopfloor serve`: how it says that it cannot start, and what signals do."""

import signal
import socket
from pathlib import Path

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
