"""Rounds: commands that arrive together commit together, and the error of one never touches another."""

import asyncio
from collections.abc import Iterable, Sequence
from functools import partial

import pytest

from shopfloor.broker.asks import Fork, Load, Query, Verb
from shopfloor.broker.calls import Call
from shopfloor.broker.moment import Moment
from shopfloor.core.changes import Count, Put, Take, Transition
from shopfloor.core.payload import PushedJob
from shopfloor.core.retry import FailReport
from shopfloor.core.timestamps import parse_timestamp
from shopfloor.errors import Refused, StoreUnavailable
from shopfloor.store.port import Figures, Loaded
from tests.broker.shop import Client, Shop
from tests.jobs import DAY, NOW, job, pushed


class Commits:
    """Counts the commits of a shop's store."""

    def __init__(self, shop: Shop) -> None:
        self.verbs: list[str] = []
        shop.store.cue = self._note

    def _note(self, verb: str) -> Exception | None:
        self.verbs.append(verb)
        return None


class Breaking(Client):
    """A source with a bug."""

    def __init__(self, shop: Shop, broken_in: str) -> None:
        super().__init__(shop)
        self._broken_in = broken_in

    def start(self) -> Iterable[Call]:
        """Begin, or break."""
        if self._broken_in == "start":
            raise RuntimeError("a source that cannot begin")
        return super().start()

    def settle(self) -> None:
        """Break."""
        raise RuntimeError("a source that cannot take replies")


def test_commands_of_a_round_share_one_commit(shop: Shop) -> None:
    commits = Commits(shop)
    for number in range(5):
        client = shop.client()
        client.send(shop.broker.jobs.push(pushed(f"job-000{number}")))
    shop.turn()
    assert commits.verbs == ["commit"]
    assert len(shop.queued()) == 5


def test_acknowledgements_of_a_round_share_one_look_and_one_commit(shop: Shop) -> None:
    shop.push("job-0001", "job-0002")
    one, two = shop.client(), shop.client()
    shop.fetch(one)
    shop.fetch(two)
    commits = Commits(shop)
    one.send(shop.broker.jobs.acknowledge(one.session, "job-0001"))
    two.send(shop.broker.jobs.acknowledge(two.session, "job-0002"))
    shop.turn()
    assert commits.verbs == ["load", "commit"]
    assert shop.figures().working == 0


def test_a_round_without_commands_asks_the_store_nothing(shop: Shop) -> None:
    commits = Commits(shop)
    shop.turn(3)
    assert commits.verbs == []


def test_pipelined_replies_come_in_the_order_of_the_commands(shop: Shop) -> None:
    client = shop.client()
    jobs = shop.broker.jobs
    client.send(
        jobs.push(pushed("job-0001")),
        jobs.fail(client.session, FailReport(jid="nobody-has-it")),
        jobs.push(pushed("bad")),
        jobs.push_bulk([pushed("job-0002"), pushed("x")]),
        jobs.push(pushed("job-0003")),
    )
    shop.turn(3)
    told = [str(reply) if isinstance(reply, Refused) else reply for reply in client.replies]
    short = "jobs must have a reasonable jid parameter"
    assert told == [None, "Job not found nobody-has-it", short, {"x": short}, None]
    assert shop.queued() == ["job-0001", "job-0002", "job-0003"]


def test_a_quick_reply_waits_for_a_slow_one_before_it(shop: Shop) -> None:
    client = shop.client()
    slow, quick = client.send(_many_rounds(5), shop.broker.jobs.push(pushed("job-0001")))
    shop.turn(2)
    assert (slow.done, quick.done, client.replies) == (False, True, [])
    shop.turn(4)
    assert client.replies == [5, None]


def test_a_refused_command_leaves_the_others_of_its_round_alone(shop: Shop) -> None:
    clients = [shop.client() for _ in range(3)]
    for client, jid in zip(clients, ("job-0001", "x", "job-0002"), strict=True):
        client.send(shop.broker.jobs.push(pushed(jid)))
    shop.turn()
    assert [type(client.replies[0]) for client in clients] == [type(None), Refused, type(None)]
    assert shop.queued() == ["job-0001", "job-0002"]


def test_a_bug_in_one_command_leaves_the_others_of_its_round_alone(shop: Shop) -> None:
    broken, fine = shop.client(), shop.client()
    broken.send(_broken())
    fine.send(shop.broker.jobs.push(pushed("job-0001")))
    shop.turn(2)
    assert isinstance(broken.replies[0], ZeroDivisionError)
    assert fine.replies == [None]
    assert shop.queued() == ["job-0001"]


@pytest.mark.parametrize("error", [StoreUnavailable("full"), OSError("gone"), KeyError("ours")], ids=repr)
def test_a_commit_that_fails_fails_the_commands_of_that_round_alone(shop: Shop, error: Exception) -> None:
    shop.push("job-0001")
    early, late = shop.client(), shop.client()
    early.send(shop.broker.jobs.push(pushed("job-0002")))
    shop.store.cue = lambda verb: error if verb == "commit" else None
    shop.turn()
    shop.store.cue = lambda verb: None
    late.send(shop.broker.jobs.push(pushed("job-0003")))
    shop.turn()
    assert (early.replies, late.replies) == ([error], [None])
    assert shop.queued() == ["job-0001", "job-0003"]


