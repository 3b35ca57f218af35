"""`shopfloor backup` and `restore`: a copy of the store while the server runs, and back again when it does not."""

import os
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import click
from rich.text import Text

from shopfloor.cli import screen
from shopfloor.cli.caller import Caller, json_option, pass_caller, server_options
from shopfloor.cli.queues import confirm, yes_option
from shopfloor.cli.setting_options import PLACES, given_flags, setting_options
from shopfloor.config import load
from shopfloor.errors import ConfigError
from shopfloor.store.embedded.restore import restore as put_back
from shopfloor.wire.client import command

BACKUP_SECONDS = 3_600.0
"""A store of a hundred gigabytes is copied in this time."""


@click.command("backup")
@click.argument("name", required=False)
@server_options
@pass_caller
def backup(caller: Caller, name: str | None) -> None:
    """Let the running server write a copy of its store into its backup folder, as NAME.

    Work goes on meanwhile; the copy holds everything up to its end. Without a NAME it is called by the time.
    """
    name = name or f"shopfloor-{datetime.now(UTC):%Y%m%dT%H%M%SZ}.db"
    with caller.connect() as connection:
        line = command("STORE BACKUP", name.encode())
        told = connection.ask_json(line, max(BACKUP_SECONDS, caller.seconds))
    caller.answer(told, lambda: Text(f"{told['path']} ({screen.size(told['bytes'])})"))


@click.command("restore")
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@yes_option
@setting_options(PLACES)
@json_option
@pass_caller
def restore(caller: Caller, /, file: Path, yes: bool, **given: Any) -> None:
    """Make FILE, a backup, the content of the store. No server may have the store open.

    FILE is read through before anything is touched, and stays as it is. What was in the store before is kept
    beside it.
    """
    storage = load(given_flags(given), os.environ).settings.storage
    if storage.scheme != "sqlite":
        raise ConfigError(f"storage: {storage} is not restored from a file")
    confirm(yes, f"put {file} in the place of {storage.path}?")
    kept = put_back(file, storage.path)
    document = {"restored": str(storage.path), "kept": None if kept is None else str(kept)}
    before = "" if kept is None else f"; what was there is now {kept}"
    caller.answer(document, lambda: Text(f"restored {storage.path}{before}"))
