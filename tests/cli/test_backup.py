"""`shopfloor backup` and `restore`: from a running server's store to a file and back."""

from pathlib import Path

import pytest

from tests.cli.programs import Shell, running


def _shell(folder: Path, url: str = "tcp://127.0.0.1:1") -> Shell:
    return Shell(folder, {"FAKTORY_URL": url})


def _options(folder: Path) -> tuple[str, ...]:
    return ("-d", str(folder / "data"), "-c", str(folder / "conf"))


def test_a_backup_brings_back_what_was_there(tmp_path: Path) -> None:
    with running(tmp_path) as program:
        shell = _shell(tmp_path, program.url())
        jid = shell.done("push", "Keep", "1").strip()
        told = shell.told("backup", "nightly.db")
        assert told["name"] == "nightly.db"
        assert Path(told["path"]) == tmp_path / "data" / "backups" / "nightly.db"
        assert Path(told["path"]).stat().st_size == told["bytes"]
        shell.done("push", "Lose", "2")
    restored = shell.told("restore", told["path"], "--yes", *_options(tmp_path))
    assert restored["restored"] == str(tmp_path / "data" / "shopfloor.db")
    assert Path(restored["kept"]).exists()
    with running(tmp_path) as program:
        jobs = _shell(tmp_path, program.url()).told("queues", "peek", "default")["jobs"]
    assert [job["jid"] for job in jobs] == [jid]


def test_a_name_that_is_taken_and_names_that_are_none(tmp_path: Path) -> None:
    with running(tmp_path) as program:
        shell = _shell(tmp_path, program.url())
        shell.done("backup", "one.db")
        said = shell("backup", "one.db")
        assert (said.code, said.complaints) == (1, ["shopfloor: backup one.db exists already"])
        for name in ("../escaped", "/tmp/escaped", ".hidden", "a b", "x" * 300):
            said = shell("backup", name)
            assert said.code == 1
            assert "a backup cannot be called" in said.complaints[0]
        assert shell.done("backup").startswith(str(tmp_path / "data" / "backups" / "shopfloor-2"))
    assert len(list((tmp_path / "data" / "backups").iterdir())) == 2


def test_a_store_of_memory_has_no_backup(shell: Shell) -> None:
    said = shell("backup", "one.db")
    assert said.code == 1
    assert "keeps nothing" in said.complaints[0]


def test_nothing_is_restored_under_a_running_server(tmp_path: Path) -> None:
    with running(tmp_path) as program:
        shell = _shell(tmp_path, program.url())
        copy = shell.told("backup", "one.db")["path"]
        jid = shell.done("push", "Later").strip()
        said = shell("restore", copy, "--yes", *_options(tmp_path))
        assert (said.code, len(said.complaints)) == (4, 1)
        assert shell.told("job", "get", jid)["place"] == "queued"


def test_a_file_that_is_no_backup(tmp_path: Path) -> None:
    stranger = tmp_path / "stranger.db"
    stranger.write_text("hello")
    said = _shell(tmp_path)("restore", str(stranger), "--yes", *_options(tmp_path))
    assert (said.code, len(said.complaints)) == (4, 1)
    assert not (tmp_path / "data" / "shopfloor.db").exists()


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("nowhere.db", "--yes"), "nowhere.db"),
        ((__file__,), "only --yes is an answer"),
        ((__file__, "--yes", "--storage", "memory://"), "memory:// is not restored from a file"),
    ],
)
def test_a_wrong_command_line(tmp_path: Path, arguments: tuple[str, ...], says: str) -> None:
    said = _shell(tmp_path)("restore", *arguments)
    assert (said.code, len(said.complaints)) == (2, 1)
    assert says in said.complaints[0]
