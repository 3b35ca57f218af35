"""The demo: a small shop whose jobs survive failures, a crash of the server and the death of a worker.

    python run.py                  takes some twenty seconds and ends by itself; 0 when everything was as promised
    python run.py --python-only    without the worker in Node, which needs npm once

The shop pushes jobs, two workers in two languages carry them out, and each worker keeps a diary of what it really
did. At the end the diaries, the server and the list of what was pushed must agree: no job may be missing.
"""

import argparse
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from client import Client
from programs import DemoFailed, Programs, prepare_node

PICTURES = 240
RECEIPTS = 120
FULL_MAILBOXES = 12
REMINDERS = 5
REMINDER_SECONDS = 6.0
PUSH_PAUSE_SECONDS = 0.002
CRASH_AT_PUSHES = 220
DOWN_SECONDS = 1.0
WAIT_SECONDS_MAX = 40.0
BROKEN = "broken-picture-1"


def orders() -> list[dict[str, Any]]:
    """List the jobs that the shop pushes, in order."""
    pictures = [
        {"jid": f"picture-{n:04}", "jobtype": "resize picture", "queue": "pictures", "args": [f"{n}.tif"]}
        for n in range(PICTURES)
    ]
    receipts = [
        {"jid": f"receipt-{n:04}", "jobtype": "send receipt", "queue": "mail", "args": [f"customer-{n}"]}
        for n in range(RECEIPTS)
    ]
    for receipt in receipts[:: RECEIPTS // FULL_MAILBOXES]:
        receipt["args"] = ["full-mailbox"]
    broken = {"jid": BROKEN, "jobtype": "resize picture", "queue": "pictures", "args": ["broken.tif"], "retry": 1}
    mixed: list[dict[str, Any]] = [broken]
    for n, receipt in enumerate(receipts):
        mixed += [receipt, *pictures[2 * n : 2 * n + 2]]
    return mixed


def reminders() -> list[dict[str, Any]]:
    """List jobs for later: they are pushed before the crash and due after it."""
    due = (datetime.now(UTC) + timedelta(seconds=REMINDER_SECONDS)).isoformat()
    return [
        {"jid": f"reminder-{n:04}", "jobtype": "send receipt", "queue": "mail", "args": ["reminder"], "at": due}
        for n in range(REMINDERS)
    ]


class Shop(threading.Thread):
    """Pushes every job and waits for its `OK`; while the server is away it tries again, as a real shop would."""

    def __init__(self, port: int) -> None:
        super().__init__(daemon=True)
        self._server = Client(port)
        self.pushed: list[str] = []

    def run(self) -> None:
        """Push what is for later first, then the rest at a steady pace."""
        for job in [*reminders(), *orders()]:
            self._server.ask("PUSH", job)
            self.pushed.append(job["jid"])
            time.sleep(PUSH_PAUSE_SECONDS)

    @property
    def repeated(self) -> int:
        """How often a connection or a reply was lost, and the command sent again."""
        return self._server.repeated


@dataclass(kw_only=True)
class Demo:
    """The story, one method a scene."""

    programs: Programs
    began: float = field(default_factory=time.monotonic)

    def say(self, text: str) -> None:
        """Print a line of the commentary."""
        print(f"{time.monotonic() - self.began:5.1f} s  {text}", flush=True)

    def play(self) -> int:
        """Play all scenes; answer the exit code."""
        self._open()
        shop = Shop(self.programs.port)
        shop.start()
        self._crash(shop)
        self._come_back()
        self._wait("the shop has pushed everything", lambda: not shop.is_alive())
        self.say(f"the shop has its OK for all {len(shop.pushed)} jobs (it had to try again {shop.repeated} times)")
        self._let_workers_finish()
        self._bring_retries_forward()
        return self._settle_accounts(shop)

    def _open(self) -> None:
        seconds = self.programs.start_server()
        self.say(f"a server is up after {seconds:.1f} s; all it knows is in one file, {self.programs.store.name}")
        self.programs.start_worker("python")
        if self.programs.with_node:
            self.programs.start_worker("node")
        languages = "Python (standard library alone)"
        languages += " and Node (faktory-worker from npm)" if self.programs.with_node else ""
        self.say(f"workers start: {languages}")
        self.say(f"the shop pushes: {PICTURES} pictures to resize, {RECEIPTS} receipts to send, {REMINDERS} reminders")
        self.say(f"        of which {FULL_MAILBOXES} fail once; and one picture that can never be resized")

    def _crash(self, shop: Shop) -> None:
        self._wait("the shop is half-way", lambda: len(shop.pushed) >= CRASH_AT_PUSHES)
        sets, waiting = self._sets(), self._info()["faktory"]["total_enqueued"]
        self.say(
            f"{len(shop.pushed)} jobs are pushed; {waiting} wait, workers hold {sets['working']},"
            f" {sets['scheduled']} are for later, {sets['retries']} failed and will be retried"
        )
        self.programs.kill_server()
        self.say("kill -9 of the server, in the middle of everything")
        if self.programs.with_node:
            self.programs.kill_worker("node")
            self.say("kill -9 of the Node worker too, with jobs in its hands")

    def _come_back(self) -> None:
        time.sleep(DOWN_SECONDS)
        seconds = self.programs.start_server()
        self.say(f"a new server is up on the same file after {seconds:.1f} s")
        if self.programs.with_node:
            self.programs.start_worker("node")
            self.say("a new Node worker starts; what the dead one held comes back when its time to return is over")

    def _let_workers_finish(self) -> None:
        self._wait("queues, schedule and workers are empty", self._is_quiet)
        self.say(f"every queue is empty; {self._sets()['retries']} failed jobs wait for their retry")

    def _bring_retries_forward(self) -> None:
        """Requeue the failed jobs. The hopeless one has one retry, and dies when that fails too."""
        self.say("they would be due in 15 s or more; MUTATE requeue has them run now")
        Client(self.programs.port).ask("MUTATE", {"cmd": "requeue", "target": "retries", "filter": {}})
        self._wait("the retried jobs are done", self._is_quiet)
        told = Client(self.programs.port).ask("JOB GET", BROKEN)
        failure = told["job"]["failure"]
        self.say(f"JOB GET {BROKEN}: it is {told['place']}, because: {failure['message']}")

    def _is_quiet(self) -> bool:
        """Nothing waits for a worker, is in the hands of one, or waits for its time."""
        info = self._info()["faktory"]
        return not (info["total_enqueued"] or info["sets"]["working"] or info["sets"]["scheduled"])

    def _settle_accounts(self, shop: Shop) -> int:
        """Compare what was pushed with what the workers did and what the server knows; print the table."""
        notes = {name: self.programs.notes(name) for name in ("python", "node")}
        done = {name: Counter(jid for word, jid in notes[name] if word == "done") for name in notes}
        runs = done["python"] + done["node"]
        failed = [jid for one in notes.values() for word, jid in one if word == "failed"]
        dead, lost = self._sets()["dead"], [jid for jid in shop.pushed if jid not in runs and jid != BROKEN]
        rows = [
            ("pushed", len(shop.pushed), "every one answered OK"),
            ("done", len(runs), f"{len(done['python'])} by Python, {len(done['node'])} by Node"),
            ("failed", len(failed), "runs that ended in FAIL"),
            ("retried", len(set(failed)), "jobs that were put back after a failure"),
            ("dead", dead, "the picture that is none, kept with its failure for inspection"),
            ("run again", sum(runs.values()) - len(runs), "done, but the crash came before the server heard of it"),
            ("lost", len(lost), "jobs that were acknowledged and neither done nor dead"),
        ]
        print()
        for name, count, meaning in rows:
            print(f"  {name:<10} {count:>5}   {meaning}")
        print()
        expected = len(shop.pushed) == PICTURES + RECEIPTS + REMINDERS + 1 and len(runs) + dead == len(shop.pushed)
        if lost or dead != 1 or not expected:
            print(f"This is not as it should be. Missing: {', '.join(lost[:10]) or 'none'}")
            return 1
        print("Nothing was lost.")
        return 0

    def _info(self) -> dict[str, Any]:
        self.programs.check_workers()
        info: dict[str, Any] = Client(self.programs.port).ask("INFO")
        return info

    def _sets(self) -> dict[str, int]:
        sets: dict[str, int] = self._info()["faktory"]["sets"]
        return sets

    def _wait(self, what: str, condition: Callable[[], bool]) -> None:
        deadline = time.monotonic() + WAIT_SECONDS_MAX
        while not condition():
            if time.monotonic() > deadline:
                raise DemoFailed(f"not within {WAIT_SECONDS_MAX:.0f} s: {what}\n{self.programs.log_tail()}")
            time.sleep(0.05)


def main() -> int:
    """Prepare, play, clean up."""
    parser = argparse.ArgumentParser(description="Show the server at work, killed, and back with every job.")
    parser.add_argument("--python-only", action="store_true", help="do without the worker in Node")
    with_node = not parser.parse_args().python_only
    try:
        if with_node:
            prepare_node()
        with (
            tempfile.TemporaryDirectory(prefix="shopfloor-demo-") as folder,
            Programs(folder=Path(folder), with_node=with_node) as programs,
        ):
            return Demo(programs=programs).play()
    except DemoFailed as failure:
        print(f"\nThe demo failed: {failure}", file=sys.stderr)
        return 1


if __name__ == "__main__":
    sys.exit(main())
