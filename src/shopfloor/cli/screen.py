"""What people and scripts see: tables for the former, JSON for the latter, nothing that moves the cursor."""

import json
from collections.abc import Iterable, Sequence
from typing import Any

import click
from rich.console import Console, JustifyMethod, RenderableType
from rich.table import Table
from rich.text import Text

PIPE_COLUMNS = 10_000
"""A table that goes to another program is as wide as it needs to be."""
NEVER = "-"

_DURATIONS = ((86_400, "d"), (3_600, "h"), (60, "m"))


def console() -> Console:
    """Make a console on stdout as it is now; words in brackets and colons are text like any other."""
    made = Console(markup=False, highlight=False, emoji=False)
    if not made.is_terminal:
        made.width = PIPE_COLUMNS
    return made


def show_json(document: Any) -> None:
    """Write one document on one line, in ASCII: every terminal and program takes that."""
    click.echo(json.dumps(document, separators=(",", ":")))


def show(renderable: RenderableType) -> None:
    """Write something for people; lines have no blanks at their ends."""
    made = console()
    if made.is_terminal:
        made.print(renderable)
        return
    with made.capture() as captured:
        made.print(renderable)
    for line in captured.get().splitlines():
        click.echo(line.rstrip())


def table(heads: Sequence[str], rows: Iterable[Sequence[object]]) -> Table:
    """Lay out rows. A head that ends in `#` is of figures, which stand to the right.

    Where a terminal is too narrow, columns whose heads end in `~` are folded, so that ids stay whole.
    """
    made = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="bold")
    for head in heads:
        justify: JustifyMethod = "right" if head.endswith("#") else "left"
        folds = head.endswith("~")
        made.add_column(Text(head.rstrip("#~")), justify=justify, no_wrap=not folds, overflow="fold")
    for row in rows:
        made.add_row(*(cell if isinstance(cell, Text) else Text(printable(str(cell))) for cell in row))
    return made


def pairs(rows: Iterable[tuple[str, object]]) -> Table:
    """Lay out names and values without a head."""
    made = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), show_header=False)
    made.add_column(style="bold", no_wrap=True)
    made.add_column(overflow="fold")
    for name, value in rows:
        made.add_row(Text(name), value if isinstance(value, Text) else Text(printable(str(value))))
    return made


def printable(text: str) -> str:
    """Escape what would move the cursor or change the colour: peers choose names and messages."""
    if text.isprintable():
        return text
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)


def count(number: int) -> str:
    """Write a figure so that its size is seen at once."""
    return f"{number:,}"


def duration(seconds: float) -> str:
    """Write a time span with the two units that matter."""
    if seconds < 60:
        return f"{seconds:.1f}s" if seconds < 10 else f"{seconds:.0f}s"
    rest = int(seconds)
    for index, (size, unit) in enumerate(_DURATIONS):
        if rest >= size:
            smaller, name = _DURATIONS[index + 1] if index + 1 < len(_DURATIONS) else (1, "s")
            return f"{rest // size}{unit} {rest % size // smaller}{name}"
    raise AssertionError("a minute or more has a unit")


def size(byte_count: float) -> str:
    """Write a number of bytes with a fitting unit."""
    for unit in ("B", "KB", "MB", "GB"):
        if byte_count < 1024:
            return f"{byte_count:.0f} {unit}" if unit == "B" else f"{byte_count:.1f} {unit}"
        byte_count /= 1024
    return f"{byte_count:.1f} TB"


def moment(text: str) -> str:
    """Write a time of the protocol to the second."""
    return text[:19].replace("T", " ") + "Z" if len(text) > 19 else text or NEVER
