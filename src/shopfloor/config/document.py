"""Read settings out of TOML files: our own tables, and those of a Faktory installation.

Any table may stand in any file. Several files are read as one: a table may be continued in another file, and
a key may be said twice if both say the same. What `[[cron]]`, `[throttles]` and `[statsd]` mean is not judged
here; they are handed on as they were written, with the place they came from.
"""

from __future__ import annotations

import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from shopfloor.config.table import ENTRIES, Entry, from_toml, nearest
from shopfloor.errors import ConfigError

# Faktory's own example file has these, and Faktory reads neither; they may stay where they are.
IDLE_TABLES: Final = ("queues", "security")
RAW_TABLES: Final = ("throttles", "statsd")


@dataclass(frozen=True, slots=True)
class Given:
    """A value and the place it was given, in the words of an error message."""

    value: object
    place: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Tables:
    """The tables that later parts of the server read for themselves. Each `Given.value` is as TOML had it."""

    cron: tuple[Given, ...] = ()
    throttles: Mapping[str, Given] = field(default_factory=dict)
    statsd: Mapping[str, Given] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Document:
    """What one or several files say."""

    settings: Mapping[str, Given] = field(default_factory=dict)
    tables: Tables = field(default_factory=Tables)
    notices: tuple[str, ...] = ()


def _keys() -> dict[tuple[str, str], Entry]:
    """Return every key a file may hold, Faktory's `[faktory]` names among them."""
    keys = {entry.key: entry for entry in ENTRIES}
    for entry in ENTRIES:
        if entry.row.faktory_key:
            table, _, name = entry.row.faktory_key.partition(".")
            keys[table, name] = entry
    return keys


KEYS: Final[Mapping[tuple[str, str], Entry]] = _keys()
OUR_TABLES: Final = frozenset(table for table, _ in KEYS)


def read_document(path: Path, text: str) -> Document:
    """Read one file; raise ConfigError with the file, table and key of the first thing that is wrong."""
    try:
        content = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise ConfigError(f"{path}: {_lowered(str(error))}") from None
    documents = [_read_table(path, name, table) for name, table in content.items()]
    return merge(documents)


def merge(documents: Iterable[Document]) -> Document:
    """Read several documents as one; raise ConfigError where two of them contradict each other."""
    found = tuple(documents)
    return Document(
        settings=_union(document.settings for document in found),
        tables=Tables(
            cron=tuple(entry for document in found for entry in document.tables.cron),
            throttles=_union(document.tables.throttles for document in found),
            statsd=_union(document.tables.statsd for document in found),
        ),
        notices=tuple(notice for document in found for notice in document.notices),
    )


def _union(parts: Iterable[Mapping[str, Given]]) -> dict[str, Given]:
    whole: dict[str, Given] = {}
    for part in parts:
        for name, given in part.items():
            first = whole.setdefault(name, given)
            if first is not given and first.value != given.value:
                raise ConfigError(f"{given.place}: contradicts {first.place}")
    return whole


def _read_table(path: Path, name: str, table: object) -> Document:
    if name in IDLE_TABLES:
        return Document(notices=(f"{path} [{name}]: has no effect, as in Faktory",))
    if name == "cron":
        return Document(tables=Tables(cron=_cron(path, table)))
    if name not in RAW_TABLES and name not in OUR_TABLES:
        raise ConfigError(f"{path} {_unknown(name, table)}")
    if not isinstance(table, dict):
        raise ConfigError(f"{path} {name}: expected a table, as in [{name}]")
    if name in RAW_TABLES:
        raw = {key: Given(value, f"{path} [{name}] {key}") for key, value in table.items()}
        return Document(tables=Tables(throttles=raw) if name == "throttles" else Tables(statsd=raw))
    return Document(settings=_union(_read_key(path, name, key, value) for key, value in table.items()))


def _cron(path: Path, table: object) -> tuple[Given, ...]:
    if not isinstance(table, list) or not all(isinstance(entry, dict) for entry in table):
        raise ConfigError(f"{path} cron: expected tables, each beginning with [[cron]]")
    return tuple(Given(entry, f"{path} [[cron]] {number}") for number, entry in enumerate(table, start=1))


def _read_key(path: Path, table: str, key: str, value: object) -> dict[str, Given]:
    place = f"{path} [{table}] {key}"
    entry = KEYS.get((table, key))
    if entry is None:
        raise ConfigError(f"{place}: unknown setting{_nearest_key(table, key)}")
    if not entry.row.by_file:
        raise ConfigError(f"{place}: no file can set this, use {entry.flag} or {entry.variable}")
    if value == "":
        return {}
    try:
        return {entry.name: Given(from_toml(entry, value), place)}
    except ValueError as error:
        raise ConfigError(f"{place}: {error}") from None


def _unknown(name: str, table: object) -> str:
    if not isinstance(table, dict | list):
        return f"{name}: unknown setting{_nearest_key('', name)}"
    known = sorted(OUR_TABLES | {"[cron]", *RAW_TABLES})
    return f"[{name}]: unknown table{nearest(f'[{name}]', (f'[{table}]' for table in known))}"


def _nearest_key(table: str, key: str) -> str:
    """Look for the key in its own table, then by its full name in any: both are easy to get wrong."""
    places = {f"[{entry.key[0]}] {entry.key[1]}": entry for entry in ENTRIES if entry.row.by_file}
    for place, entry in places.items():
        if key in (entry.name, entry.key[1]):
            return f", did you mean {place}?"
    return nearest(f"[{table}] {key}", places)


def _lowered(text: str) -> str:
    return text[:1].lower() + text[1:]
