"""Write the reference page of the commands from the commands themselves."""

import inspect
from collections.abc import Iterator, Sequence
from pathlib import Path

import click

from shopfloor.cli.exits import MEANINGS
from shopfloor.cli.group import NAME
from shopfloor.cli.main import main
from shopfloor.cli.setting_options import SettingOption
from shopfloor.config import flags

PAGE = "command-line.md"

HEAD = """\
# The command line

<!-- Written by `python -m shopfloor.cli` from src/shopfloor/cli; change it there. -->

`shopfloor` runs a server, asks one, and looks after its store. Every command has `--help`. With `--json` it
answers with one JSON document on one line; without, for people. What is wrong is said on standard error, each
problem on one line.

## Which server is asked

The first of these that is given:

1. `--url`, before or behind the command's name
2. `SHOPFLOOR_PROVIDER`: the name of another variable, which holds the URL
3. `SHOPFLOOR_URL`
4. `FAKTORY_PROVIDER` and `FAKTORY_URL`, as Faktory's clients know them
5. the server that the [settings](settings.md) on this machine describe: its port, password and certificate

A URL is `tcp://:password@host:7419`, or `tcp+tls://…` where the server speaks TLS; characters that URLs
reserve are written as `%40` and the like. The server's certificate is checked against the authorities of the
system, or those that `--ca-file` names.

## Exit codes

| code | meaning |
|---|---|
"""

OPTIONS_OF_ALL = ("url", "seconds", "authorities", "as_json", "help")
"""Options that every command which asks a server takes; they are described once."""


def write_reference(folder: Path) -> None:
    """Write the page into a folder, which is made if need be."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / PAGE).write_text(reference_page(), encoding="utf-8")


def reference_page() -> str:
    """Return the page."""
    codes = "".join(f"| {int(code)} | {meaning} |\n" for code, meaning in MEANINGS.items())
    context = click.Context(main, info_name=NAME)
    shared = [param for param in main.params if param.name in OPTIONS_OF_ALL]
    parts = [HEAD, codes, "\n## Options of every command that asks a server\n\n", *_table(shared, context)]
    for name in main.list_commands(context):
        parts += _sections(main.commands[name], click.Context(main.commands[name], context, info_name=name))
    return "".join(parts)


def _sections(command: click.Command, context: click.Context) -> Iterator[str]:
    """Describe a command, then those within it."""
    yield (
        f"\n## {context.command_path}\n\n"
        if context.parent and not context.parent.parent
        else (f"\n### {context.command_path}\n\n")
    )
    yield _prose(command.help or "")
    if isinstance(command, click.Group):
        for name, inner in command.commands.items():
            yield from _sections(inner, click.Context(inner, context, info_name=name))
        return
    yield f"\n```\n{context.command_path} {' '.join(command.collect_usage_pieces(context))}\n```\n"
    own = [param for param in command.params if not isinstance(param, SettingOption | click.Argument)]
    settings = [param for param in command.params if isinstance(param, SettingOption)]
    own = [param for param in own if param.name not in OPTIONS_OF_ALL]
    if own:
        yield "\n"
        yield from _table(own, context)
    if settings:
        yield "\n" + _settings(settings)
    if command.epilog:
        yield "\n" + _code(command.epilog)


def _table(params: Sequence[click.Parameter], context: click.Context) -> Iterator[str]:
    yield "| option | |\n|---|---|\n"
    for param in params:
        record = param.get_help_record(context)
        if record is not None:
            option, says = (text.replace("|", r"\|") for text in record)
            plain = says.replace("*", r"\*")
            yield f"| `{option}` | {plain} |\n"


def _settings(settings: Sequence[click.Parameter]) -> str:
    """Settings have a page of their own; here stand only their flags, where it is not all of them."""
    if len(settings) == len(flags()):
        return "Every setting that has a flag may be given: see [settings](settings.md).\n"
    links = ", ".join(f"[`{param.opts[-1]}`](settings.md#{param.name})" for param in settings)
    return f"Settings that may be given as options: {links}.\n"


def _prose(text: str) -> str:
    """Write a help text; a block that click must not wrap becomes a block of code."""
    blocks = inspect.cleandoc(text).split("\n\n")
    return "\n".join(_code(block) if block.startswith("\b") else f"{block}\n" for block in blocks)


def _code(block: str) -> str:
    return f"```\n{inspect.cleandoc(block.replace(chr(8), '')).strip()}\n```\n"
