"""A clock that goes on as clocks do, and can be moved forward."""

import time
from collections.abc import Callable
from datetime import timedelta

from shopfloor.sdk.order import as_seconds


class TravellingClock:
    """Answers the time, in seconds since 1970, from wherever it has travelled to."""

    def __init__(self, base: Callable[[], float] = time.time) -> None:
        self._base = base
        self._ahead = 0.0

    def __call__(self) -> float:
        return self._base() + self._ahead

    def travel(self, span: float | timedelta) -> None:
        """Move forward: jobs that are due by then become due."""
        if as_seconds(span) < 0:
            raise ValueError("time travels forward alone")
        self._ahead += as_seconds(span)
