"""What a user's type checker sees of the errors. Nothing here runs: mypy and pyright read it."""

from typing import assert_type

from shopfloor.errors import Hangup, Refused, ShopfloorError, StoreError, StoreUnavailable


def a_refusal_carries_its_code(refusal: Refused) -> None:
    assert_type(refusal.code, str)
    assert_type(refusal.message, str)


def every_error_has_one_root(error: Hangup | StoreUnavailable) -> ShopfloorError:
    return error


def the_store_may_be_asked_again(error: StoreError) -> bool:
    return isinstance(error, StoreUnavailable)
