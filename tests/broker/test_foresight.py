"""What can be told of a round before its commit: who gets a job from it, and in which order records are written."""

from collections.abc import Sequence

import pytest

from shopfloor.broker.asks import Ask, Load, Query, Verb
from shopfloor.broker.calls import Call
from shopfloor.broker.foresight import Foresight, in_foreseen_order, jobs_to_come
from shopfloor.core.changes import ABSENT, Conflict, Note, Pause, Put, Record, Take, Transition
from shopfloor.core.job import Held
from shopfloor.errors import StoreUnavailable
from shopfloor.store.port import Loaded
from tests.broker.shop import Client, Shop
from tests.jobs import job

KEY = ("number", "one")
OTHER = ("number", "two")


def _note(value: bytes | None, expected: int, key: tuple[str, str] = KEY) -> Note:
    return Note(*key, value, expected)


def _call(shop: Shop, ask: Ask) -> Call:
    def verb() -> Verb[None]:
        yield ask

    call = Call(verb(), shop.server)
    call.ask = ask
    return call


def _sight(record: Record = ABSENT) -> Foresight:
    sight = Foresight()
    sight.learn(Load((), (KEY,)), Loaded({}, {KEY: record}))
    return sight


# who may get a job


@pytest.mark.parametrize(
    ("transition", "expected"),
    [
        ((Put(job("job-0001", queue="a"), "queued"), Put(job("job-0002", queue="a"), "queued")), {"a": 2}),
        ((Put(job("job-0001", queue="a"), "scheduled", 1.0),), {}),
        ((Pause("a", paused=False),), {"a": 9}),
        ((Pause("a", paused=True),), {}),
        ((Take("job-0001", "scheduled"),), {}),
        ((Take("job-0001", "working"),), {"narrow": 1, "each": 9}),
        ((Put(job("job-0001", queue="each"), "queued"),), {"each": 9}),
    ],
)
def test_fetchers_that_may_get_something_are_counted_by_queue(transition: Transition, expected: dict[str, int]) -> None:
    assert jobs_to_come([transition], {"narrow": False, "each": True}, 9) == expected


# what others see


def test_what_is_known_is_not_looked_up_again(shop: Shop) -> None:
    sight = Foresight()
    call = _call(shop, Load(("job-0001", "job-0002"), (KEY,)))
    assert sight.unknown([call]) == call.ask
    sight.learn(call.ask, Loaded({"job-0001": Held(job("job-0001"), "queued", 0.0, 1)}, {KEY: ABSENT}))
    assert sight.unknown([call]) == Load()
    assert sight.knows(call.ask)  # that there is no job-0002 is known too
    assert not sight.knows(Load(("job-0003",)))
    assert not sight.knows(Load((), (OTHER,)))


def test_a_record_is_seen_as_it_will_be(shop: Shop) -> None:
    sight = _sight()
    assert sight.foresee(_call(shop, (_note(b"1", 0),))) is None
    assert sight.seen.records[KEY] == Record(b"1", 1)
    assert sight.foresee(_call(shop, (_note(None, 1),))) is None
    assert sight.seen.records[KEY] == ABSENT


def test_what_rests_on_an_old_version_is_a_conflict_before_it_is_committed(shop: Shop) -> None:
    sight = _sight(Record(b"1", 4))
    sight.learn(Load((), (OTHER,)), Loaded({}, {OTHER: ABSENT}))
    late = _call(shop, (_note(b"3", 4), _note(b"x", 0, OTHER)))
    assert sight.foresee(_call(shop, (_note(b"2", 4),))) is None
    assert sight.foresee(late) == Conflict(_note(b"3", 4), "version")
    assert sight.seen.records == {KEY: Record(b"2", 5), OTHER: ABSENT}  # nothing of it is seen by others
    assert late not in sight.order


def test_what_nobody_looked_up_is_looked_up_before_anybody_builds_on_it(shop: Shop) -> None:
    sight, call = _sight(), _call(shop, (_note(b"1", 0), _note(b"x", 3, OTHER)))
    assert sight.foresee(call) == "unknown"
    assert sight.seen.records == {KEY: ABSENT}
    assert sight.unknown([call]) == Load((), (OTHER,))
    sight.learn(Load((), (OTHER,)), Loaded({}, {OTHER: Record(b"y", 3)}))
    assert sight.foresee(call) is None
    assert (sight.seen.records[KEY], sight.order) == (Record(b"1", 1), [call])


def test_a_verb_is_corrected_once_in_a_round(shop: Shop) -> None:
    sight, call = _sight(), _call(shop, Load())
    assert sight.may_correct(call)
    assert not sight.may_correct(call)


def test_asks_that_write_no_record_have_no_order(shop: Shop) -> None:
    sight = _sight()
    for ask in ((Take("job-0001", "working"),), [(_note(b"1", 0),)], Load()):
        assert sight.foresee(_call(shop, ask)) is None  # type: ignore[arg-type]  # a list of asks has no better type
    assert sight.order == []


# the order of commits