@pytest.mark.parametrize("error", [StoreUnavailable("full"), KeyError("ours")], ids=repr)
def test_a_look_that_fails_leaves_commands_that_did_not_look_alone(shop: Shop, error: Exception) -> None:
    shop.push("job-0001")
    worker, producer = shop.client(), shop.client()
    shop.fetch(worker)
    worker.send(shop.broker.jobs.acknowledge(worker.session, "job-0001"))
    producer.send(shop.broker.jobs.push(pushed("job-0002")))
    shop.store.cue = lambda verb: error if verb == "load" else None
    shop.turn()
    assert (worker.replies[-1], producer.replies) == (error, [None])
    assert (shop.place("job-0001"), shop.place("job-0002")) == ("working", "queued")


@pytest.mark.parametrize("error", [StoreUnavailable("full"), KeyError("ours")], ids=repr)
def test_a_question_that_fails_leaves_other_questions_alone(shop: Shop, error: Exception) -> None:
    curious, other = shop.client(), shop.client()
    curious.send(shop.broker.queues.peek("default", 5, 0))
    other.send(shop.broker.queues.known())
    shop.store.cue = lambda verb: error if verb == "peek" else None
    shop.turn()
    assert (curious.replies, other.replies) == ([error], [[]])


def test_a_question_sees_what_its_round_committed(shop: Shop) -> None:
    curious, producer = shop.client(), shop.client()
    (call,) = curious.send(_count_queued(shop))
    producer.send(shop.broker.jobs.push(pushed("job-0001")))
    shop.turn()
    assert call.result == 1


def test_several_transitions_of_one_command_are_answered_each_for_itself(shop: Shop) -> None:
    transitions: list[Transition] = [
        (Put(job("a"), "queued"),),
        (Put(job("a"), "queued"),),
        (Take("b", "queued"),),
        (Count("processed", DAY),),
    ]
    first, second = shop.client(), shop.client()
    (several,) = first.send(_committed(transitions))
    (none,) = second.send(_committed([]))
    shop.turn()
    reasons = ["" if conflict is None else conflict.reason for conflict in several.result]
    assert reasons == ["", "held", "gone", ""]
    assert list(none.result) == []


def test_a_command_of_many_rounds_lets_others_have_their_turn(shop: Shop) -> None:
    long, short = shop.client(), shop.client()
    (slow,) = long.send(_many_rounds(50))
    for number in range(10):
        short.send(shop.broker.jobs.push(pushed(f"job-000{number}")))
        shop.turn()
        assert len(short.replies) == number + 1
        assert not slow.done
    shop.until(lambda: slow.done)
    assert slow.result == 50


def test_who_looks_several_times_shares_each_look(shop: Shop) -> None:
    commits = Commits(shop)
    shop.client().send(_looks(3))
    shop.client().send(_looks(2))
    shop.turn()
    assert commits.verbs == ["load", "load", "load"]


def test_an_errand_of_the_server_is_answered_or_raises(shop: Shop) -> None:
    async def run() -> tuple[int, BaseException | None]:
        shop.ticks.stop()
        fine, broken = shop.ticks.run(_many_rounds(3)), shop.ticks.run(_broken())
        await asyncio.wait_for(shop.ticks.serve(), 10)
        return fine.result(), broken.exception()

    answer, error = shop.run(run())
    assert answer == 3
    assert isinstance(error, ZeroDivisionError)


@pytest.mark.parametrize("broken_in", ["start", "settle"])
def test_a_bug_in_one_source_costs_the_others_nothing(shop: Shop, broken_in: str) -> None:
    broken, fine = Breaking(shop, broken_in), shop.client()
    going = shop.client()
    going.send(_many_rounds(3))
    shop.turn()
    broken.send(shop.broker.jobs.push(pushed("job-0001")))
    fine.send(shop.broker.jobs.push(pushed("job-0002")))
    shop.turn(4)
    assert (fine.replies, going.replies, broken.replies) == ([None], [3], [])


def test_a_bulk_push_of_many_goes_in_steps(shop: Shop) -> None:
    commits = Commits(shop)
    jobs: list[PushedJob] = [pushed(f"job-{number:05}") for number in range(1100)]
    assert shop.ask(shop.broker.jobs.push_bulk(jobs)) == {}
    assert commits.verbs == ["commit"] * 3
    assert shop.queued() == [one.jid for one in jobs]


@pytest.mark.parametrize("fraction", [0.0, 0.25, 0.9999989, 0.9999996, 0.9999999])
@pytest.mark.parametrize("later", [0.0, 0.0000001, 0.4, 1.0, 86_400.0])
def test_a_moment_moved_on_says_what_a_new_one_would(fraction: float, later: float) -> None:
    first = Moment.at(NOW + fraction)
    moved, fresh = first.moved_to(NOW + fraction + later), Moment.at(NOW + fraction + later)
    assert (moved.now, moved.day) == (fresh.now, fresh.day)
    assert abs(parse_timestamp(moved.text) - parse_timestamp(fresh.text)) < 0.000002


def _many_rounds(rounds: int) -> Verb[int]:
    for _ in range(rounds):
        yield (Count("processed", DAY),)
    return rounds


def _looks(times: int) -> Verb[None]:
    for number in range(times):
        loaded: Loaded = yield Load((f"job-{number}",))
        assert loaded.jobs == {}


def _committed(transitions: list[Transition]) -> Verb[Sequence[object]]:
    outcomes: Sequence[object] = yield transitions
    return outcomes


def _count_queued(shop: Shop) -> Verb[int]:
    figures: Figures = yield Query(shop.store.figures)
    queues = yield Query(partial(shop.store.peek, "default", 0, 10))
    return len(queues) + figures.working


def _broken() -> Verb[None]:
    yield Load(("job-0001",))
    _ = 1 / 0


def test_a_fork_of_nothing_goes_on_at_once(shop: Shop) -> None:
    def forks() -> Verb[int]:
        prongs = yield Fork(())
        return len(prongs)

    assert shop.ask(forks()) == 0
