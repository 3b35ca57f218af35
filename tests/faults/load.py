"""Clients that do everything one can do to jobs, at random, pipelined, and write it into a ledger."""

import random
import selectors
import time
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

from shopfloor.core.timestamps import format_timestamp
from shopfloor.errors import Refused
from shopfloor.wire.client import Reply
from tests.faults.ledger import Deed, Entry, Ledger, State
from tests.faults.pipeline import Pipeline, line, read_json

QUEUES = ("q0", "q1", "q2", "q3")
COLD = "cold"
"""Nobody fetches from it, so what is cancelled there is certainly queued."""
WINDOW = 40
"""Commands that a client sends ahead of the replies."""
LIVE_JOBS = 1500
"""With more jobs in the store, clients rather finish some than push more."""
FAR_SECONDS = 7200.0
NEAR_SECONDS = 6.0
"""What falls due so soon is left alone: nobody could say where a command finds it."""
RETRY_SECONDS_MIN = 15.0
PADDING = "x" * 200


class Client:
    """One client of the load: a worker that also pushes and tidies up."""

    def __init__(self, number: int, ledger: Ledger, dice: random.Random) -> None:
        self.number = number
        self.wid = f"worker-{number}"
        self._ledger = ledger
        self._dice = dice
        self._pushed = 0
        self.mine: list[str] = []
        """Jobs that nobody else touches while they are not queued."""
        self._pausing: list[bool] = []
        self.pipe: Pipeline

    def connect(self, port: int) -> None:
        """Come (back) to a server. Who holds what is as the ledger says."""
        self.pipe = Pipeline(port, self.wid)
        self._pausing.clear()
        self.mine = [
            entry.jid
            for entry in self._ledger.entries.values()
            if (entry.holder == self.wid if entry.holder else entry.args[0] == self.number)
        ]

    def act(self) -> None:
        """Send commands until the window is full."""
        while self.pipe.unanswered < WINDOW:
            self._choose()()
        self.pipe.flush()

    def _choose(self) -> Callable[[], None]:
        full = len(self._ledger.entries) > LIVE_JOBS
        actions: Sequence[tuple[Callable[[], None], int]] = (
            (self._push, 1 if full else 20),
            (self._push_bulk, 1 if full else 4),
            (self._schedule, 1 if full else 6),
            (self._fetch, 15),
            (self._fetch_bulk, 3),
            (self._do_something, 90 if full else 45),
            (self._finish_many, 6),
            (self._pause, 1),
        )
        return self._dice.choices([act for act, _ in actions], [weight for _, weight in actions])[0]

    def _new(self, queue: str, due: float = float("inf")) -> tuple[Entry, dict[str, Any]]:
        self._pushed += 1
        jid = f"job-{self.number}-{self._pushed:08}"
        retry = self._dice.choice((25, 25, 25, 0, -1))
        args = [self.number, self._pushed]
        entry = Entry(jid, queue, args, retry, {"gone"}, [], due=due)
        self._ledger.entries[jid] = entry
        self.mine.append(jid)
        custom = {"padding": PADDING[: self._dice.randrange(200)]}
        return entry, {"jid": jid, "jobtype": "Work", "queue": queue, "args": args, "retry": retry, "custom": custom}

    def _push(self) -> None:
        entry, job = self._new(self._dice.choice((*QUEUES, COLD)))
        self._send("PUSH", job, [entry], "push")

    def _push_bulk(self) -> None:
        made = [self._new(self._dice.choice(QUEUES)) for _ in range(self._dice.randint(2, 12))]
        self._send("PUSHB", [job for _, job in made], [entry for entry, _ in made], "push")

    def _schedule(self) -> None:
        seconds = self._dice.choice((FAR_SECONDS, FAR_SECONDS, 0.3))
        due = time.time() + seconds
        entry, job = self._new(self._dice.choice(QUEUES), due)
        self._send("PUSH", {**job, "at": format_timestamp(due)}, [entry], "schedule")

    def _fetch(self) -> None:
        queue = self._dice.choice(QUEUES)
        self._ledger.fetching[queue] += 1
        self.pipe.send(line("FETCH", queue), partial(self._fetched, queue, 1))

    def _fetch_bulk(self) -> None:
        queue, count = self._dice.choice(QUEUES), self._dice.randint(2, 10)
        self._ledger.fetching[queue] += count
        self.pipe.send(line("FETCHB", {"queues": [queue], "count": count}), partial(self._fetched, queue, count))

    def _fetched(self, queue: str, count: int, reply: Reply) -> None:
        self._ledger.fetching[queue] -= count
        if reply is None:
            return
        jobs = read_json(reply)
        for job in jobs if isinstance(jobs, list) else [jobs]:
            entry = self._ledger.fetched(job["jid"], self.wid)
            assert entry.args == job["args"]
            self.mine.append(entry.jid)

    def _do_something(self) -> None:
        """Do something to one of the jobs that are not queued."""
        for _ in range(20):
            if not self.mine:
                return
            at = self._dice.randrange(len(self.mine))
            self.mine[at], self.mine[-1] = self.mine[-1], self.mine[at]
            entry = self._ledger.entries.get(self.mine[-1])
            expected: set[State] = entry.expected() if entry is not None else {"gone"}
            if entry is None or expected == {"gone"} or self._is_lost(entry):
                self.mine.pop()
            elif len(expected) == 1 and self._do(entry, next(iter(expected))):
                return

    def _is_lost(self, entry: Entry) -> bool:
        """Somebody else has fetched it."""
        return entry.holder not in ("", self.wid)

    def _do(self, entry: Entry, state: State) -> bool:
        if state in ("working", "cancelled"):
            self._settle(entry, self._dice.choice(("ack", "ack", "fail", "give_back", "cancel")))
        elif state in ("scheduled", "retries", "dead") and entry.due > time.time() + NEAR_SECONDS:
            self._move(entry, state, self._dice.choice(("requeue", "kill", "discard", "cancel")))
        elif state == "queued" and entry.queue == COLD:
            self._send("JOB", f"CANCEL {entry.jid}", [entry], "cancel")
        else:
            return False
        return True

    def _settle(self, entry: Entry, how: str) -> None:
        if how == "ack":
            self._send("ACK", {"jid": entry.jid}, [entry], "ack")
        elif how == "fail":
            deed: Deed = {0: "fail_at_once", -1: "fail_for_good"}.get(entry.retry, "fail")  # type: ignore[assignment]
            entry.due = time.time() + RETRY_SECONDS_MIN
            self._send("FAIL", {"jid": entry.jid, "errtype": "E", "message": "m"}, [entry], deed)
        elif how == "give_back":
            self._send("REQUEUE", {"jid": entry.jid}, [entry], "give_back")
        else:
            self._send("JOB", f"CANCEL {entry.jid}", [entry], "cancel")

    def _move(self, entry: Entry, place: State, deed: Deed) -> None:
        if deed == "cancel":
            self._send("JOB", f"CANCEL {entry.jid}", [entry], "cancel")
            return
        told = {"cmd": deed, "target": place, "filter": {"jids": [entry.jid]}}
        self._send("MUTATE", told, [entry], deed, place)

    def _finish_many(self) -> None:
        some = dict.fromkeys(self._dice.choices(self.mine, k=8)) if self.mine else {}
        entries = [entry for jid in some if (entry := self._ledger.entries.get(jid)) and not self._is_lost(entry)]
        held = [entry for entry in entries if entry.expected() == {"working"}]
        if held:
            self._send("ACKB", {"jids": [entry.jid for entry in held]}, held, "ack")

    def _pause(self) -> None:
        queue, paused = f"idle-{self.number}", self._dice.random() < 0.5
        self._pausing.append(paused)
        self._ledger.paused.setdefault(queue, {False}).add(paused)
        self.pipe.send(line("QUEUE", f"{'PAUSE' if paused else 'RESUME'} {queue}"), partial(self._paused, queue))

    def _paused(self, queue: str, reply: Reply) -> None:
        assert reply == "OK", reply
        self._ledger.paused[queue] = set(self._pausing)
        self._pausing.pop(0)

    def _send(self, verb: str, told: object, entries: list[Entry], deed: Deed, target: State | None = None) -> None:
        commands = [(entry, self._ledger.tell(entry, deed, target)) for entry in entries]

        def answered(reply: Reply) -> None:
            assert not isinstance(reply, Refused), f"{verb} {told} was refused: {reply}"
            assert reply in ("OK", b"{}"), reply
            for entry, command in commands:
                self._ledger.answered(entry, command)

        self.pipe.send(line(verb, told), answered)


def run_load(clients: Sequence[Client], seconds: float) -> None:
    """Let the clients work for so long."""
    deadline = time.monotonic() + seconds
    with selectors.DefaultSelector() as selector:
        for client in clients:
            selector.register(client.pipe.socket, selectors.EVENT_READ, client)
            client.act()
        while (left := deadline - time.monotonic()) > 0:
            for key, _ in selector.select(left):
                key.data.pipe.listen()
                key.data.act()
