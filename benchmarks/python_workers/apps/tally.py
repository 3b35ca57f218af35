"""What every library's job does, and the program around each module."""

import os
import sys
import time
from collections.abc import Callable

_descriptor = os.open(os.environ["BENCH_FILE"], os.O_WRONLY | os.O_APPEND | os.O_CREAT)


def count_one() -> None:
    """Do nothing but be counted: a byte more in the file, from whatever process."""
    os.write(_descriptor, b".")


def enqueue(one: Callable[[int], None], bulk: Callable[[int], None]) -> None:
    """Enqueue as the command line says, and print how many seconds that took."""
    how, count = sys.argv[2], int(sys.argv[3])
    one(1)  # connect first
    began = time.perf_counter()
    (one if how == "one" else bulk)(count)
    print(time.perf_counter() - began)
