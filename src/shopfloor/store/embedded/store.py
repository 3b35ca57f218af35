"""The embedded store: see the package for the idea, `store.port.Store` for the verbs."""

import asyncio
import os
import time
from collections.abc import Mapping, Sequence
from contextlib import closing, suppress
from pathlib import Path
from typing import Final

import apsw

from shopfloor.config import Durability, Settings
from shopfloor.core.job import QUEUED, WORKING, Held
from shopfloor.core.lifecycle import Rules
from shopfloor.errors import StoreError, StoreUnavailable
from shopfloor.store.embedded import file, journal, rows
from shopfloor.store.embedded.boot import read_back, warm_jobs
from shopfloor.store.embedded.file import (
    TABLES,
    Synchronous,
    abandon,
    check_sqlite,
    connect,
    disconnect,
    in_our_words,
    keep_private,
    log_of,
    our_words,
    sync_folder,
)
from shopfloor.store.embedded.fold import Touched
from shopfloor.store.embedded.shelf import FileShelf
from shopfloor.store.port import Description
from shopfloor.store.state.shelf import NoShelf
from shopfloor.store.state.state import State
from shopfloor.store.state.verbs import StateStore

FOLD_STEPS: Final = 4096
"""Steps between two folds: enough that most jobs come and go in between, few enough that a fold takes some ms."""
FOLD_BYTES: Final = 8 * 1024 * 1024
WRITE_BEHIND_SECONDS: Final = 1.0
"""With durability `none`, how long a change may be in memory only while there is traffic."""
BACKUP_PAGES: Final = 256
"""Pages copied in one go (1 MB); commands get their turn in between."""

SYNCHRONOUS: Final[Mapping[Durability, Synchronous]] = {"commit": "FULL", "process": "NORMAL", "none": "OFF"}


