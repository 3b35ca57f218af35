"""Jobs for the tests, which note what they do in a ledger: a file that every process appends to."""

import asyncio
import os
import signal
import time
from dataclasses import dataclass
from pathlib import Path

from shopfloor import Cancel, Discard, Retry, current_job, job

LEDGER = "LEDGER_OF_THE_TEST"


@dataclass(frozen=True)
class Entry:
    """One line of the ledger."""

    word: str
    jid: str
    process: int
    at: float


def note(word: str) -> None:
    """Append a line, in one write."""
    line = f"{word} {current_job().jid} {os.getpid()} {time.monotonic()}\n"
    with open(os.environ[LEDGER], "ab", buffering=0) as ledger:
        ledger.write(line.encode())


def entries(path: Path) -> list[Entry]:
    """Read the ledger."""
    lines = [line.split() for line in path.read_text().splitlines()] if path.exists() else []
    return [Entry(word, jid, int(process), float(at)) for word, jid, process, at in lines]


@job
def add(first: int, second: int) -> int:
    note("done")
    return first + second


@job
async def add_later(first: int, second: int) -> int:
    await asyncio.sleep(0)
    note("done")
    return first + second


@job
def nap(seconds: float) -> None:
    note("begin")
    time.sleep(seconds)
    note("done")


@job
def linger(seconds: float) -> None:
    note("begin")
    end = time.monotonic() + seconds
    while time.monotonic() < end:  # unlike one long sleep, this can be broken off
        time.sleep(0.01)
    note("done")


@job
async def doze(seconds: float) -> None:
    note("begin")
    await asyncio.sleep(seconds)
    note("done")


@job(timeout=0.2)
def dawdle() -> None:
    note("begin")
    while True:
        time.sleep(0.01)


@job(timeout=0.2)
async def dream() -> None:
    note("begin")
    await asyncio.sleep(60)


@job(hard_timeout=0.5)
def hang() -> None:
    note("begin")
    signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGTERM])
    while True:
        time.sleep(60)


@job
def die() -> None:
    note("begin")
    os.kill(os.getpid(), signal.SIGKILL)


@job
def die_once(marker: str) -> None:
    note("begin")
    if not Path(marker).exists():
        Path(marker).touch()
        os.kill(os.getpid(), signal.SIGKILL)
    note("done")


@job
def grow(megabytes: int) -> None:
    note("done")
    hoard.append(bytearray(megabytes * 1024 * 1024))


hoard: list[bytearray] = []


@job(dead_on=(ZeroDivisionError,), discard_on=(KeyError,))
def steer(how: str) -> str:
    note("begin")
    match how:
        case "retry":
            raise Retry(in_=3600, reason="the shop is closed")
        case "discard":
            raise Discard("nobody wants it")
        case "cancel":
            raise Cancel("somebody called it off")
        case "dead":
            raise ZeroDivisionError("hopeless")
        case "drop":
            raise KeyError("gone")
        case "exit":
            raise SystemExit(3)
        case "stranger":
            return object()  # type: ignore[return-value]
    raise ValueError(f"no way {how}")


@job
def watched() -> dict[str, int]:
    note("begin")
    current_job().progress(40, "half way, almost")
    current_job().extend(120)
    while not current_job().cancelled:
        time.sleep(0.005)
    note("done")
    return {"attempt": current_job().attempt}
