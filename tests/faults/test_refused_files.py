"""Files, folders and logs that a server cannot serve from: it says why in one line, ends with code 4, harms none."""

import os
import shutil
import sqlite3
import subprocess
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest

from shopfloor.store.embedded.journal import SLOTS
from tests.faults.pipeline import Pipeline, line
from tests.faults.processes import ServerProcess, refused_start

pytestmark = [pytest.mark.faults, pytest.mark.timeout(120)]
STORE_ERROR = 4
JOBS = 50


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Where the store is to be."""
    made = tmp_path / "store"
    made.mkdir()
    return made


def fill(folder: Path, *, kill: bool) -> Path:
    """Let a server take some jobs and end; return its file."""
    with ServerProcess(folder) as server:
        with Pipeline(server.port()) as pipe:
            jobs = [{"jid": f"job-{number:05}", "jobtype": "W", "args": ["x" * 300]} for number in range(JOBS)]
            assert set(pipe.ask_many([line("PUSH", job) for job in jobs])) == {"OK"}
        if kill:
            server.kill()
        else:
            server.terminate()
            assert server.ended().code == 0
        return server.file


def count_jobs(folder: Path) -> int:
    """Start a server and ask it how many jobs it has."""
    with ServerProcess(folder) as server, Pipeline(server.port()) as pipe:
        figures: dict[str, int] = pipe.ask_json("INFO")["faktory"]["queues"]
        return sum(figures.values())


def complaint(folder: Path) -> str:
    """Start a server that is to refuse; return why it does."""
    ended = refused_start(folder)
    assert ended.code == STORE_ERROR
    return ended.complaint().removeprefix("shopfloor: ")


def test_a_second_server(folder: Path) -> None:
    file = fill(folder, kill=True)
    with ServerProcess(folder) as server, Pipeline(server.port()) as pipe:
        assert complaint(folder) == f"{file} is in use by another server"
        assert pipe.ask("PUSH", {"jid": "job-more", "jobtype": "W", "args": []}) == "OK"
        server.kill()
    assert count_jobs(folder) == JOBS + 1


def test_a_file_of_a_newer_version(folder: Path) -> None:
    file = fill(folder, kill=False)
    with closing(sqlite3.connect(file)) as connection:
        connection.execute("PRAGMA user_version = 2")
    before = file.read_bytes()
    assert complaint(folder) == f"{file} has format 2, this version of Shopfloor knows up to 1"
    assert file.read_bytes() == before
    with closing(sqlite3.connect(file)) as connection:
        connection.execute("PRAGMA user_version = 1")
    assert count_jobs(folder) == JOBS


def test_a_database_of_somebody_else(folder: Path) -> None:
    file = folder / "shopfloor.db"
    with closing(sqlite3.connect(file)) as connection:
        connection.execute("CREATE TABLE precious (thing)")
        connection.commit()
    before = file.read_bytes()
    assert complaint(folder) == f"{file} is a database, but not one of Shopfloor"
    assert file.read_bytes() == before
    assert [path.name for path in folder.iterdir()] == ["shopfloor.db"]


def test_a_file_that_is_no_database(folder: Path) -> None:
    file = folder / "shopfloor.db"
    file.write_text("a shopping list\n" * 500)
    assert complaint(folder) == f"{file} is damaged: file is not a database"
    assert file.read_text() == "a shopping list\n" * 500


def test_a_folder_in_the_place_of_the_file(folder: Path) -> None:
    (folder / "shopfloor.db").mkdir()
    assert complaint(folder).startswith(f"cannot read or write {folder / 'shopfloor.db'}: ")


@pytest.mark.parametrize("kill", [True, False], ids=["killed", "stopped"])
def test_a_file_cut_to_nothing(folder: Path, kill: bool) -> None:
    file = fill(folder, kill=kill)
    os.truncate(file, 0)
    assert complaint(folder) == f"{file} is empty: restore a backup, or remove it to begin anew"


def test_a_file_cut_in_the_middle(folder: Path) -> None:
    file = fill(folder, kill=False)
    os.truncate(file, file.stat().st_size // 2)
    assert complaint(folder) == f"{file} is damaged: database disk image is malformed"


@pytest.mark.parametrize("rest", [None, 0], ids=["removed", "emptied"])
def test_a_log_that_has_gone(folder: Path, rest: int | None) -> None:
    """The server was killed and somebody tidied up beside its file. Put back, the log has everything."""
    file = fill(folder, kill=True)
    log = file.with_name("shopfloor.db-wal")
    kept = shutil.copyfile(log, folder.parent / "kept")
    if rest is None:
        log.unlink()
    else:
        os.truncate(log, rest)
    wanted = f"{log} is missing, and what was done last is in it: put it back, or restore a backup"
    assert complaint(folder) == wanted
    assert complaint(folder) == wanted
    shutil.copyfile(kept, log)
    assert count_jobs(folder) == JOBS


@pytest.mark.parametrize("slot", range(SLOTS))
def test_a_part_of_the_journal_that_has_gone(folder: Path, slot: int) -> None:
    """Which of its files are in use, nobody need know who tidies up."""
    file = fill(folder, kill=True)
    gone = file.with_name(f"shopfloor.db.journal-{slot}")
    gone.rename(folder.parent / "kept")
    wanted = f"{gone} is missing, and what was done last is in it: put it back, or restore a backup"
    assert complaint(folder) == wanted
    assert complaint(folder) == wanted
    (folder.parent / "kept").rename(gone)
    assert count_jobs(folder) == JOBS


def test_a_journal_that_was_emptied(folder: Path) -> None:
    file = fill(folder, kill=True)
    used = file.with_name("shopfloor.db.journal-0")
    kept = shutil.copyfile(used, folder.parent / "kept")
    os.truncate(used, 0)
    wanted = f"{file} is damaged: entry 1 of the journal is damaged or missing: restore a backup"
    assert complaint(folder) == wanted
    assert complaint(folder) == wanted
    shutil.copyfile(kept, used)
    assert count_jobs(folder) == JOBS


def test_a_stopped_server_leaves_one_file(folder: Path) -> None:
    fill(folder, kill=False)
    assert [path.name for path in folder.iterdir()] == ["shopfloor.db"]
    assert count_jobs(folder) == JOBS


def test_a_file_left_by_a_first_start_that_was_killed(folder: Path) -> None:
    """A store that is being made has another name until it is whole."""
    (folder / "shopfloor.db.new").write_bytes(b"")
    assert count_jobs(folder) == 0


@contextmanager
def _read_only(folder: Path) -> Iterator[None]:
    """Let nobody write in a folder: root needs a read-only mount for that."""
    if os.geteuid() != 0:
        mode = folder.stat().st_mode
        folder.chmod(0o555)
        try:
            yield
        finally:
            folder.chmod(mode)
        return
    if subprocess.run(["mount", "--bind", folder, folder], capture_output=True).returncode:
        pytest.skip("root can write everywhere, and nothing can be mounted here")
    try:
        subprocess.run(["mount", "-o", "remount,ro,bind", folder], check=True)
        yield
    finally:
        subprocess.run(["umount", folder], check=True)


@pytest.mark.parametrize("kill", [True, False], ids=["killed", "stopped"])
def test_a_folder_that_is_read_only(folder: Path, kill: bool) -> None:
    file = fill(folder, kill=kill)
    with _read_only(folder):
        assert complaint(folder) == f"cannot write {file}: it is read-only for this user"
    assert count_jobs(folder) == JOBS


def test_an_empty_folder_that_is_read_only(folder: Path) -> None:
    with _read_only(folder):
        assert complaint(folder) == f"cannot write {folder}: it is read-only for this user"
    assert count_jobs(folder) == 0


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write every file")
def test_a_file_that_is_read_only(folder: Path) -> None:
    file = fill(folder, kill=False)
    file.chmod(0o444)
    assert complaint(folder) == f"cannot write {file}: it is read-only for this user"
    file.chmod(0o644)
    assert count_jobs(folder) == JOBS


def test_a_folder_that_cannot_be_made(folder: Path) -> None:
    (folder / "file").write_text("")
    url = f"sqlite://{folder}/file/shopfloor.db"
    ended = refused_start(folder, "--storage", url)
    assert ended.code == STORE_ERROR
    assert ended.complaint() == f"shopfloor: cannot read or write {folder}/file/shopfloor.db: file exists"