class EmbeddedStore(StateStore):
    """One server's jobs in one file."""

    def __init__(self, settings: Settings, rules: Rules, vfs: str | None = None) -> None:
        self.path = Path(settings.storage.path)
        self._settings = settings
        self._rules = rules
        self._vfs = vfs
        self._connection: apsw.Connection | None = None
        self._touched = Touched()
        self._unfolded_bytes = 0
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
        connection = connect(self.path, SYNCHRONOUS[self._settings.durability], self._vfs)
        try:
            shelf = FileShelf(connection, self.path)
            state = State(self._rules, shelf, self._settings.queues_max)
            read_back(connection, self.path, state, shelf, self._settings.hot_jobs_max)
        except BaseException:
            abandon(connection)
            raise
        connection.set_wal_hook(self._logged)
        self._connection, self._shelf, self.state = connection, shelf, state

    async def close(self) -> None:
        """Fold what is left and give the file free. With durability `none` a fold that fails is a loss: it raises."""
        connection = self._connection
        if connection is None:
            return
        if not self._broken:
            self._fold()
        self._connection = None
        with suppress(apsw.Error):
            (abandon if self._broken else disconnect)(connection)
        if self._trouble and self._settings.durability == "none":
            raise StoreUnavailable(self._trouble)

    async def flush(self) -> None:
        """Empty every table, then begin anew."""
        connection = self._writable_connection()
        try:
            with connection:
                for table in TABLES:
                    connection.execute(f"DELETE FROM {table}")  # a constant of ours
                connection.execute(rows.UNCOUNT)
        except apsw.Error as error:
            raise self._failed(error) from error
        self._touched = Touched()
        self._shelf = FileShelf(connection, self.path)
        self._begin_anew(State(self._rules, self._shelf, self._settings.queues_max))

    async def backup(self, target: Path) -> None:
        """Copy the file page by page; what is written meanwhile is in the copy too."""
        source = self._open_connection()
        partial = target.with_name(target.name + ".partial")
        partial.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        partial.unlink(missing_ok=True)
        try:
            keep_private(partial)
            with our_words(partial):
                await _copy(source, partial)
            os.replace(partial, target)
        finally:
            partial.unlink(missing_ok=True)
        sync_folder(target.parent)

    async def describe(self) -> Description:
        """Say where the file is, how large, and what an OK means."""
        facts: dict[str, str | int | float] = {
            "path": str(self.path),
            "bytes": _size(self.path) + _size(log_of(self.path)),
            "shelved_jobs": len(self._shelf),
        }
        trouble = self._broken or self._trouble or self.state.damage
        if trouble:
            facts["trouble"] = trouble
        return Description(
            engine="embedded", version=f"SQLite {check_sqlite()}", durability=self._settings.durability, facts=facts
        )

    def _keep(self) -> None:
        """Append the steps to the journal, and fold when it has become long."""
        steps = self.state.steps
        if not steps:
            return
        if self._settings.durability != "none":
            self._append()
        self._touched.note(steps)
        if self._touched.steps >= FOLD_STEPS or self._unfolded_bytes >= FOLD_BYTES or self._is_late():
            self._fold()
        if self._log_pages >= file.CHECKPOINT_PAGES:
            self._checkpoint()

    def _append(self) -> None:
        entry = journal.to_entry(self.state.steps)
        if entry is None:
            return
        try:
            journal.append(self._writable_connection(), entry)
        except apsw.Error as error:
            raise self._failed(error) from error
        self._unfolded_bytes += len(entry)

    def _is_late(self) -> bool:
        return self._settings.durability == "none" and time.monotonic() - self._folded_at > WRITE_BEHIND_SECONDS

    def _fold(self) -> None:
        """Write what the journal has to the tables. A failure costs nothing but time: the journal stays."""
        try:
            written = self._touched.write(self._writable_connection(), self.state)
        except (apsw.Error, StoreError) as error:
            self._trouble = str(self._failed(error) if isinstance(error, apsw.Error) else error)
            self._touched.steps = self._unfolded_bytes = 0
            return
        self._trouble = ""
        self._touched = Touched()
        self._unfolded_bytes = 0
        self._folded_at = time.monotonic()
        self._put_on_shelf(written)

    def _checkpoint(self) -> None:
        """Copy the write-ahead log into the file. A failure costs nothing but time: the log stays."""
        self._log_pages = 0
        try:
            self._writable_connection().wal_checkpoint()
        except (apsw.Error, StoreError) as error:
            self._trouble = str(self._failed(error) if isinstance(error, apsw.Error) else error)

    def _logged(self, connection: apsw.Connection, database: str, pages: int) -> int:
        self._log_pages = pages
        return apsw.SQLITE_OK

    def _put_on_shelf(self, written: Sequence[Held]) -> None:
        """Forget the texts of jobs whose turn is far away. Just after a fold every job has its row."""
        state, hot_jobs_max = self.state, self._settings.hot_jobs_max
        keep = warm_jobs(state, hot_jobs_max)
        for queue in state.queues.values():
            if queue.warm > keep:
                tail = [self._shelved(held) for held in queue.warm_tail(keep) if state.jobs.get(held.job.jid) is held]
                queue.warm += sum(isinstance(entry, Held) for entry in tail)
                queue.entries.extend(reversed(tail))
        for held in written:
            if held.place not in (QUEUED, WORKING) and len(state.jobs) > hot_jobs_max:
                self._shelved(held)

    def _shelved(self, held: Held) -> Held | int:
        """Move a job to the shelf and answer its position; the job itself where that cannot be."""
        if not self._shelf.put(held.job.jid, held.position):
            return held
        del self.state.jobs[held.job.jid]
        return held.position

    def _failed(self, error: apsw.Error) -> StoreError:
        """Say what failed. After a failed sync nothing more is written.

        The kernel may have thrown the unwritten pages away: a later sync that succeeds proves nothing.
        """
        if getattr(error, "extendedresult", 0) == apsw.SQLITE_IOERR_FSYNC:
            self._broken = f"{self.path} could not be synced to disk; restart the server"
            return StoreUnavailable(self._broken)
        return in_our_words(error, self.path)

    def _writable_connection(self) -> apsw.Connection:
        if self._broken:
            raise StoreUnavailable(self._broken)
        return self._open_connection()

    def _open_connection(self) -> apsw.Connection:
        if self._connection is None:
            raise StoreUnavailable(f"{self.path} is not open")
        return self._connection


async def _copy(source: apsw.Connection, target: Path) -> None:
    with closing(apsw.Connection(str(target))) as copy:
        with copy.backup("main", source, "main") as progress:
            while not progress.done:
                progress.step(BACKUP_PAGES)
                await asyncio.sleep(0)
        disconnect(copy)


def _size(path: Path) -> int:
    return path.stat().st_size if path.exists() else 0
