"""A disk that refuses to write on cue, as a full one does: for SQLite, and for the journal beside its file."""

import errno

import apsw

from tests.prompt_disk import PromptDisk


class FailingFiles(apsw.VFS):
    """The usual files; once armed, the n-th write from then on and `failures` in all are refused."""

    def __init__(self, name: str) -> None:
        super().__init__(name, "")
        self.name = name
        self._writes_until = -1
        self._failures = 0
        self.refused = 0

    def arm(self, writes_before: int, failures: int) -> None:
        """Let so many writes pass, then refuse so many."""
        self._writes_until, self._failures = writes_before, failures

    def disarm(self) -> None:
        """Refuse no more."""
        self._writes_until, self._failures = -1, 0

    def refuses(self) -> bool:
        """A write comes: say whether it is to be refused."""
        if self._writes_until < 0:
            return False
        if self._writes_until:
            self._writes_until -= 1
            return False
        if not self._failures:
            return False
        self._failures -= 1
        self.refused += 1
        return True

    def xOpen(self, name: str | apsw.URIFilename | None, flags: list[int]) -> "FailingFile":
        """Open one of the files."""
        return FailingFile(self, name, flags)


class FailingFile(apsw.VFSFile):
    """A file whose writes ask first."""

    def __init__(self, files: FailingFiles, name: str | apsw.URIFilename | None, flags: list[int]) -> None:
        super().__init__("", name, flags)
        self._files = files

    def xWrite(self, data: bytes, offset: int) -> None:
        """Write, or be refused."""
        if self._files.refuses():
            raise apsw.FullError("the disk is full, on cue")
        super().xWrite(data, offset)


class FailingDisk(PromptDisk):
    """The journal's way to the same files. Of a write that is refused, the first half is there."""

    def __init__(self, files: FailingFiles) -> None:
        super().__init__()
        self._files = files

    def write(self, file: int, data: bytes, offset: int) -> None:
        """Write, or be refused."""
        if self._files.refuses():
            super().write(file, data[: len(data) // 2], offset)
            raise OSError(errno.ENOSPC, "no space left on device")
        super().write(file, data, offset)
