"""Those who carry jobs out within one process: threads for functions, an event loop for coroutine functions."""

import asyncio
import logging
import threading
import time
from asyncio import CancelledError
from collections import deque
from collections.abc import Callable, Sequence
from contextlib import suppress
from contextvars import copy_context
from dataclasses import dataclass
from queue import Empty, SimpleQueue
from typing import Any

import msgspec

from shopfloor.sdk.jobs import Manner
from shopfloor.sdk.order import Clock
from shopfloor.sdk.running import CurrentJob, Fetched, Report, read_fetched
from shopfloor.sdk.worker.board import Board
from shopfloor.sdk.worker.handlers import Handlers
from shopfloor.sdk.worker.interrupts import Interrupter
from shopfloor.sdk.worker.outcome import JobTimeout, Outcome, WorkerStops, raised, succeeded

log = logging.getLogger("shopfloor.worker")


@dataclass(frozen=True, slots=True, kw_only=True)
class Shape:
    """How many jobs run at once in one process."""

    threads: int
    tasks: int

    @property
    def slots(self) -> int:
        """How many runs there can be."""
        return self.threads + self.tasks


@dataclass(frozen=True, slots=True, kw_only=True)
class Listener:
    """Who hears of what the crew does; called from any of its threads."""

    ended: Callable[[Outcome], None]
    reported: Callable[[str, Report], None]


class Crew:
    """Carries jobs out. `start`, then `give`; `finish` ends the threads when all is done."""

    def __init__(self, handlers: Handlers, shape: Shape, listener: Listener, board: Board, clock: Clock = time.time):
        self.handlers = handlers
        self._shape = shape
        self._listener = listener
        self._board = board
        self._clock = clock
        self._waiting: SimpleQueue[Fetched | None] = SimpleQueue()
        self._running: dict[str, CurrentJob] = {}
        self._interrupter = Interrupter()
        self._threads: list[threading.Thread] = []
        self._tasks = TaskRunner(self, shape.threads) if shape.tasks else None

    def start(self) -> None:
        """Start the threads; the event loop starts with its first job."""
        for number in range(self._shape.threads):
            thread = threading.Thread(target=self._work, args=[number], name=f"shopfloor-{number}", daemon=True)
            self._threads.append(thread)
            thread.start()

    def give(self, jobs: Sequence[bytes]) -> None:
        """Have jobs carried out, in order as far as there are threads for them."""
        coroutines: list[Fetched] = []
        for text in jobs:
            try:
                fetched = read_fetched(text)
            except msgspec.MsgspecError as error:
                self._refuse(text, error)
                continue
            function = self.handlers.functions.get(fetched.jobtype)
            if function is not None and function.is_async and self._tasks is not None:
                coroutines.append(fetched)
            else:
                self._waiting.put(fetched)
        if coroutines and self._tasks is not None:
            self._tasks.give(coroutines)

    def cancel(self, jid: str) -> None:
        """Tell a job's handler that it is not wanted any more."""
        job = self._running.get(jid)
        if job is not None:
            job.cancelled = True

    def give_back(self) -> None:
        """Give back what has not begun, the last first: each goes to the head of its queue."""
        unstarted: list[Fetched] = []
        with suppress(Empty):
            while (fetched := self._waiting.get_nowait()) is not None:
                unstarted.append(fetched)
            self._waiting.put(None)  # the word to end is for the threads
        for fetched in reversed(unstarted):
            self._listener.ended(Outcome(jid=fetched.jid, fate="returned"))
        if self._tasks is not None:
            self._tasks.give_back()

    def interrupt(self) -> None:
        """Break off what runs; its jobs are given back."""
        self.give_back()
        self._interrupter.stop_all()
        if self._tasks is not None:
            self._tasks.interrupt()

    def finish(self, seconds: float) -> bool:
        """End when everything that was given is done; say whether that was in time."""
        deadline = time.monotonic() + seconds
        for _ in self._threads:
            self._waiting.put(None)
        for thread in self._threads:
            thread.join(max(0.0, deadline - time.monotonic()))
        in_time = not any(thread.is_alive() for thread in self._threads)
        if self._tasks is not None:
            in_time = self._tasks.finish(max(0.01, deadline - time.monotonic())) and in_time
        self._interrupter.close()
        return in_time

    def begin(self, fetched: Fetched, slot: int) -> CurrentJob:
        """Note that a run begins."""
        hard = self.handlers.manner(fetched.jobtype).hard_timeout
        self._board.note(slot, fetched.jid, time.monotonic() + hard if hard else 0.0)
        job = CurrentJob(fetched, self._listener.reported, self._clock)
        self._running[fetched.jid] = job
        return job

    def end(self, outcome: Outcome, slot: int) -> None:
        """Note how a run ended, and tell."""
        del self._running[outcome.jid]
        self._board.clear(slot)
        if outcome.fate not in ("done", "returned"):
            log.info("job %s %s: %s: %s", outcome.jid, outcome.fate, outcome.errtype, outcome.message)
        self._listener.ended(outcome)

    def _work(self, slot: int) -> None:
        """Carry out one job after the other; the life of a thread."""
        while True:
            fetched = self._waiting.get()
            if fetched is None:
                return
            job = self.begin(fetched, slot)
            self.end(copy_context().run(self._carry_out, fetched, job), slot)

    def _carry_out(self, fetched: Fetched, job: CurrentJob) -> Outcome:
        manner = self.handlers.manner(fetched.jobtype)
        run = self._interrupter.begin(fetched.jid, manner.timeout)
        try:
            try:
                returned = self.handlers.run(fetched, job)
                if self._is_coroutine(fetched):
                    returned = asyncio.run(returned)
            finally:
                self._interrupter.end(run)
            return succeeded(job, returned)
        except BaseException as error:  # a handler may raise anything, SystemExit too; the thread goes on
            self._interrupter.end(run)
            return raised(fetched.jid, error, manner)

    def _refuse(self, text: bytes, error: Exception) -> None:
        """Fail a job whose text is not of the protocol, as far as its jid can be read."""
        try:
            jid = str(msgspec.json.decode(text)["jid"])
        except (msgspec.MsgspecError, KeyError, TypeError):
            log.error("a job without a jid came from the server: %r", text[:200])
            return
        self._listener.ended(raised(jid, error, Manner()))

    def _is_coroutine(self, fetched: Fetched) -> bool:
        function = self.handlers.functions.get(fetched.jobtype)
        return function is not None and function.is_async


