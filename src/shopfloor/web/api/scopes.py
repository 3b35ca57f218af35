"""Who may do what: tokens with scopes, from a file that holds their digests and never the tokens themselves.

    # name     scopes         digest of the token
    grafana    read           sha256:5994…
    checkout   read,push      sha256:8f0e…

A token is 32 random bytes or more, so that one round of SHA-256 is enough: there is nothing to guess.
"""

import re
from collections.abc import Mapping
from hashlib import sha256
from typing import Final, Literal

from msgspec import Struct

from shopfloor.errors import ConfigError

Scope = Literal["read", "push", "operate", "admin"]
SCOPES: Final[Mapping[Scope, str]] = {
    "read": "look at everything",
    "push": "push jobs and make batches",
    "operate": "pause, retry, kill, discard, cancel, quiet and stop",
    "admin": "all of that, clear queues, and change cron entries",
}
ALL: Final = frozenset(SCOPES)
TOKENS_MAX: Final = 1_000
"""More would be a user directory, which this is not."""
_DIGEST = re.compile(r"sha256:([0-9a-f]{64})")


class Token(Struct, frozen=True, kw_only=True):
    """Who has a token, and what it allows."""

    name: str
    scopes: frozenset[str]


class Tokens:
    """The tokens that are known, by digest."""

    def __init__(self, known: Mapping[str, Token] | None = None) -> None:
        self._known = dict(known or {})

    def __bool__(self) -> bool:
        return bool(self._known)

    def find(self, shown: str) -> Token | None:
        """Look up a token. The digest is what is compared, so time tells nothing about a token that is nearly right."""
        return self._known.get(digest(shown))


def digest(token: str) -> str:
    """Digest a token as the file holds it, without `sha256:`."""
    return sha256(token.encode(errors="replace")).hexdigest()


def read_tokens(text: str, place: str) -> Tokens:
    """Read the file of tokens; raise ConfigError for the first line that is none, without showing what stands there."""
    known: dict[str, Token] = {}
    names: set[str] = set()
    for number, line in enumerate(text.splitlines(), start=1):
        words = line.partition("#")[0].split()
        if not words:
            continue
        where = f"{place}:{number}"
        found = _DIGEST.fullmatch(words[-1])
        if len(words) != 3 or found is None:
            raise ConfigError(f"{where}: expected a name, scopes with commas, and sha256:… of the token")
        if words[0] in names or found[1] in known:
            raise ConfigError(f"{where}: this name, or this token, stands here already")
        names.add(words[0])
        known[found[1]] = Token(name=words[0], scopes=_scopes(words[1], where))
    if len(known) > TOKENS_MAX:
        raise ConfigError(f"{place}: too many tokens: {len(known)}, the limit is {TOKENS_MAX}")
    return Tokens(known)


def _scopes(words: str, where: str) -> frozenset[str]:
    scopes = frozenset(words.split(","))
    if not scopes <= ALL:
        raise ConfigError(f"{where}: scopes are {', '.join(SCOPES)}")
    return ALL if "admin" in scopes else scopes
