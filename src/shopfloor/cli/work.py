"""`shopfloor work`: a worker in the foreground."""

import logging
import os
import sys
from typing import Any

import click

from shopfloor.cli.caller import Caller, pass_caller, server_options
from shopfloor.errors import ConfigError
from shopfloor.sdk.client import ClientSettings
from shopfloor.sdk.worker.logs import log_jids
from shopfloor.sdk.worker.settings import WorkerSettings
from shopfloor.sdk.worker.worker import Worker

DEFAULTS = WorkerSettings()


@click.command("work")
@click.argument("targets", nargs=-1, required=True, metavar="MODULE…")
@click.option("-q", "--queue", "queues", multiple=True, help="A queue, as NAME or NAME=WEIGHT; default unless given.")
@click.option(
    "--processes",
    type=click.IntRange(min=0),
    default=DEFAULTS.processes,
    show_default=True,
    help="Child processes; 0 carries jobs out in this one, where a hanging job cannot be killed.",
)
@click.option(
    "--threads",
    type=click.IntRange(min=1),
    default=DEFAULTS.threads,
    show_default=True,
    help="Functions that run at once in each process.",
)
@click.option(
    "--async",
    "tasks",
    type=click.IntRange(min=0),
    default=DEFAULTS.tasks,
    show_default=True,
    help="Coroutine functions that run at once in each process; --threads is for other functions.",
)
@click.option(
    "--stop-seconds",
    type=click.FloatRange(min=0),
    default=DEFAULTS.stop_seconds,
    show_default=True,
    help="How long jobs may take to end when the worker stops.",
)
@click.option("--child-jobs", type=click.IntRange(min=0), help="Replace a child process after so many jobs.")
@click.option("--child-megabytes", type=click.IntRange(min=0), help="Replace a child process that is larger.")
@click.option("--label", "labels", multiple=True, help="What the worker is called in lists; may be given again.")
@click.option("--until-empty", is_flag=True, help="Stop when the queues are empty and all jobs are done.")
@click.option("--reload", is_flag=True, help="Load the code again when a source file changes.")
@server_options
@pass_caller
def work(caller: Caller, /, targets: tuple[str, ...], queues: tuple[str, ...], **given: Any) -> None:
    """Carry out the jobs of Python modules until SIGTERM or SIGINT.

    A MODULE is imported by its name, `shop.jobs`; `shop.jobs:resize` takes one job of it. Queues without weights
    are strict: a later one waits while an earlier one has jobs. SIGTSTP makes the worker quiet, SIGUSR1 writes the
    stacks of all threads to stderr.
    """
    sys.path.insert(0, os.getcwd())
    log_jids(logging.INFO)
    settings = WorkerSettings(
        queues=read_queues(queues) or DEFAULTS.queues,
        processes=given["processes"],
        threads=given["threads"],
        tasks=given["tasks"],
        stop_seconds=given["stop_seconds"],
        jobs_per_child_max=given["child_jobs"] or 0,
        child_megabytes_max=given["child_megabytes"] or 0,
        until_empty=given["until_empty"],
        reload=given["reload"],
        labels=given["labels"] or DEFAULTS.labels,
        client=ClientSettings(timeout_seconds=caller.seconds),
    )
    if caller.authorities is not None:
        os.environ["SSL_CERT_FILE"] = str(caller.authorities)  # for the jobs' own connections as well
    Worker(targets, settings, caller.address().plain().url()).run()


def read_queues(words: tuple[str, ...]) -> tuple[str, ...] | dict[str, int]:
    """Read queues with or without weights; where one has a weight, the others weigh 1."""
    weights: dict[str, int] = {}
    for word in words:
        name, mark, weight = word.partition("=")
        if mark and not (weight.isdigit() and int(weight) > 0):
            raise ConfigError(f"--queue: expected NAME or NAME=WEIGHT with a weight of at least 1, got {word}")
        weights[name] = int(weight) if mark else 1
    return weights if any("=" in word for word in words) else tuple(weights)
