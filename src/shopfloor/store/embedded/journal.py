"""The journal: an append-only file beside the database, in pieces that are used in turn.

A piece is called a *segment*, and rests in one of a few files, its *slot*. When a segment is full the next one begins
in a slot that is free; a slot becomes free when the tables have all that its segment says, and that is on the disk.
Files are written over and not made anew: a sync of bytes that have their place already is the cheapest there is.

Entries are numbered without a gap for as long as the store is open. A start replays them in order, up to the first
that is not whole. That is where the power went, unless an entry behind it says that all before it was on the disk
already: then the middle is damaged, and nothing is served from it.
"""

import secrets
from collections import deque
from collections.abc import Collection, Mapping
from concurrent.futures import Future
from contextlib import suppress
from pathlib import Path
from typing import Final

from msgspec import Struct

from shopfloor.errors import StoreDamaged
from shopfloor.store.embedded.disk import Disk
from shopfloor.store.embedded.entries import Entry, read_entry, scan, to_entry

SLOTS: Final = 4
"""One segment is written, one is full, one is on its way into the tables, and one is free for whatever begins."""
ROOM_BYTES: Final = 256 * 1024
"""A file that is synced grows by so much at a time, so that most syncs find its length unchanged."""
SLOT_BYTES_MAX: Final = 64 * 1024 * 1024
"""A file that grew beyond this, because the tables could not be written for long, is emptied before it is reused."""
NO_GENERATION: Final = 0
_OPENING: Final = b"[[],[],[],[],[],[],[]]"
"""The first entry does nothing. It is there so that a journal that has gone is missed."""


class Unsynced(OSError):
    """Nobody knows what of a file is on the disk."""


class Segment(Struct):
    """One that is being written, or waits for the tables to have it."""

    slot: int
    last: int
    """The number of its last entry."""


class Found(Struct, frozen=True):
    """What a start found of a journal."""

    texts: list[bytes] = []
    slots: frozenset[int] = frozenset()
    """Where that is: they are not to be touched until the tables have it."""


ENDINGS: Final = tuple(f".journal-{slot}" for slot in range(SLOTS))
"""What the names of the files have behind that of the store's file. SQLite uses none of these."""


def slots_of(path: Path) -> list[Path]:
    """Name the files beside a store's file."""
    return [path.with_name(path.name + ending) for ending in ENDINGS]


def remove(path: Path) -> None:
    """Remove the files of a journal that nobody needs any more."""
    for file in slots_of(path):
        file.unlink(missing_ok=True)


def new_generation() -> int:
    """Choose the salt of a journal: no entry of an earlier one may ever be taken for one of this."""
    return secrets.randbits(62) + 1


