"""Reading `[statsd]`."""

from collections.abc import Mapping
from pathlib import Path

import pytest

from shopfloor.cli.statsd_table import VARIABLE, read_statsd
from shopfloor.config.document import read_document
from shopfloor.errors import ConfigError
from shopfloor.server.statsd import Target


def read(text: str, variable: str = "") -> Target | None:
    environment: Mapping[str, str] = {VARIABLE: variable} if variable else {}
    tables = read_document(Path("t.toml"), f"[statsd]\n{text}\n").tables
    return read_statsd(tables.statsd, environment)


def test_a_table_of_faktory() -> None:
    text = 'location = "agent:8125"\nnamespace = "jobs."\ntags = ["env:prod"]\nbufferSize = 15\nqueueLatency = ["low"]'
    assert read(text) == Target(host="agent", port=8125, namespace="jobs.", tags=("env:prod",), queue_latency=("low",))


def test_datadogs_variable_stands_in() -> None:
    assert read("", "udp://agent:9125") == Target(host="agent", port=9125)
    assert read("", "udp://agent") == Target(host="agent", port=8125)
    assert read("", "unix:///run/dsd.socket") == Target(port=0, path="/run/dsd.socket")
    assert read('location = "here:1"', "udp://there:2") == Target(host="here", port=1)
    assert read('tags = ["a:b"]', "udp://there:2") == Target(host="there", port=2, tags=("a:b",))


def test_nobody_wants_figures() -> None:
    assert read("") is None


@pytest.mark.parametrize(
    "text",
    [
        'locaton = "agent:8125"',
        'location = "agent"',
        'location = "tcp://agent:8125"',
        'location = "udp://agent:seven"',
        'location = "unix://here"',
        "location = 8125",
        'location = "agent:1"\ntags = "a:b"',
        'tags = ["a:b"]',
    ],
)
def test_what_is_wrong_is_said_with_its_place(text: str) -> None:
    with pytest.raises(ConfigError, match=r"^t.toml \[statsd\] "):
        read(text)
