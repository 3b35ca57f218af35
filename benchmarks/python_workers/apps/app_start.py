"""A job that notes how long ago it was pushed; run as a program it pushes one after the other, with pauses."""

import os
import sys
import time
from pathlib import Path

from shopfloor import Client, job

PAUSE_SECONDS = 0.02
_descriptor = os.open(os.environ["BENCH_FILE"], os.O_WRONLY | os.O_APPEND)


@job
def begin(pushed_at: float) -> None:
    os.write(_descriptor, b"%f " % (time.monotonic() - pushed_at))


if __name__ == "__main__":
    notes = Path(os.environ["BENCH_FILE"])
    with Client() as client:
        client.push(begin.order(time.monotonic()))
        while not notes.read_text():
            time.sleep(PAUSE_SECONDS)
        for _ in range(int(sys.argv[1])):
            time.sleep(PAUSE_SECONDS)
            client.push(begin.order(time.monotonic()))
