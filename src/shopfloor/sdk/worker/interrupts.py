"""Breaking off a function that runs in a thread: after its time, or when its worker stops.

Python can raise an exception in another thread, between two instructions of Python code; code in C is not interrupted.
The lock makes sure that it is raised in the run that is meant and not in the next one.
"""

import ctypes
import heapq
import threading
import time
from dataclasses import dataclass, field

from shopfloor.sdk.worker.outcome import JobTimeout, WorkerStops


@dataclass(slots=True, eq=False)
class Run:
    """A function that is running in a thread."""

    thread: int
    jid: str
    is_over: bool = False
    is_struck: bool = False
    """Whether an exception was raised in it, which may still be on its way."""


@dataclass(order=True, slots=True)
class _Alarm:
    at: float
    run: Run = field(compare=False)


class Interrupter:
    """Knows the runs of all threads; one thread of its own waits for the next alarm, once there was any."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._changed = threading.Condition(self._lock)
        self._alarms: list[_Alarm] = []
        self._runs: set[Run] = set()
        self._watching = False
        self._ended = False

    def begin(self, jid: str, timeout: float) -> Run:
        """A function begins in this thread; after `timeout` seconds, if not 0, `JobTimeout` is raised in it."""
        run = Run(threading.get_ident(), jid)
        with self._lock:
            self._runs.add(run)
            if timeout:
                heapq.heappush(self._alarms, _Alarm(time.monotonic() + timeout, run))
                self._watch()
        return run

    def end(self, run: Run) -> None:
        """The function is over: from here on nothing is raised in this thread, and what was about to be is not."""
        with self._lock:
            run.is_over = True
            self._runs.discard(run)
            if run.is_struck:
                _raise_in(run.thread, None)

    def stop_all(self) -> None:
        """Raise `WorkerStops` in every function that is running."""
        with self._lock:
            for run in self._runs:
                _strike(run, WorkerStops)

    def close(self) -> None:
        """End the thread that watches."""
        with self._changed:
            self._ended = True
            self._changed.notify()

    def _watch(self) -> None:
        if not self._watching:
            self._watching = True
            threading.Thread(target=self._wait_for_alarms, name="shopfloor-timeouts", daemon=True).start()
        self._changed.notify()

    def _wait_for_alarms(self) -> None:
        with self._changed:
            while not self._ended:
                self._changed.wait(self._sound(time.monotonic()))

    def _sound(self, now: float) -> float | None:
        """Break off what is overdue; answer how long it is until the next alarm."""
        while self._alarms and (self._alarms[0].run.is_over or self._alarms[0].at <= now):
            run = heapq.heappop(self._alarms).run
            if not run.is_over:
                _strike(run, JobTimeout)
        return self._alarms[0].at - now if self._alarms else None


def _strike(run: Run, error: type[BaseException]) -> None:
    run.is_struck = True
    _raise_in(run.thread, error)


def _raise_in(thread: int, error: type[BaseException] | None) -> None:
    ctypes.pythonapi.PyThreadState_SetAsyncExc(
        ctypes.c_ulong(thread), None if error is None else ctypes.py_object(error)
    )
