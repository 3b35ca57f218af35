"""Writes docs/reference/python.md, the public face of the Python library, from its docstrings."""

import inspect
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import shopfloor

OPENING = """# Python library

What `from shopfloor import …` brings; [the guide](../guides/python.md) shows how to use it. This page is generated from
the docstrings (`make docs`). Names that are not on it may change at any time.
"""


def page() -> str:
    """Write the page."""
    return "\n".join([OPENING, *(line for name in shopfloor.__all__ for line in _section(name))])


def _section(name: str) -> Iterator[str]:
    thing = getattr(shopfloor, name)
    yield f"## {name}\n"
    if inspect.isfunction(thing):
        yield f"    {name}({_parameters(thing)})\n"
    yield _doc(thing) + "\n"
    if inspect.isclass(thing):
        fields = _fields(thing)
        if fields:
            yield f"Has {', '.join(f'`{name}`' for name in fields)}.\n"
        rows = [*_rows(thing)]
        if rows:
            yield "| | |\n|---|---|\n" + "\n".join(rows) + "\n"


def _ours(thing: type[Any]) -> list[type[Any]]:
    """List our own classes that a class is made from, itself last."""
    return [one for one in reversed(thing.__mro__) if one.__module__.startswith("shopfloor")]


def _fields(thing: type[Any]) -> list[str]:
    names = dict.fromkeys(name for one in _ours(thing) for name in getattr(one, "__annotations__", {}))
    return [name for name in names if not name.startswith("_")]


def _rows(thing: type[Any]) -> Iterator[str]:
    members = {name: member for one in _ours(thing) for name, member in vars(one).items() if not name.startswith("_")}
    for name, member in members.items():
        if inspect.isfunction(member):
            yield f"| `{name}({_parameters(member)})` | {_first(member)} |"
        elif isinstance(member, property):
            yield f"| `{name}` | {_first(member)} |"


def _parameters(function: Any) -> str:
    """Name the parameters; their types are for the editor."""
    marks: dict[Any, str] = {inspect.Parameter.VAR_POSITIONAL: "*", inspect.Parameter.VAR_KEYWORD: "**"}
    parameters = [one for one in inspect.signature(function).parameters.values() if one.name != "self"]
    return ", ".join(
        marks.get(one.kind, "") + one.name + ("=…" if one.default is not one.empty else "") for one in parameters
    )


def _doc(thing: Any) -> str:
    return inspect.cleandoc(thing.__doc__ or "")


def _first(thing: Any) -> str:
    return " ".join(_doc(thing).split("\n\n")[0].split()).replace("|", "\\|")


if __name__ == "__main__":
    Path(sys.argv[1], "python.md").write_text(page(), encoding="utf-8")
