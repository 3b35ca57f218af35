"""What the configuration asks of the file system, as a port, and the one that really reads it."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Protocol

from shopfloor.errors import ConfigError


class Files(Protocol):
    """The file system, as far as settings are concerned. Tests give a dictionary in its place."""

    def read(self, path: Path) -> str | None:
        """Return the file's text, or None when there is no such file. An unreadable one is a ConfigError."""

    def names(self, folder: Path) -> list[str]:
        """Return the names in a folder, sorted; none when there is no folder. A file is a ConfigError."""

    def exists(self, path: Path) -> bool:
        """Say whether a file or folder is there."""

    def absolute(self, path: Path) -> Path:
        """Return the path from the root, with `~` replaced by the user's home."""


class Disk:
    """Read the real file system."""

    def read(self, path: Path) -> str | None:
        """Return the file's text, or None when there is no such file. An unreadable one is a ConfigError."""
        try:
            return path.read_text("utf-8")
        except (FileNotFoundError, NotADirectoryError):
            return None
        except UnicodeDecodeError:
            raise ConfigError(f"{path}: not UTF-8") from None
        except OSError as error:
            raise ConfigError(f"{path}: {_reason(error)}") from None

    def names(self, folder: Path) -> list[str]:
        """Return the names in a folder, sorted; none when there is no folder. A file is a ConfigError."""
        try:
            return sorted(os.listdir(folder))
        except FileNotFoundError:
            return []
        except NotADirectoryError:
            raise ConfigError(f"{folder}: expected a folder with *.toml files in it, found a file") from None
        except OSError as error:
            raise ConfigError(f"{folder}: {_reason(error)}") from None

    def exists(self, path: Path) -> bool:
        """Say whether a file or folder is there."""
        return os.path.exists(path)  # unlike Path.exists, False where a parent folder is closed to us

    def absolute(self, path: Path) -> Path:
        """Return the path from the root, with `~` replaced by the user's home."""
        return Path(os.path.abspath(os.path.expanduser(path)))


def _reason(error: OSError) -> str:
    return (error.strerror or str(error)).lower()
