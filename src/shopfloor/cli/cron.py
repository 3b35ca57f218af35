"""`shopfloor cron`: entries that push jobs by a schedule."""

from collections.abc import Mapping, Sequence
from typing import Any

import click
from rich.table import Table
from rich.text import Text

from shopfloor.cli import screen
from shopfloor.cli.caller import Caller, pass_caller, server_options
from shopfloor.cli.group import Commands
from shopfloor.cli.queues import confirm, yes_option
from shopfloor.cli.values import json_text, queue, span
from shopfloor.core.cron_definition import check_name
from shopfloor.errors import Refused
from shopfloor.wire.client import command, json_command


def entry_name(name: str) -> str:
    """Take the name of an entry."""
    try:
        return check_name(name)
    except Refused as refused:
        raise click.BadParameter(refused.message.removeprefix("invalid cron entry: ")) from None


name_argument = click.argument("name", type=entry_name)


@click.group("cron", cls=Commands)
def cron() -> None:
    """List, add, pause, run and remove cron entries.

    Entries that stand in a `[[cron]]` table of a configuration file are changed there; they can be paused and run
    from here.
    """


@cron.command("list")
@server_options
@pass_caller
def list_entries(caller: Caller) -> None:
    """List the entries: when each fires next, and what became of it last."""
    with caller.connect() as connection:
        told = connection.ask_json(command("CRON LIST"))
    caller.answer(told, lambda: _entries_table(told["entries"]))


@cron.command(
    "add",
    context_settings={"ignore_unknown_options": True},  # a negative number is an argument, not an option
    epilog="""
    \b
    Examples:
      shopfloor cron add "0 6 * * mon-fri" Report '"sales"' --zone Europe/Berlin
      shopfloor cron add @hourly Cleanup --name cleanup --catch-up last --jitter 5m
    """,
)
@click.argument("schedule")
@click.argument("jobtype")
@click.argument("args", nargs=-1, type=json_text, metavar="[ARG]...")
@click.option("--name", type=entry_name, help="What it is called; made from what it does unless told.")
@click.option("--zone", metavar="ZONE", help="Time zone of the schedule, as Europe/Berlin; UTC unless told.")
@click.option(
    "--catch-up",
    type=click.Choice(("none", "last", "all")),
    help="Which missed moments are made up for, when no server ran; `none` unless told.",
)
@click.option("--window", type=span, metavar="SPAN", help="How long ago a moment may be that is made up for.")
@click.option("--jitter", type=span, metavar="SPAN", help="Spread the moments over this time, as 30s.")
@click.option("--paused", is_flag=True, default=None, help="Add it paused.")
@click.option("--queue", type=queue, help="Queue to push into; `default` unless told.")
@click.option("--retry", type=int, help="Retries before it is dead; 0 discards it, -1 kills it at once. [25]")
@click.option("--reserve-for", type=span, metavar="SPAN", help="How long a worker may hold it. [30m]")
@click.option("--custom", type=json_text, metavar="JSON", help="An object that travels with the job.")
@server_options
@pass_caller
def add(caller: Caller, /, **given: Any) -> None:
    """Push a job of type JOBTYPE whenever SCHEDULE says so; each ARG is JSON.

    SCHEDULE is five fields (minute, hour, day of month, month, day of week), or one of `@hourly`, `@daily`,
    `@weekly`, `@monthly`, `@yearly`. Where an entry of that name exists it is changed.
    """
    with caller.connect() as connection:
        told = connection.ask_json(json_command("CRON PUT", _entry(given)))
    caller.answer(told, lambda: Text(told["name"]))


@cron.command("pause")
@name_argument
@server_options
@pass_caller
def pause(caller: Caller, name: str) -> None:
    """Let an entry fire no more until it is resumed; what comes meanwhile is not made up for."""
    _tell(caller, "PAUSE", name, "paused")


@cron.command("resume")
@name_argument
@server_options
@pass_caller
def resume(caller: Caller, name: str) -> None:
    """Let a paused entry fire again."""
    _tell(caller, "RESUME", name, "resumed")


@cron.command("run")
@name_argument
@server_options
@pass_caller
def run(caller: Caller, name: str) -> None:
    """Push the job of an entry now, whatever its schedule says; the job's id is printed."""
    with caller.connect() as connection:
        told = connection.ask_json(command("CRON RUN", name.encode()))
    caller.answer(told, lambda: Text(told["jid"]))


@cron.command("remove")
@name_argument
@yes_option
@server_options
@pass_caller
def remove(caller: Caller, name: str, yes: bool) -> None:
    """Forget an entry; jobs that it has pushed stay."""
    confirm(yes, f"remove cron entry {name}?")
    _tell(caller, "REMOVE", name, "removed")


def _tell(caller: Caller, verb: str, name: str, done: str) -> None:
    with caller.connect() as connection:
        connection.ask(command(f"CRON {verb}", name.encode()))
    caller.answer({done: name}, lambda: Text(f"{done}: {name}"))


def _entry(given: Mapping[str, Any]) -> dict[str, Any]:
    """Gather what the options say, in the words of a `[[cron]]` table."""
    reserve_for = given["reserve_for"]
    job = {
        "type": given["jobtype"],
        "args": list(given["args"]),
        "queue": given["queue"],
        "retry": given["retry"],
        "reserve_for": None if reserve_for is None else int(reserve_for),
        "custom": given["custom"],
    }
    entry = {key: given[key] for key in ("schedule", "name", "zone", "catch_up", "window", "jitter", "paused")}
    said = {key: value for key, value in entry.items() if value is not None}
    return said | {"job": {key: value for key, value in job.items() if value is not None}}


def _entries_table(entries: Sequence[Mapping[str, Any]]) -> Table | Text:
    if not entries:
        return Text("no cron entries: `shopfloor cron add`, or a [[cron]] table in a configuration file, makes one")
    heads = ("NAME", "SCHEDULE", "ZONE", "TYPE", "FROM", "NEXT", "LAST", "WHEN")
    return screen.table(heads, [_row(entry) for entry in entries])


def _row(entry: Mapping[str, Any]) -> tuple[object, ...]:
    last = entry["history"][0] if entry["history"] else {}
    upcoming = "paused" if entry["paused"] else screen.moment(entry["next_at"] or "")
    return (
        entry["name"],
        entry["schedule"],
        entry["zone"],
        entry["job"]["jobtype"],
        entry["source"],
        upcoming,
        last.get("what", screen.NEVER),
        screen.moment(last.get("at", "")),
    )
