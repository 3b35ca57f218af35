"""What every command that asks a server takes: where that is, how long to wait, and whether to answer in JSON."""

import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import click
from rich.console import RenderableType

from shopfloor.cli import screen
from shopfloor.cli.address import Address, find_address
from shopfloor.cli.connection import Connection

SECONDS_DEFAULT = 30.0
"""A command that touches a million jobs takes seconds; a server that does not answer is noticed all the same."""

_Command = TypeVar("_Command", bound=Callable[..., Any])


@dataclass(slots=True)
class Caller:
    """Who asks: filled in by the options, which may stand before the command's name or behind it."""

    url: str = ""
    seconds: float = SECONDS_DEFAULT
    authorities: Path | None = None
    as_json: bool = False

    def address(self) -> Address:
        """Say which server is meant."""
        return find_address(self.url, os.environ)

    def connect(self, address: Address | None = None) -> Connection:
        """Connect to the server that is meant."""
        return Connection(address or self.address(), self.seconds, self.authorities)

    def answer(self, document: Any, render: Callable[[], RenderableType]) -> None:
        """Answer with a document, or with what people rather read."""
        if self.as_json:
            screen.show_json(document)
        else:
            screen.show(render())


pass_caller = click.make_pass_decorator(Caller, ensure=True)


def _note(ctx: click.Context, param: click.Parameter, value: Any) -> None:
    if value is not None and param.name is not None:
        setattr(ctx.ensure_object(Caller), param.name, value)


def json_option(command: _Command) -> _Command:
    """Add `--json`."""
    return click.option(
        "--json",
        "as_json",
        is_flag=True,
        default=None,
        expose_value=False,
        callback=_note,
        help="Answer with JSON, one document a line.",
    )(command)


def server_options(command: _Command) -> _Command:
    """Add the options that say where the server is, and `--json`."""
    quiet: dict[str, Any] = {"default": None, "expose_value": False, "callback": _note}
    for option in (
        json_option,
        click.option(
            "--timeout",
            "seconds",
            type=click.FloatRange(min=0.1),
            metavar="SECONDS",
            help="How long to wait for an answer; 30 unless told.",
            **quiet,
        ),
        click.option(
            "--ca-file",
            "authorities",
            type=click.Path(exists=True, dir_okay=False, path_type=Path),
            help="Authorities (PEM) that may vouch for the server, for tcp+tls.",
            **quiet,
        ),
        click.option(
            "--url",
            metavar="URL",
            **quiet,
            help="The server, as tcp://:password@host:7419 or tcp+tls://…; else FAKTORY_URL.",
        ),
    ):
        command = option(command)
    return command
