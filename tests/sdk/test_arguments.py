"""Arguments go to JSON and come back as what the function's annotations say."""

import enum
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import Raw

from shopfloor.errors import NotJson
from shopfloor.sdk.arguments import Parameters, encode_arguments


class Colour(enum.Enum):
    RED = "red"


@dataclass
class Customer:
    name: str
    born: date


class Size(msgspec.Struct):
    width: int


class Model:
    """What a pydantic model looks like from here; pydantic itself need not be installed."""

    def __init__(self, **fields: Any) -> None:
        self.fields = fields

    def model_dump(self, mode: str) -> dict[str, Any]:
        assert mode == "json"
        return self.fields

    @classmethod
    def model_validate(cls, value: dict[str, Any]) -> "Model":
        return cls(**value)


def there_and_back(function: Any, *args: Any, **kwargs: Any) -> tuple[tuple[Any, ...], dict[str, Any]]:
    parameters = Parameters(function)
    call = parameters.arrange(args, kwargs)
    values = (*call.in_order, call.by_name) if call.by_name else call.in_order
    back = parameters.read(encode_arguments(values, parameters.names, "test"), bool(call.by_name))
    return back.in_order, dict(back.by_name)


def everything(
    colour: Colour, who: Customer, size: Size, number: UUID, when: datetime, prices: set[Decimal]
) -> None: ...


def test_what_goes_both_ways_by_annotation() -> None:
    values = (
        Colour.RED,
        Customer("Ada", date(1815, 12, 10)),
        Size(3),
        UUID(int=7),
        datetime(2026, 1, 2, tzinfo=UTC),
        {Decimal("1.10")},
    )
    assert there_and_back(everything, *values) == (values, {})


def test_a_pydantic_model_goes_both_ways() -> None:
    def f(model: Model, models: list[Model]) -> None: ...

    in_order, _ = there_and_back(f, Model(a=1), [Model(b=2)])
    assert in_order[0].fields == {"a": 1}
    assert in_order[1][0].fields == {"b": 2}


def test_json_arguments_need_no_annotation() -> None:
    def f(first, second): ...  # type: ignore[no-untyped-def]

    assert there_and_back(f, [1.0, 2**70, None], {"a": "é"}) == (([1.0, 2**70, None], {"a": "é"}), {})


def test_arguments_by_name_are_put_in_order_and_gaps_are_filled() -> None:
    def f(a: int, b: int = 2, c: int = 3) -> None: ...

    assert there_and_back(f, c=4, a=1) == ((1, 2, 4), {})
    assert there_and_back(f, 1) == ((1,), {})


def test_arguments_that_have_only_a_name_stay_by_name() -> None:
    def f(*args: int, when: date, **rest: float) -> None: ...

    day = date(2026, 1, 2)
    assert there_and_back(f, 1, 2, when=day, other=1.5) == ((1, 2), {"when": day, "other": 1.5})


def test_a_call_that_the_function_does_not_take() -> None:
    def f(a: int) -> None: ...

    for args, kwargs in (((), {}), ((1, 2), {}), ((1,), {"b": 2})):
        with pytest.raises(TypeError):
            Parameters(f).arrange(args, kwargs)


def test_arguments_that_do_not_fit_the_annotation_say_which() -> None:
    def f(a: int, b: Customer) -> None: ...

    with pytest.raises(msgspec.ValidationError, match=r"b: .*`\$.name`"):
        Parameters(f).read(Raw(b'[1,{"name":2,"born":"2026-01-01"}]'), by_name=False)


def test_an_annotation_that_nothing_in_json_becomes() -> None:
    def f(a: Stranger) -> None: ...

    with pytest.raises(msgspec.ValidationError, match="a: Stranger cannot be made from JSON"):
        Parameters(f).read(Raw(b"[1]"), by_name=False)


class Stranger: ...


@pytest.mark.parametrize(
    ("value", "path"),
    [
        (Stranger(), "order is a Stranger"),
        ([1, {"a": [Stranger()]}], r"order\[1\]\['a'\]\[0\] is a Stranger"),
        (Customer("Ada", Stranger()), r"order.born is a Stranger"),  # type: ignore[arg-type]
        (Size(Stranger()), r"order.width is a Stranger"),  # type: ignore[arg-type]
        ({(1, 2): 3}, "order is a dict"),
        (float("nan"), "order is a number that JSON does not have"),
        ([None, {"a": float("inf")}], r"order\[1\]\['a'\] is a number"),
        (lambda: 1, "order is a function"),
        (1j, "order is a complex"),
    ],
)
def test_what_is_no_json_is_refused_with_its_path(value: object, path: str) -> None:
    with pytest.raises(NotJson, match=f"cannot push ship: {path}"):
        encode_arguments([1, value], ["count", "order"], "ship")


def test_a_value_that_contains_itself_is_refused() -> None:
    circle: list[Any] = []
    circle.append(circle)
    with pytest.raises(NotJson, match=r"cannot push ship: circle.* nests too deep"):
        encode_arguments([circle], ["circle"], "ship")


def test_beyond_the_known_parameters_positions_are_named() -> None:
    with pytest.raises(NotJson, match=r"args\[1\] is a Stranger"):
        encode_arguments([1, Stranger()], ["a"], "ship")


_json = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=10,
)


@given(st.lists(_json, max_size=4))
def test_json_survives(values: list[Any]) -> None:
    def f(*args): ...  # type: ignore[no-untyped-def]

    assert there_and_back(f, *values) == (tuple(values), {})


@given(st.timedeltas(), st.decimals(allow_nan=False, allow_infinity=False), st.uuids())
def test_rich_values_survive(span: timedelta, number: Decimal, name: UUID) -> None:
    def f(a: timedelta, b: dict[str, Decimal], c: list[UUID]) -> None: ...

    assert there_and_back(f, span, {"x": number}, [name]) == ((span, {"x": number}, [name]), {})
