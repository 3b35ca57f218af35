"""Cron expressions in a time zone: which moments they name, also where the clock is changed.

The expression is read by cronsim, which follows Debian's cron. A job at a fixed time (`30 2 * * *`) that falls into the
hour left out in spring runs at the end of the gap, and in the hour that comes twice in autumn it runs once, the first
time. One with a star for its minutes or hours (`0 * * * *`, `*/10 2 * * *`) follows elapsed time: it runs in each of
the two hours, and not in one that is left out.
"""

from collections import deque
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, tzinfo
from itertools import takewhile
from typing import Final
from zoneinfo import ZoneInfo

from cronsim import CronSim, CronSimError
from msgspec import Struct

from shopfloor.errors import Refused

SCHEDULE_CHARACTERS_MAX = 200
"""Longer than any that people write; each number in it is read, however many digits it has."""
FIRST_SPAN_SECONDS = 3_600.0
"""How far `latest` looks back at first; each further look goes twice as far."""

FORMS: Final[Mapping[str, str]] = {
    "@hourly": "0 * * * *",
    "@daily": "0 0 * * *",
    "@midnight": "0 0 * * *",
    "@weekly": "0 0 * * 0",
    "@monthly": "0 0 1 * *",
    "@yearly": "0 0 1 1 *",
    "@annually": "0 0 1 1 *",
}
UTC_NAMES = frozenset({"UTC", "Etc/UTC"})


class Schedule(Struct, frozen=True):
    """Five fields, and the zone whose clock they speak of. Made by `read_schedule`."""

    fields: str
    zone: str

    def after(self, moment: float) -> Iterator[float]:
        """Name the moments after one, in order; they end where none comes for fifty years."""
        reached = moment
        try:
            named = CronSim(self.fields, datetime.fromtimestamp(moment, zone_named(self.zone)))
        except CronSimError as error:
            raise Refused(f'invalid schedule "{self.fields}": {str(error).lower()}') from error
        for found in named:
            at = found.timestamp()
            if at > reached:  # in the second of two equal hours, the first one is named again
                reached = at
                yield at

    def latest(self, start: float, end: float, count: int) -> tuple[float, ...]:
        """Name the last moments, at most `count`, that are later than `start` and not later than `end`."""
        span = FIRST_SPAN_SECONDS
        while True:
            begin = max(start, end - span)
            found = deque(takewhile(lambda moment: moment <= end, self.after(begin)), maxlen=count)
            if len(found) == count or begin == start:
                return tuple(found)
            span *= 2


def read_schedule(text: str, zone: str, now: float) -> Schedule:
    """Read an expression; raise `Refused` where it is none, or names no moment to come."""
    if len(text) > SCHEDULE_CHARACTERS_MAX:
        raise Refused(f"invalid schedule: it is longer than {SCHEDULE_CHARACTERS_MAX} characters")
    zone_named(zone)
    schedule = Schedule(_fields(text), zone)
    if next(schedule.after(now), None) is None:
        raise Refused(f'invalid schedule "{text}": it names no moment in the next 50 years')
    return schedule


def zone_named(name: str) -> tzinfo:
    """Find a time zone by its name; raise `Refused` where there is none."""
    if name in UTC_NAMES:
        return UTC
    try:
        return ZoneInfo(name)
    except (KeyError, ValueError, OSError) as error:
        raise Refused(f'unknown time zone "{name}": say UTC, or a name such as Europe/Berlin') from error


def _fields(text: str) -> str:
    fields = text.split()
    if len(fields) == 1 and fields[0].startswith("@"):
        form = FORMS.get(fields[0].lower())
        if form is None:
            raise Refused(f'invalid schedule "{text}": the short forms are {", ".join(FORMS)}')
        return form
    if len(fields) != 5:
        wanted = "five fields are wanted (minute, hour, day of month, month, day of week)"
        raise Refused(f'invalid schedule "{text}": {wanted}, not {len(fields)}')
    return " ".join(fields)
