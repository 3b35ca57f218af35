"""How the journal reaches its files: the one place that opens, writes and syncs them. Tests bring one of their own."""

import os
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path


class Disk:
    """The system's files. Whatever goes wrong is an `OSError`."""

    def __init__(self) -> None:
        self._behind: ThreadPoolExecutor | None = None

    def open(self, path: Path) -> int:
        """Open a file, and make it where there is none; jobs carry personal data, so only its owner can read it."""
        return os.open(path, os.O_CREAT | os.O_RDWR | os.O_CLOEXEC, 0o600)

    def size(self, file: int) -> int:
        """Say how long a file is."""
        return os.fstat(file).st_size

    def write(self, file: int, data: bytes, offset: int) -> None:
        """Put bytes at an offset. Where that fails, some of them may be there."""
        done = os.pwrite(file, data, offset)
        while done < len(data):  # the disk is nearly full: the next attempt says so
            done += os.pwrite(file, data[done:], offset + done)

    def cut(self, file: int) -> None:
        """Empty a file."""
        os.ftruncate(file, 0)

    def sync(self, file: int) -> None:
        """Return when all that was written is on the disk."""
        os.fdatasync(file)

    def sync_behind(self, file: int) -> Future[None]:
        """Sync without anybody waiting for it: syncing megabytes at once would hold up replies for long."""
        if self._behind is None:
            self._behind = ThreadPoolExecutor(1, thread_name_prefix="journal-sync")
        return self._behind.submit(self.sync, file)

    def sync_folder(self, folder: Path) -> None:
        """Make new names in a folder survive the loss of power."""
        handle = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)

    def close(self, files: list[int]) -> None:
        """Let go of files, and wait for what is under way."""
        if self._behind is not None:
            self._behind.shutdown()
            self._behind = None
        for file in files:
            os.close(file)
