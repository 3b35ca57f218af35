"""RFC 3339 texts to and from seconds since 1970, as strict as the protocol is (reference 2.1, field `at`)."""

import re
from datetime import UTC, datetime

_SHAPE = re.compile(r"(\d{4})-(\d\d)-(\d\d)T(\d\d):(\d\d):(\d\d)(?:[.,](\d+))?(?:Z|([+-])(\d\d):(\d\d))", re.ASCII)


SECONDS_MAX = datetime(9999, 12, 31, 23, 59, 59, tzinfo=UTC).timestamp()
"""No date is later; a time beyond it is written as this one."""


def format_timestamp(seconds: float) -> str:
    """Write `seconds` since 1970 as UTC with microseconds, the precision that clients parse."""
    return datetime.fromtimestamp(min(seconds, SECONDS_MAX), UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def parse_timestamp(text: str) -> float:
    """Read an RFC 3339 text as seconds since 1970; raise ValueError for whatever Faktory refuses.

    `T` and a zone are required and upper case; fractions may have any number of digits after `.` or `,`.
    """
    match = _SHAPE.fullmatch(text)
    if match is None:
        raise ValueError(f'cannot parse "{text}" as an RFC 3339 time')
    year, month, day, hour, minute, second = (int(part) for part in match.groups()[:6])
    fraction, sign, zone_hours, zone_minutes = match.groups()[6:]
    moment = datetime(year, month, day, hour, minute, second, tzinfo=UTC).timestamp()
    if fraction:
        moment += float(f"0.{fraction}")
    return moment - _offset_seconds(sign, zone_hours, zone_minutes) if sign else moment


def _offset_seconds(sign: str, hours: str, minutes: str) -> int:
    """Faktory takes offsets of up to 24 hours and 60 minutes, as some people do write them."""
    if int(hours) > 24 or int(minutes) > 60:
        raise ValueError("time zone offset out of range")
    seconds = int(hours) * 3600 + int(minutes) * 60
    return -seconds if sign == "-" else seconds
