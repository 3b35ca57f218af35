"""`shopfloor info`, `version`, `config` and `completion`: what the server, this program and its settings are."""

import os
import platform
from collections.abc import Mapping
from typing import Any

import apsw
import click
from click.shell_completion import get_completion_class
from rich.console import Group, RenderableType
from rich.text import Text

from shopfloor import __version__
from shopfloor.cli import screen
from shopfloor.cli.caller import Caller, json_option, pass_caller, server_options
from shopfloor.cli.group import NAME
from shopfloor.cli.setting_options import given_flags, setting_options
from shopfloor.config import ENTRIES, Loaded, load

COMPLETE_VARIABLE = "_SHOPFLOOR_COMPLETE"


@click.command("info")
@server_options
@pass_caller
def info(caller: Caller) -> None:
    """Show what the server says of itself: version, load, and how many jobs are where."""
    with caller.connect() as connection:
        told = connection.info()
        where = str(connection.address)
    caller.answer(told, lambda: info_view(told, where))


def info_view(told: Mapping[str, Any], where: str) -> RenderableType:
    """Lay out INFO."""
    server, jobs = told["server"], told["faktory"]
    about = {
        "server": f"{server['description']} {server.get('shopfloor_version', server['faktory_version'])} at {where}",
        "protocol": f"Faktory {server['faktory_version']}",
        "store": f"{server.get('store', '?')}, durability {server.get('durability', '?')}",
        "up": screen.duration(server["uptime"]),
        "time": screen.moment(told["now"]),
        "connections": screen.count(server["connections"]),
        "workers": screen.count(jobs["tasks"]["Workers"]["size"]),
        "memory": f"{server['used_memory_mb']} MB",
    }
    figures = {
        "queued": f"{screen.count(jobs['total_enqueued'])} in {jobs['total_queues']} queues",
        **{name: screen.count(jobs["sets"][name]) for name in ("working", "scheduled", "retries", "dead")},
        "processed": screen.count(jobs["total_processed"]),
        "failed": screen.count(jobs["total_failures"]),
    }
    return Group(screen.pairs([*about.items(), *figures.items()]))


@click.command("version")
@json_option
@pass_caller
def version(caller: Caller) -> None:
    """Show the version of this program and of what it rests on."""
    known = {NAME: __version__, "python": platform.python_version(), "sqlite": apsw.sqlite_lib_version()}
    caller.answer(known, lambda: Text("\n".join(f"{name} {number}" for name, number in known.items())))


@click.command("config")
@click.option("--changed", is_flag=True, help="Only settings that are not at their default.")
@setting_options()
@json_option
@pass_caller
def config(caller: Caller, /, changed: bool, **given: Any) -> None:
    """Show every setting as the server would see it, and where it came from; secrets are hidden.

    Options of settings are those of `serve`, and have the same effect.
    """
    loaded = load(given_flags(given), os.environ)
    rows = [row for row in _settings(loaded) if not (changed and row["from"].startswith("default"))]
    document = {"settings": rows, "notices": list(loaded.notices)}
    table = [(row["name"], _shown(row["value"]), row["from"]) for row in rows]
    nothing = Text("every setting is at its default")
    caller.answer(document, lambda: screen.table(("SETTING", "VALUE~", "FROM~"), table) if table else nothing)


def _shown(value: object) -> str:
    """Write a value as one would give it."""
    if value is None:
        return ""
    return str(value).lower() if isinstance(value, bool) else str(value)


def _settings(loaded: Loaded) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = []
    for entry in ENTRIES:
        value = getattr(loaded.settings, entry.name)
        shown = value if value is None or isinstance(value, bool | int | float) else str(value)
        rows.append({"name": entry.name, "value": shown, "from": loaded.places[entry.name]})
    return rows


@click.command("completion")
@click.argument("shell", type=click.Choice(("bash", "zsh", "fish")))
def completion(shell: str) -> None:
    """Write a script that lets the shell complete commands and options.

    \b
    bash:  shopfloor completion bash > ~/.local/share/bash-completion/completions/shopfloor
    zsh:   shopfloor completion zsh > ~/.zfunc/_shopfloor
    fish:  shopfloor completion fish > ~/.config/fish/completions/shopfloor.fish
    """
    made = get_completion_class(shell)
    assert made is not None
    outermost = click.get_current_context().find_root().command
    click.echo(made(outermost, {}, NAME, COMPLETE_VARIABLE).source())
