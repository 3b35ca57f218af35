"""The time of a round, in the forms that are needed."""

from msgspec import Struct

from shopfloor.core.timestamps import format_timestamp


class Moment(Struct, frozen=True):
    """The time of a round: everything decided in it happens at once."""

    now: float
    text: str
    day: str

    @classmethod
    def at(cls, now: float) -> "Moment":
        """Write the time down in the forms that are needed."""
        text = format_timestamp(now)
        return cls(now, text, text[:10])

    def moved_to(self, now: float) -> "Moment":
        """Write a later time down; within the same second only its microseconds are written anew, which is cheap."""
        second = int(now)
        if second != int(self.now) or self.now - second >= 0.999999:
            # The text of a second's last microsecond may be rounded up, and then names the next second.
            return Moment.at(now)
        microseconds = int((now - second) * 1_000_000)
        return Moment(now, f"{self.text[:20]}{microseconds:06d}Z", self.day)
