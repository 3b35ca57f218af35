"""`@job`: a function that can be pushed, so that a worker calls it later."""

import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import update_wrapper
from typing import Any, Generic, ParamSpec, TypeVar, Unpack, cast, overload

from shopfloor.errors import ShopfloorError
from shopfloor.sdk.arguments import Parameters, encode_arguments
from shopfloor.sdk.current import CHOSEN
from shopfloor.sdk.order import Options, Order, make_order

P = ParamSpec("P")
R = TypeVar("R")

BY_NAME = "by_name"
"""The key in `custom` of a job whose last argument is an object with the arguments that were given by name."""

Errors = tuple[type[Exception], ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Manner:
    """How a function is run, which the worker needs to know and the server does not."""

    timeout: float = 0.0
    """Seconds after which `JobTimeout` is raised in the function; 0 for never."""
    hard_timeout: float = 0.0
    """Seconds after which the child process that runs it is killed; 0 for never."""
    dead_on: Errors = ()
    """Exceptions after which there is no use in trying again."""
    discard_on: Errors = ()
    """Exceptions after which the job is dropped without a word but that in the log."""


class Settings(Options, total=False):
    """What `@job` takes: options for every push of the function, and how it is run."""

    name: str
    """The type of its jobs; the function's name unless given."""
    timeout: float
    hard_timeout: float
    dead_on: Errors
    discard_on: Errors


class Prepared(Generic[P]):
    """A function with options: `f.options(queue="mail").push(…)`."""

    __slots__ = ("_function", "_options")

    def __init__(self, function: "JobFunction[P, Any]", options: Options) -> None:
        self._function = function
        self._options = options

    def push(self, *args: P.args, **kwargs: P.kwargs) -> str:
        """Push a call of the function; answer its jid."""
        return CHOSEN.client().push(self.order(*args, **kwargs))

    async def apush(self, *args: P.args, **kwargs: P.kwargs) -> str:
        """Push a call of the function; answer its jid."""
        return await CHOSEN.asynchronous().push(self.order(*args, **kwargs))

    def order(self, *args: P.args, **kwargs: P.kwargs) -> Order:
        """Write down a call of the function, to be pushed in bulk or to be part of a workflow."""
        return self._function.written(args, kwargs, self._options)

    delay = send = push


@dataclass(frozen=True, slots=True, kw_only=True)
class Definition:
    """What `@job` was told."""

    jobtype: str
    options: Options = field(default_factory=lambda: Options())
    manner: Manner = Manner()  # a Manner never changes


class JobFunction(Generic[P, R]):
    """A function that can be called as before, and pushed."""

    def __init__(self, function: Callable[P, R], definition: Definition) -> None:
        update_wrapper(self, function)  # name, module, docstring, and where the signature is found
        self.function = function
        self.jobtype = definition.jobtype
        self.manner = definition.manner
        self.parameters = Parameters(function)
        self.is_async = inspect.iscoroutinefunction(function)
        self._options = definition.options

    def __call__(self, *args: P.args, **kwargs: P.kwargs) -> R:
        """Call the function here and now."""
        return self.function(*args, **kwargs)

    def __repr__(self) -> str:
        return f"<job {self.jobtype}>"

    def push(self, *args: P.args, **kwargs: P.kwargs) -> str:
        """Push a call of the function; answer its jid. Once this returns, the server has it."""
        return CHOSEN.client().push(self.order(*args, **kwargs))

    async def apush(self, *args: P.args, **kwargs: P.kwargs) -> str:
        """Push a call of the function; answer its jid. Once this returns, the server has it."""
        return await CHOSEN.asynchronous().push(self.order(*args, **kwargs))

    def order(self, *args: P.args, **kwargs: P.kwargs) -> Order:
        """Write down a call of the function, to be pushed in bulk or to be part of a workflow."""
        return self.written(args, kwargs, self._options)

    def options(self, **wanted: Unpack[Options]) -> Prepared[P]:
        """Answer the function with options for the next push."""
        return Prepared(cast("JobFunction[P, Any]", self), cast(Options, {**self._options, **wanted}))

    delay = send = push

    def written(self, args: tuple[object, ...], kwargs: Mapping[str, object], options: Options) -> Order:
        """Write down a call; raise `TypeError` where the function does not take it, `NotJson` where JSON does not."""
        call = self.parameters.arrange(args, kwargs)
        values = (*call.in_order, call.by_name) if call.by_name else call.in_order
        text = encode_arguments(values, self.parameters.names, self.jobtype)
        order = make_order(self.jobtype, text, options, CHOSEN.client().settings.clock)
        return order.with_custom({BY_NAME: True}) if call.by_name else order


@overload
def job(function: Callable[P, R], /) -> JobFunction[P, R]: ...


@overload
def job(**settings: Unpack[Settings]) -> Callable[[Callable[P, R]], JobFunction[P, R]]: ...


def job(function: Callable[..., Any] | None = None, /, **settings: Unpack[Settings]) -> Any:
    """Make a function a job, as `@job` or as `@job(queue="mail", retry=3)`."""
    if function is not None:
        return _made(function, settings)
    return lambda wrapped: _made(wrapped, settings)


_OF_THE_MANNER = frozenset(Manner.__dataclass_fields__)


def _made(function: Callable[..., Any], settings: Settings) -> JobFunction[..., Any]:
    if isinstance(function, staticmethod | classmethod) or not callable(function):
        raise ShopfloorError(f"@job takes a function, not {function!r}")
    manner = {key: value for key, value in settings.items() if key in _OF_THE_MANNER}
    options = {key: value for key, value in settings.items() if key not in _OF_THE_MANNER and key != "name"}
    definition = Definition(
        jobtype=settings.get("name") or function.__name__,
        options=cast(Options, options),
        manner=Manner(**cast(Any, manner)),
    )
    return JobFunction(function, definition)
