"""From a storage URL to what asyncpg wants to know, and to the settings that stand in the URL itself."""

from collections.abc import Mapping
from typing import Final
from urllib.parse import parse_qsl, urlencode, urlsplit, urlunsplit
from zlib import crc32

from msgspec import Struct

from shopfloor.errors import ConfigError

SCHEMA_DEFAULT: Final = "shopfloor"
SCHEMA_LENGTH_MAX: Final = 63
FLAGS: Final[Mapping[str, bool]] = {"on": True, "off": False}


class Address(Struct, frozen=True, kw_only=True):
    """Where the store is, and how it may be spoken to."""

    url: str
    """What asyncpg connects to; may hold a password."""
    schema: str = SCHEMA_DEFAULT
    """The PostgreSQL schema in which everything is."""
    pooler: bool = False
    """Whether a pooler may give each transaction to another session: then nothing is kept in a session."""
    notify: bool = True
    """Whether servers tell each other of new jobs by NOTIFY; else they only look every second or so."""

    @classmethod
    def parse(cls, text: str) -> "Address":
        """Read a storage URL; raise `ConfigError` where a parameter of ours says something unknown."""
        parts = urlsplit(text)
        given = parse_qsl(parts.query, keep_blank_values=True)
        ours = {key: value for key, value in given if key in ("schema", "pooler", "notify")}
        rest = urlencode([(key, value) for key, value in given if key not in ours])
        pooler = ours.get("pooler", "none")
        if pooler not in ("none", "transaction"):
            raise ConfigError(f"storage: pooler is none or transaction, not {pooler!r}")
        return cls(
            url=urlunsplit(parts._replace(scheme="postgresql", query=rest)),
            schema=_schema(ours.get("schema", SCHEMA_DEFAULT)),
            pooler=pooler == "transaction",
            notify=_flag("notify", ours.get("notify", "on")) and pooler == "none",
        )

    @property
    def guard(self) -> int:
        """The first of this schema's advisory locks; `migrations` says what each is for."""
        return (crc32(self.schema.encode()) >> 1) << 32


def _schema(name: str) -> str:
    """Only names that need no quotes: they are written into statements."""
    plain = name.replace("_", "a")
    if not (plain.isascii() and plain.isalnum() and plain == plain.lower()) or name[0].isdigit():
        raise ConfigError(f"storage: schema is made of a-z, 0-9 and _, not {name!r}")
    if len(name) > SCHEMA_LENGTH_MAX:
        raise ConfigError(f"storage: the name of schema {name} is longer than {SCHEMA_LENGTH_MAX}")
    return name


def _flag(name: str, text: str) -> bool:
    if text not in FLAGS:
        raise ConfigError(f"storage: {name} is on or off, not {text!r}")
    return FLAGS[text]
