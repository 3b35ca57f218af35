"""Write the reference page and the sample file from the table of settings."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator, Mapping
from itertools import groupby
from pathlib import Path
from typing import Final

from shopfloor.config.flag import default_text
from shopfloor.config.table import ENTRIES, Entry
from shopfloor.config.values import Binding, Secret, StorageUrl

WIDTH = 100

PAGE_HEAD = """\
# Settings

<!-- Written by `python -m shopfloor.config` from src/shopfloor/config/settings.py; change it there. -->

Every setting has one name. `connections_max` is the flag `--connections-max`, the variable
`SHOPFLOOR_CONNECTIONS_MAX` and, in a file, `connections_max` in the table `[limits]`. A name that begins with
its table's name drops that part: `log_level` is `level` in `[log]`. Units are in the names.

## Where a value comes from

The first of these that says something wins:

1. the flag
2. the variable `SHOPFLOOR_…`
3. Faktory's variables: `FAKTORY_PASSWORD`, `FAKTORY_SKIP_PASSWORD`, `FAKTORY_ENV`. Its others, such as
   `FAKTORY_LICENSE`, are accepted and mean nothing here
4. the configuration file: the one that `--config-file` or `SHOPFLOOR_CONFIG_FILE` names, otherwise
   `shopfloor.toml` in the configuration folder. A sample: [shopfloor.toml](shopfloor.toml)
5. `conf.d/*.toml` in the configuration folder
6. for the password, outside development: the file `password` in the configuration folder
7. the default

The files in `conf.d` are read as one. A table may be continued in another file; a key that two files set
differently is an error. Any table may stand in any file, Faktory's among them: `[faktory]` (`password`,
`binding`), `[web]` (`password`, `binding`), `[[cron]]`, `[throttles]` and `[statsd]`. `[queues]` and
`[security]`, which Faktory has in its example and does not read, are ignored with a line in the log.

An unknown name, a value of the wrong kind or one out of its bounds stops the server, with the place and the
nearest right name. An empty value counts as not given. Paths that begin with `~` are in the home folder;
others are relative to the folder the server was started in.

## Folders

| | configuration | storage |
|---|---|---|
| development | `~/.shopfloor` | `~/.shopfloor/db` |
| staging, production | `/etc/shopfloor` | `/var/lib/shopfloor/db` |

Where one of them does not exist and Faktory's does (`~/.faktory`, `~/.faktory/db`, `/etc/faktory`,
`/var/lib/faktory/db`), that one is used and the log says so. Of two storage folders the one that holds
`shopfloor.db` is used.
"""

SAMPLE_HEAD = """\
# Settings of a Shopfloor server. Written by `python -m shopfloor.config`; every line shows a default.
# Copy what you change to shopfloor.toml in the configuration folder. Flags and variables go before it.
# What each setting is for, and why it is bounded as it is: docs/reference/settings.md
"""

TABLE_TITLES: Final[Mapping[str, str]] = {
    "server": "The server",
    "command": "The command port",
    "web": "The web pages",
    "storage": "Storage",
    "tls": "TLS",
    "log": "The log",
    "limits": "Limits",
    "batches": "Batches",
    "lifecycle": "The life of jobs, workers and the server",
}

TYPE_WORDS: Final[Mapping[type, str]] = {
    int: "whole number",
    float: "number",
    bool: "true or false",
    str: "text",
    Path: "path",
    Secret: "text, never shown",
    StorageUrl: "URL",
    Binding: "host:port",
}


def write_reference(folder: Path) -> None:
    """Write `settings.md` and `shopfloor.toml` into the folder."""
    (folder / "settings.md").write_text(settings_page(), "utf-8")
    (folder / "shopfloor.toml").write_text(sample_file(), "utf-8")


def settings_page() -> str:
    """Return the reference page: a heading a setting, in the order of the table."""
    parts = [PAGE_HEAD]
    for table, entries in _by_table():
        parts.append(f"\n## {TABLE_TITLES[table]}\n")
        parts += ["\n" + "\n".join(_page_lines(entry)) + "\n" for entry in entries]
    return "".join(parts)


def sample_file() -> str:
    """Return a configuration file in which every setting stands with its default, commented out."""
    parts = [SAMPLE_HEAD]
    for table, entries in _by_table():
        parts.append(f"\n[{table}]\n")
        parts.append("\n".join("\n".join(_sample_lines(each)) + "\n" for each in entries if each.row.by_file))
    return "".join(parts)


def _by_table() -> Iterator[tuple[str, list[Entry]]]:
    """Group the entries by table, in the order of the titles."""
    order = list(TABLE_TITLES)
    entries = sorted(ENTRIES, key=lambda entry: order.index(entry.row.table))
    for table, group in groupby(entries, key=lambda entry: entry.row.table):
        yield table, list(group)


def _page_lines(entry: Entry) -> Iterator[str]:
    row = entry.row
    yield f"### {entry.name}\n"
    yield row.help + (f" {row.why}" if row.why else "") + "\n"
    yield "| | |\n|---|---|"
    yield f"| default | {row.derived or f'`{default_text(entry)}`'} |"
    yield f"| type | {_type_words(entry)} |"
    if row.by_flag:
        yield f"| flag | {f'`{row.short}`, ' if row.short else ''}`{entry.flag}` |"
    yield f"| variable | {_variables(entry)} |"
    if row.by_file:
        yield f"| file | {_keys(entry)} |"


def _type_words(entry: Entry) -> str:
    if entry.choices:
        return ", ".join(f"`{choice}`" for choice in entry.choices)
    row = entry.row
    bounds = f" from {row.low:,} to {row.high:,}" if row.low is not None and row.high is not None else ""
    return TYPE_WORDS[entry.type] + bounds


def _variables(entry: Entry) -> str:
    theirs = entry.row.faktory_variable
    return f"`{entry.variable}`" + (f", `{theirs}`" if theirs else "")


def _keys(entry: Entry) -> str:
    table, _, name = entry.row.faktory_key.partition(".")
    ours = f"`[{entry.key[0]}] {entry.key[1]}`"
    return ours + (f", `[{table}] {name}`" if name else "")


def _sample_lines(entry: Entry) -> Iterator[str]:
    yield from textwrap.wrap(
        entry.row.help.replace("`", ""),
        WIDTH,
        initial_indent="# ",
        subsequent_indent="# ",
        break_long_words=False,
    )
    if entry.row.derived:
        yield from textwrap.wrap(f"Default: {default_text(entry)}.", WIDTH, initial_indent="# ", subsequent_indent="# ")
        yield f'# {entry.key[1]} = ""'
    else:
        yield f"# {entry.key[1]} = {_toml(entry.default)}"


def _toml(value: object) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    return str(value) if isinstance(value, int | float) else f'"{value}"'
