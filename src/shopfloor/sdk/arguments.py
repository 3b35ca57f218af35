"""A job's arguments: Python's values to JSON when it is pushed, and back by the function's annotations when it runs.

JSON's own kinds, dataclasses, msgspec's and attrs' classes, pydantic models, UUID, datetime, Decimal, Enum and the
built-in collections go both ways. What arrives is checked against the annotation; a parameter without one gets what
JSON says. Anything else is refused when it is pushed, with the path of the value. Nothing is ever pickled.
"""

import inspect
import math
import typing
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, fields, is_dataclass
from functools import cached_property
from typing import Any

import msgspec
from msgspec import Raw

from shopfloor.errors import NotJson

_NULL = b"null"
_PLAIN = (str, int, float, bool, type(None))


def encode_arguments(args: Sequence[object], names: Sequence[str], what: str) -> Raw:
    """Write arguments as JSON; raise `NotJson` with the path of the value that is none.

    `names` are those of the parameters, as far as they are known, and `what` is the job that they are for.
    """
    try:
        text = msgspec.json.encode(args, enc_hook=_of_model)
    except (TypeError, ValueError, OverflowError, RecursionError, msgspec.MsgspecError) as error:
        raise _refusal(args, names, what, str(error)) from None
    if _NULL in text:  # msgspec writes NaN and the infinities as null, which would come back as None
        path = _find_number(args, names)
        if path:
            raise NotJson(f"cannot push {what}: {path} is a number that JSON does not have")
    return Raw(text)


def _of_model(value: Any) -> Any:
    dump = getattr(type(value), "model_dump", None)
    if dump is None:
        raise TypeError(f"{type(value).__name__} is not JSON")
    return dump(value, mode="json")


def _from_model(wanted: type[Any], value: Any) -> Any:
    validate = getattr(wanted, "model_validate", None)
    if validate is not None:
        return validate(value)
    if isinstance(value, wanted):
        return value
    raise TypeError(f"{wanted.__name__} cannot be made from JSON")


def _refusal(args: Sequence[object], names: Sequence[str], what: str, reason: str) -> NotJson:
    for position, value in enumerate(args):
        found = _find_stranger(value, _name(position, names), 0)
        if found:
            path, kind = found
            return NotJson(f"cannot push {what}: {path} is a {kind}, which is not JSON")
    return NotJson(f"cannot push {what}: {reason.lower()}")


def _name(position: int, names: Sequence[str]) -> str:
    return names[position] if position < len(names) else f"args[{position}]"


DEPTH_MAX = 200
"""A value that nests deeper, or contains itself, is no JSON that another program would read."""


def _find_stranger(value: Any, path: str, depth: int) -> tuple[str, str] | None:
    """Find the innermost value that cannot be written; answer its path and what it is."""
    if isinstance(value, _PLAIN):
        return None
    if depth > DEPTH_MAX:
        return path, "value that nests too deep"
    for name, inner in _parts(value):
        found = _find_stranger(inner, f"{path}{name}", depth + 1)
        if found:
            return found
    try:
        msgspec.json.encode(value, enc_hook=_of_model)
    except (TypeError, ValueError, OverflowError, RecursionError, msgspec.MsgspecError):
        return path, type(value).__name__
    return None


def _find_number(args: Sequence[object], names: Sequence[str]) -> str:
    for position, value in enumerate(args):
        found = _find_endless(value, _name(position, names))
        if found:
            return found
    return ""


def _find_endless(value: Any, path: str) -> str:
    if isinstance(value, float):
        return "" if math.isfinite(value) else path
    return next(filter(None, (_find_endless(inner, f"{path}{name}") for name, inner in _parts(value))), "")


def _parts(value: Any) -> list[tuple[str, Any]]:
    if isinstance(value, Mapping):
        return [(f"[{key!r}]", inner) for key, inner in value.items()]
    if isinstance(value, list | tuple | set | frozenset):
        return [(f"[{position}]", inner) for position, inner in enumerate(value)]
    if is_dataclass(value) and not isinstance(value, type):
        return [(f".{one.name}", getattr(value, one.name)) for one in fields(value)]
    if isinstance(value, msgspec.Struct):
        return [(f".{name}", getattr(value, name)) for name in value.__struct_fields__]
    return []


@dataclass(frozen=True, slots=True, kw_only=True)
class Arguments:
    """What a function is called with. Where `by_name` is not empty it is the last element of a job's `args`."""

    in_order: tuple[object, ...]
    by_name: Mapping[str, object]


class Parameters:
    """A function's parameters: how calls of it become the arguments of a job, and the other way round."""

    def __init__(self, function: Callable[..., Any]) -> None:
        self._function = function
        self._signature = inspect.signature(function)
        self._slots = [
            parameter
            for parameter in self._signature.parameters.values()
            if parameter.kind in (parameter.POSITIONAL_ONLY, parameter.POSITIONAL_OR_KEYWORD)
        ]
        self.names = tuple(slot.name for slot in self._slots)
        self._needed = sum(slot.default is slot.empty for slot in self._slots)
        self._has_more = any(
            parameter.kind is not parameter.VAR_KEYWORD and parameter not in self._slots
            for parameter in self._signature.parameters.values()
        )

    def arrange(self, args: tuple[object, ...], kwargs: Mapping[str, object]) -> Arguments:
        """Check a call against the signature, as a call does; arguments given by name are put in order."""
        if not kwargs and not self._has_more and self._needed <= len(args) <= len(self._slots):
            return Arguments(in_order=args, by_name={})
        bound = self._signature.bind(*args, **kwargs)
        if any(name in self.names for name in bound.kwargs):
            bound.apply_defaults()  # a gap before an argument that was given by name
        return Arguments(in_order=bound.args, by_name=bound.kwargs)

    def read(self, text: Raw, by_name: bool) -> Arguments:
        """Read a job's arguments by the annotations; raise `msgspec.ValidationError` where they do not fit."""
        values: list[Any] = msgspec.json.decode(text)
        named: dict[str, Any] = values.pop() if by_name else {}
        if not self._wanted:
            return Arguments(in_order=tuple(values), by_name=named)
        in_order = tuple(self._converted(self._name(position), value) for position, value in enumerate(values))
        return Arguments(in_order=in_order, by_name={key: self._converted(key, value) for key, value in named.items()})

    @cached_property
    def _wanted(self) -> Mapping[str, Any]:
        """The annotations, by parameter; read when the first job arrives, since names in them may be defined late."""
        hints = typing.get_type_hints(self._function, include_extras=True)
        return {
            name: hint for name, hint in hints.items() if name != "return" and hint is not Any and hint is not object
        }

    @cached_property
    def _rest(self) -> str:
        kinds = self._signature.parameters.values()
        return next((one.name for one in kinds if one.kind is one.VAR_POSITIONAL), "")

    def _name(self, position: int) -> str:
        return self.names[position] if position < len(self.names) else self._rest

    def _converted(self, name: str, value: Any) -> Any:
        wanted = self._wanted.get(name)
        if wanted is None:
            return value
        try:
            return msgspec.convert(value, wanted, dec_hook=_from_model)
        except msgspec.ValidationError as error:
            raise msgspec.ValidationError(f"{name}: {error}") from error
