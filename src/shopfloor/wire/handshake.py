"""Greeting and HELLO: how a connection begins (reference 1.2)."""

import hmac
from hashlib import sha256
from typing import Annotated

import msgspec
from msgspec import Meta, Struct

from shopfloor.core.leniency import known_keys, valid_utf8, without_lone_surrogates
from shopfloor.core.payload import Integer
from shopfloor.errors import Hangup

PROTOCOL_VERSION = 2
ITERATIONS_MIN = 4000
ITERATIONS_RANGE = 4096
HELLO_BYTES_MAX = 16_384
"""A HELLO has a handful of short fields; before it nobody is known well enough to be lent more memory."""


class Challenge(Struct, frozen=True):
    """What a client must hash the password with; `salt` and `iterations` are the connection's own."""

    salt: str
    iterations: int


class Hello(Struct, frozen=True, kw_only=True):
    """What a client says of itself. A non-empty `wid` makes the connection a worker's."""

    version: int = 0
    wid: str = ""
    hostname: str = ""
    pid: int = 0
    labels: tuple[str, ...] = ()
    pwdhash: str = ""
    username: str = ""
    rss_kb: int = 0
    understands: tuple[str, ...] = ()
    """Extensions that the client wants to hear of, such as "cancel" in replies to BEAT."""


class _HelloText(Struct, kw_only=True):
    """The JSON of HELLO; null counts as absent, unknown keys are ignored."""

    v: Annotated[int, Meta(ge=0, le=255)] | None = None
    hostname: str | None = None
    wid: str | None = None
    pid: Integer | None = None
    labels: tuple[str | None, ...] | None = None
    pwdhash: str | None = None
    username: str | None = None
    rss_kb: Integer | None = None
    understands: tuple[str | None, ...] | None = None


_typed = msgspec.json.Decoder(_HelloText)


def challenge(dice: int) -> Challenge:
    """Make a challenge from a random number of at least 75 bits."""
    return Challenge(f"{(dice >> 12) & (2**63 - 1):x}", ITERATIONS_MIN + dice % ITERATIONS_RANGE)


def greeting(asked: Challenge | None) -> bytes:
    """Write the server's first line, without a space in its JSON, as some clients need it (reference 11)."""
    if asked is None:
        return b'+HI {"v":2}\r\n'
    return b'+HI {"v":2,"i":%d,"s":"%b"}\r\n' % (asked.iterations, asked.salt.encode())


def read_hello(line: bytes) -> Hello:
    """Read the first line of a client; anything else than a good HELLO raises `Hangup` without a message."""
    if not line.startswith(b"HELLO {"):
        raise Hangup("")
    try:
        text = without_lone_surrogates(valid_utf8(line[6:]))
        said = _typed.decode(msgspec.json.encode(known_keys(text, _HelloText.__struct_fields__)))
    except (msgspec.MsgspecError, RecursionError) as error:
        raise Hangup("") from error
    return Hello(
        version=said.v or 0,
        wid=said.wid or "",
        hostname=said.hostname or "",
        pid=said.pid or 0,
        labels=tuple(label or "" for label in said.labels or ()),
        pwdhash=said.pwdhash or "",
        username=said.username or "",
        rss_kb=said.rss_kb or 0,
        understands=tuple(word or "" for word in said.understands or ()),
    )


def rounds(hello: Hello, asked: Challenge) -> int:
    """Say how often this client hashes: once if it speaks a version below 2 or none (reference 1.2, 4)."""
    return asked.iterations if hello.version >= PROTOCOL_VERSION else 1


def first_digest(password: str, salt: str) -> bytes:
    """Hash the password with the salt: the first round."""
    return sha256((password + salt).encode()).digest()


def further_digest(digest: bytes, count: int) -> bytes:
    """Hash a digest `count` times more. A round costs half a microsecond; callers cut long runs in pieces."""
    for _ in range(count):
        digest = sha256(digest).digest()
    return digest


def password_hash(password: str, salt: str, iterations: int) -> str:
    """Answer a challenge, as a client does."""
    return further_digest(first_digest(password, salt), iterations - 1).hex()


def check_password(hello: Hello, digest: bytes) -> None:
    """Raise `Hangup` where the client did not show that it knows the password."""
    if not hmac.compare_digest(hello.pwdhash.encode(errors="replace"), digest.hex().encode()):
        raise Hangup("Invalid password")
