"""A crew in the foreman's own process, for tests, small programs and debuggers. What hangs cannot be killed."""

import asyncio
from collections.abc import Sequence
from contextlib import suppress
from functools import partial

from shopfloor.sdk.running import Report
from shopfloor.sdk.worker.board import Board
from shopfloor.sdk.worker.crew import Crew, Listener, Shape
from shopfloor.sdk.worker.hand import Hand, Superior
from shopfloor.sdk.worker.handlers import Handlers
from shopfloor.sdk.worker.outcome import Outcome


class Inside(Hand):
    """Carries jobs out in threads of this process; outcomes reach the foreman in its event loop."""

    def __init__(self, handlers: Handlers, shape: Shape, superior: Superior) -> None:
        super().__init__(shape, superior)
        self._loop = asyncio.get_running_loop()
        self._board = Board.make(shape.slots)
        self._gathered: list[Outcome] = []
        self._crew = Crew(handlers, shape, Listener(ended=self._ended, reported=self._reported), self._board)
        self._finishing: asyncio.Future[bool] | None = None
        self._handlers = handlers

    def start(self) -> None:
        """Start the threads."""
        self._crew.start()
        self.ready({name: function.is_async for name, function in self._handlers.functions.items()})

    def give(self, jobs: Sequence[bytes]) -> None:
        """Carry these out."""
        self._crew.give(jobs)

    def cancel(self, jid: str) -> None:
        """Tell a job's handler that it is not wanted any more."""
        self._crew.cancel(jid)

    def give_back(self) -> None:
        """Give back what has not begun."""
        self._crew.give_back()

    def interrupt(self) -> None:
        """Break off what runs."""
        self._crew.interrupt()

    def finish(self) -> None:
        """End when everything is done."""
        if self._finishing is None:
            self._finishing = asyncio.ensure_future(asyncio.to_thread(self._crew.finish, 1.0))

    def kill(self) -> bool:
        """Threads cannot be killed: what hangs is left to the server, which hears that the worker is gone."""
        return False

    @property
    def is_over(self) -> bool:
        """Whether every thread has ended, or was given up."""
        return self._finishing is not None and self._finishing.done()

    def _ended(self, outcome: Outcome) -> None:
        self._gathered.append(outcome)
        if len(self._gathered) == 1:
            with suppress(RuntimeError):  # the loop is closed: this one did not end in time, and was given up
                self._loop.call_soon_threadsafe(self._tell)

    def _tell(self) -> None:
        outcomes, self._gathered = self._gathered, []
        self.superior.ended(self, outcomes)

    def _reported(self, jid: str, report: Report) -> None:
        with suppress(RuntimeError):
            self._loop.call_soon_threadsafe(partial(self.superior.reported, jid, report))
