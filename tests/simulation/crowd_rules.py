"""What must hold behind every step of a crowd, whatever its clients do: derived from the jobs, where it can be."""

from collections.abc import Mapping, Sequence

from shopfloor.core import batch, throttle, unique
from shopfloor.core.batch import BATCH, Batch, Standing
from shopfloor.core.facts import Callback, facts
from shopfloor.core.job import DEAD, WORKING, Held
from shopfloor.core.throttle import THROTTLE
from shopfloor.core.timestamps import SECONDS_MAX
from tests.simulation.crowd import ALL, TABLE, Crowd

CALLBACKS: tuple[Callback, ...] = ("complete", "success", "death")
NOTHING = (b"", b"null")


class Judge:
    """Looks at a crowd's server again and again, and remembers what it saw."""

    def __init__(self) -> None:
        self.members: dict[str, set[str]] = {}
        """For each batch the jids of all members that were ever there."""
        self.called: dict[tuple[str, Callback], str] = {}
        """Each callback that came, and the jid or bid under which it did."""
        self.gone: set[str] = set()
        self.started: set[str] = set()
        """Jobs that a worker had at some time."""
        self.standings: dict[str, Standing] = {}
        """Of each batch, when it was looked at last."""
        self.judged: set[tuple[str, Callback]] = set()
        """Callbacks that came in their time."""

    def look(self, crowd: Crowd) -> None:
        """Check every rule."""
        jobs = {held.job.jid: held for held in crowd.everything()}
        records = crowd.shop.run(crowd.shop.store.inner.records(BATCH))
        batches = {bid: batch.decode(record.value) for bid, record in records.items() if record.value is not None}
        self._remember(jobs, batches)
        for one in batches.values():
            self._check_counts(one, jobs, batches)
            for callback in CALLBACKS:
                self._check_callback(one, callback, jobs, batches)
        self.standings = {bid: batch.standing(one) for bid, one in batches.items()}
        self.check_locks(crowd, jobs)
        self.check_slots(crowd, jobs)
        assert crowd.shop.broker.throttles.repairs == 0
        assert crowd.shop.broker.batch_care.tally.repaired == 0

    def _remember(self, jobs: Mapping[str, Held], batches: Mapping[str, Batch]) -> None:
        """Take in what is there; whatever came once and went must not come again."""
        for jid, held in jobs.items():
            known = facts(held.job)
            if held.place == WORKING:
                self.started.add(jid)
            if known.bid:
                self.members.setdefault(known.bid, set()).add(jid)
            if known.callback_bid and known.callback:
                self._came(known.callback_bid, known.callback, jid)
        for one in batches.values():
            if one.origin_bid and one.origin_callback:
                self._came(one.origin_bid, one.origin_callback, one.bid)
        self.gone |= {name for name in self.called.values() if name not in jobs and name not in batches}

    def _came(self, bid: str, callback: Callback, name: str) -> None:
        assert name not in self.gone, f"the {callback} callback of {bid} came twice"
        assert self.called.setdefault((bid, callback), name) == name, f"there are two {callback} callbacks of {bid}"

    def _check_counts(self, one: Batch, jobs: Mapping[str, Held], batches: Mapping[str, Batch]) -> None:
        """The counts of a batch are those of its jobs and children."""
        members = self.members.get(one.bid, set())
        held = [jobs[jid] for jid in members if jid in jobs]
        assert one.total == len(members), f"{one.bid} has {len(members)} members and counts {one.total}"
        assert one.pending == sum(not member.job.counted for member in held), f"{one.bid}: {one.pending} are pending"
        through = len(members) - sum(member.place != DEAD for member in held)
        lost_callbacks = sum(self._is_over(one.bid, callback, jobs) for callback in CALLBACKS)
        assert through <= one.succeeded + one.lost <= through + lost_callbacks
        children = [child for child in batches.values() if child.parent_bid == one.bid]
        assert one.children == len(children)
        assert one.children_open == sum(batch.standing(child) == "open" for child in children)

    def _check_callback(
        self, one: Batch, callback: Callback, jobs: Mapping[str, Held], batches: Mapping[str, Batch]
    ) -> None:
        """A callback is there, or was, exactly if it is due."""
        came = (one.bid, callback) in self.called
        if (one.bid, callback) in self.judged:
            return
        if bytes(getattr(one, callback)) in NOTHING:
            assert not came, f"nobody asked for a {callback} callback of {one.bid}"
            return
        children = [child for child in batches.values() if child.parent_bid == one.bid]
        due, may_be = self._is_due(one, callback, jobs, children)
        assert came or not due, f"the {callback} callback of {one.bid} is missing"
        assert may_be or not came, f"the {callback} callback of {one.bid} came before its time"
        if came:
            self.judged.add((one.bid, callback))

    def _is_due(
        self, one: Batch, callback: Callback, jobs: Mapping[str, Held], children: Sequence[Batch]
    ) -> tuple[bool, bool]:
        """Say whether a callback must be there, and whether it may.

        It may be there, and need not be, where a batch or a child of it moved on once more in the very same round: it
        was opened again, or a retry made another callback of the child due.
        """
        if callback == "death":
            lost = bool(one.lost) or any(batch.standing(child) == "lost" for child in children)
            return lost and one.committed, lost
        members = self.members.get(one.bid, set())
        executed = one.committed and all(jid not in jobs or jobs[jid].job.counted for jid in members)
        through = executed and all(batch.standing(child) != "open" for child in children)
        if callback == "complete":
            return through, executed and all(self._is_or_was_through(child) for child in children)
        if not through or (bytes(one.complete) not in NOTHING and one.complete_st != "2"):
            return False, False
        if any(batch.standing(child) != "succeeded" for child in children) or any(jid in jobs for jid in members):
            return False, False
        # A success callback that is lost makes a loss of its batch, and had come all the same.
        well = not one.lost or (one.succeeded == one.total and self._is_over(one.bid, "success", jobs))
        return well, well

    def _is_or_was_through(self, child: Batch) -> bool:
        return batch.standing(child) != "open" or self.standings.get(child.bid, "open") != "open"

    def _is_over(self, bid: str, callback: Callback, jobs: Mapping[str, Held]) -> bool:
        """A callback came and is not on its way any more; of one that is a batch nobody says so here."""
        name = self.called.get((bid, callback), "")
        return bool(name) and (name not in jobs or jobs[name].place == DEAD)

    def check_locks(self, crowd: Crowd, jobs: Mapping[str, Held]) -> None:
        """Locks that are held are those of live jobs."""
        now = crowd.shop.clock.now
        locks = {lock.key: lock for lock in crowd.shop.run(crowd.shop.store.inner.locks(SECONDS_MAX, ALL))}
        for key, lock in locks.items():
            held = jobs.get(lock.owner)
            assert held is not None, f"{lock.owner} has a lock and is gone"
            assert held.place != DEAD, f"{lock.owner} is dead and has a lock"
            assert unique.lock(held.job) == key
        for jid, held in jobs.items():
            known = facts(held.job)
            if known.unique_for != 1e6 or held.place == DEAD or not jid.startswith("job-"):
                continue
            if known.unique_until == "start" and jid in self.started:
                continue
            owner = locks.get(unique.lock(held.job))
            assert owner is not None, f"{jid} has lost its lock"
            assert (owner.owner, owner.until > now) == (jid, True)

    def check_slots(self, crowd: Crowd, jobs: Mapping[str, Held]) -> None:
        """Slots in use are those of live reservations."""
        working = {jid: held for jid, held in jobs.items() if held.place == WORKING}
        assert sum(held.job.queue == "two" for held in working.values()) <= 2
        taken: dict[str, Mapping[str, str]] = {}
        for name, record in crowd.shop.run(crowd.shop.store.inner.records(THROTTLE)).items():
            limit, holders = TABLE.named(name), throttle.decode(record.value).holders
            assert limit is not None
            taken[name] = holders
            assert not limit.concurrency or len(holders) <= limit.concurrency
            assert not limit.worker or len(set(holders.values())) == len(holders)
            for jid, wid in holders.items():
                assert jid in working, f"{jid} has a slot and is not working"
                assert working[jid].wid == wid
        for jid, begun in crowd.begun.items():
            held = working.get(jid)
            if held is not None and (held.wid, held.position) == (begun.wid, begun.position):
                for name in TABLE.by_record(held.job, facts(held.job)):
                    assert jid in taken.get(name, {}), f"{jid} was begun without a slot of {name}"