class TaskRunner:
    """The event loop of a crew, in a thread of its own."""

    def __init__(self, crew: Crew, first_slot: int) -> None:
        self._crew = crew
        self._loop = asyncio.new_event_loop()
        self._slots = list(range(first_slot, first_slot + crew._shape.tasks))
        self._waiting: deque[Fetched] = deque()
        self._tasks: set[asyncio.Task[None]] = set()
        self._thread: threading.Thread | None = None
        self._is_interrupted = False

    def give(self, coroutines: Sequence[Fetched]) -> None:
        """Have coroutine functions run."""
        if self._thread is None:
            self._thread = threading.Thread(target=self._loop.run_forever, name="shopfloor-loop", daemon=True)
            self._thread.start()
        self._loop.call_soon_threadsafe(self._take, coroutines)

    def give_back(self) -> None:
        """Give back what has not begun."""
        if self._thread is not None:
            self._loop.call_soon_threadsafe(self._return_waiting)

    def interrupt(self) -> None:
        """Cancel what runs."""
        if self._thread is not None:
            self._loop.call_soon_threadsafe(self._cancel)

    def finish(self, seconds: float) -> bool:
        """End when everything is done; say whether that was in time."""
        if self._thread is None:
            self._loop.close()
            return True
        asyncio.run_coroutine_threadsafe(self._end_when_idle(), self._loop)
        self._thread.join(seconds)
        if self._thread.is_alive():
            return False
        self._loop.close()
        return True

    async def _end_when_idle(self) -> None:
        while self._tasks or self._waiting:  # noqa: ASYNC110  # once in a worker's life, when it ends
            await asyncio.sleep(0.01)
        self._loop.stop()

    def _take(self, coroutines: Sequence[Fetched]) -> None:
        self._waiting.extend(coroutines)
        self._begin()

    def _begin(self) -> None:
        while self._slots and self._waiting:
            task = self._loop.create_task(self._carry_out(self._waiting.popleft(), self._slots.pop()))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    def _return_waiting(self) -> None:
        while self._waiting:
            self._crew._listener.ended(Outcome(jid=self._waiting.pop().jid, fate="returned"))

    def _cancel(self) -> None:
        self._return_waiting()
        self._is_interrupted = True
        for task in self._tasks:
            task.cancel()

    async def _carry_out(self, fetched: Fetched, slot: int) -> None:
        handlers = self._crew.handlers
        manner = handlers.manner(fetched.jobtype)
        job = self._crew.begin(fetched, slot)
        try:
            outcome = succeeded(job, await self._in_time(handlers.run_async(fetched, job), manner.timeout))
        except BaseException as error:  # a handler may raise anything, SystemExit too; the loop goes on
            if self._is_interrupted and isinstance(error, CancelledError):
                error = WorkerStops()
            outcome = raised(fetched.jid, error, manner)
        self._slots.append(slot)
        self._crew.end(outcome, slot)
        self._begin()

    async def _in_time(self, running: Any, timeout: float) -> Any:
        if not timeout:
            return await running
        limit = asyncio.timeout(timeout)
        try:
            async with limit:
                return await running
        except TimeoutError:
            if limit.expired():
                raise JobTimeout(f"took longer than {timeout} s") from None
            raise
