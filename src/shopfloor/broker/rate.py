"""A bound on calls per second."""


class Rate:
    """Counts calls in whole seconds; 0 means no bound."""

    def __init__(self, per_second: int) -> None:
        self.per_second = per_second
        self._second = 0
        self._calls = 0

    def allows(self, now: float) -> bool:
        """Count a call and say whether it is within the bound."""
        second = int(now)
        if second != self._second:
            self._second, self._calls = second, 0
        self._calls += 1
        return not self.per_second or self._calls <= self.per_second
