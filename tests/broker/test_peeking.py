"""Reading a queue page by page while others take from it."""

from collections.abc import Sequence
from typing import Any

import pytest

from shopfloor.broker.asks import Load, Verb
from shopfloor.broker.peeking import Peeked, peek
from shopfloor.core.job import Held
from shopfloor.errors import Refused
from tests.jobs import job


class Moving:
    """A queue of which somebody takes some jobs after each look at it, as another server might."""

    def __init__(self, size: int, taken: int) -> None:
        self.held = [Held(job(f"job-{n:05}"), "queued", 0.0, n) for n in range(size)]
        self.taken = taken

    def peek(self, name: str, count: int, offset: int) -> Verb[Sequence[Held]]:
        """Look, and have some taken."""
        yield Load()
        seen = self.held[offset : offset + count]
        del self.held[: self.taken]
        return seen


def _page(queue: Any, last: tuple[int, int] | None, count: int) -> Peeked:
    verb = peek(queue, "default", last, count)
    try:
        while True:
            next(verb)
    except StopIteration as ended:
        page: Peeked = ended.value
        return page


def test_a_page_goes_on_where_the_one_before_ended_however_much_was_taken() -> None:
    queue = Moving(100, 0)
    first = _page(queue, None, 10)
    for taken in (0, 5, 30):
        del queue.held[:taken]
        page = _page(queue, first.last, 10)
        behind = max(10, queue.held[0].position)
        assert [held.position for held in page.jobs] == list(range(behind, behind + 10))
        assert page.more


def test_the_last_page_says_so() -> None:
    queue = Moving(20, 0)
    page = _page(queue, (9, 9), 10)
    assert (len(page.jobs), page.last, page.more) == (10, None, False)
    page = _page(queue, (19, 19), 10)
    assert (page.jobs, page.last, page.more) == ([], None, False)


def test_one_looks_so_deep_and_no_deeper() -> None:
    page = _page(Moving(10_010, 0), (9_994, 9_994), 10)
    assert (len(page.jobs), page.last, page.more) == (5, (9_999, 9_999), True)
    assert _page(Moving(10_010, 0), page.last, 10).last is None


def test_a_queue_that_others_empty_meanwhile_passes_over_nothing() -> None:
    with pytest.raises(Refused, match="moves too fast"):
        _page(Moving(10_000, 3), (5_000, 5_000), 10)
