"""Reading the `[throttles]` of configuration files; what is wrong is said with the place where it stands.

A plain name is a queue. `type:` and `key:` before a name are ours: no queue can be called so, for the name of a queue
has no colon.
"""

from collections.abc import Mapping
from typing import Any

from shopfloor.config import Given
from shopfloor.config.table import nearest
from shopfloor.core.payload import queue_name
from shopfloor.core.throttle import RATE_MAX, Kind, Limit, Table, Throttle
from shopfloor.errors import ConfigError, Refused

KEYS = ("concurrency", "worker", "timeout", "rate", "period")
SHAPE = "expected a table, as in { concurrency = 2, timeout = 60 }"
DAY_SECONDS = 86_400
KINDS: Mapping[str, Kind] = {"type": "type", "key": "key"}


def read_throttle_tables(tables: Mapping[str, Given]) -> Table:
    """Read all throttles; raise ConfigError for the first that is none."""
    return Table(tuple(_read(name, given) for name, given in tables.items()))


def _read(name: str, given: Given) -> Throttle:
    kind, bare = _named(name, given.place)
    table = given.value
    if not isinstance(table, Mapping):
        raise ConfigError(f"{given.place}: {SHAPE}")
    for key in table:
        if key not in KEYS:
            raise ConfigError(f"{given.place} {key}: unknown key{nearest(key, KEYS)}")
    return Throttle(kind=kind, name=bare, limit=_limit(table, given.place))


def _named(name: str, place: str) -> tuple[Kind, str]:
    prefix, colon, bare = name.partition(":")
    if colon:
        if prefix not in KINDS:
            says = nearest(prefix, KINDS) or '; there are queues, "type:…" and "key:…"'
            raise ConfigError(f"{place}: unknown kind of throttle {prefix}:{says}")
        if not bare:
            raise ConfigError(f"{place}: a {prefix} has a name, or *")
        return KINDS[prefix], bare
    try:
        return "queue", queue_name(name)
    except Refused:
        raise ConfigError(f'{place}: no queue can be called "{name}"; did you mean "type:{name}"?') from None


def _limit(table: Mapping[str, Any], place: str) -> Limit:
    limit = Limit(
        concurrency=_count(table, "concurrency", place, 1_000_000),
        worker=_count(table, "worker", place, 1_000_000),
        rate=_count(table, "rate", place, RATE_MAX),
        period=_seconds(table, "period", place),
    )
    _seconds(table, "timeout", place)  # Faktory's; a slot here lasts as long as the reservation
    if bool(limit.rate) != bool(limit.period):
        raise ConfigError(f"{place}: rate and period go together, as in {{ rate = 10, period = 60 }}")
    if limit == Limit():
        raise ConfigError(f"{place}: sets no limit: give concurrency, worker, or rate and period")
    return limit


def _count(table: Mapping[str, Any], key: str, place: str, most: int) -> int:
    value = table.get(key)
    if value is None:
        return 0
    if type(value) is not int or not 1 <= value <= most:
        raise ConfigError(f"{place} {key}: expected a whole number from 1 to {most}, not {value!r}")
    return value


def _seconds(table: Mapping[str, Any], key: str, place: str) -> float:
    value = table.get(key)
    if value is None:
        return 0.0
    if type(value) not in (int, float) or not 0 < value <= DAY_SECONDS:
        raise ConfigError(f"{place} {key}: expected seconds, more than 0 and at most {DAY_SECONDS}, not {value!r}")
    return float(value)
