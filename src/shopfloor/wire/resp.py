"""Replies as bytes: the part of RESP2 that the protocol uses (reference 1.1)."""

import msgspec

from shopfloor.errors import Refused

OK = b"+OK\r\n"
NULL = b"$-1\r\n"
MESSAGE_CHARACTERS_MAX = 600
"""An error repeats what the peer sent; it need not repeat all of it."""

_LINE_ENDS = str.maketrans({"\r": "\\r", "\n": "\\n", "\0": "\\0"})


def bulk(body: bytes) -> bytes:
    """Frame a body."""
    return b"$%d\r\n%b\r\n" % (len(body), body)


def bulk_json(value: object) -> bytes:
    """Frame a value as JSON on one line."""
    return bulk(msgspec.json.encode(value))


def error(refused: Refused) -> bytes:
    """Write a refusal. No line end of the peer's gets into it (bug B17)."""
    message = refused.message
    if len(message) > MESSAGE_CHARACTERS_MAX:
        message = message[:MESSAGE_CHARACTERS_MAX] + "…"
    return f"-{refused.code} {message.translate(_LINE_ENDS)}\r\n".encode(errors="replace")
