"""Putting a backup in the place of a store's file."""

import os
import shutil
from pathlib import Path

from shopfloor.errors import StoreError, StoreLocked
from shopfloor.store.embedded.check import check
from shopfloor.store.embedded.file import our_words, sync_folder
from shopfloor.store.embedded.journal import ENDINGS
from shopfloor.store.embedded.recovery import tidy

_COMPANIONS = ("", "-wal", "-shm", "-journal", *ENDINGS)


def restore(source: Path, target: Path) -> Path | None:
    """Make `source` the content of `target`; answer where what was there before is kept, None where nothing was.

    The copy is read through before anything is moved. No server may have `target` open.
    """
    if not source.is_file():
        raise StoreError(f"{source} does not exist")
    arriving = target.with_name(target.name + ".arriving")
    with our_words(target):
        target.parent.mkdir(parents=True, exist_ok=True)
        _remove(arriving)
        try:
            shutil.copyfile(source, arriving)
            check(arriving)
            kept = _set_aside(target)
            os.replace(arriving, target)
            sync_folder(target.parent)
        finally:
            _remove(arriving)
    return kept


def _set_aside(target: Path) -> Path | None:
    """Rename the file that is there; one in use raises `StoreLocked`, a damaged one is kept as well."""
    if not target.exists():
        return None
    try:
        tidy(target)
    except StoreLocked:
        raise
    except StoreError:
        pass
    number = 1
    while (kept := target.with_name(f"{target.name}.before-restore-{number}")).exists():
        number += 1
    for ending in _COMPANIONS:
        companion = target.with_name(target.name + ending)
        if companion.exists():
            os.replace(companion, kept.with_name(kept.name + ending))
    return kept


def _remove(path: Path) -> None:
    """Remove a file with what SQLite may have put beside it."""
    for ending in _COMPANIONS:
        path.with_name(path.name + ending).unlink(missing_ok=True)