class Journal:
    """The journal of an open store. Its errors are the system's, and `Unsynced`, which is one of them."""

    def __init__(self, path: Path, disk: Disk, *, makes_room: bool) -> None:
        self._path = path
        self._disk = disk
        self._makes_room = makes_room
        self._files: list[int] = []
        self._salt = NO_GENERATION
        self._live: deque[Segment] = deque()
        """The oldest first; the last one is being written."""
        self._file = -1
        self._end = 0
        """Where the next entry goes."""
        self._room = 0
        """How long the file is."""
        self.number = 0
        """The number of the last entry."""
        self.synced = 0
        """Up to this number everything is on the disk for sure."""
        self._behind: Future[None] | None = None
        self._behind_number = 0

    @property
    def length(self) -> int:
        """How long the segment is that is being written."""
        return self._end

    def open(self) -> None:
        """Open the files, and make those that are missing."""
        files = slots_of(self._path)
        makes = not all(file.exists() for file in files)
        for file in files:
            self._files.append(self._disk.open(file))
        if makes:
            self._disk.sync_folder(self._path.parent)

    def prepare(self, generation: int, occupied: Collection[int] = ()) -> int:
        """Put the first entry of a new generation into a free slot, synced; answer which. The old one goes on."""
        taken = {segment.slot for segment in self._live} | set(occupied)
        slot = next(slot for slot in range(SLOTS) if slot not in taken)
        file = self._files[slot]
        if self._disk.size(file) > SLOT_BYTES_MAX:
            self._disk.cut(file)
        self._disk.write(file, to_entry(generation, 1, 0, _OPENING), 0)
        self._sync(file)
        return slot

    def adopt(self, generation: int, slot: int) -> None:
        """Go on with the generation that `prepare` began; the one before it is forgotten."""
        self._salt, self.number, self.synced = generation, 1, 1
        self._live.clear()
        self._begin(slot)
        self._end = len(to_entry(generation, 1, 0, _OPENING))

    def cut(self, slots: Collection[int]) -> None:
        """Give the disk back what an earlier life left: a start on a disk that was full needs it."""
        for slot in slots:
            with suppress(OSError):
                self._disk.cut(self._files[slot])

    def write(self, text: bytes) -> None:
        """Append an entry. Where that fails, the next one is written over what may be there of it."""
        if self._behind is not None:
            self.is_settled()
        data = to_entry(self._salt, self.number + 1, self.synced, text)
        end = self._end + len(data)
        if end > self._room:
            self._grow(end)
        self._disk.write(self._file, data, self._end)
        self._end = end
        self.number += 1

    def sync(self) -> None:
        """Return when the segment is on the disk; those before it are already. Raise `Unsynced` where that failed."""
        self._sync(self._file)
        self.synced = self.number

    def sync_behind(self) -> None:
        """Sync the segment that is being written, while work goes on, unless that was done."""
        if self.synced < self.number:
            self._behind, self._behind_number = self._disk.sync_behind(self._file), self.number

    def is_settled(self) -> bool:
        """Say whether what was synced behind is on the disk; raise `Unsynced` where that failed."""
        if self._behind is not None and self._behind.done():
            self.settle()
        return self._behind is None

    def settle(self) -> None:
        """Wait for what is synced behind."""
        if self._behind is not None:
            try:
                self._behind.result()
            except OSError as error:
                raise Unsynced from error
            self._behind, self.synced = None, max(self.synced, self._behind_number)

    def turn(self) -> None:
        """Begin a new segment with the next entry."""
        taken = {segment.slot for segment in self._live}
        slot = next(slot for slot in range(SLOTS) if slot not in taken)
        self._live[-1].last = self.number
        if self._disk.size(self._files[slot]) > SLOT_BYTES_MAX:
            with suppress(OSError):
                self._disk.cut(self._files[slot])
        self._begin(slot)

    def oldest_end(self) -> int:
        """Answer the number of the last entry of the oldest segment, which is full."""
        assert len(self._live) > 1
        return self._live[0].last

    def release(self) -> None:
        """The tables have the oldest segment: its slot is free."""
        self._live.popleft()

    def size(self) -> int:
        """Say how much of the disk it takes."""
        return sum(self._disk.size(file) for file in self._files)

    def close(self) -> None:
        """Let go of the files."""
        self._disk.close(self._files)
        self._files = []

    def _begin(self, slot: int) -> None:
        self._file = self._files[slot]
        self._end = 0
        self._room = self._disk.size(self._file)
        self._live.append(Segment(slot, self.number))

    def _sync(self, file: int) -> None:
        try:
            self._disk.sync(file)
        except OSError as error:
            raise Unsynced from error

    def _grow(self, end: int) -> None:
        """Where there is no room for zeros there may still be enough for the entry: that will show."""
        if not self._makes_room:
            self._room = end
            return
        with suppress(OSError):
            self._disk.write(self._file, bytes(end - self._room + ROOM_BYTES), self._room)
        self._room = self._disk.size(self._file)


def read(path: Path, generation: int, folded: int) -> Found:
    """Read the entries behind the number `folded`; raise `StoreDamaged` where some that were synced are missing.

    The first of them is always there: it was on the disk before the tables said that they had those before it.
    """
    contents: dict[int, bytes] = {}
    for slot, file in enumerate(slots_of(path)):
        if not file.exists():
            raise StoreDamaged(f"{file} is missing, and what was done last is in it: put it back, or restore a backup")
        contents[slot] = file.read_bytes()
    texts: list[bytes] = []
    slots: set[int] = set()
    expected = folded + 1
    while (begins_in := _beginning(contents, generation, expected)) is not None:
        slots.add(begins_in)
        offset = 0
        while (entry := _entry(contents[begins_in], offset, generation, expected)) is not None:
            texts.append(entry.text)
            offset, expected = entry.end, expected + 1
    synced = max((entry.synced for entry in _behind(contents, generation, expected)), default=0)
    if not texts or synced >= expected:
        raise StoreDamaged(f"entry {expected} of the journal is damaged or missing: restore a backup")
    return Found(texts, frozenset(slots))


def _beginning(contents: Mapping[int, bytes], salt: int, number: int) -> int | None:
    """Find the segment that begins with an entry."""
    return next((slot for slot, content in contents.items() if _entry(content, 0, salt, number) is not None), None)


def _entry(content: bytes, offset: int, salt: int, number: int) -> Entry | None:
    """Read the entry at an offset where it is the one that comes next, and not one left of an earlier use."""
    entry = read_entry(content, offset, salt)
    return entry if entry is not None and entry.number == number else None


def _behind(contents: Mapping[int, bytes], salt: int, number: int) -> list[Entry]:
    """Find entries that are whole although one before them is not."""
    return [entry for content in contents.values() for entry in scan(content, salt) if entry.number >= number]
