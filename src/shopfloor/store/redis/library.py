"""The function library: its text, its name, and loading it into a Redis."""

import hashlib
from functools import cache
from pathlib import Path
from typing import Final

from shopfloor.core.changes import SOFT_KINDS
from shopfloor.store.redis.connection import Connection, Refusal

LAYOUT: Final = 1
"""The version of how things are kept, as functions.lua says at its head. What another layout wrote is not touched."""
_TEXT: Final = (
    Path(__file__)
    .with_name("functions.lua")
    .read_text(encoding="utf-8")
    .replace("@SOFT@", ", ".join(sorted(SOFT_KINDS)))
)
NAME: Final = f"shopfloor_{LAYOUT}_{hashlib.sha256(_TEXT.encode()).hexdigest()[:10]}"
"""Different texts have different names, so that servers of two versions can share one Redis."""
TEXT: Final = _TEXT.replace("@LIBRARY@", NAME)


@cache
def function(name: str) -> str:
    """Spell a function's name as Redis knows it."""
    return f"{NAME}_{name}"


async def load_library(connection: Connection) -> None:
    """Make the functions known; another server may have done it, or do it at this moment."""
    if await connection.call("FUNCTION", "LIST", "LIBRARYNAME", NAME):
        return
    try:
        await connection.call("FUNCTION", "LOAD", TEXT)
    except Refusal as refusal:
        if "already exists" not in str(refusal):
            raise
