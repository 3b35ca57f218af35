"""Noticing that a source file changed, for development: by looking, twice a second, at when each was written."""

import asyncio
import os
from collections.abc import Callable, Mapping
from pathlib import Path

LOOK_SECONDS = 0.5
IGNORED = frozenset({".venv", "venv", "node_modules", "__pycache__", ".git", "site-packages"})


async def watch_sources(changed: Callable[[], None], folder: Path = Path()) -> None:
    """Say so whenever a Python file below the folder was written, added or removed."""
    before = await asyncio.to_thread(_written, folder)
    while True:
        await asyncio.sleep(LOOK_SECONDS)
        now = await asyncio.to_thread(_written, folder)
        if now != before:
            changed()
        before = now


def _written(folder: Path) -> Mapping[Path, float]:
    times: dict[Path, float] = {}
    for place, folders, files in os.walk(folder):
        folders[:] = [name for name in folders if name not in IGNORED]
        for name in files:
            if name.endswith(".py"):
                path = Path(place, name)
                times[path] = _written_at(path)
    return times


def _written_at(path: Path) -> float:
    try:
        return path.stat().st_mtime
    except OSError:
        return 0.0
