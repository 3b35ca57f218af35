"""What a test told a server and what it was answered: so what may be in the store after the server was killed.

For each job the ledger knows the states it may be in as far as replies tell (`settled`, one state nearly always) and
the commands under way. After a kill each of those was carried out or not. What nobody commands is known too: a timed
job falls due, and a fetch without a reply may have taken a job.
"""

import time
from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Literal

from msgspec import Struct

State = Literal["gone", "queued", "scheduled", "retries", "dead", "working", "cancelled"]
"""Where a job is; `cancelled` is working, with the wish noted."""
Deed = Literal[
    "push",
    "schedule",
    "ack",
    "fail",
    "fail_at_once",
    "fail_for_good",
    "give_back",
    "cancel",
    "requeue",
    "kill",
    "discard",
]

DEEDS: Mapping[Deed, Mapping[State, State]] = {
    "push": {"gone": "queued"},
    "schedule": {"gone": "scheduled"},
    "ack": {"working": "gone", "cancelled": "gone"},
    "fail": {"working": "retries", "cancelled": "gone"},
    "fail_at_once": {"working": "gone", "cancelled": "gone"},
    "fail_for_good": {"working": "dead", "cancelled": "gone"},
    "give_back": {"working": "queued", "cancelled": "gone"},
    "cancel": {"queued": "gone", "scheduled": "gone", "retries": "gone", "dead": "gone", "working": "cancelled"},
    "requeue": {"scheduled": "queued", "retries": "queued", "dead": "queued"},
    "kill": {"scheduled": "dead", "retries": "dead"},
    "discard": {"scheduled": "gone", "retries": "gone", "dead": "gone"},
}
"""Where each command moves a job; one that is not listed stays."""
COUNTED: frozenset[Deed] = frozenset({"ack", "fail", "fail_at_once", "fail_for_good"})
CLOCK_SECONDS = 1.0
"""A job may fall due this much earlier than reckoned here."""


class Command(Struct, eq=False):
    """A command under way that is about one job; `target` is the one place where a MUTATE looks."""

    deed: Deed
    target: State | None = None

    def moves(self, state: State) -> State:
        """Say where it moves a job that is there."""
        if self.target is not None and state != self.target:
            return state
        return DEEDS[self.deed].get(state, state)


class Entry(Struct):
    """A job, as far as this side knows."""

    jid: str
    queue: str
    args: list[int]
    """The client that pushed it, and its how manieth job it is."""
    retry: int
    settled: set[State]
    under_way: list[Command]
    holder: str = ""
    due: float = float("inf")
    moved: bool = False
    """It has been elsewhere than in the queue that it was pushed into."""

    def expected(self) -> set[State]:
        """Say what it would be if every command under way were carried out."""
        return self._after(self.under_way)

    def possible(self) -> set[State]:
        """Say what it may be after a crash: any number of the commands under way was carried out."""
        found: set[State] = set()
        for count in range(len(self.under_way) + 1):
            found |= self._after(self.under_way[:count])
        return found

    def settle(self, command: Command) -> set[State]:
        """The command was answered: it is carried out; answer what the job may have been before."""
        before = self._after(())
        if command not in self.under_way:
            return set()
        self.under_way.remove(command)
        self.settled = self._after([command])
        return before

    def _after(self, commands: Iterable[Command]) -> set[State]:
        states = self._aged(self.settled)
        for command in commands:
            states = self._aged({command.moves(state) for state in states})
        return states

    def _aged(self, states: set[State]) -> set[State]:
        """A timed job whose time has come may be in its queue."""
        if time.time() < self.due - CLOCK_SECONDS or states.isdisjoint({"scheduled", "retries"}):
            return states
        return states | {"queued"}


class Range(Struct):
    """A figure that is known up to what was under way."""

    low: int = 0
    high: int = 0


class Observed(Struct, frozen=True, kw_only=True):
    """A job as the restarted server shows it."""

    state: State
    queue: str
    args: list[int]
    holder: str = ""


class Findings(Struct, frozen=True, kw_only=True):
    """Everything that a restarted server shows."""

    jobs: Mapping[str, Observed]
    order: Mapping[str, list[str]]
    """The jids of each queue, the oldest first."""
    paused: frozenset[str]
    processed: int
    failures: int


