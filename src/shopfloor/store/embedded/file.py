"""The SQLite file: opening it so that it is ours alone, its tables, and its errors in our words."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final, Literal

import apsw
import msgspec
from msgspec import Struct

from shopfloor.errors import StoreDamaged, StoreError, StoreLocked, StoreTooNew, StoreUnavailable

FORMAT: Final = 1
"""Version of the tables below, kept in the file; a server refuses a file of a newer one."""
APPLICATION_ID: Final = 0x53464C52
SQLITE_VERSION_MIN: Final = (3, 51, 3)
"""Older ones have a bug that can corrupt a database in WAL mode."""
CACHE_KIBIBYTES: Final = 65_536
CHECKPOINT_PAGES: Final = 4_000
"""The write-ahead log is copied into the file when it has grown to 16 MB: rarely, and not for long.

The store does that itself. SQLite, left alone, would do it behind a commit and keep a failed sync to itself.
"""

Synchronous = Literal["NORMAL", "OFF"]
"""How SQLite is opened. NORMAL: a transaction outlives the process; only within `synced` the power, too."""


class Marks(Struct, frozen=True):
    """What the file says of the journal beside it."""

    is_open: bool = False
    """A server had it open, and did not close it."""
    generation: int = 0
    """The salt of the entries that are not in the tables yet; 0 where there is no journal."""
    folded: int = 0
    """The number of the last entry that the tables have."""


_TABLES: Final = """
CREATE TABLE jobs (
    position INTEGER PRIMARY KEY,
    place TEXT NOT NULL,
    queue TEXT NOT NULL,
    at REAL NOT NULL,
    wid TEXT NOT NULL,
    reserved_at REAL NOT NULL,
    expires_at REAL NOT NULL,
    cancelled INTEGER NOT NULL,
    jid TEXT NOT NULL,
    checksum INTEGER NOT NULL,
    body BLOB NOT NULL
);
CREATE TABLE queues (name TEXT PRIMARY KEY, paused INTEGER NOT NULL) WITHOUT ROWID;
CREATE TABLE records (
    kind TEXT, id TEXT, value BLOB NOT NULL, version INTEGER NOT NULL, PRIMARY KEY (kind, id)
) WITHOUT ROWID;
CREATE TABLE locks (key TEXT PRIMARY KEY, owner TEXT NOT NULL, until REAL NOT NULL) WITHOUT ROWID;
CREATE TABLE totals (name TEXT, day TEXT, count INTEGER NOT NULL, PRIMARY KEY (name, day)) WITHOUT ROWID;
CREATE TABLE marks (name TEXT PRIMARY KEY, value INTEGER NOT NULL) WITHOUT ROWID;
INSERT INTO marks (name, value) VALUES ('open', 0), ('jobs', 0), ('generation', 0), ('folded', 0);
"""

_MARK: Final = "UPDATE marks SET value = ? WHERE name = ?"
_MARKS: Final = "SELECT name, value FROM marks"

TABLES: Final = ("jobs", "queues", "records", "locks", "totals")
"""Those that hold what the store was told."""


def check_sqlite() -> str:
    """Answer the version of the SQLite in use; raise `StoreError` where it is too old to be trusted."""
    version = apsw.sqlite_lib_version()
    if tuple(int(part) for part in version.split(".")) < SQLITE_VERSION_MIN:
        least = ".".join(map(str, SQLITE_VERSION_MIN))
        raise StoreError(f"SQLite {version} is too old: its write-ahead log can corrupt, {least} or later is needed")
    return version


def in_our_words(error: apsw.Error, path: Path) -> StoreError:
    """Turn an error of SQLite's into one of ours."""
    match error:
        case apsw.CorruptError() | apsw.NotADBError():
            return StoreDamaged(f"{path} is damaged: {error}")
        case apsw.BusyError() | apsw.LockedError():
            return StoreLocked(f"{path} is in use by another server")
        case apsw.FullError():
            return StoreUnavailable(f"cannot write {path}: the disk is full")
        case apsw.ReadOnlyError():
            return StoreUnavailable(f"cannot write {path}: it is read-only")
        case apsw.IOError() | apsw.CantOpenError():
            return StoreUnavailable(f"cannot read or write {path}: {error}")
    return StoreError(f"{path}: {error}")


@contextmanager
def doubt(path: Path) -> Iterator[None]:
    """Let whatever goes wrong while a file is read back leave a block as the file's fault."""
    try:
        yield
    except StoreDamaged as error:
        raise error if str(path) in str(error) else StoreDamaged(f"{path} is damaged: {error}") from error
    except (LookupError, TypeError, ValueError, AssertionError, msgspec.MsgspecError) as error:
        raise StoreDamaged(f"{path} is damaged: what it holds makes no sense ({error!r})") from error


@contextmanager
def our_words(path: Path) -> Iterator[None]:
    """Let errors of SQLite's and the system's leave a block as ours. The hot path catches them itself: it is faster."""
    try:
        yield
    except apsw.Error as error:
        raise in_our_words(error, path) from error
    except OSError as error:
        raise StoreUnavailable(f"cannot read or write {path}: {(error.strerror or str(error)).lower()}") from error


