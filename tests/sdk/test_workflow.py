"""Workflows are worked in their order, with a server that takes declared batches and with one that does not."""

import asyncio
import json
from pathlib import Path

import msgspec
import pytest

from shopfloor import (
    AsyncClient,
    Batch,
    Client,
    Discard,
    Order,
    ShopfloorError,
    Workflow,
    chain,
    chord,
    group,
    job,
)
from shopfloor.sdk.current import CHOSEN
from shopfloor.sdk.workflow import CONTINUE, Step, as_plain, declared, from_plain
from tests.sdk.working import is_settled, until, working


class Diary:
    """What was done, in order; every job of these tests writes into it."""

    def __init__(self) -> None:
        self.lines: list[str] = []

    def is_before(self, first: str, second: str) -> bool:
        return self.lines.index(first) < self.lines.index(second)


DIARY = Diary()


@job(queue="flow", retry=0)
def step(name: str) -> None:
    if name == "lost":
        raise Discard("lost on the way")
    DIARY.lines.append(name)


@pytest.fixture(params=["declared", "reopened"])
def kind(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """Have the server take declared batches, or let the clients believe that it is a Faktory."""
    DIARY.lines.clear()
    if request.param == "reopened":

        async def none_later(self: AsyncClient) -> frozenset[str]:
            return frozenset()

        monkeypatch.setattr(Client, "extensions", lambda self: frozenset())
        monkeypatch.setattr(AsyncClient, "extensions", none_later)
    name: str = request.param
    return name


def of(names: str) -> list[Order]:
    return [step.order(name) for name in names]


def work(url: str, push: Workflow, *, last: str) -> None:
    async def main() -> None:
        async with AsyncClient(url) as client, working(url, step, processes=0, queues=("flow", "default")):
            await push.apush()
            await until(lambda: last in DIARY.lines)
            await until(lambda: is_settled(client))

    asyncio.run(main())


def test_a_chain(client: Client, url: str, kind: str) -> None:
    work(url, chain(*of("abcd")), last="d")
    assert DIARY.lines == ["a", "b", "c", "d"]


def test_a_chord(client: Client, url: str, kind: str) -> None:
    work(url, chord(of("abc"), step.order("d")), last="d")
    assert sorted(DIARY.lines) == ["a", "b", "c", "d"]
    assert DIARY.lines[-1] == "d"


def test_workflows_nest_as_one_likes(client: Client, url: str, kind: str) -> None:
    a, b, c, d, e, f, g, h = of("abcdefgh")
    work(url, chain(a, group(chain(b, c), chain(d, group(e, f)), g), h), last="h")
    assert sorted(DIARY.lines) == list("abcdefgh")
    assert DIARY.lines[0] == "a"
    assert DIARY.lines[-1] == "h"
    assert DIARY.is_before("b", "c")
    assert DIARY.is_before("d", "e")
    assert DIARY.is_before("d", "f")


def test_a_group_of_chains_has_an_end_as_a_whole(client: Client, url: str, kind: str) -> None:
    work(url, chain(group(chain(*of("ab")), chain(*of("cd"))), step.order("e")), last="e")
    assert sorted(DIARY.lines) == list("abcde")
    assert DIARY.lines[-1] == "e"


def test_a_lost_step_stops_what_follows(client: Client, url: str, kind: str) -> None:
    async def main() -> None:
        async with AsyncClient(url) as other, working(url, step, processes=0, queues=("flow", "default")):
            await chain(step.order("a"), step.order("lost"), step.order("never")).apush()
            await until(lambda: "a" in DIARY.lines)
            await until(lambda: is_settled(other))

    asyncio.run(main())
    assert DIARY.lines == ["a"]


def test_a_batch_with_callbacks(client: Client, url: str, kind: str) -> None:
    with Batch(success=chain(*of("yz")), complete=step.order("x"), description="letters") as batch:
        for one in of("ab"):
            batch.push(one)
        batch.push(chain(*of("cd")))
        assert client.batch_status(batch.bid).total == 2
        assert client.batch_status(batch.bid).description == "letters"

    async def main() -> None:
        async with AsyncClient(url) as other, working(url, step, processes=0, queues=("flow", "default")):
            await until(lambda: "z" in DIARY.lines)
            await until(lambda: is_settled(other))

    asyncio.run(main())
    assert sorted(DIARY.lines) == list("abcdxyz")
    assert DIARY.lines[-2:] == ["y", "z"]


def test_an_asynchronous_batch(client: Client, url: str, kind: str) -> None:
    async def main() -> None:
        async with AsyncClient(url) as other, working(url, step, processes=0, queues=("flow", "default")):
            async with Batch(success=step.order("z")) as batch:
                await batch.apush(step.order("a"))
                await batch.apush(chain(*of("bc")))
            await until(lambda: "z" in DIARY.lines)
            await until(lambda: is_settled(other))

    asyncio.run(main())
    assert sorted(DIARY.lines) == ["a", "b", "c", "z"]
    assert DIARY.lines[-1] == "z"


def test_a_batch_that_is_left_with_an_error_is_not_committed_and_can_be_opened_again(client: Client) -> None:
    batch = Batch(success=step.order("z"))

    def fill() -> None:
        with batch:
            batch.push(step.order("a"))
            raise RuntimeError("in the middle")

    with pytest.raises(RuntimeError, match="in the middle"):
        fill()
    status = client.batch_status(batch.bid)
    assert (status.total, status.success_st) == (1, "")
    with Batch(bid=batch.bid) as again:
        again.push(step.order("b"))
    assert client.batch_status(batch.bid).total == 2


def test_a_workflow_that_can_be_said_at_once_is_one_declaration() -> None:
    a, b, c = of("abc")
    whole = declared([chain(a, group(b, c))])
    assert whole is not None
    assert list(whole) == ["jobs", "success"]
    assert declared([group(chain(a, b), c)]) is None


def test_steps_survive_being_written_down() -> None:
    a, b, c = (step.options(retry=3, unique_for=5).order(name) for name in "abc")
    steps: list[Step] = [a, group(a, chain(b, c))]
    assert [from_plain(_plain(one)) for one in steps] == steps


def _plain(one: Step) -> dict[str, object]:
    plain: dict[str, object] = json.loads(msgspec.json.encode(as_plain(one)))
    return plain


def test_what_is_no_workflow_is_told() -> None:
    with pytest.raises(TypeError, match=r"made of orders and workflows, such as f\.order"):
        chain(step.push)  # type: ignore[arg-type]
    with pytest.raises(ShopfloorError, match="a group needs something to do"):
        group()
    with pytest.raises(ShopfloorError, match="within its block"):
        Batch().push(step.order("a"))


def test_an_empty_continuation_does_nothing(client: Client, url: str, tmp_path: Path) -> None:
    async def main() -> None:
        async with AsyncClient(url) as other, working(url, step, processes=0):
            jid = await other.push_named(CONTINUE, [], "", track=True)
            assert (await other.wait(jid, 30)).state == "success"

    asyncio.run(main())
    assert CHOSEN.connected() is client
