"""The embedded store: see the package for the idea, `store.port.Store` for the verbs."""

import asyncio
import errno
import os
import time
from contextlib import closing, suppress
from pathlib import Path
from typing import Final

import apsw

from shopfloor.config import Settings
from shopfloor.core.lifecycle import Rules
from shopfloor.errors import StoreError, StoreUnavailable
from shopfloor.store.embedded import file, journal, rows
from shopfloor.store.embedded.boot import read_back
from shopfloor.store.embedded.disk import Disk
from shopfloor.store.embedded.entries import Round, gather, to_text
from shopfloor.store.embedded.file import (
    TABLES,
    Marks,
    abandon,
    check_sqlite,
    connect,
    doubt,
    in_our_words,
    keep_private,
    log_of,
    our_words,
    put_marks,
    sync_folder,
    synced,
)
from shopfloor.store.embedded.folding import Folding, Span, write
from shopfloor.store.embedded.journal import Journal, Unsynced, new_generation
from shopfloor.store.embedded.recovery import carry_over, look
from shopfloor.store.embedded.shelf import FileShelf
from shopfloor.store.embedded.shelving import Shelving
from shopfloor.store.port import Description
from shopfloor.store.state.shelf import NoShelf
from shopfloor.store.state.state import State
from shopfloor.store.state.verbs import StateStore

FOLD_STEPS: Final = 131_072
"""Steps in a segment of the journal. A job that is done within one or two of them never gets a row."""
FOLD_BYTES: Final = 16 * 1024 * 1024
"""Three segments are what a start has to replay, and what may be in memory before the shelf can take it."""
WRITE_BEHIND_STEPS: Final = 4096
WRITE_BEHIND_SECONDS: Final = 1.0
"""With durability `none`, how much of what has changed may be in memory only, and while there is traffic how long."""
BACKUP_PAGES: Final = 256
"""Pages copied in one go (1 MB); commands get their turn in between."""


