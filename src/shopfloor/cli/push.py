"""`shopfloor push`: one job from the command line, or as many as standard input holds."""

import secrets
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any, TextIO

import click
import msgspec
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.text import Text

from shopfloor.cli import screen
from shopfloor.cli.caller import Caller, pass_caller, server_options
from shopfloor.cli.connection import Connection
from shopfloor.cli.exits import Exit
from shopfloor.cli.group import complain
from shopfloor.cli.values import in_seconds, json_text, moment, queue, span
from shopfloor.errors import Refused, ShopfloorError
from shopfloor.wire.client import json_command

BULK_JOBS = 1000
"""Jobs in one PUSHB: what Faktory's documentation recommends."""
BULK_BYTES = 4 * 1024 * 1024
"""Large jobs travel in smaller company, so that no line comes near the server's limit."""
COMPLAINTS_MAX = 20
"""Refusals shown one by one; the rest is counted. `--json` has them all."""

Job = dict[str, Any]
Line = tuple[int, Job]
"""The number of a line of standard input, and the job that it is."""
Refusal = dict[str, Any]


@click.command(
    "push",
    context_settings={"ignore_unknown_options": True},  # a negative number is an argument, not an option
    epilog="""
    \b
    Examples:
      shopfloor push SendReport 42 '"monthly"'
      shopfloor push Cleanup --in 2h --queue low
      shopfloor push Resize --stdin < arguments.jsonl      each line: [1, "two"]
      shopfloor push --stdin < jobs.jsonl                  each line: {"jobtype": "A", "args": []}
    """,
)
@click.argument("jobtype", required=False)
@click.argument("args", nargs=-1, type=json_text, metavar="[ARG]...")
@click.option("--queue", type=queue, help="Queue to push into; `default` unless told.")
@click.option("--at", type=moment, metavar="TIME", help="When it is due, as 2030-01-31T08:00:00Z.")
@click.option("--in", "delay", type=span, metavar="SPAN", help="How long from now it is due, as 90s, 5m, 2h.")
@click.option("--retry", type=int, help="Retries before it is dead; 0 discards it, -1 kills it at once. [25]")
@click.option("--reserve-for", type=span, metavar="SPAN", help="How long a worker may hold it. [30m]")
@click.option("--custom", type=json_text, metavar="JSON", help="An object that travels with the job.")
@click.option("--jid", help="The job's id, at least 8 characters; made up unless told.")
@click.option("--stdin", "from_stdin", is_flag=True, help="Read jobs, one JSON document a line.")
@server_options
@pass_caller
def push(caller: Caller, /, **given: Any) -> None:
    """Push a job of type JOBTYPE; each ARG is JSON.

    The job's id is printed. With --stdin each line is a job, or, where JOBTYPE is given, the list of arguments
    of one; options then fill in what a line does not say, and what is refused is listed and ends in exit code 1.
    """
    if given["at"] and given["delay"] is not None:
        raise click.UsageError("--at and --in exclude each other")
    if given["from_stdin"]:
        _push_lines(caller, given)
    elif given["jobtype"]:
        _push_one(caller, given)
    else:
        raise click.UsageError("missing argument JOBTYPE; --stdin reads whole jobs")


def _push_one(caller: Caller, given: Mapping[str, Any]) -> None:
    job = {"args": list(given["args"]), **_defaults(given), "jid": given["jid"] or new_jid()}
    with caller.connect() as connection:
        connection.ask(json_command("PUSH", job))
    caller.answer({"jid": job["jid"]}, lambda: Text(job["jid"]))


def _defaults(given: Mapping[str, Any]) -> Job:
    """Gather what the options say of a job, in the protocol's words."""
    delay, reserve_for = given["delay"], given["reserve_for"]
    said = {
        "jobtype": given["jobtype"],
        "queue": given["queue"],
        "at": given["at"] if delay is None else in_seconds(delay),
        "retry": given["retry"],
        "reserve_for": None if reserve_for is None else int(reserve_for),
        "custom": given["custom"],
    }
    return {key: value for key, value in said.items() if value is not None}


def new_jid() -> str:
    """Make up a jid of 12 random bytes, as other clients do, in hex: it never looks like an option to `job get`."""
    return secrets.token_hex(12)


def _push_lines(caller: Caller, given: Mapping[str, Any]) -> None:
    if given["args"] or given["jid"]:
        raise click.UsageError("with --stdin each line has its own arguments and jid")
    defaults = _defaults(given)
    read = 0
    refused: list[Refusal] = []
    with caller.connect() as connection, _progress() as advance:
        try:
            for lines in _chunks(_jobs(sys.stdin, defaults)):
                refused += _push_chunk(connection, lines)
                read += len(lines)
                advance(len(lines))
        except ShopfloorError as error:
            raise type(error)(f"{error}; {read - len(refused)} jobs were pushed before") from error
    _report(caller, read - len(refused), refused)


def _push_chunk(connection: Connection, lines: list[Line]) -> list[Refusal]:
    answer = connection.ask_json(json_command("PUSHB", [job for _, job in lines]))
    if not isinstance(answer, dict):
        raise Refused(f"the server answered PUSHB with {answer!r}")
    return [
        {"line": number, "jid": job["jid"], "error": answer[str(job["jid"])]}
        for number, job in lines
        if str(job["jid"]) in answer
    ]


def _report(caller: Caller, pushed: int, refused: list[Refusal]) -> None:
    caller.answer(
        {"pushed": pushed, "refused": refused},
        lambda: Text(f"{screen.count(pushed)} pushed, {screen.count(len(refused))} refused"),
    )
    for refusal in refused[:COMPLAINTS_MAX]:
        complain(f"line {refusal['line']}: {refusal['error']}")
    if len(refused) > COMPLAINTS_MAX:
        complain(f"{len(refused) - COMPLAINTS_MAX} more were refused")
    if refused:
        click.get_current_context().exit(Exit.PROBLEM)


@contextmanager
def _progress() -> Iterator[Callable[[int], None]]:
    """Show progress, to people only; what is read from standard input has no known end."""
    if not sys.stderr.isatty():
        yield lambda jobs: None
        return
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task("pushing", total=None)
        yield lambda jobs: bar.advance(task, jobs)


def _jobs(lines: TextIO, defaults: Job) -> Iterator[Line]:
    for number, line in enumerate(lines, start=1):
        if line.strip():
            yield number, {**defaults, "jid": new_jid(), **_job(line, number, "jobtype" in defaults)}


def _job(line: str, number: int, has_type: bool) -> Job:
    """Read a line: an object is a job, a list the arguments of one; null says nothing."""
    try:
        if has_type and line.lstrip().startswith("["):
            return {"args": msgspec.json.decode(line.strip(), type=list[msgspec.Raw])}
        read: Job = msgspec.json.decode(line.strip(), type=dict[str, msgspec.Raw])
        said = {key: value for key, value in read.items() if bytes(value) != b"null"}
        return said | ({"jid": msgspec.json.decode(said["jid"], type=str)} if "jid" in said else {})
    except (msgspec.MsgspecError, RecursionError) as error:
        raise Refused(f"line {number} is no job: {str(error).lower()}") from None


def _chunks(lines: Iterator[Line]) -> Iterator[list[Line]]:
    chunk: list[Line] = []
    length = 0
    for line in lines:
        job_length = len(msgspec.json.encode(line[1]))
        if chunk and (len(chunk) >= BULK_JOBS or length + job_length > BULK_BYTES):
            yield chunk
            chunk, length = [], 0
        chunk.append(line)
        length += job_length
    if chunk:
        yield chunk
