"""What a verb may ask for on its way, and how it is written.

A verb is a generator. It yields what it needs and is resumed with the answer; `Ticks` gathers the asks of all verbs
that are under way, so that they share one round trip. Written down, a verb still reads in one straight line:

    loaded = yield Load((jid,))                  # look up jobs and records
    conflict = yield lifecycle.acknowledge(...)  # commit a transition: None, or why it was not applied
    conflicts = yield [transition, ...]          # commit several, each for itself
    held = yield Wait(request, until)            # reserve jobs; parks until there are some, or until then
    page = yield Query(partial(store.peek, ...)) # put a question to the store, after this round's commit
    yield Aside(partial(store.backup, ...))      # something long; the rounds go on meanwhile
    prongs = yield Fork((verb, verb, ...))       # several verbs side by side
"""

from collections.abc import Awaitable, Callable, Coroutine, Generator
from typing import Any, TypeVar

from msgspec import Struct

from shopfloor.core.changes import Transition
from shopfloor.store.port import Reserve


class Load(Struct, frozen=True, gc=False):
    """Look up jobs by jid and records by (kind, id); answered with `Loaded`.

    The answer is shared by all who ask in the round, so it holds what others asked for too.
    """

    jids: tuple[str, ...] = ()
    records: tuple[tuple[str, str], ...] = ()


class Wait(Struct, frozen=True, gc=False):
    """Reserve jobs now or as soon as there are some; answered with what was reserved, nothing after `until`."""

    request: Reserve
    until: float


class Query(Struct, frozen=True):
    """Put a question to the store; answered with what it returns."""

    question: Callable[[], Awaitable[Any]]


class Aside(Struct, frozen=True):
    """Have something long done beside the rounds; answered with what it returns, once it is done."""

    work: Callable[[], Coroutine[Any, Any, Any]]


class Fork(Struct, frozen=True):
    """Carry out verbs side by side, as if each had come by itself; answered with a `Prong` for each."""

    verbs: tuple["Verb[Any]", ...]


class Prong(Struct, frozen=True):
    """How one of the verbs of a `Fork` ended."""

    result: Any
    error: Exception | None


Ask = Load | Wait | Query | Aside | Fork | Transition | list[Transition]

_Result = TypeVar("_Result")
Verb = Generator[Ask, Any, _Result]
"""A verb under way; what it returns is what the dispatcher makes a reply of."""
