"""`shopfloor top`: the server at work, drawn again every few seconds."""

import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import click
from rich.console import Group, RenderableType
from rich.live import Live
from rich.table import Table
from rich.text import Text

from shopfloor.cli import screen
from shopfloor.cli.caller import Caller, pass_caller, server_options
from shopfloor.cli.connection import Connection
from shopfloor.cli.keys import Keys, reading_keys
from shopfloor.cli.queues import queue_rows, queues_table
from shopfloor.errors import Refused, ServerUnreachable

HEAD_LINES = 10
"""Lines of a frame that are not queues."""
QUIT_KEYS = ("q", "Q", "\x1b")


@dataclass(frozen=True, slots=True, kw_only=True)
class Sample:
    """What the server told at one moment, and how fast its totals grew since the last one."""

    at: float
    told: Mapping[str, Any]
    queues: list[dict[str, Any]]
    per_second: Mapping[str, float]

    def document(self) -> dict[str, Any]:
        """Say it for scripts."""
        return {"info": self.told, "queues": self.queues, "per_second": dict(self.per_second)}


@click.command("top")
@click.option(
    "--interval",
    type=click.FloatRange(min=0.1),
    default=2.0,
    show_default=True,
    metavar="SECONDS",
    help="Time between two looks.",
)
@click.option("--once", is_flag=True, help="Look once and end.")
@server_options
@pass_caller
def top(caller: Caller, interval: float, once: bool) -> None:
    """Watch the server: jobs a second, what waits where, and for how long. The key q ends it.

    With --json, each look is a line.
    """
    if once:
        with caller.connect() as connection:
            sample = take(connection, None)
            where = str(connection.address)
        caller.answer(sample.document(), lambda: frame(sample, where, len(sample.queues)))
        return
    if not caller.as_json and not sys.stdout.isatty():
        raise click.UsageError("standard output is no terminal: say --once or --json")
    with reading_keys() as keys:
        try:
            _watch(caller, interval, keys)
        except KeyboardInterrupt:
            return


def take(connection: Connection, before: Sample | None) -> Sample:
    """Ask the server how it does."""
    told = connection.info()
    at = time.monotonic()
    now = _totals(told)
    rates = dict.fromkeys(now, 0.0)
    if before is not None and at > before.at:
        then = _totals(before.told)
        rates = {name: max(0.0, (now[name] - then[name]) / (at - before.at)) for name in now}
    queues = sorted(queue_rows(connection, told), key=lambda row: (-row["size"], row["name"]))
    return Sample(at=at, told=told, queues=queues, per_second=rates)


def frame(sample: Sample, where: str, queues_max: int) -> RenderableType:
    """Draw one look."""
    told = sample.told
    server, jobs, sets = told["server"], told["faktory"], told["faktory"]["sets"]
    head = Text.assemble(
        (f"{server['description']} {server.get('shopfloor_version', server['faktory_version'])}", "bold"),
        f"  {where}  up {screen.duration(server['uptime'])}  {told['server_utc_time']}",
    )
    shown = sample.queues[:queues_max]
    hidden = len(sample.queues) - len(shown)
    return Group(
        head,
        Text(""),
        _figures(sample, {**sets, "queued": jobs["total_enqueued"]}),
        Text(
            f"{screen.count(server['connections'])} connections, "
            f"{screen.count(jobs['tasks']['Workers']['size'])} workers, {server['used_memory_mb']} MB"
        ),
        Text(""),
        queues_table(shown),
        Text(f"and {hidden} more queues" if hidden else "", style="dim"),
    )


def _figures(sample: Sample, sets: Mapping[str, int]) -> Table:
    names = ("queued", "working", "scheduled", "retries", "dead")
    heads = [*(f"{name.upper()}#" for name in names), "PROCESSED/S#", "FAILED/S#", "COMMANDS/S#"]
    rates = [f"{sample.per_second[name]:,.1f}" for name in ("processed", "failures", "commands")]
    return screen.table(heads, [[*(screen.count(sets[name]) for name in names), *rates]])


def _totals(told: Mapping[str, Any]) -> dict[str, int]:
    return {
        "processed": told["faktory"]["total_processed"],
        "failures": told["faktory"]["total_failures"],
        "commands": told["server"]["command_count"],
    }


def _watch(caller: Caller, interval: float, keys: Keys) -> None:
    """Look again and again, over restarts of the server, until a key or Ctrl-C ends it."""
    address = caller.address()
    connection: Connection | None = caller.connect(address)
    sample: Sample | None = None
    live = Live(console=screen.console(), screen=not caller.as_json, auto_refresh=False)
    with _Nothing() if caller.as_json else live:
        while True:
            view: RenderableType
            try:
                connection = connection or caller.connect(address)
                sample = take(connection, sample)
                view = frame(sample, str(address), max(1, live.console.height - HEAD_LINES))
            except (ServerUnreachable, Refused) as error:  # refused: it is stopping
                connection = None
                view = Text(f"{error}; trying again", style="bold red")
            if caller.as_json:
                _write(sample if connection else None)
            else:
                live.update(view, refresh=True)
            if keys.wait(interval) in QUIT_KEYS:
                return


def _write(sample: Sample | None) -> None:
    screen.show_json({"unreachable": True} if sample is None else sample.document())


class _Nothing:
    """In the place of a live display where there is none."""

    def __enter__(self) -> None:
        """Nothing to begin."""

    def __exit__(self, *_: object) -> None:
        """Nothing to end."""
