"""`shopfloor batch`: what batches there are, what each waits for, and cancelling or retrying one."""

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any, Final

import click
from rich.table import Table
from rich.text import Text
from rich.tree import Tree

from shopfloor.cli import screen
from shopfloor.cli.caller import Caller, pass_caller, server_options
from shopfloor.cli.exits import Exit
from shopfloor.cli.group import Commands
from shopfloor.cli.values import span
from shopfloor.wire.client import command

LIST_COUNT = 50
OPEN_TOO_LONG = "10m"
CALLBACK_STATES: Final[Mapping[str, str]] = {"": "", "1": "enqueued", "2": "acknowledged"}
COLOURS: Final[Mapping[str, str]] = {"open": "", "complete": "yellow", "succeeded": "green", "lost": "red"}


@click.group("batch", cls=Commands)
def batch() -> None:
    """List, look into, cancel and retry batches."""


@batch.command("list")
@click.option("--count", type=click.IntRange(min=1), default=LIST_COUNT, show_default=True, help="How many to show.")
@click.option("--all", "settled_too", is_flag=True, help="Those that are through, too.")
@server_options
@pass_caller
def list_batches(caller: Caller, count: int, settled_too: bool) -> None:
    """List the batches that are not through, the newest first."""
    with caller.connect() as connection:
        known = connection.ask_json(command("BATCH LIST"))
    rows = [told for told in known if settled_too or not _is_through(told)][:count]
    caller.answer({"batches": rows}, lambda: _table(rows))


@batch.command("show")
@click.argument("bid")
@server_options
@pass_caller
def show(caller: Caller, bid: str) -> None:
    """Draw a batch with all below it, and say what each of them waits for."""
    with caller.connect() as connection:
        told = connection.ask_json(command("BATCH SHOW", bid.encode()))
    caller.answer(told, lambda: _tree(told))


@batch.command("cancel")
@click.argument("bid")
@server_options
@pass_caller
def cancel(caller: Caller, bid: str) -> None:
    """Cancel the jobs of a batch that are not finished; its callbacks follow, but never `success`."""
    with caller.connect() as connection:
        told = connection.ask_json(command("BATCH CANCEL", bid.encode()))
    caller.answer(told, lambda: Text(f"cancelled: {screen.count(told['cancelled'])} jobs of {bid}"))


@batch.command("retry")
@click.argument("bid")
@server_options
@pass_caller
def retry(caller: Caller, bid: str) -> None:
    """Enqueue the jobs of a batch that wait for a retry or are dead."""
    with caller.connect() as connection:
        told = connection.ask_json(command("BATCH RETRY", bid.encode()))
    caller.answer(told, lambda: Text(f"enqueued: {screen.count(told['enqueued'])} jobs of {bid}"))


@batch.command("doctor")
@click.option("--open-for", "limit", default=OPEN_TOO_LONG, show_default=True, help="What is too long to be open.")
@server_options
@pass_caller
def doctor(caller: Caller, limit: str) -> None:
    """Find batches that wait for something unusual. Exit code 1 says that there are some, or were repairs."""
    seconds = span(limit)
    with caller.connect() as connection:
        info = connection.info()
        known = connection.ask_json(command("BATCH LIST"))
        waiting = [told for told in known if not _is_through(told)]
        shown: dict[str, Any] = {}
        for told in reversed(waiting):  # parents are older, and show their children
            if told["bid"] not in shown:
                shown |= _flat(connection.ask_json(command("BATCH SHOW", told["bid"].encode())))
    repaired = info["server"].get("batches_repaired", 0)
    found = [
        {"bid": told["bid"], "finding": finding}
        for told in waiting
        for finding in _findings(shown[told["bid"]], info["now"], seconds)
    ]
    document = {"batches": len(known), "waiting": len(waiting), "repaired": repaired, "findings": found}
    caller.answer(document, lambda: _diagnosis(document, found))
    if found or repaired:
        click.get_current_context().exit(Exit.PROBLEM)


def _flat(told: dict[str, Any]) -> dict[str, Any]:
    """Name a batch and all below it by their bids."""
    found = {told["bid"]: told}
    for child in told["children"]:
        found |= _flat(child)
    return found


def _findings(told: Mapping[str, Any], now: str, open_seconds: float) -> Iterator[str]:
    """Say what is unusual about a batch that is not through."""
    since = datetime.fromisoformat(now) - datetime.fromisoformat(told["created_at"])
    if not told["committed"] and since.total_seconds() > open_seconds:
        yield f"open for {screen.duration(since.total_seconds())}: BATCH COMMIT is missing"
    waits: Sequence[str] = told["waits_for"]
    yield from (f"{reason}: only an operator can bring it back" for reason in waits if reason.endswith(" is dead"))
    if told["committed"] and not waits:
        yield "waits for nothing that is held: it is repaired with the next look of the server, and counted"
    if told["lost"]:
        yield f"{screen.count(told['lost'])} of its jobs are lost: `success` never comes"


def _is_through(told: Mapping[str, Any]) -> bool:
    return told["standing"] in ("succeeded", "lost")


def _table(rows: Sequence[Mapping[str, Any]]) -> Table | Text:
    if not rows:
        return Text("no batches are under way")
    heads = ("BID", "STATE", "JOBS#", "PENDING#", "FAILED#", "LOST#", "COMPLETE", "SUCCESS", "CREATED", "DESCRIPTION~")
    return screen.table(heads, [_row(told) for told in rows])


def _row(told: Mapping[str, Any]) -> tuple[object, ...]:
    figures = [screen.count(told[name]) for name in ("total", "pending", "failed", "lost")]
    callbacks = [CALLBACK_STATES[told[name]] or screen.NEVER for name in ("complete_st", "success_st")]
    return (
        told["bid"],
        Text(_state(told), style=COLOURS[told["standing"]]),
        *figures,
        *callbacks,
        screen.moment(told["created_at"]),
        told["description"],
    )


def _state(told: Mapping[str, Any]) -> str:
    """Name the state in one word: open means that it takes more jobs."""
    if not told["committed"]:
        return "open"
    return "committed" if told["standing"] == "open" else str(told["standing"])


def _tree(told: Mapping[str, Any]) -> Tree:
    drawn = Tree(_headline(told))
    _draw(drawn, told)
    return drawn


def _draw(drawn: Tree, told: Mapping[str, Any]) -> None:
    for reason in told["waits_for"]:
        drawn.add(Text(f"waits for: {screen.printable(reason)}"))
    for child in told["children"]:
        _draw(drawn.add(_headline(child)), child)


def _headline(told: Mapping[str, Any]) -> Text:
    parts = [f"{told['bid']} {_state(told)}", f"{screen.count(told['total'])} jobs"]
    parts += [f"{screen.count(told[name])} {name}" for name in ("pending", "failed", "lost") if told[name]]
    parts += [f"{name} {state}" for name in ("complete", "success", "death") if (state := _callback(told, name))]
    parts += [screen.printable(told["description"])] if told["description"] else []
    return Text(", ".join(parts), style=COLOURS[told["standing"]])


def _callback(told: Mapping[str, Any], name: str) -> str:
    return CALLBACK_STATES[told[f"{name}_st"]]


def _diagnosis(document: Mapping[str, Any], found: Sequence[Mapping[str, str]]) -> Table | Text:
    said = f"{document['batches']} batches, {document['waiting']} under way, {document['repaired']} repaired"
    if not found:
        return Text(f"{said}: nothing unusual")
    return screen.table(("BATCH", "FINDING~"), [*((one["bid"], one["finding"]) for one in found), ("", said)])
