"""Middleware: what surrounds every push and every run, as one onion on both sides.

A layer is a context manager, so that the same code serves blocking and asynchronous clients and handlers. The first
layer of a list is the outermost.
"""

from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager, nullcontext
from contextvars import ContextVar, Token
from typing import Any

from shopfloor.sdk.order import Order
from shopfloor.sdk.running import CurrentJob

CARRIED = "carried"


class Middleware:
    """A layer that does nothing; override one method or both."""

    def pushing(self, order: Order) -> AbstractContextManager[Order]:
        """Surround a push: what is yielded is what is pushed, what is raised is what the caller sees."""
        return nullcontext(order)

    def running(self, job: CurrentJob) -> AbstractContextManager[None]:
        """Surround a run: what the handler raises arrives at the `yield`, and what leaves decides the job's fate."""
        return nullcontext()


class Carry(Middleware):
    """Carries context variables from the producer to the worker: `Carry(tenant=tenant_variable)` on both sides.

    Their values travel in the job's `custom`, so they have to be JSON. A variable that is not set is not carried.
    """

    def __init__(self, **variables: ContextVar[Any]) -> None:
        self._variables = variables

    @contextmanager
    def pushing(self, order: Order) -> Iterator[Order]:
        """Write the values into the order."""
        unset = object()
        values = {name: variable.get(unset) for name, variable in self._variables.items()}
        carried = {name: value for name, value in values.items() if value is not unset}
        yield order.with_custom({CARRIED: {**order.custom.get(CARRIED, {}), **carried}}) if carried else order

    @contextmanager
    def running(self, job: CurrentJob) -> Iterator[None]:
        """Set the variables for the time of the run."""
        carried = job.custom.get(CARRIED, {})
        tokens: list[tuple[ContextVar[Any], Token[Any]]] = [
            (variable, variable.set(carried[name])) for name, variable in self._variables.items() if name in carried
        ]
        try:
            yield
        finally:
            for variable, token in reversed(tokens):
                variable.reset(token)


@contextmanager
def around_push(layers: Sequence[Middleware], orders: Sequence[Order]) -> Iterator[list[Order]]:
    """Enter every layer for every order; what is yielded is to be pushed."""
    with ExitStack() as onion:
        pushed = []
        for order in orders:
            inner = order
            for layer in layers:
                inner = onion.enter_context(layer.pushing(inner))
            pushed.append(inner)
        yield pushed


@contextmanager
def around_run(layers: Sequence[Middleware], job: CurrentJob) -> Iterator[None]:
    """Enter every layer for a run."""
    with ExitStack() as onion:
        for layer in layers:
            onion.enter_context(layer.running(job))
        yield
