"""Reading `[statsd]` of configuration files, and Datadog's variable that stands in for it."""

from collections.abc import Mapping
from typing import Final
from urllib.parse import urlsplit

from shopfloor.config import Binding, Given
from shopfloor.config.table import nearest
from shopfloor.errors import ConfigError
from shopfloor.server.statsd import Target

VARIABLE: Final = "DD_DOGSTATSD_URL"
KEYS: Final = ("location", "namespace", "tags", "bufferSize", "queueLatency")
"""Faktory's keys. `bufferSize` means nothing here: lines of one second go together."""


def read_statsd(table: Mapping[str, Given], environment: Mapping[str, str]) -> Target | None:
    """Say where to send figures; None where nobody wants them. Raise ConfigError for what is wrong."""
    for key, given in table.items():
        if key not in KEYS:
            raise ConfigError(f"{given.place}: unknown key{nearest(key, KEYS)}")
    location, place = environment.get(VARIABLE, ""), VARIABLE
    if "location" in table:
        location, place = _text(table["location"]), table["location"].place
    if not location:
        if table:
            where = next(iter(table.values())).place
            raise ConfigError(f'{where}: [statsd] needs a location, as in location = "localhost:8125"')
        return None
    host, port, path = _address(location, place)
    return Target(
        host=host,
        port=port,
        path=path,
        namespace=_text(table["namespace"]) if "namespace" in table else "faktory.",
        tags=_texts(table.get("tags")),
        queue_latency=_texts(table.get("queueLatency")),
    )


def _address(location: str, place: str) -> tuple[str, int, str]:
    scheme, slashes, rest = location.partition("://")
    if slashes and scheme in ("unix", "unixgram"):
        if not rest.startswith("/"):
            raise ConfigError(f"{place}: expected the path of a socket, as in unix:///run/datadog/dsd.socket")
        return "", 0, rest
    if slashes and scheme != "udp":
        raise ConfigError(f"{place}: {scheme}:// is no way to send; udp:// and unix:// are")
    try:
        if slashes:
            url = urlsplit(location)
            return url.hostname or "localhost", url.port or 8125, ""
        binding = Binding.parse(location)
    except ValueError as error:
        raise ConfigError(f"{place}: {error}") from None
    return binding.host or "localhost", binding.port, ""


def _text(given: Given) -> str:
    if not isinstance(given.value, str):
        raise ConfigError(f"{given.place}: expected a text in quotes")
    return given.value


def _texts(given: Given | None) -> tuple[str, ...]:
    if given is None:
        return ()
    if not isinstance(given.value, list) or not all(isinstance(one, str) for one in given.value):
        raise ConfigError(f"{given.place}: expected a list of texts")
    return tuple(given.value)
