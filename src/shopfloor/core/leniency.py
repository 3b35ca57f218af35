"""What the protocol's own decoder forgives in a JSON text, and ours does not: this makes such a text strict.

Faktory replaces broken UTF-8 and lone surrogates by U+FFFD, matches keys in any case and ignores those it
does not know (reference 1.2, 2.2); clients of every kind have come to rely on it.
"""

import re
from collections.abc import Collection

import msgspec
from msgspec import Raw

_SURROGATE = re.compile(
    rb"\\(?:u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2}|(u[dD][89a-fA-F][0-9a-fA-F]{2})|.)",
    re.DOTALL,
)
"""A pair of surrogates, a lone one (the group), or any other escape: no match begins inside of another."""

_object = msgspec.json.Decoder(dict[str, Raw] | None)


def valid_utf8(text: bytes) -> bytes:
    """Replace what is not UTF-8."""
    return text if text.isascii() else text.decode(errors="replace").encode()


def without_lone_surrogates(text: bytes) -> bytes:
    """Replace the escapes of half a character, as they come from texts that were cut in the middle of one."""
    if b"\\u" not in text:
        return text
    return _SURROGATE.sub(lambda match: b"\\ufffd" if match[1] else match[0], text)


def known_keys(text: bytes, known: Collection[str]) -> dict[str, Raw]:
    """Read an object, or null, and keep its `known` keys; raise what msgspec raises where it is neither."""
    return keep_known(_object.decode(text) or {}, known)


def keep_known(values: dict[str, Raw], known: Collection[str]) -> dict[str, Raw]:
    """Keep the `known` keys, whatever their case; of several spellings the last one counts."""
    return {key.lower(): value for key, value in values.items() if key.lower() in known}


def readable(data: bytes) -> str:
    """Read a peer's bytes as text; what is not UTF-8 in them becomes U+FFFD."""
    return data.decode(errors="replace")
