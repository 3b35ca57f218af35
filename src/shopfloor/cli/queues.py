"""`shopfloor queues`: what waits where, and stopping, starting, emptying queues."""

import sys
from collections.abc import Sequence
from contextlib import suppress
from itertools import islice
from typing import Any

import click
from rich.table import Table
from rich.text import Text

from shopfloor.cli import screen
from shopfloor.cli.caller import Caller, pass_caller, server_options
from shopfloor.cli.connection import Connection
from shopfloor.cli.group import Commands
from shopfloor.cli.job import jobs_table
from shopfloor.cli.values import queue
from shopfloor.errors import Refused
from shopfloor.wire.client import command

LATENCY_QUEUES = 100
"""Queues asked about in one QUEUE LATENCY: as many as a server takes by default."""

names_argument = click.argument("names", nargs=-1, type=queue, metavar="[QUEUE]...")
all_option = click.option("--all", "every", is_flag=True, help="All queues that the server knows.")
yes_option = click.option("--yes", is_flag=True, help="Do not ask whether that is meant.")


@click.group("queues", cls=Commands)
def queues() -> None:
    """List, pause, resume and remove queues, and look into them."""


@queues.command("list")
@server_options
@pass_caller
def list_queues(caller: Caller) -> None:
    """List the queues: how many jobs wait, for how long the oldest, and whether jobs are given out."""
    with caller.connect() as connection:
        rows = queue_rows(connection)
    caller.answer({"queues": rows}, lambda: queues_table(rows))


@queues.command("pause")
@names_argument
@all_option
@server_options
@pass_caller
def pause(caller: Caller, names: Sequence[str], every: bool) -> None:
    """Stop giving out jobs of queues; pushing goes on."""
    _tell(caller, "PAUSE", names, every)


@queues.command("resume")
@names_argument
@all_option
@server_options
@pass_caller
def resume(caller: Caller, names: Sequence[str], every: bool) -> None:
    """Give out jobs of paused queues again."""
    _tell(caller, "RESUME", names, every)


@queues.command("remove")
@names_argument
@all_option
@yes_option
@server_options
@pass_caller
def remove(caller: Caller, names: Sequence[str], every: bool, yes: bool) -> None:
    """Discard queues and every job that waits in them."""
    confirm(yes, f"discard all jobs of {'all queues' if every else ', '.join(names) or 'no queue'}?")
    _tell(caller, "REMOVE", names, every)


@queues.command("latency")
@names_argument
@server_options
@pass_caller
def latency(caller: Caller, names: Sequence[str]) -> None:
    """Say for how many seconds the oldest job of each queue has been waiting; all queues unless some are named."""
    with caller.connect() as connection:
        waits = latencies(connection, names or sorted(connection.info()["faktory"]["queues"]))
    caller.answer(waits, lambda: screen.table(("QUEUE", "SECONDS#"), [(q, f"{s:.3f}") for q, s in waits.items()]))


@queues.command("peek")
@click.argument("name", type=queue, metavar="QUEUE")
@click.option("--count", type=click.IntRange(min=1), default=10, show_default=True, help="How many jobs.")
@click.option("--offset", type=click.IntRange(min=0), default=0, help="How many to leave out first.")
@server_options
@pass_caller
def peek(caller: Caller, name: str, count: int, offset: int) -> None:
    """Show the jobs that are next in a queue, without taking them."""
    with caller.connect() as connection:
        jobs = connection.ask_json(command("QUEUE PEEK", f"{name} {count} {offset}".encode()))
    caller.answer({"jobs": jobs}, lambda: jobs_table([{"job": job} for job in jobs], "WAITS SINCE"))


def queue_rows(connection: Connection, told: dict[str, Any] | None = None) -> list[dict[str, Any]]:
    """Describe every queue; what the server does not tell is None.

    Faktory does not say which are paused, and refuses the latency of all where it cannot read one job's time.
    """
    told = told or connection.info()
    sizes: dict[str, int] = told["faktory"]["queues"]
    paused = told["server"].get("paused_queues")
    waits: dict[str, float] = {}
    with suppress(Refused):
        waits = latencies(connection, sorted(sizes))
    return [
        {
            "name": name,
            "size": sizes[name],
            "paused": None if paused is None else name in paused,
            "latency": waits.get(name),
        }
        for name in sorted(sizes)
    ]


def queues_table(rows: Sequence[dict[str, Any]]) -> Table | Text:
    """Lay out what `queue_rows` told."""
    if not rows:
        return Text("no queues: one comes into being with its first job")
    words = {None: "?", True: "paused", False: ""}
    return screen.table(
        ("QUEUE", "JOBS#", "OLDEST WAITS#", ""),
        [(row["name"], screen.count(row["size"]), _waits(row["latency"]), words[row["paused"]]) for row in rows],
    )


def _waits(seconds: float | None) -> str:
    return "?" if seconds is None else screen.duration(seconds)


def latencies(connection: Connection, names: Sequence[str]) -> dict[str, float]:
    """Ask for latencies, so many queues at a time."""
    waits: dict[str, float] = {}
    rest = iter(names)
    while some := list(islice(rest, LATENCY_QUEUES)):
        waits |= connection.ask_json(command("QUEUE LATENCY", " ".join(some).encode()))
    return waits


def confirm(yes: bool, question: str) -> None:
    """Ask before something is lost; without a terminal only --yes is an answer."""
    if yes:
        return
    if not sys.stdin.isatty():
        raise click.UsageError(f"{question} without a terminal, only --yes is an answer")
    if not click.confirm(question, err=True):
        raise Refused("nothing was done")


def _tell(caller: Caller, verb: str, names: Sequence[str], every: bool) -> None:
    if bool(names) == every:
        raise click.UsageError("name queues, or say --all")
    with caller.connect() as connection:
        connection.ask(command(f"QUEUE {verb}", b"*" if every else " ".join(names).encode()))
    done = {"PAUSE": "paused", "RESUME": "resumed", "REMOVE": "removed"}[verb]
    document = {done: "*" if every else list(names)}
    caller.answer(document, lambda: Text(f"{done}: {'all queues' if every else ', '.join(names)}"))
