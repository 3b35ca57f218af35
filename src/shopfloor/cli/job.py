"""`shopfloor job`: one job by its jid, wherever it rests; and how jobs are shown."""

import json
from collections.abc import Iterator, Sequence
from typing import Any

import click
from rich.table import Table
from rich.text import Text

from shopfloor.cli import screen
from shopfloor.cli.caller import Caller, pass_caller, server_options
from shopfloor.cli.group import Commands
from shopfloor.core.mutation import TARGETS
from shopfloor.errors import Refused
from shopfloor.wire.client import command, json_command

ARGUMENT_CHARACTERS_MAX = 60
"""What of a job's arguments a table shows; `job get` and `--json` have all."""


@click.group("job", cls=Commands)
def job() -> None:
    """Look up, cancel and requeue one job."""


@job.command("get")
@click.argument("jid")
@server_options
@pass_caller
def get(caller: Caller, jid: str) -> None:
    """Show a job and where it rests."""
    with caller.connect() as connection:
        found = connection.ask_json(command("JOB GET", jid.encode()))
    caller.answer(found, lambda: screen.pairs(_described(found)))


@job.command("cancel")
@click.argument("jid")
@server_options
@pass_caller
def cancel(caller: Caller, jid: str) -> None:
    """Remove a job; while it runs, its worker is told and a failure does not bring it back."""
    with caller.connect() as connection:
        connection.ask(command("JOB CANCEL", jid.encode()))
    caller.answer({"cancelled": jid}, lambda: Text(f"cancelled: {jid}"))


@job.command("requeue")
@click.argument("jid")
@server_options
@pass_caller
def requeue(caller: Caller, jid: str) -> None:
    """Put a job into its queue now: a scheduled, failed or dead one, or one that a worker has."""
    with caller.connect() as connection:
        place = connection.ask_json(command("JOB GET", jid.encode()))["place"]
        if place in TARGETS:
            operation = {"cmd": "requeue", "target": place, "filter": {"jids": [jid]}}
            connection.ask(json_command("MUTATE", operation))
        elif place == "working":
            connection.ask(json_command("REQUEUE", {"jid": jid}))
        else:
            raise Refused(f"job {jid} is in its queue already")
    caller.answer({"requeued": jid, "from": place}, lambda: Text(f"requeued: {jid}, it was {place}"))


def jobs_table(found: Sequence[dict[str, Any]], time_head: str) -> Table | Text:
    """Lay out jobs, one a line; `at` is their time, or when they were put into their queue."""
    if not found:
        return Text("no jobs")
    failed = any("failure" in one["job"] for one in found)
    heads = ("JID", "TYPE", "QUEUE", time_head, *(("FAILURES#", "ERROR~") if failed else ()), "ARGUMENTS~")
    return screen.table(heads, [_row(one, failed=failed) for one in found])


def _row(one: dict[str, Any], *, failed: bool) -> tuple[object, ...]:
    told = one["job"]
    at = screen.moment(one.get("at", told.get("enqueued_at", "")))
    failure = told.get("failure", {})
    message = f"{failure.get('errtype', '')}: {failure.get('message', '')}" if failure else ""
    shown = (failure.get("retry_count", -1) + 1, _short(message)) if failed else ()
    arguments = _short(json.dumps(told["args"], ensure_ascii=False))
    return (told["jid"], told["jobtype"], told["queue"], at, *shown, arguments)


def _short(text: str) -> str:
    return text if len(text) <= ARGUMENT_CHARACTERS_MAX else text[: ARGUMENT_CHARACTERS_MAX - 1] + "…"


def _described(found: dict[str, Any]) -> Iterator[tuple[str, object]]:
    """Name what is known of a job: where it is first, its backtrace last and line by line."""
    told = dict(found["job"])
    failure = told.pop("failure", {})
    yield "place", found["place"]
    yield from ((name, value) for name, value in found.items() if name not in ("place", "job"))
    for name, value in told.items():
        yield name, value if isinstance(value, str | int) else json.dumps(value, ensure_ascii=False)
    for name, value in failure.items():
        if name != "backtrace":
            yield name, value
    for number, line in enumerate(failure.get("backtrace", ())):
        yield "" if number else "backtrace", line
