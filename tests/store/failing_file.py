"""A file system for SQLite that refuses to write on cue, as a full disk does."""

import apsw


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

    def check(self) -> None:
        """A write comes: raise where it is to be refused."""
        if self._writes_until < 0:
            return
        if self._writes_until:
            self._writes_until -= 1
            return
        if self._failures:
            self._failures -= 1
            self.refused += 1
            raise apsw.FullError("the disk is full, on cue")

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
        self._files.check()
        super().xWrite(data, offset)
