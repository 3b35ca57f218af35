"""How long to go on trying, and how long to wait before each try, when a server cannot be reached."""

import random
from dataclasses import dataclass

PAUSE_SECONDS_MIN = 0.05
PAUSE_SECONDS_MAX = 2.0


@dataclass(slots=True)
class Patience:
    """Grows the pauses between tries, with a spread that keeps a fleet from coming back all at once."""

    deadline: float
    """When to give up; by the same clock as `now` below."""
    tries: int = 0

    def pause(self, now: float) -> float | None:
        """Answer how long to wait before the next try; None where it would come too late."""
        longest = min(PAUSE_SECONDS_MIN * 2**self.tries, PAUSE_SECONDS_MAX)
        self.tries += 1
        wanted = longest * random.uniform(0.5, 1.0)  # noqa: S311  # nothing secret hangs on it
        return wanted if now + wanted < self.deadline else None
