"""What can go wrong in a benchmark: one error, always with the value that explains it."""


class BenchmarkError(Exception):
    """The measurement cannot be had: a program is missing, a server did not start, or it answered wrongly."""
