"""Options of the command line that are settings: one for each that a flag may set, derived from their table."""

from collections.abc import Callable, Collection, Mapping
from typing import Any, TypeVar

import click

from shopfloor.config import Flag, flags

_Command = TypeVar("_Command", bound=Callable[..., Any])

PLACES = ("environment", "config_dir", "config_file", "storage", "storage_dir", "backup_dir")
"""The settings that say where things are: what an offline command needs to know."""


class SettingOption(click.Option):
    """An option that is a setting; the reference page lists it under the settings."""


def setting_options(only: Collection[str] = ()) -> Callable[[_Command], _Command]:
    """Add the options of settings, all of them or `only` some."""
    chosen = [flag for flag in flags() if not only or flag.name in only]

    def decorate(command: _Command) -> _Command:
        for flag in reversed(chosen):
            command = _option(flag)(command)
        return command

    return decorate


def given_flags(given: Mapping[str, object]) -> dict[str, object]:
    """Keep what was given: `load` knows the variables, files and defaults that stand in for the rest."""
    return {name: value for name, value in given.items() if value is not None}


def _option(flag: Flag) -> Callable[[_Command], _Command]:
    return click.option(
        *flag.declarations,
        flag.name,
        cls=SettingOption,
        type=click.Choice(flag.choices) if flag.choices else flag.type,
        default=None,
        help=f"{flag.help} [{flag.default}]" if flag.default else flag.help,
    )