def connect(path: Path, synchronous: Synchronous, vfs: str | None = None) -> apsw.Connection:
    """Open the file for this process alone, and make it where there is none; raise a `StoreError` where that cannot be.

    Whoever connects closes the connection when the marks say that the file is whole (its log is then copied into it),
    or ends with `abandon`.
    """
    check_sqlite()
    with our_words(path), doubt(path):
        _check_writable(path)
        if not path.exists():
            _make(path, vfs)
        connection = apsw.Connection(str(path), flags=apsw.SQLITE_OPEN_READWRITE, vfs=vfs)
        try:
            connection.execute("PRAGMA locking_mode = EXCLUSIVE")
            _identify(connection, path)
            _take_over(connection, synchronous)
        except BaseException:
            abandon(connection)
            raise
    return connection


@contextmanager
def synced(connection: apsw.Connection) -> Iterator[None]:
    """Let transactions in a block outlive the loss of power, unless nothing is ever to be synced."""
    level = connection.pragma("synchronous")
    if level:
        connection.execute("PRAGMA synchronous = FULL")
    try:
        yield
    finally:
        connection.execute(f"PRAGMA synchronous = {level}")


def marks(connection: apsw.Connection) -> Marks:
    """Read the marks."""
    found = dict(connection.execute(_MARKS))
    return Marks(bool(found["open"]), found["generation"], found["folded"])


def put_marks(connection: apsw.Connection, wanted: Marks) -> None:
    """Write the marks, in the transaction that makes them true."""
    known = {"open": int(wanted.is_open), "generation": wanted.generation, "folded": wanted.folded}
    connection.executemany(_MARK, [(value, name) for name, value in known.items()])


def mark_folded(connection: apsw.Connection, number: int) -> None:
    """Write down that the tables have all entries up to a number."""
    connection.execute(_MARK, (number, "folded"))


def abandon(connection: apsw.Connection) -> None:
    """Close the file and leave it as it is: another start, or somebody's eyes, will make more of it."""
    connection.config(apsw.SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1)
    connection.close()


def keep_private(path: Path) -> None:
    """Make an empty file that only its owner can read: jobs carry personal data. SQLite gives its log the same mode."""
    os.close(os.open(path, os.O_CREAT | os.O_WRONLY, 0o600))


def log_of(path: Path) -> Path:
    """Name the file of the write-ahead log."""
    return path.with_name(path.name + "-wal")


def _check_writable(path: Path) -> None:
    """SQLite's own words for it depend on which of its files it cannot make first."""
    for place in (path, path.parent):
        if place.exists() and not os.access(place, os.W_OK):
            raise StoreUnavailable(f"cannot write {place}: it is read-only for this user")


def _make(path: Path, vfs: str | None) -> None:
    """Make an empty store, aside, and give it its name when it is whole: an empty file is never one of ours.

    The lock on it is held until it has its name, so that of two servers one makes it and the other one sees that.
    """
    fresh = path.with_name(path.name + ".new")
    if vfs is None:
        keep_private(fresh)
    connection = apsw.Connection(str(fresh), vfs=vfs)
    try:
        connection.execute("PRAGMA locking_mode = EXCLUSIVE")
        connection.execute("BEGIN EXCLUSIVE")
        if connection.pragma("application_id") != APPLICATION_ID:
            connection.execute(_TABLES)
            connection.execute(f"PRAGMA application_id = {APPLICATION_ID}")
            connection.execute(f"PRAGMA user_version = {FORMAT}")
        connection.execute("COMMIT")
        if not path.exists():
            os.rename(fresh, path)
            sync_folder(path.parent)
    finally:
        connection.close()


def _identify(connection: apsw.Connection, path: Path) -> None:
    """Look whose file it is before anything is changed in it."""
    if path.stat().st_size == 0:
        raise StoreDamaged(f"{path} is empty: restore a backup, or remove it to begin anew")
    identity, version = connection.pragma("application_id"), connection.pragma("user_version")
    if identity != APPLICATION_ID:
        raise StoreDamaged(f"{path} is a database, but not one of Shopfloor")
    if version != FORMAT:
        raise StoreTooNew(f"{path} has format {version}, this version of Shopfloor knows up to {FORMAT}")
    log = log_of(path)
    if marks(connection).is_open and not (log.exists() and log.stat().st_size):
        raise StoreDamaged(f"{log} is missing, and what was done last is in it: put it back, or restore a backup")


def _take_over(connection: apsw.Connection, synchronous: Synchronous) -> None:
    """Own the file: no other process can even read it, so its pages may be kept in memory for good."""
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute(f"PRAGMA synchronous = {synchronous}")
    connection.execute(f"PRAGMA cache_size = -{CACHE_KIBIBYTES}")
    connection.wal_autocheckpoint(0)
    connection.execute("BEGIN EXCLUSIVE")
    connection.execute("COMMIT")


def sync_folder(folder: Path) -> None:
    """Make a new name in a folder survive the loss of power."""
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
