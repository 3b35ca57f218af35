"""The worker as programs see it: what it runs, and the signals that it listens to."""

import asyncio
import faulthandler
import io
import os
import signal
import sys
from collections.abc import Iterable, Sequence
from contextlib import suppress
from functools import partial

from shopfloor.errors import ShopfloorError
from shopfloor.sdk.client import address_of
from shopfloor.sdk.current import CHOSEN
from shopfloor.sdk.worker.children import Child, Recipe
from shopfloor.sdk.worker.foreman import Foreman
from shopfloor.sdk.worker.hand import Hand
from shopfloor.sdk.worker.handlers import AnyJob, Handlers, load_handlers
from shopfloor.sdk.worker.inside import Inside
from shopfloor.sdk.worker.reloading import watch_sources
from shopfloor.sdk.worker.settings import WorkerSettings

DEFAULTS = WorkerSettings()


class Worker:
    """Carries jobs out until it is told to stop.

    `targets` are modules, by name; each child process imports them. With `processes=0` functions may be given as well.
    """

    def __init__(
        self, targets: Sequence[str | AnyJob], settings: WorkerSettings = DEFAULTS, url: str | None = None
    ) -> None:
        self.settings = settings
        self.address = address_of(url)
        self._url = url
        self._modules = [target for target in targets if isinstance(target, str)]
        self._functions = [target for target in targets if not isinstance(target, str)]
        if self._functions and settings.processes:
            raise ShopfloorError("child processes need modules by name, not functions; or say processes=0")
        self._foreman: Foreman | None = None

    def run(self) -> None:
        """Work in the main thread until SIGTERM or SIGINT; SIGTSTP makes the worker quiet."""
        asyncio.run(self.serve(with_signals=True))

    async def serve(self, with_signals: bool = False) -> None:
        """Work within an event loop until `stop`."""
        if self.settings.processes:
            foreman = Foreman(self.address, self.settings, self._start_child, self.settings.processes)
        else:
            foreman = Foreman(self.address, self.settings, partial(self._start_inside, self._handlers()), 1)
        self._foreman = foreman
        watching = asyncio.create_task(watch_sources(foreman.replace_hands)) if self.settings.reload else None
        if with_signals:
            self._listen(foreman)
        try:
            await foreman.run()
        finally:
            if watching is not None:
                watching.cancel()

    def stop(self) -> None:
        """Begin to stop; from the event loop that serves."""
        if self._foreman is not None:
            self._foreman.stop()

    def quiet(self) -> None:
        """Fetch no more; from the event loop that serves."""
        if self._foreman is not None:
            self._foreman.quiet()

    @property
    def jobs_ended(self) -> int:
        """How many runs ended, well or badly."""
        return 0 if self._foreman is None else self._foreman.jobs_ended

    @property
    def child_ids(self) -> list[int]:
        """The processes of the children."""
        hands = () if self._foreman is None else self._foreman.hands
        return [hand.process_id for hand in hands if isinstance(hand, Child)]

    def _handlers(self) -> Handlers:
        loaded = load_handlers(self._modules) if self._modules else Handlers(())
        middleware = self.settings.client.middleware or CHOSEN.client().settings.middleware
        return Handlers([*loaded.functions.values(), *self._functions], middleware)

    async def _start_child(self, foreman: Foreman) -> Hand:
        recipe = Recipe(targets=self._modules, shape=self.settings.shape, environment=self._environment())
        child = Child(recipe, foreman)
        await child.start()
        return child

    async def _start_inside(self, handlers: Handlers, foreman: Foreman) -> Hand:
        inside = Inside(handlers, self.settings.shape, foreman)
        inside.start()
        return inside

    def _environment(self) -> dict[str, str]:
        """Say what a child finds in its environment: our import path, and our server where one was named."""
        environment = dict(os.environ)
        environment["PYTHONPATH"] = os.pathsep.join(path for path in sys.path if path)
        if self._url is not None:
            environment.pop("SHOPFLOOR_PROVIDER", None)
            environment["SHOPFLOOR_URL"] = self._url
        return environment

    def _listen(self, foreman: Foreman) -> None:
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, foreman.stop)
        loop.add_signal_handler(signal.SIGTSTP, foreman.quiet)
        with suppress(io.UnsupportedOperation):  # output that is no file, in tests
            faulthandler.register(signal.SIGUSR1, all_threads=True, chain=True)
        loop.add_signal_handler(signal.SIGUSR1, self._dump_children)

    def _dump_children(self) -> None:
        """Have every child write the stacks of its threads to stderr, as this process does."""
        hands: Iterable[Hand] = () if self._foreman is None else self._foreman.hands
        for hand in hands:
            if isinstance(hand, Child):
                hand.dump_stacks()
