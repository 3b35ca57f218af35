"""`shopfloor scheduled`, `retries` and `dead`: the jobs of a timed place, and what can be done with them."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

import click
from rich.text import Text

from shopfloor.cli.caller import Caller, pass_caller, server_options
from shopfloor.cli.connection import Connection
from shopfloor.cli.group import Commands
from shopfloor.cli.job import jobs_table
from shopfloor.cli.queues import confirm, yes_option
from shopfloor.wire.client import json_command

MUTATE_SECONDS = 600.0
"""An operation on millions of jobs takes minutes, and stopping to wait does not stop it."""

TIMES: Final[Mapping[str, str]] = {"scheduled": "DUE", "retries": "NEXT TRY", "dead": "KEPT UNTIL"}
HELP: Final[Mapping[str, str]] = {
    "scheduled": "Jobs that are due later.",
    "retries": "Jobs that failed and are tried again.",
    "dead": "Jobs that are not tried again by themselves.",
}
OPERATIONS: Final[Mapping[str, tuple[str, str]]] = {
    "retry": ("requeue", "Put jobs into their queues now."),
    "kill": ("kill", "Move jobs to the dead ones; those that are there stay for another full term."),
    "discard": ("discard", "Remove jobs for good."),
}

Chosen = dict[str, Any]


def place_commands(place: str) -> click.Group:
    """Make the group of commands of one place."""
    group = Commands(place, help=HELP[place])
    group.add_command(_list_command(place))
    for name in OPERATIONS:
        group.add_command(_operation_command(place, name))
    group.add_command(_clear_command(place))
    return group


def filter_options(function: Callable[..., Any]) -> Callable[..., Any]:
    """Add the options that choose jobs."""
    for option in (
        click.option(
            "--match",
            "regexp",
            metavar="GLOB",
            help="Jobs whose JSON fits, as '*\"bob@example.com\"*'; * is anything, ? one character, [ab] a or b.",
        ),
        click.option("--type", "jobtype", metavar="JOBTYPE", help="Jobs of this type."),
        click.option("--jid", "jids", multiple=True, help="This job; may be repeated, other filters then rest."),
    ):
        function = option(function)
    return function


def _list_command(place: str) -> click.Command:
    @click.command("list", help="List jobs, by their time, the earliest first.")
    @filter_options
    @click.option("--count", type=click.IntRange(min=1), default=50, show_default=True, help="How many at most.")
    @click.option("--all", "every", is_flag=True, help="However many there are.")
    @click.option("--latest-first", is_flag=True, help="Begin with the latest.")
    @server_options
    @pass_caller
    def list_jobs(caller: Caller, /, **given: Any) -> None:
        count = None if given["every"] else given["count"]
        asked = {"filter": _filter(given), "latest_first": given["latest_first"]}
        with caller.connect() as connection:
            jobs, more = _pages(connection, place, asked, count)
        caller.answer({"jobs": jobs, "more": more}, lambda: jobs_table(jobs, TIMES[place]))
        if more and not caller.as_json:
            click.echo("there are more: say --count or --all", err=True)

    return list_jobs


def _operation_command(place: str, name: str) -> click.Command:
    verb, help_text = OPERATIONS[name]

    @click.command(name, help=help_text + " Choose them by --jid, --type, --match, or say --all.")
    @filter_options
    @click.option("--all", "every", is_flag=True, help="All jobs there.")
    @server_options
    @pass_caller
    def operate(caller: Caller, /, **given: Any) -> None:
        chosen = _filter(given)
        if bool(chosen) == given["every"]:
            raise click.UsageError("choose jobs by --jid, --type or --match, or say --all")
        _mutate(caller, place, {"cmd": verb, "target": place, "filter": chosen})

    return operate


def _clear_command(place: str) -> click.Command:
    @click.command("clear", help="Remove every job there for good.")
    @yes_option
    @server_options
    @pass_caller
    def clear(caller: Caller, yes: bool) -> None:
        confirm(yes, f"discard every job in {place}?")
        _mutate(caller, place, {"cmd": "clear", "target": place})

    return clear


def _filter(given: Chosen) -> Chosen:
    chosen = {"jids": given["jids"], "jobtype": given["jobtype"], "regexp": given["regexp"]}
    return {name: value for name, value in chosen.items() if value}


def _mutate(caller: Caller, place: str, operation: Chosen) -> None:
    """Carry out an operation; the reply has no figures, so the place is counted before and afterwards."""
    with caller.connect() as connection:
        before = _size(connection, place)
        connection.ask(json_command("MUTATE", operation), max(MUTATE_SECONDS, caller.seconds))
        after = _size(connection, place)
    document = {"place": place, "before": before, "after": after}
    caller.answer(document, lambda: Text(f"{place}: {before} before, {after} now"))


def _size(connection: Connection, place: str) -> int:
    return int(connection.info()["faktory"]["sets"][place])


def _pages(connection: Connection, place: str, asked: Chosen, count: int | None) -> tuple[Sequence[Chosen], bool]:
    """Gather jobs until there are `count`; answer them and whether there are more.

    The size of a page is left to the server, whose limit is a setting of its own.
    """
    jobs: list[Chosen] = []
    after: object = None
    while count is None or len(jobs) < count:
        told = connection.ask_json(json_command(f"JOB LIST {place}", {**asked, "after": after}))
        jobs += told["jobs"]
        after = told["after"]
        if after is None:
            break
    shown = jobs[:count]
    return shown, after is not None or len(shown) < len(jobs)
