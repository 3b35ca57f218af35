"""A disk that fails on cue, in this process or, run as a program, under a whole server.

`python -m tests.faults.sick_disk serve …` is `shopfloor serve …` on a disk whose ailment is the text of the file that
SICK_DISK_AILMENT names; an empty text is good health. So a test makes a running server's disk full, and well again.
"""

import errno
import os
from collections.abc import Callable
from pathlib import Path
from typing import Literal

import apsw

from shopfloor.cli.main import main
from shopfloor.store.embedded import store as embedded
from tests.prompt_disk import PromptDisk

Ailment = Literal["", "full", "no sync", "no write"]
Operation = Literal["write", "sync", "truncate"]
USUAL = "unix"
"""The file system beneath: by its name, since the default may be ours."""
VARIABLE = "SICK_DISK_AILMENT"

ERRORS: dict[Ailment, tuple[frozenset[Operation], int]] = {
    "": (frozenset(), apsw.SQLITE_OK),
    "full": (frozenset({"write"}), apsw.SQLITE_FULL),
    "no sync": (frozenset({"sync"}), apsw.SQLITE_IOERR_FSYNC),
    "no write": (frozenset({"write", "truncate"}), apsw.SQLITE_IOERR_WRITE),
}
"""What goes wrong, and as what SQLite hears of it."""

Examine = Callable[[Operation], Ailment]


class SickVFS(apsw.VFS):
    """The usual files; before each operation it is asked what the disk suffers from."""

    def __init__(self, name: str, examine: Examine, *, default: bool = False) -> None:
        super().__init__(name, USUAL, makedefault=default)
        self.name = name
        self._examine = examine

    def xOpen(self, name: str | apsw.URIFilename | None, flags: list[int]) -> "SickFile":
        """Open one of the files."""
        return SickFile(self._examine, name, flags)


class SickFile(apsw.VFSFile):
    """A file on such a disk."""

    def __init__(self, examine: Examine, name: str | apsw.URIFilename | None, flags: list[int]) -> None:
        super().__init__(USUAL, name, flags)
        self._examine = examine

    def xWrite(self, data: bytes, offset: int) -> None:
        """Write."""
        self._attempt("write")
        super().xWrite(data, offset)

    def xTruncate(self, newsize: int) -> None:
        """Cut off."""
        self._attempt("truncate")
        super().xTruncate(newsize)

    def xSync(self, flags: int) -> None:
        """Sync."""
        self._attempt("sync")
        super().xSync(flags)

    def _attempt(self, operation: Operation) -> None:
        operations, code = ERRORS[self._examine(operation)]
        if operation in operations:
            raise apsw.exception_for(code)


class SickFiles(PromptDisk):
    """The journal's way to the same disk."""

    def __init__(self, examine: Examine) -> None:
        super().__init__()
        self._examine = examine

    def write(self, file: int, data: bytes, offset: int) -> None:
        """Write; where that fails, a part of it is there."""
        try:
            self._attempt("write")
        except OSError:
            super().write(file, data[: len(data) // 2], offset)
            raise
        super().write(file, data, offset)

    def cut(self, file: int) -> None:
        """Empty a file."""
        self._attempt("truncate")
        super().cut(file)

    def sync(self, file: int) -> None:
        """Sync."""
        self._attempt("sync")
        super().sync(file)

    def _attempt(self, operation: Operation) -> None:
        ailment = self._examine(operation)
        if operation in ERRORS[ailment][0]:
            number = errno.ENOSPC if ailment == "full" else errno.EIO
            raise OSError(number, os.strerror(number))


def _told(path: Path) -> Examine:
    """Read the ailment from a file at each operation."""

    def examine(operation: Operation) -> Ailment:
        text = path.read_text() if path.exists() else ""
        return next(ailment for ailment in ERRORS if ailment == text)

    return examine


if __name__ == "__main__":
    examined = _told(Path(os.environ[VARIABLE]))
    vfs = SickVFS("sick", examined, default=True)
    setattr(embedded, "Disk", lambda: SickFiles(examined))  # noqa: B010  the server makes its own
    main()
