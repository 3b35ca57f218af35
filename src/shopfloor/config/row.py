"""Say what is known about one setting besides its type and its default.

A row is written once, in the annotation of its field in `settings.py`. Flags, environment variables, keys of
the configuration file, `--help`, the sample file and the reference page are all derived from it.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """Describe one setting: what it does, why it is bounded as it is, and where it may be given."""

    table: str
    help: str
    why: str = ""
    low: float | None = None
    high: float | None = None
    short: str = ""
    # What `load` puts there when nobody gave a value, for settings whose default depends on others.
    derived: str = ""
    by_flag: bool = True
    by_file: bool = True
    faktory_variable: str = ""
    faktory_key: str = ""