class EmbeddedStore(StateStore):
    """One server's jobs in one file."""

    def __init__(self, settings: Settings, rules: Rules, vfs: str | None = None, disk: Disk | None = None) -> None:
        self.path = Path(settings.storage.path)
        self._settings = settings
        self._rules = rules
        self._vfs = vfs
        self._disk = disk or Disk()
        self._connection: apsw.Connection | None = None
        self._journal: Journal | None = None
        """None with durability `none`."""
        self._syncs = settings.durability == "commit"
        self._steps = 0
        """How many steps the segment has that is being written."""
        self._folded_at = 0.0
        self._trouble = ""
        """Why the last fold failed; the journal then goes on growing."""
        self._broken = ""
        """Why nothing can be trusted to be written any more until the server starts again."""
        self._log_pages = 0
        """How long the write-ahead log has grown."""
        super().__init__(State(rules, NoShelf(), settings.queues_max))

    async def open(self) -> None:
        """Take the file over and read it back."""
        with our_words(self.path):
            self.path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        connection = connect(self.path, "OFF" if self._settings.durability == "none" else "NORMAL", self._vfs)
        try:
            with our_words(self.path), doubt(self.path):
                self._begin_life(connection)
                connection.wal_checkpoint()  # the file itself says now that it is open
            shelf = FileShelf(connection, self.path)
            state = State(self._rules, shelf, self._settings.queues_max)
            read_back(connection, self.path, state, shelf, self._settings.hot_jobs_max)
        except BaseException:
            self._end_journal()
            abandon(connection)
            raise
        connection.set_wal_hook(self._logged)
        self._connection = connection
        self._begin(state, shelf)

    def _begin_life(self, connection: apsw.Connection) -> None:
        """Carry over what an earlier life left, and begin a journal of our own, in one step."""
        left = look(connection, self.path)
        generation = slot = 0
        if self._settings.durability != "none":
            generation = new_generation()
            self._journal = Journal(self.path, self._disk, makes_room=self._syncs)
            self._journal.open()
            slot = self._journal.prepare(generation, left.slots)
        carry_over(connection, left, Marks(is_open=True, generation=generation))
        if self._journal is not None:
            self._journal.adopt(generation, slot)
            self._journal.cut(left.slots)

    def _begin(self, state: State, shelf: FileShelf) -> None:
        """Every job in `state` has its row."""
        self.state, self._shelf = state, shelf
        self._folding = Folding(self._journal, _span(state))
        self._shelving = Shelving(state, shelf, self._settings.hot_jobs_max)
        self._steps = 0

    async def close(self) -> None:
        """Fold what is left and give the file free. With durability `none` a fold that fails is a loss: it raises."""
        connection = self._connection
        if connection is None:
            return
        is_whole = not self._broken and self._fold_all(Marks())
        self._connection = None
        self._end_journal()
        with suppress(apsw.Error, OSError):
            if is_whole:
                connection.close()
                journal.remove(self.path)
            else:
                abandon(connection)
        if self._trouble and self._settings.durability == "none":
            raise StoreUnavailable(self._trouble)

    def _end_journal(self) -> None:
        if self._journal is not None:
            self._journal.close()
            self._journal = None

    async def flush(self) -> None:
        """Empty every table, then begin anew."""
        connection = self._writable_connection()
        generation = slot = 0
        try:
            if self._journal is not None:
                self._journal.settle()
                generation = new_generation()
                slot = self._journal.prepare(generation)
            with synced(connection), connection:
                for table in TABLES:
                    connection.execute(f"DELETE FROM {table}")  # a constant of ours
                connection.execute(rows.UNCOUNT)
                put_marks(connection, Marks(is_open=True, generation=generation))
        except (apsw.Error, OSError) as error:
            raise self._failed(error) from error
        if self._journal is not None:
            self._journal.adopt(generation, slot)
        shelf = FileShelf(connection, self.path)
        self._begin_anew(State(self._rules, shelf, self._settings.queues_max))
        self._begin(self.state, shelf)
        self._checkpoint()

    async def backup(self, target: Path) -> None:
        """Copy the file page by page, and at the end put into the copy what only the journal has."""
        source = self._open_connection()
        partial = target.with_name(target.name + ".partial")
        partial.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        partial.unlink(missing_ok=True)
        try:
            keep_private(partial)
            with our_words(partial):
                await _copy(source, partial, self._folding)
            os.replace(partial, target)
        finally:
            partial.unlink(missing_ok=True)
        sync_folder(target.parent)

    async def describe(self) -> Description:
        """Say where the file is, how large, and what an OK means."""
        facts: dict[str, str | int | float] = {
            "path": str(self.path),
            "bytes": sum(map(_size, (self.path, log_of(self.path), *journal.slots_of(self.path)))),
            "shelved_jobs": len(self._shelf),
        }
        trouble = self._broken or self._trouble or self.state.damage
        if trouble:
            facts["trouble"] = trouble
        return Description(
            engine="embedded", version=f"SQLite {check_sqlite()}", durability=self._settings.durability, facts=facts
        )

    def _keep(self) -> None:
        """Append what the round did to the journal, and fold what has become old enough."""
        steps = self.state.steps
        if not steps:
            return
        done = gather(steps, self.state.days)
        if self._journal is not None and not done.is_empty():
            self._append(self._journal, done)
        self._folding.note(done)
        self._steps += len(steps)
        self._fold()
        if self._log_pages >= file.CHECKPOINT_PAGES:
            self._checkpoint()

    def _append(self, into: Journal, done: Round) -> None:
        self._writable_connection()
        try:
            into.write(to_text(done))
            if self._syncs:
                into.sync()
        except OSError as error:
            raise self._failed(error) from error

    def _fold(self) -> None:
        """Write to the tables what is old. A failure costs nothing but time: the journal stays."""
        if self._journal is None:
            if self._steps >= WRITE_BEHIND_STEPS or time.monotonic() - self._folded_at > WRITE_BEHIND_SECONDS:
                self._fold_all(Marks(is_open=True))
            return
        share = max(self._steps / FOLD_STEPS, self._journal.length / FOLD_BYTES)
        try:
            connection = self._writable_connection()
            if share < 1:
                written = self._folding.proceed(connection, share)
            else:
                written = self._folding.turn(connection, share, _span(self.state))
        except (apsw.Error, OSError, StoreError) as error:
            self._folding.failed(share)
            self._troubled(error)
            return
        if self._journal.length == 0:
            self._steps = 0
        if written is not None:
            self._trouble = ""
            self._shelving.shelve(written, self._folding.settled, is_last=not self._folding.is_under_way)

    def _fold_all(self, marks: Marks) -> bool:
        """Write everything to the tables; answer whether that could be done."""
        try:
            if self._journal is not None:
                self._journal.settle()
            written = self._folding.write_all(self._writable_connection(), marks, _span(self.state))
        except (apsw.Error, OSError, StoreError) as error:
            self._troubled(error)
            self._steps = 0
            return False
        self._trouble = ""
        self._steps = 0
        self._folded_at = time.monotonic()
        self._shelving.shelve(written, self._folding.settled)
        return True

    def _checkpoint(self) -> None:
        """Copy the write-ahead log into the file. A failure costs nothing but time: the log stays."""
        self._log_pages = 0
        try:
            self._writable_connection().wal_checkpoint()
        except (apsw.Error, StoreError) as error:
            self._troubled(error)

    def _logged(self, connection: apsw.Connection, database: str, pages: int) -> int:
        self._log_pages = pages
        return apsw.SQLITE_OK

    def _troubled(self, error: apsw.Error | OSError | StoreError) -> None:
        self._trouble = str(error if isinstance(error, StoreError) else self._failed(error))

    def _failed(self, error: apsw.Error | OSError) -> StoreError:
        """Say what failed. After a failed sync nothing more is written.

        The kernel may have thrown the unwritten pages away: a later sync that succeeds proves nothing. A write that
        failed leaves nothing half done: what may be there of it is no entry, and the next one is written over it.
        """
        if isinstance(error, Unsynced) or getattr(error, "extendedresult", 0) == apsw.SQLITE_IOERR_FSYNC:
            self._broken = f"{self.path} could not be synced to disk; restart the server"
            return StoreUnavailable(self._broken)
        if isinstance(error, apsw.Error):
            return in_our_words(error, self.path)
        reason = "the disk is full" if error.errno == errno.ENOSPC else (error.strerror or str(error)).lower()
        return StoreUnavailable(f"cannot write {self.path}: {reason}")

    def _writable_connection(self) -> apsw.Connection:
        if self._broken:
            raise StoreUnavailable(self._broken)
        return self._open_connection()

    def _open_connection(self) -> apsw.Connection:
        if self._connection is None:
            raise StoreUnavailable(f"{self.path} is not open")
        return self._connection


async def _copy(source: apsw.Connection, target: Path, folding: Folding) -> None:
    with closing(apsw.Connection(str(target))) as copy:
        with copy.backup("main", source, "main") as progress:
            await _step_through(progress)
        with copy:
            write(copy, *folding.pending())
            put_marks(copy, Marks())


async def _step_through(progress: apsw.Backup) -> None:
    """Copy all pages. Nothing comes between the last of them and what the journal has at that moment."""
    while True:
        if progress.step(BACKUP_PAGES):
            return
        await asyncio.sleep(0)


def _span(state: State) -> Span:
    return state.front, state.back


def _size(path: Path) -> int:
    return path.stat().st_size if path.exists() else 0
