"""Reading THROTTLE's and LOCK's subcommands (extensions): who has a slot, and who a lock."""

from shopfloor.core.leniency import readable
from shopfloor.errors import Refused
from shopfloor.wire.commands import LockList, ThrottleList

LOCKS_LISTED = 100
"""Locks that are listed where no count is said."""


def read_throttle(argument: bytes) -> ThrottleList:
    """Read what follows `THROTTLE`."""
    words = readable(argument).split()
    if [word.upper() for word in words] != ["LIST"]:
        raise Refused(f"no such THROTTLE subcommand: {' '.join(words[:1]).upper()}")
    return ThrottleList()


def read_lock(argument: bytes, count_max: int) -> LockList:
    """Read what follows `LOCK`."""
    words = readable(argument).split()
    if not words or words[0].upper() != "LIST":
        raise Refused(f"no such LOCK subcommand: {' '.join(words[:1]).upper()}")
    if len(words) == 1:
        return LockList(min(LOCKS_LISTED, count_max))
    if len(words) > 2 or not (words[1].isascii() and words[1].isdigit()):
        raise Refused("LOCK LIST takes one number at most")
    count = int(words[1][:9])
    if not 1 <= count <= count_max:
        raise Refused(f"cannot list {count} locks: the limits are 1 and {count_max}")
    return LockList(count)
