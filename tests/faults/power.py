"""A disk that can lose its power: what was written since the last sync is lost, kept or torn, as the dice say.

`PowerVFS`, for SQLite, and `PowerFiles`, for the journal beside its file, pass everything through to real files, and
remember beside them what a disk is bound to hold: for each file the content as of its last sync, and the writes since.
`lose_power` makes of it one of the contents that a machine may find when it comes up again: each write since the sync
is on the disk wholly, in part (by sectors of 512 bytes) or not at all, in any order; a file that was made or removed
since may be there or not.
"""

import random
from collections.abc import Callable
from concurrent.futures import Future
from pathlib import Path
from typing import Literal

import apsw
from msgspec import Struct

from shopfloor.store.embedded import disk as embedded

SECTOR_BYTES = 512
LOGS = apsw.SQLITE_OPEN_WAL | apsw.SQLITE_OPEN_MAIN_JOURNAL
Loss = Literal["everything", "a tail", "anything"]
"""What is lost of the writes since the last sync: all, those behind some moment, or each by chance and in part."""


class Write(Struct, frozen=True):
    """Bytes put at an offset; `data` None cuts the file off there."""

    offset: int
    data: bytes | None

    def onto(self, content: bytearray) -> None:
        """Carry it out."""
        if self.data is None:
            del content[self.offset :]
            return
        if len(content) < self.offset:
            content.extend(bytes(self.offset - len(content)))
        content[self.offset : self.offset + len(self.data)] = self.data

    def torn(self, dice: random.Random) -> "Write":
        """Keep a beginning of its sectors only."""
        if self.data is None:
            return self
        sectors = -(-len(self.data) // SECTOR_BYTES)
        return Write(self.offset, self.data[: dice.randrange(sectors + 1) * SECTOR_BYTES])


class Platter(Struct):
    """What is known of one file: None where none is bound to be there."""

    synced: bytearray | None = None
    since: list[Write] = []
    removed: bool = False
    """It was deleted, and nothing made that last yet."""

    def sync(self) -> None:
        """Make everything so far last. The real disk need not be bothered."""
        if self.synced is None:
            self.synced = bytearray()
        for write in self.since:
            write.onto(self.synced)
        self.since.clear()


class PowerOff(apsw.IOError, OSError):
    """The machine is off."""


class Disk:
    """All files of a VFS, and the moment at which the power goes."""

    def __init__(self) -> None:
        self.platters: dict[str, Platter] = {}
        self.operations = 0
        self.fails_at = 0
        """The operation that the power does not outlast; 0 is none."""
        self.is_off = False

    @classmethod
    def holding(cls, folder: Path) -> "Disk":
        """Make a disk on which the files of a folder are safe."""
        disk = cls()
        for path in folder.iterdir():
            disk.platters[str(path)] = Platter(bytearray(path.read_bytes()))
        return disk

    def platter(self, path: str) -> Platter:
        """Find a file; one that somebody renamed is there for good, since the store syncs the folder then."""
        known = self.platters.get(path)
        if known is None:
            content = Path(path).read_bytes() if path and Path(path).exists() else b""
            known = self.platters[path] = Platter(bytearray(content) if content else None)
        return known

    def operate(self) -> None:
        """Something reaches the disk; raise where there is no power any more."""
        self.operations += 1
        if self.fails_at and self.operations >= self.fails_at:
            self.is_off = True
        if self.is_off:
            raise PowerOff("the power is off")

    def sync_folder(self) -> None:
        """Make it last which files there are."""
        for platter in self.platters.values():
            if platter.removed:
                platter.synced = None
                platter.since.clear()

    def lose_power(self, folder: Path, loss: Loss, dice: random.Random) -> None:
        """Write the files as the machine finds them when it comes up again."""
        self.is_off = True
        for path, platter in self.platters.items():
            content = _after(platter, loss, dice)
            if content is not None:
                (folder / Path(path).name).write_bytes(content)


class PowerVFS(apsw.VFS):
    """The usual files on a `Disk`."""

    def __init__(self, name: str, disk: Disk) -> None:
        super().__init__(name, "")
        self.name = name
        self._disk = disk

    def xOpen(self, name: str | apsw.URIFilename | None, flags: list[int]) -> "PowerFile":
        """Open one of the files."""
        return PowerFile(self._disk, name, flags)

    def xDelete(self, filename: str, syncdir: bool) -> None:
        """Delete a file; that lasts when the folder is synced with it."""
        self._disk.operate()
        super().xDelete(filename, syncdir)
        platter = self._disk.platters.get(filename)
        if platter is not None:
            platter.removed = True
        if syncdir:
            self._disk.sync_folder()


class PowerFile(apsw.VFSFile):
    """A file whose writes are remembered until they are synced."""

    def __init__(self, disk: Disk, name: str | apsw.URIFilename | None, flags: list[int]) -> None:
        super().__init__("", name, flags)
        self._disk = disk
        path = name.filename() if isinstance(name, apsw.URIFilename) else name
        self._platter = disk.platter(path or "")
        if self._platter.removed:
            self._platter.removed = False
            self._platter.since.append(Write(0, None))
        # As SQLite does on Unix: the first sync of a log syncs the folder that it was made in.
        self._syncs_folder = bool(flags[0] & apsw.SQLITE_OPEN_CREATE and flags[0] & LOGS)

    def xWrite(self, data: bytes, offset: int) -> None:
        """Write."""
        self._disk.operate()
        super().xWrite(data, offset)
        self._platter.since.append(Write(offset, bytes(data)))

    def xTruncate(self, newsize: int) -> None:
        """Cut off."""
        self._disk.operate()
        super().xTruncate(newsize)
        self._platter.since.append(Write(newsize, None))

    def xSync(self, flags: int) -> None:
        """Make everything so far last."""
        self._disk.operate()
        self._platter.sync()
        if self._syncs_folder:
            self._syncs_folder = False
            self._disk.sync_folder()


class PowerFiles(embedded.Disk):
    """The journal's way to the same `Disk`."""

    def __init__(self, disk: Disk, dice: random.Random) -> None:
        super().__init__()
        self._disk = disk
        self._dice = dice
        self._platters: dict[int, Platter] = {}

    def open(self, path: Path) -> int:
        """Open a file; one that is made lasts when its folder is synced."""
        self._disk.operate()
        file = super().open(path)
        self._platters[file] = self._disk.platter(str(path))
        return file

    def write(self, file: int, data: bytes, offset: int) -> None:
        """Write."""
        self._disk.operate()
        super().write(file, data, offset)
        self._platters[file].since.append(Write(offset, data))

    def cut(self, file: int) -> None:
        """Empty a file."""
        self._disk.operate()
        super().cut(file)
        self._platters[file].since.append(Write(0, None))

    def sync(self, file: int) -> None:
        """Make everything so far last."""
        self._disk.operate()
        self._platters[file].sync()

    def sync_behind(self, file: int) -> "Future[None]":
        """Make it last some time later, or when somebody waits for it."""
        return _Later(lambda: self.sync(file), self._dice.choice((0, 3, 20, 1000)))

    def sync_folder(self, folder: Path) -> None:
        """Make it last which files there are."""
        self._disk.operate()
        for platter in self._platters.values():
            if platter.synced is None:
                platter.synced = bytearray()
        self._disk.sync_folder()


class _Later(Future[None]):
    """Something that is done when it was asked for so many times."""

    def __init__(self, action: Callable[[], None], asked_max: int) -> None:
        super().__init__()
        self._action = action
        self._left = asked_max

    def done(self) -> bool:
        """Do it, if the time has come."""
        self._left -= 1
        if self._left < 0:
            self._do()
        return super().done()

    def result(self, timeout: float | None = None) -> None:
        """Do it now."""
        self._do()
        super().result(timeout)

    def _do(self) -> None:
        if super().done():
            return
        try:
            self._action()
        except OSError as error:
            self.set_exception(error)
        else:
            self.set_result(None)


def _after(platter: Platter, loss: Loss, dice: random.Random) -> bytes | None:
    """Choose what is found of a file; None where it is gone."""
    if platter.removed and dice.random() < 0.5:
        return None
    kept = _kept(platter.since, loss, dice)
    if platter.synced is None and not kept:
        return None
    content = bytearray(platter.synced or b"")
    for write in kept:
        write.onto(content)
    return bytes(content)


def _kept(writes: list[Write], loss: Loss, dice: random.Random) -> list[Write]:
    if loss == "everything" or not writes:
        return []
    if loss == "a tail":
        count = dice.randrange(len(writes) + 1)
        torn = [writes[count].torn(dice)] if count < len(writes) else []
        return writes[:count] + torn
    share = dice.random()
    return [dice.choice((write, write, write.torn(dice))) for write in writes if dice.random() < share]
