"""Reading the `[[cron]]` tables of configuration files; what is wrong is said with the place where it stands."""

import json
from collections.abc import Iterable, Mapping, Sequence
from datetime import date, time
from typing import Any

from shopfloor.broker.cron import ENTRIES_MAX
from shopfloor.config import Given
from shopfloor.config.table import nearest
from shopfloor.core.cron_definition import Definition, EntryText, JobText, read_definition
from shopfloor.errors import ConfigError, Refused


def read_cron_tables(tables: Sequence[Given], now: float) -> tuple[Definition, ...]:
    """Read all tables; raise ConfigError for the first that is no entry, or has the name of another."""
    if len(tables) > ENTRIES_MAX:
        raise ConfigError(f"too many [[cron]] tables: {len(tables)}, the limit is {ENTRIES_MAX}")
    found: dict[str, tuple[Definition, str]] = {}
    for given in tables:
        definition = _read(given, now)
        _, first = found.setdefault(definition.name, (definition, given.place))
        if first != given.place:
            says = f'its name "{definition.name}" is that of {first}; give each a `name` of its own'
            raise ConfigError(f"{given.place}: {says}")
    return tuple(definition for definition, _ in found.values())


def _read(given: Given, now: float) -> Definition:
    table = given.value
    assert isinstance(table, Mapping)
    _check_keys(given.place, table, EntryText.__struct_fields__)
    job = table.get("job")
    if isinstance(job, Mapping):
        _check_keys(f"{given.place} [cron.job]", job, JobText.__struct_fields__)
    try:
        return read_definition(json.dumps(table, default=_told).encode(), now)
    except Refused as refused:
        raise ConfigError(f"{given.place}: {refused.message.removeprefix('invalid cron entry: ')}") from None


def _check_keys(place: str, table: Mapping[str, Any], known: Iterable[str]) -> None:
    words = tuple(known)
    for key in table:
        if key not in words:
            raise ConfigError(f"{place} {key}: unknown key{nearest(key, words)}")


def _told(value: object) -> str:
    """Write what TOML has and JSON has not: dates and times."""
    assert isinstance(value, date | time)
    return value.isoformat()
