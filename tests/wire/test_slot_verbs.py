"""Reading THROTTLE's and LOCK's subcommands."""

import pytest

from shopfloor.errors import Refused
from shopfloor.wire.commands import Command, LockList, ThrottleList
from shopfloor.wire.slot_verbs import read_lock, read_throttle
from shopfloor.wire.verbs import WireLimits, read_command


@pytest.mark.parametrize(
    ("line", "message"),
    [
        (b"THROTTLE LIST", ThrottleList()),
        (b"THROTTLE list ", ThrottleList()),
        (b"LOCK LIST", LockList(100)),
        (b"LOCK list 7", LockList(7)),
        (b"LOCK LIST 1000", LockList(1000)),
    ],
)
def test_what_is_understood(line: bytes, message: Command) -> None:
    assert read_command(line, WireLimits()) == message


@pytest.mark.parametrize(
    ("argument", "refusal"),
    [
        (b"", "no such THROTTLE subcommand: "),
        (b"SET scrape 5", "no such THROTTLE subcommand: SET"),
        (b"LIST scrape", "no such THROTTLE subcommand: LIST"),
    ],
)
def test_what_is_refused_about_throttles(argument: bytes, refusal: str) -> None:
    with pytest.raises(Refused, match=f"^{refusal}$"):
        read_throttle(argument)


@pytest.mark.parametrize(
    ("argument", "refusal"),
    [
        (b"", "no such LOCK subcommand: "),
        (b"BREAK unique:1", "no such LOCK subcommand: BREAK"),
        (b"LIST 0", "cannot list 0 locks: the limits are 1 and 50"),
        (b"LIST 51", "cannot list 51 locks: the limits are 1 and 50"),
        (b"LIST " + b"9" * 5000, "cannot list 999999999 locks: the limits are 1 and 50"),
        (b"LIST -1", "LOCK LIST takes one number at most"),
        (b"LIST many", "LOCK LIST takes one number at most"),
        ("LIST ²".encode(), "LOCK LIST takes one number at most"),
        (b"LIST 1 2", "LOCK LIST takes one number at most"),
    ],
)
def test_what_is_refused_about_locks(argument: bytes, refusal: str) -> None:
    with pytest.raises(Refused, match=f"^{refusal}$"):
        read_lock(argument, 50)


def test_the_usual_count_is_within_the_limit() -> None:
    assert read_lock(b"LIST", 50) == LockList(50)
