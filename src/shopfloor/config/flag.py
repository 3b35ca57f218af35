"""Say what the command line needs to know of each setting, so that options and `--help` are derived."""

from __future__ import annotations

from dataclasses import dataclass

from shopfloor.config.table import ENTRIES, Entry


@dataclass(frozen=True, slots=True, kw_only=True)
class Flag:
    """Describe one flag. Hand what was given to `load` under `name`, as text or as `type`; else None.

    `declarations` is as click takes it: `-b`, `--command-binding`, `--log-arguments/--no-log-arguments`.
    `default` and `variable` are for `--help` only: `load` reads the variable and knows the default.
    """

    name: str
    declarations: tuple[str, ...]
    type: type[int] | type[float] | type[bool] | type[str]
    choices: tuple[str, ...]
    default: str
    help: str
    variable: str


def flags() -> tuple[Flag, ...]:
    """Return every setting that a flag may set, in the order of the table."""
    return tuple(_flag(entry) for entry in ENTRIES if entry.row.by_flag)


def _flag(entry: Entry) -> Flag:
    long = f"{entry.flag}/--no-{entry.flag[2:]}" if entry.type is bool else entry.flag
    plain = {int: int, float: float, bool: bool}
    return Flag(
        name=entry.name,
        declarations=(entry.row.short, long) if entry.row.short else (long,),
        type=plain.get(entry.type, str),
        choices=entry.choices,
        default=default_text(entry),
        help=entry.row.help.replace("`", ""),
        variable=entry.variable,
    )


def default_text(entry: Entry) -> str:
    """Return the default in words for people: the value, or what it is derived from."""
    if entry.row.derived:
        return entry.row.derived.replace("`", "")
    if isinstance(entry.default, bool):
        return "true" if entry.default else "false"
    return str(entry.default)
