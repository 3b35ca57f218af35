"""The jobs of a batch: members and callbacks, wherever they rest, across moves, failed commits and restarts."""

from collections.abc import Sequence

from shopfloor.core.changes import Clear, Put, Take
from shopfloor.core.job import Job
from shopfloor.store.conformance.jobs import NOW, job
from shopfloor.store.conformance.subject import NOBODY, Subject


def member(jid: str, bid: str = "b-1") -> Job:
    return job(jid, custom=f'{{"bid":"{bid}"}}')


def callback(jid: str, bid: str = "b-1") -> Job:
    return job(jid, custom=f'{{"_bid":"{bid}","_cb":"complete"}}')


def told(store: Subject, bid: str = "b-1") -> tuple[Sequence[str], Sequence[str]]:
    found = store.run(store.store.batch_jobs(bid))
    return sorted(found.members), sorted(found.callbacks)


def test_a_batch_that_nobody_names_has_no_jobs(store: Subject) -> None:
    store.put(job("a"), job("b", custom='{"bid":null,"x":"b-1"}'), job("c", custom='{"bid":1}'))
    assert told(store) == ([], [])


def test_members_and_callbacks_are_told_apart_and_by_batch(store: Subject) -> None:
    store.put(member("m1"), member("m2"), callback("c1"), member("n1", "b-2"))
    assert told(store) == (["m1", "m2"], ["c1"])
    assert told(store, "b-2") == (["n1"], [])


def test_a_job_may_be_a_member_of_one_and_a_callback_of_another(store: Subject) -> None:
    store.put(job("a", custom='{"bid":"b-1","_bid":"b-2","_cb":"success"}'))
    assert (told(store), told(store, "b-2")) == ((["a"], []), ([], ["a"]))
    store.do(Take("a", "queued"))
    assert (told(store), told(store, "b-2")) == (([], []), ([], []))


def test_they_are_found_in_every_place_until_they_leave(store: Subject) -> None:
    store.put(member("m1"), place="working")
    store.put(member("m2"))
    store.put(member("m3"), place="scheduled", at=NOW + 1)
    store.put(member("m4"), place="retries", at=NOW + 1)
    store.put(member("m5"), place="dead", at=NOW + 1)
    assert told(store)[0] == ["m1", "m2", "m3", "m4", "m5"]
    assert store.do(Take("m1", "working", "w1"), Put(member("m1"), "retries", NOW + 9)) is None
    assert told(store)[0] == ["m1", "m2", "m3", "m4", "m5"]
    assert store.do(Take("m1", "retries")) is None
    assert store.do(Clear("dead")) is None
    assert store.do(Clear("queued", "default")) is None
    assert told(store)[0] == ["m3", "m4"]


def test_a_transition_that_fails_leaves_them_as_they_were(store: Subject) -> None:
    store.put(member("m1"), callback("c1"))
    changes = (Take("m1", "queued"), Take("c1", "queued"), Put(member("m2"), "queued"), Put(callback("c2"), "queued"))
    assert store.why(*changes, Take(NOBODY, "dead")) == "gone"
    assert told(store) == (["m1"], ["c1"])
    assert store.why(*changes) == ""
    assert told(store) == (["m2"], ["c2"])


def test_a_flush_forgets_them(store: Subject) -> None:
    store.put(member("m1"), callback("c1"))
    store.run(store.store.flush())
    assert told(store) == ([], [])


def test_they_are_known_after_a_restart(durable: Subject) -> None:
    jids = [f"m{number:03}" for number in range(30)]
    durable.put(*(member(jid) for jid in jids), callback("c1"))
    durable.put(member("n1"), place="dead", at=NOW + 1)
    assert durable.fetch("default", count=3) == jids[:3]
    durable.do(Take("m000", "working", "w1"))
    for _ in range(2):
        durable.reopen()
        assert told(durable) == ([*jids[1:], "n1"], ["c1"])
    durable.do(Take("m001", "working", "w1"))
    durable.do(Take("c1", "queued"))
    durable.reopen()
    assert told(durable) == ([*jids[2:], "n1"], [])
