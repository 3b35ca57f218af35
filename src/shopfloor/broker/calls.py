"""Verbs under way, and where they come from."""

import asyncio
from collections.abc import Callable, Iterable
from typing import Any, Protocol

from msgspec import Struct

from shopfloor.broker.asks import Verb, Wait
from shopfloor.errors import Refused


class Call(Struct, eq=False):
    """One verb under way. When it is done, `result` or `error` is set and its source is told."""

    verb: Verb[Any]
    source: "Source"
    ask: Any = None
    wait: Wait | None = None
    aside: asyncio.Task[None] | None = None
    done: bool = False
    result: Any = None
    error: Exception | None = None

    @classmethod
    def refused(cls, refused: Refused, source: "Source") -> "Call":
        """Make a call that was refused before a verb could begin; it keeps its place among the replies."""
        call = cls(_nothing(), source)
        call.error, call.done = refused, True
        return call


def _nothing() -> Verb[None]:
    return
    yield  # a verb is a generator


class Source(Protocol):
    """Where commands come from: a connection, or the server itself."""

    def start(self) -> Iterable[Call]:
        """Begin the commands that may share a round; called once for each `Ticks.ready`."""

    def settle(self) -> None:
        """Some of the calls that were begun are done: send their replies, in order."""


class Gathering:
    """The verbs of a fork, as a source: when all are done, the verb that forked goes on."""

    def __init__(self, parent: Call, gathered: Callable[[Call, list[Call]], None]) -> None:
        self._parent = parent
        self._gathered = gathered
        self.children: list[Call] = []

    def start(self) -> Iterable[Call]:
        """Nothing: the verbs were begun by the round that met the fork."""
        return ()

    def settle(self) -> None:
        """Go on with the verb that forked, once."""
        if self.children and all(child.done for child in self.children):
            children, self.children = self.children, []
            self._gathered(self._parent, children)


class Errand:
    """A verb of the server's own, as a source of one call."""

    def __init__(self, verb: Verb[Any]) -> None:
        self.future: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
        self.call = Call(verb, self)

    def start(self) -> Iterable[Call]:
        """Begin the verb."""
        return (self.call,)

    def settle(self) -> None:
        """Hand over what it returned."""
        if self.future.done():
            return
        if self.call.error is None:
            self.future.set_result(self.call.result)
        else:
            self.future.set_exception(self.call.error)
