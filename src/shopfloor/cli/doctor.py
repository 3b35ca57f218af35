"""`shopfloor doctor`: is everything here fit to serve, and does the server answer?"""

import os
import time
from collections.abc import Iterator, Mapping
from typing import Any, Final

import click
import msgspec
from rich.text import Text

from shopfloor.cli import screen
from shopfloor.cli.address import own_address
from shopfloor.cli.caller import Caller, pass_caller, server_options
from shopfloor.cli.cron_tables import read_cron_tables
from shopfloor.cli.exits import Exit
from shopfloor.cli.findings import Finding, Verdict, server_findings, settings_findings, storage_findings
from shopfloor.cli.setting_options import PLACES, given_flags, setting_options
from shopfloor.cli.throttle_tables import read_throttle_tables
from shopfloor.config import Settings, load
from shopfloor.errors import ConfigError, Refused, ServerUnreachable

COLOURS: Final[Mapping[Verdict, str]] = {"ok": "green", "warning": "yellow", "problem": "bold red"}
URL_VARIABLES = ("SHOPFLOOR_PROVIDER", "SHOPFLOOR_URL", "FAKTORY_PROVIDER", "FAKTORY_URL")


@click.command("doctor")
@click.option("--offline", is_flag=True, help="Do not ask a server.")
@click.option("--quick", is_flag=True, help="Do not read the store through.")
@setting_options((*PLACES, "command_binding"))
@server_options
@pass_caller
def doctor(caller: Caller, /, offline: bool, quick: bool, **given: Any) -> None:
    """Check settings, store, disk, limits, clock and server. Exit code 1 says that there is a problem.

    What is looked at is this machine, with the options, variables and files that `serve` would go by. The
    store is read through unless a server has it open; like a start, that tidies its journal.
    """
    found = list(_examine(caller, given_flags(given), offline=offline, quick=quick))
    problems = sum(finding.verdict == "problem" for finding in found)
    document = {"problems": problems, "findings": msgspec.to_builtins(found)}
    rows = [(Text(finding.verdict, style=COLOURS[finding.verdict]), finding.about, finding.says) for finding in found]
    caller.answer(document, lambda: screen.table(("", "WHAT", "FINDING~"), rows))
    if problems:
        click.get_current_context().exit(Exit.PROBLEM)


def _examine(caller: Caller, given: Mapping[str, object], *, offline: bool, quick: bool) -> Iterator[Finding]:
    settings = None
    try:
        loaded = load(given, os.environ)
        read_cron_tables(loaded.tables.cron, time.time())
        read_throttle_tables(loaded.tables.throttles)
    except ConfigError as error:
        yield from (Finding("problem", "settings", line) for line in str(error).splitlines())
    else:
        settings = loaded.settings
        yield Finding("ok", "settings", f"{settings.environment}, configured in {settings.config_dir}")
        yield from (Finding("warning", "settings", notice) for notice in loaded.notices)
        yield from settings_findings(settings)
        yield from storage_findings(settings, reads_all=not quick)
    if not offline:
        yield from _server(caller, settings)


def _server(caller: Caller, settings: Settings | None) -> Iterator[Finding]:
    """Ask the server that a URL names, else the one that has these settings."""
    is_named = caller.url or any(os.environ.get(name) for name in URL_VARIABLES)
    if not is_named and settings is None:
        return
    try:
        address = caller.address() if is_named or settings is None else own_address(settings)
        with caller.connect(address) as connection:
            yield from server_findings(connection)
    except (ConfigError, ServerUnreachable, Refused) as error:
        yield Finding("problem", "server", str(error))
