"""Exit codes of the `shopfloor` command, in one table that `--help` and the reference page show."""

from collections.abc import Mapping
from enum import IntEnum
from typing import Final

from shopfloor.errors import ConfigError, ServerUnreachable, ShopfloorError, StoreError


class Exit(IntEnum):
    """What a script can tell from how the command ended."""

    OK = 0
    PROBLEM = 1
    USAGE = 2
    UNREACHABLE = 3
    STORE = 4
    INTERRUPTED = 130


MEANINGS: Final[Mapping[Exit, str]] = {
    Exit.OK: "done",
    Exit.PROBLEM: "a problem was found, the server refused, or a port is taken",
    Exit.USAGE: "the command line or a setting is wrong; nothing was done",
    Exit.UNREACHABLE: "no server answered, or the connection broke before the reply",
    Exit.STORE: "the store cannot be opened, read or written",
    Exit.INTERRUPTED: "interrupted from the keyboard",
}


def exit_of(error: ShopfloorError) -> Exit:
    """Choose the code for an error."""
    if isinstance(error, ConfigError):
        return Exit.USAGE
    if isinstance(error, ServerUnreachable):
        return Exit.UNREACHABLE
    if isinstance(error, StoreError):
        return Exit.STORE
    return Exit.PROBLEM
