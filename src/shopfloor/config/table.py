"""Read the table of settings out of `Settings`, and read one value of it from text or from TOML."""

from __future__ import annotations

import difflib
import math
import re
from collections.abc import Iterable
from dataclasses import dataclass, fields
from pathlib import Path
from types import NoneType
from typing import Any, Final, Literal, get_args, get_origin, get_type_hints

from shopfloor.config.row import Row
from shopfloor.config.settings import Settings
from shopfloor.config.values import Binding, Secret, StorageUrl

VARIABLE_PREFIX = "SHOPFLOOR_"
SCHEME = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*")
"""A word before `://`. Which of them there is a store for is said by entry points (`store.open`)."""
TRUE_WORDS = ("1", "true", "yes", "on")
FALSE_WORDS = ("0", "false", "no", "off")


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """Join what is known about one setting: its name, type, default, and its row."""

    name: str
    type: type[object]
    choices: tuple[str, ...]
    default: object
    row: Row

    @property
    def flag(self) -> str:
        """The long flag, or nothing where no flag may set it."""
        return "--" + self.name.replace("_", "-") if self.row.by_flag else ""

    @property
    def variable(self) -> str:
        """The environment variable."""
        return VARIABLE_PREFIX + self.name.upper()

    @property
    def key(self) -> tuple[str, str]:
        """The table and the name in it. A name that begins with its table's name drops that part."""
        return self.row.table, self.name.removeprefix(self.row.table + "_")


def _entry(name: str, hint: Any, default: object) -> Entry:
    """Take an annotation apart: `Annotated[type, Row(...)]`; the type may be a Literal or `... | None`."""
    kind, row = get_args(hint)
    choices = get_args(kind) if get_origin(kind) is Literal else ()
    if not choices and NoneType in get_args(kind):
        (kind,) = (part for part in get_args(kind) if part is not NoneType)
    return Entry(name=name, type=str if choices else kind, choices=choices, default=default, row=row)


def _entries() -> tuple[Entry, ...]:
    hints = get_type_hints(Settings, include_extras=True)
    return tuple(_entry(field.name, hints[field.name], field.default) for field in fields(Settings))


ENTRIES: Final = _entries()


def nearest(word: str, known: Iterable[str]) -> str:
    """Return ", did you mean X?" for the known word most like this one, or nothing when none is alike."""
    words = list(known)
    longer = [other for other in words if other.startswith(word)]
    found = longer if len(longer) == 1 else difflib.get_close_matches(word, words, n=1, cutoff=0.6)
    return f", did you mean {found[0]}?" if found else ""


def from_text(entry: Entry, text: str) -> object:
    """Read a value from a flag or a variable; raise ValueError with the reason when it cannot be one."""
    if entry.choices:
        return _choice(entry, text)
    if entry.type is bool:
        return _switch(text)
    if entry.type in (int, float):
        return _number(entry.type, text)
    if entry.type is Binding:
        return Binding.parse(text)
    assert entry.type in (Path, Secret, StorageUrl), entry.type
    return entry.type(text)


def from_toml(entry: Entry, value: object) -> object:
    """Read a value from a TOML file, where a number is written as a number and a text as a text."""
    if entry.type is bool:
        if not isinstance(value, bool):
            raise ValueError("expected true or false")
        return value
    if entry.type in (int, float):
        allowed = (int,) if entry.type is int else (int, float)
        if isinstance(value, bool) or not isinstance(value, allowed):
            raise ValueError(f"expected {_number_words(entry.type)}")
        return entry.type(value)
    if not isinstance(value, str):
        raise ValueError("expected a text in quotes")
    return from_text(entry, value)


def problem(entry: Entry, value: object) -> str:
    """Return what is wrong with a value of the right type, or nothing."""
    if isinstance(value, StorageUrl):
        return _url_problem(value)
    row = entry.row
    if row.low is not None and row.high is not None and isinstance(value, int | float):
        if math.isnan(value) or value < row.low:
            return f"{value} is below {row.low}"
        if value > row.high:
            return f"{value} is above {row.high}"
    return ""


def _choice(entry: Entry, text: str) -> str:
    if text not in entry.choices:
        raise ValueError(f"{text!r} is not one of {', '.join(entry.choices)}{nearest(text, entry.choices)}")
    return text


def _switch(text: str) -> bool:
    word = text.strip().lower()
    if word not in TRUE_WORDS + FALSE_WORDS:
        raise ValueError(f"{text!r} is not one of {', '.join(TRUE_WORDS + FALSE_WORDS)}")
    return word in TRUE_WORDS


def _number(kind: type[object], text: str) -> int | float:
    try:
        return int(text) if kind is int else float(text)
    except ValueError:
        raise ValueError(f"{text!r} is not {_number_words(kind)}") from None


def _number_words(kind: type[object]) -> str:
    return "a whole number" if kind is int else "a number"


def _url_problem(url: StorageUrl) -> str:
    """Judge a storage URL. Its text is shown only where it is a URL, so that a stray password is not."""
    if "://" not in url.reveal():
        return "expected a URL such as sqlite:///path"
    if not SCHEME.fullmatch(url.scheme):
        return f"{url.scheme!r} names no kind of store"
    if url.scheme == "memory" and url.reveal() != "memory://":
        return f"{url} says more than memory://"
    if url.scheme == "sqlite" and not url.reveal().startswith("sqlite:///"):
        return f"{url} needs an absolute path, as in sqlite:///path"
    return ""