def test_those_that_were_foreseen_go_before_others_that_write(shop: Shop) -> None:
    plain, one, two = (_call(shop, (Take("job-0001", "working"),)) for _ in range(3))
    stranger = _call(shop, [(_note(b"9", 0),)])
    one.ask, two.ask = (_note(b"1", 0),), (_note(b"2", 1),)
    assert in_foreseen_order([two, stranger, plain, one], [one, two]) == [one, plain, two, stranger]
    assert in_foreseen_order([stranger, one], [one]) == [stranger, one]


# with rounds


def _increased(seen: list[int], *looks: Load) -> Verb[int]:
    """Add one to the record, looking up other things before it is written; answer how often it was decided."""
    attempts = 0
    while True:
        attempts += 1
        loaded = yield Load((), (KEY,))
        record = loaded.records[KEY]
        before = int(record.value or b"0")
        for look in looks:
            loaded = yield look
            assert KEY in loaded.records
        seen.append(before)
        if (yield (_note(b"%d" % (before + 1), record.version),)) is None:
            return attempts


def _number(shop: Shop) -> int:
    record = shop.run(shop.store.load([], [KEY])).records[KEY]
    return int(record.value or b"0")


def _all(shop: Shop, verbs: Sequence[Verb[int]]) -> list[Call]:
    return [call for verb in verbs for call in Client(shop).send(verb)]


def test_verbs_that_look_twice_do_not_write_over_one_another(shop: Shop) -> None:
    """They decide on the same version, and all but one of them must not be built upon."""
    seen: list[int] = []
    calls = _all(shop, [_increased(seen, Load((), (OTHER,))) for _ in range(5)] + [_increased(seen) for _ in range(5)])
    shop.until(lambda: all(call.done for call in calls))
    assert _number(shop) == 10
    assert max(call.result for call in calls) == 2


def test_verbs_that_look_twice_share_one_round(shop: Shop) -> None:
    calls = _all(shop, [_increased([], Load((), (OTHER,)), Load(("job-0001",))) for _ in range(20)])
    shop.turn(2)  # the one in which they commit, and nothing is left for the other
    assert all(call.done for call in calls)
    assert _number(shop) == 20


def test_a_verb_that_is_late_again_and_again_waits_for_the_next_round(shop: Shop) -> None:
    """It looks up something new each time, and each time somebody else is faster."""

    def restless(number: int) -> Verb[int]:
        for attempt in range(100):
            loaded = yield Load((), (KEY,))
            record = loaded.records[KEY]
            yield Load((f"job-{number}-{attempt}",))
            if (yield (_note(b"%d" % (int(record.value or b"0") + 1), record.version),)) is None:
                return attempt
        raise AssertionError("it never came to an end")

    calls = _all(shop, [restless(number) for number in range(4)])
    shop.turn()
    assert 1 <= sum(call.done for call in calls) < 4
    shop.until(lambda: all(call.done for call in calls))
    assert _number(shop) == 4


def test_who_built_on_what_was_never_written_decides_again(shop: Shop) -> None:
    """The first transition fails as a whole, for a reason of its own; a stranger then writes that very version."""

    def failing() -> Verb[str]:
        loaded = yield Load((), (KEY,))
        conflict = yield (_note(b"666", loaded.records[KEY].version), Take("job-0001", "working"))
        return str(conflict.reason)

    def stranger() -> Verb[object]:
        yield Query(shop.store.figures)  # from an earlier round it knows the version that there is
        return (yield (_note(b"100", 0),))

    seen: list[int] = []
    (late,) = Client(shop).send(stranger())
    shop.turn()
    first, then = Client(shop).send(failing(), _increased(seen))
    shop.until(lambda: first.done and then.done and late.done)
    assert (first.result, late.result) == ("gone", None)
    assert seen == [666, 100]
    assert _number(shop) == 101


def test_who_knows_a_version_from_an_earlier_round_is_not_built_upon_where_it_is_old(shop: Shop) -> None:
    """As the reconciler of batches does: it compares at leisure, and looks up something else before it writes."""

    def slow() -> Verb[bool]:
        yield Query(shop.store.figures)
        yield Load((), (OTHER,))
        return (yield (_note(b"1000", 0),)) is None

    (late,) = Client(shop).send(slow())
    shop.turn()
    shop.run(shop.store.inner.commit([(_note(b"1", 0),)], [], 0.0))
    seen: list[int] = []
    calls = Client(shop).send(_increased(seen), _increased(seen))
    shop.until(lambda: late.done and all(call.done for call in calls))
    assert late.result is False
    assert (seen, _number(shop)) == ([1, 2], 3)


def test_a_failing_look_fails_only_those_who_looked(shop: Shop) -> None:
    shop.store.cue = lambda verb: StoreUnavailable("no") if verb == "load" else None
    looking, writing = Client(shop).send(_increased([]), _committed((_note(b"5", 0),)))
    shop.turn(2)
    shop.store.cue = lambda verb: None
    assert isinstance(looking.error, StoreUnavailable)
    assert (writing.error, _number(shop)) == (None, 5)


def _committed(transition: Transition) -> Verb[object]:
    """Commit something."""
    return (yield transition)
