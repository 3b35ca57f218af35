"""`shopfloor move`: everything from one store to another, while no server has either of them open."""

import asyncio
import os
import sys
import time
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager
from dataclasses import replace
from typing import Any

import click
import msgspec
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from rich.text import Text

from shopfloor.cli import screen
from shopfloor.cli.build import build_rules
from shopfloor.cli.caller import Caller, json_option, pass_caller
from shopfloor.cli.setting_options import PLACES, given_flags, setting_options
from shopfloor.config import Settings, StorageUrl, load, masked
from shopfloor.errors import ConfigError
from shopfloor.store.moving.contents import Counts, Digests
from shopfloor.store.moving.move import Move
from shopfloor.store.open import open_store
from shopfloor.store.port import Store

SETTINGS = tuple(name for name in PLACES if name not in ("storage", "backup_dir"))


@click.command("move")
@click.option("--from", "origin", metavar="URL", required=True, help="The store that everything is in.")
@click.option("--to", "target", metavar="URL", required=True, help="The store that everything goes into.")
@click.option("--dry-run", is_flag=True, help="Count what would be moved, and look whether it could be.")
@setting_options(SETTINGS)
@json_option
@pass_caller
def move(caller: Caller, /, origin: str, target: str, dry_run: bool, **given: Any) -> None:
    """Move everything from one store to another. Stop every server that uses either of them first.

    `env:NAME` takes a URL from the variable NAME, so that its password stands in no list of processes. The store
    that is moved from is only read and stays as it is. The other one must be empty, or half of the same move: one that
    was interrupted goes on where it was. In the end both are read through and compared.
    """
    settings = load(given_flags(given), os.environ).settings
    urls = _url("--from", origin), _url("--to", target)
    if urls[0] == urls[1]:
        raise ConfigError("--to: is the store that --from names")
    counts, told = asyncio.run(_move(settings, *urls, dry_run=dry_run))
    document = {"moved": not dry_run, "counts": msgspec.to_builtins(counts), "digests": dict(told)}
    caller.answer(document, lambda: _said(counts, told, urls, dry_run=dry_run))


def _url(option: str, text: str) -> StorageUrl:
    if text.startswith("env:"):
        name = text.removeprefix("env:")
        if not os.environ.get(name):
            raise ConfigError(f"{option}: names the variable {name}, but there is no such variable")
        text = os.environ[name]
    url = StorageUrl(text)
    if "://" not in text or url.scheme == "memory":
        raise ConfigError(f"{option}: expected the URL of a store that lasts, got {masked(text)}")
    return url


async def _move(
    settings: Settings, origin: StorageUrl, target: StorageUrl, *, dry_run: bool
) -> tuple[Counts, Mapping[str, str]]:
    stores = [_made(settings, url) for url in (origin, target)]
    async with _opened(stores[0]) as source, _opened(stores[1]) as into:
        moving = Move(source, into, str(origin), time.time())
        counts = await moving.check()
        if dry_run:
            return counts, {}
        with _progress() as begin:
            await moving.carry(begin("moving", counts.jobs))
            told: Digests = await moving.verify(begin("comparing", 2 * counts.jobs))
        return counts, told


def _made(settings: Settings, url: StorageUrl) -> Store:
    wanted = replace(settings, storage=url)
    store = open_store(wanted, build_rules(wanted))
    store.listen(lambda queues: None)
    return store


@asynccontextmanager
async def _opened(store: Store) -> AsyncIterator[Store]:
    await store.open()
    try:
        yield store
    finally:
        await store.close()


@contextmanager
def _progress() -> Iterator[Callable[[str, int], Callable[[int], None]]]:
    """Show how far it is, on a terminal; the answer goes to stdout and is not disturbed."""
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=Console(stderr=True), disable=not sys.stderr.isatty()) as progress:

        def begin(what: str, jobs: int) -> Callable[[int], None]:
            task = progress.add_task(what, total=jobs)
            return lambda done: progress.advance(task, done)

        yield begin


def _said(counts: Counts, told: Mapping[str, str], urls: tuple[StorageUrl, StorageUrl], *, dry_run: bool) -> Any:
    rows = list(msgspec.to_builtins(counts).items())
    if dry_run:
        return screen.pairs([("would move", f"{counts.jobs} jobs"), *rows])
    done = f"everything is in {urls[1]}, {counts.jobs} jobs and {len(told)} parts compared; {urls[0]} is as it was"
    return Text(done)
