"""`shopfloor throttles` and `shopfloor locks`: who has a slot, and who the lock of a unique job."""

from collections.abc import Mapping, Sequence
from typing import Any

import click
from rich.table import Table
from rich.text import Text

from shopfloor.cli import screen
from shopfloor.cli.caller import Caller, pass_caller, server_options
from shopfloor.cli.group import Commands
from shopfloor.wire.client import command

HOLDERS_SHOWN = 3
"""Jobs that a line names; `--json` has more."""


@click.group("throttles", cls=Commands)
def throttles() -> None:
    """Look at throttles: their limits, and which jobs have slots.

    Throttles stand in a `[throttles]` table of a configuration file and are changed there.
    """


@throttles.command("list")
@server_options
@pass_caller
def list_throttles(caller: Caller) -> None:
    """List the throttles; of a pattern, each type or key that was in use lately."""
    with caller.connect() as connection:
        told = connection.ask_json(command("THROTTLE LIST"))
    caller.answer(told, lambda: _throttles_table(told["throttles"]))


@click.group("locks", cls=Commands)
def locks() -> None:
    """Look at the locks of unique jobs."""


@locks.command("list")
@click.option("--count", type=click.IntRange(1, 1000), default=100, help="How many to list. [100]")
@server_options
@pass_caller
def list_locks(caller: Caller, count: int) -> None:
    """List locks, those that end first. A lock ends with its job: cancel that to end it by hand."""
    with caller.connect() as connection:
        told = connection.ask_json(command("LOCK LIST", b"%d" % count))
    caller.answer(told, lambda: _locks_table(told["locks"]))


def _throttles_table(rows: Sequence[Mapping[str, Any]]) -> Table | Text:
    if not rows:
        return Text("no throttles: they stand in a [throttles] table of a configuration file")
    return screen.table(
        ("THROTTLE", "IN USE#", "LIMIT~", "JOBS~"),
        ((row["name"], screen.count(row["in_use"]), _limit(row), _holders(row)) for row in rows),
    )


def _limit(row: Mapping[str, Any]) -> str:
    limit, parts = row["limit"], []
    if "concurrency" in limit:
        parts.append(f"{limit['concurrency']} at once")
    if "worker" in limit:
        parts.append(f"{limit['worker']} in a worker")
    if "rate" in limit:
        parts.append(f"{row['starts']} of {limit['rate']} starts in {screen.duration(limit['period'])}")
    return ", ".join(parts)


def _holders(row: Mapping[str, Any]) -> str:
    named = [f"{held['jid']} at {held['wid'] or 'a client without a wid'}" for held in row["holders"][:HOLDERS_SHOWN]]
    more = row["in_use"] - len(named)
    return ", ".join(named) + (f" and {more} more" if more else "") or screen.NEVER


def _locks_table(rows: Sequence[Mapping[str, Any]]) -> Table | Text:
    if not rows:
        return Text("no locks")
    return screen.table(
        ("JID", "UNTIL", "KEY~"), ((row["jid"], screen.moment(row["until"]), row["key"]) for row in rows)
    )
