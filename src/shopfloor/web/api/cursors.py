"""Cursors: where a page ended, in letters that mean nothing to whoever passes them back."""

from base64 import urlsafe_b64decode, urlsafe_b64encode
from typing import TypeVar

import msgspec
from msgspec import Struct

from shopfloor.web.api.problem import ApiError


class Timed(Struct, frozen=True, array_like=True):
    """The time and jid of the last job of a page of a timed place."""

    at: float
    jid: str


class Queued(Struct, frozen=True, array_like=True):
    """How deep in its queue the last job of a page was, and its position, by which it is found when the queue moves."""

    depth: int
    position: int


class Named(Struct, frozen=True, array_like=True):
    """The last thing of a page by its key; which words make one is each list's own."""

    words: tuple[str, ...]


_Kind = TypeVar("_Kind")


def write(place: Timed | Queued | Named) -> str:
    """Write a cursor."""
    return urlsafe_b64encode(msgspec.json.encode(place)).decode().rstrip("=")


def read(cursor: str, kind: type[_Kind]) -> _Kind | None:
    """Read a cursor; None where there is none yet."""
    if not cursor:
        return None
    try:
        text = urlsafe_b64decode(cursor.encode("ascii") + b"=" * (-len(cursor) % 4))
        return msgspec.json.decode(text, type=kind)
    except (ValueError, msgspec.MsgspecError, RecursionError) as error:
        raise ApiError("malformed", "cursor: not one that this server gave") from error