class Ledger:
    """All jobs of a test."""

    def __init__(self) -> None:
        self.entries: dict[str, Entry] = {}
        self.finished = 0
        self.paused: dict[str, set[bool]] = {}
        """Whether each queue may be paused."""
        self.fetching: Counter[str] = Counter()
        """Jobs that fetches without a reply may have taken, by queue."""
        self.processed = Range()
        self.failures = Range()

    def tell(self, entry: Entry, deed: Deed, target: State | None = None) -> Command:
        """A command about the job is sent."""
        command = Command(deed, target)
        entry.under_way.append(command)
        if deed in COUNTED:
            self.processed.high += 1
            self.failures.high += deed != "ack"
        if deed not in ("push", "schedule"):
            entry.moved = True
        return command

    def answered(self, entry: Entry, command: Command) -> None:
        """The command was answered without an error."""
        before = entry.settle(command)
        if command.deed in COUNTED:
            assert before <= {"working", "cancelled"}, "only a held job is settled in these tests"
            self.processed.low += 1
            self.failures.low += command.deed != "ack"
        if entry.settled == {"gone"} and not entry.under_way:
            # Whoever fetched it meanwhile may have finished it already.
            self.finished += self.entries.pop(entry.jid, None) is not None

    def fetched(self, jid: str, holder: str) -> Entry:
        """A fetch was answered with this job: whatever was under way about it has been carried out before."""
        entry = self.entries.get(jid)
        assert entry is not None, f"{jid} was handed out, but it is finished"
        assert "queued" in entry.possible(), f"{jid} was handed out, but it is {entry.possible()}"
        entry.settled, entry.holder, entry.moved = {"working"}, holder, True
        entry.under_way.clear()
        return entry

    def compare(self, found: Findings) -> None:
        """Fail where the store does not hold what it must, then go on from what it holds."""
        for jid in found.jobs:
            assert jid in self.entries, f"{jid} is back, after its end was acknowledged: {found.jobs[jid]}"
        taken: Counter[str] = Counter()
        for entry in self.entries.values():
            self._compare_one(entry, found.jobs.get(entry.jid), taken)
        for queue, count in taken.items():
            assert count <= self.fetching[queue], f"{count} jobs of {queue} are held by nobody who asked"
        for queue, may_be in self.paused.items():
            assert (queue in found.paused) in may_be, f"{queue} paused: {queue in found.paused}"
        assert self.processed.low <= found.processed <= self.processed.high, (self.processed, found.processed)
        assert self.failures.low <= found.failures <= self.failures.high, (self.failures, found.failures)
        for queue, jids in found.order.items():
            self._compare_order(queue, jids)
        self._go_on_from(found)

    def _compare_one(self, entry: Entry, seen: Observed | None, taken: Counter[str]) -> None:
        state: State = "gone" if seen is None else seen.state
        possible = entry.possible()
        if state == "working" and "working" not in possible and "queued" in possible:
            taken[entry.queue] += 1
            state = "queued"
        assert state in possible, f"{entry.jid} is {state}, but must be one of {possible}: {entry}"
        if seen is not None:
            assert (seen.queue, seen.args) == (entry.queue, entry.args), f"{entry} became {seen}"
            if entry.settled == {"working"} and not entry.under_way:
                assert seen.holder == entry.holder, f"{entry} is held by {seen.holder}"

    def _compare_order(self, queue: str, jids: list[str]) -> None:
        """Jobs that one client pushed and nobody moved are in the order in which they were pushed."""
        last: dict[int, int] = {}
        for jid in jids:
            entry = self.entries[jid]
            client, number = entry.args
            if not entry.moved and entry.due == float("inf"):
                assert number > last.get(client, -1), f"{jid} is too late in {queue}"
                last[client] = number

    def _go_on_from(self, found: Findings) -> None:
        for entry in list(self.entries.values()):
            seen = found.jobs.get(entry.jid)
            if seen is None:
                del self.entries[entry.jid]
                self.finished += 1
                continue
            entry.settled, entry.holder = {seen.state}, seen.holder
            entry.under_way.clear()
            entry.moved = entry.moved or seen.state != "queued"
        self.paused = {queue: {queue in found.paused} for queue in self.paused}
        self.fetching.clear()
        self.processed = Range(found.processed, found.processed)
        self.failures = Range(found.failures, found.failures)
