"""The foreman: one event loop that fetches jobs, hands them out, settles them and beats. It runs no job itself.

The order of events of a job: the fetch loop asks for as many as the hands have room for; each goes to the hand with
the most room; what the hand tells of it goes to the post that fetched it, which tells the server.
"""

import asyncio
import logging
from collections import OrderedDict
from collections.abc import Callable, Coroutine, Sequence
from typing import Any

import msgspec

from shopfloor.errors import Refused, ServerUnreachable, ShopfloorError
from shopfloor.sdk.running import Fetched, Report, read_fetched
from shopfloor.sdk.worker.hand import Hand
from shopfloor.sdk.worker.outcome import Outcome
from shopfloor.sdk.worker.post import TRY_AGAIN, Hearing, Post
from shopfloor.sdk.worker.settings import WorkerSettings, queues_of
from shopfloor.wire.address import Address
from shopfloor.wire.client import Reply, command, json_command

log = logging.getLogger("shopfloor.worker")

TICK_SECONDS = 0.1
CRASHES_MAX = 3
"""A job that killed so many children, and one more, fails; before that it is given back. The server's own limit."""
CRASHED_JOBS_MAX = 10_000
FETCH_REPLY_SECONDS = 60.0
"""A server that does not even say that it has nothing is not there any more; ours says so after two seconds."""
PAUSE_SECONDS = 0.5

StartHand = Callable[["Foreman"], Coroutine[Any, Any, Hand]]


class Foreman:
    """Works until `stop`, or until the queues are empty where that is wanted. `run` is its whole life."""

    def __init__(self, address: Address, settings: WorkerSettings, start_hand: StartHand, hands_wanted: int) -> None:
        self.settings = settings
        self.hands: list[Hand] = []
        self.is_quiet = False
        self.is_stopping = False
        self.jobs_ended = 0
        self._address = address
        self._start_hand = start_hand
        self._hands_wanted = hands_wanted
        self._queues = queues_of(settings.queues)
        self._posts: list[Post] = []
        self._owners: dict[str, Post] = {}
        self._crashes: OrderedDict[str, int] = OrderedDict()
        self._room = asyncio.Event()
        self._stop = asyncio.Event()
        self._trouble = ""
        self._failed_starts = 0

    async def run(self) -> None:
        """Work. Raises `ShopfloorError` where the hands cannot begin at all."""
        self._renew_post()
        ticking = asyncio.create_task(self._tick_for_ever())
        fetching = asyncio.create_task(self._fetch_for_ever(), name="fetching")
        for task in (ticking, fetching):
            task.add_done_callback(self._end_with)
        try:
            for _ in range(self._hands_wanted):
                self.hands.append(await self._start_hand(self))
            await self._stop.wait()
            await self._wind_up(fetching)
        finally:
            for task in (ticking, fetching):
                task.cancel()
            await asyncio.gather(ticking, fetching, return_exceptions=True)
            dying = [hand for hand in self.hands if hand.kill()]
            await self._wait(lambda: all(hand.is_over for hand in dying), asyncio.get_running_loop().time() + 5.0)
            await asyncio.gather(*(post.stop() for post in self._posts))
        if self._trouble:
            raise ShopfloorError(self._trouble)

    def stop(self) -> None:
        """Begin to stop: fetch no more, let jobs end within the set time, give back the rest."""
        self.quiet()
        self.is_stopping = True
        self._say("terminate")
        self._stop.set()

    def quiet(self) -> None:
        """Fetch no more, and let jobs end."""
        self.is_quiet = True
        self._say("quiet")
        self._room.set()

    def replace_hands(self) -> None:
        """Start fresh hands; the old ones end when their jobs are done."""
        for hand in self.hands:
            self._retire(hand)

    def ended(self, hand: Hand, outcomes: Sequence[Outcome]) -> None:
        """Runs are over."""
        for outcome in hand.settled(outcomes):
            self._settle(outcome)
            self.jobs_ended += outcome.fate != "returned"
        if self._has_done_enough(hand) and not hand.is_leaving:
            self._retire(hand)
        self.changed()

    def reported(self, jid: str, report: Report) -> None:
        """A handler said something about its job."""
        post = self._owners.get(jid)
        if post is not None:
            post.report(jid, report)

    def changed(self) -> None:
        """A hand is ready, or can take more."""
        self._failed_starts = 0
        self._room.set()

    def lost(self, hand: Hand, started: Sequence[str], overdue: Sequence[str]) -> None:
        """A hand is dead, for certain: give its jobs back at once, and start another in its place."""
        jobs = list(hand.in_hand)
        if jobs and not self.is_stopping:
            log.warning("a child died with %d jobs, of which %d had begun", len(jobs), len(started))
        returned = [self._fate_after_death(jid, started, overdue) for jid in reversed(jobs)]
        for outcome in hand.settled(returned):
            self._settle(outcome)
        if hand in self.hands:
            self.hands.remove(hand)
        if not hand.jobs_ended and not jobs:
            self._failed_starts += 1

    def unable(self, reason: str) -> None:
        """A hand cannot begin at all. The first to say so ends the worker; after a reload others are tried."""
        log.error("%s", reason)
        if not any(hand.is_ready for hand in self.hands) and not self.settings.reload:
            self._trouble = reason
            self._stop.set()

    def _fate_after_death(self, jid: str, started: Sequence[str], overdue: Sequence[str]) -> Outcome:
        if jid in overdue:
            return Outcome(jid=jid, fate="failed", errtype="JobTimeout", message="took too long and was killed")
        if jid not in started or self.is_stopping:
            return Outcome(jid=jid, fate="returned")
        crashes = self._crashes.pop(jid, 0) + 1
        if crashes > CRASHES_MAX:
            return Outcome(jid=jid, fate="failed", errtype="WorkerDied", message=f"its process died {crashes} times")
        self._crashes[jid] = crashes
        if len(self._crashes) > CRASHED_JOBS_MAX:
            self._crashes.popitem(last=False)
        return Outcome(jid=jid, fate="returned")

    def _end_with(self, task: "asyncio.Task[None]") -> None:
        """A part of the foreman that broke ends the worker: one that looks alive and does nothing helps nobody."""
        if not task.cancelled() and task.exception() is not None:
            log.error("the worker cannot go on", exc_info=task.exception())
            self._trouble = f"the worker cannot go on: {task.exception()!r}"
            self._stop.set()

    def _settle(self, outcome: Outcome) -> None:
        post = self._owners.pop(outcome.jid, None)
        if post is not None:
            post.settle(outcome)

    def _say(self, state: str) -> None:
        for post in self._posts:
            post.state = state

    def _cancel(self, jid: str) -> None:
        for hand in self.hands:
            if jid in hand.in_hand:
                hand.cancel(jid)

    def _told_state(self, state: str) -> None:
        """The server, or whoever looks after it, wants us to be quiet, or to go."""
        if state == "terminate" and not self.is_stopping:
            log.info("the server wants this worker to stop")
            self.stop()
        elif state == "quiet" and not self.is_quiet:
            log.info("the server wants this worker to be quiet")
            self.quiet()

    # --- posts -----------------------------------------------------------------------------------------------------

    @property
    def _post(self) -> Post:
        return self._posts[-1]

    def _renew_post(self) -> None:
        hearing = Hearing(told_state=self._told_state, cancelled=self._cancel, in_doubt=self._renew_post)
        post = Post(self._address, self.settings, hearing)
        post.state = "terminate" if self.is_stopping else "quiet" if self.is_quiet else ""
        for task in post.start():
            task.add_done_callback(self._end_with)
        self._posts.append(post)

    async def _close_old_posts(self) -> None:
        """Leave the posts that hold nothing any more, so that the server gives back what it thinks they hold."""
        for post in self._posts[:-1]:
            if not post.held:
                self._posts.remove(post)
                await post.stop()

    # --- fetching --------------------------------------------------------------------------------------------------

    async def _fetch_for_ever(self) -> None:
        """Fetch whenever there is room; return when we are quiet, or when there is nothing and nothing is wanted."""
        while not self.is_quiet:
            wanted = sum(hand.room() for hand in self.hands)
            if not wanted:
                self._room.clear()
                await self._room.wait()
                continue
            had_nothing = not any(post.held for post in self._posts)  # what is settled later may bring callbacks
            jobs = await self._fetch(wanted)
            if jobs:
                self._hand_out(jobs)
            elif jobs is None:
                await asyncio.sleep(PAUSE_SECONDS)
            elif self.settings.until_empty and had_nothing:
                self._stop.set()
                return

    async def _fetch(self, wanted: int) -> list[tuple[Fetched, bytes]] | None:
        """Fetch up to so many jobs; None where the server could not be asked."""
        post = self._post
        try:
            await post.fetching.link()
            line, is_bulk = self._fetch_line(wanted, "FETCHB" in post.fetching.extensions)
            reply = await post.fetching.ask(line, FETCH_REPLY_SECONDS)
        except ServerUnreachable as error:
            log.warning("fetching: %s", error)
            self._renew_post()
            return None
        if isinstance(reply, Refused):
            log.log(logging.INFO if reply.message.startswith(TRY_AGAIN) else logging.ERROR, "fetching: %s", reply)
            return None
        jobs = _read_jobs(reply, is_bulk)
        post.took(fetched.jid for fetched, _ in jobs)
        self._owners.update((fetched.jid, post) for fetched, _ in jobs)
        return jobs

    def _fetch_line(self, wanted: int, has_bulk: bool) -> tuple[bytes, bool]:
        names = self._queues.in_order()
        if has_bulk and wanted > 1:
            return json_command("FETCHB", {"queues": names, "count": wanted}), True
        return command("FETCH", " ".join(names).encode()), False

    def _hand_out(self, jobs: Sequence[tuple[Fetched, bytes]]) -> None:
        """Give each hand its share, in proportion to its room; what nobody has room for any more goes back."""
        rooms = [(hand, hand.room()) for hand in self.hands]
        total = sum(room for _, room in rooms)
        start = given = 0
        for hand, room in rooms:
            given += room
            end = len(jobs) * given // total if total else 0
            if end > start:
                hand.take(jobs[start:end])
            start = end
        for fetched, _ in reversed(jobs[start:]):
            self._settle(Outcome(jid=fetched.jid, fate="returned"))

    # --- watching --------------------------------------------------------------------------------------------------

    async def _tick_for_ever(self) -> None:
        while True:
            await asyncio.sleep(TICK_SECONDS)
            for hand in list(self.hands):
                hand.tick(TICK_SECONDS)
                if hand.is_leaving and not hand.in_hand:
                    hand.finish()
                elif self._is_too_large(hand):
                    self._retire(hand)
            await self._close_old_posts()
            await self._fill_hands()
            self._room.set()

    async def _fill_hands(self) -> None:
        """Start hands in the place of those that left or died; slowly where they die at once."""
        staying = sum(not hand.is_leaving for hand in self.hands)
        if staying >= self._hands_wanted or self._stop.is_set():
            return
        if self._failed_starts:
            await asyncio.sleep(min(0.1 * 2**self._failed_starts, 5.0))
        self.hands.append(await self._start_hand(self))

    def _has_done_enough(self, hand: Hand) -> bool:
        most = self.settings.jobs_per_child_max
        return bool(most) and hand.jobs_ended >= most

    def _is_too_large(self, hand: Hand) -> bool:
        most = self.settings.child_megabytes_max
        return bool(most) and hand.is_ready and hand.megabytes() > most

    def _retire(self, hand: Hand) -> None:
        hand.is_leaving = True
        hand.give_back()

    # --- stopping --------------------------------------------------------------------------------------------------

    async def _wind_up(self, fetching: "asyncio.Task[None]") -> None:
        """Let everything end within the set time: first what runs, then what has to be told."""
        self.is_quiet = self.is_stopping = True
        self._room.set()
        for hand in self.hands:
            hand.give_back()
        loop = asyncio.get_running_loop()
        deadline = loop.time() + self.settings.stop_seconds
        await self._wait(lambda: fetching.done() and not self._busy(), deadline - 1.0)
        if self._busy():
            log.warning("%d jobs did not end in time; they are given back", sum(len(one.in_hand) for one in self.hands))
            for hand in self.hands:
                hand.interrupt()
            await self._wait(lambda: not self._busy(), deadline)
        for hand in self.hands:
            if hand.in_hand:
                hand.kill()
            hand.finish()
        await self._wait(lambda: all(hand.is_over for hand in self.hands), loop.time() + 5.0)
        for post in self._posts:
            if not any(owner is post for owner in self._owners.values()):
                await self._in_time(post.is_idle.wait(), 5.0)

    def _busy(self) -> bool:
        return any(hand.in_hand for hand in self.hands)

    async def _wait(self, condition: Callable[[], bool], deadline: float) -> None:
        loop = asyncio.get_running_loop()
        while not condition() and loop.time() < deadline:  # noqa: ASYNC110  # what is waited for sets no event
            await asyncio.sleep(0.005)

    async def _in_time(self, waited_for: Coroutine[Any, Any, object], seconds: float) -> None:
        try:
            async with asyncio.timeout(seconds):
                await waited_for
        except TimeoutError:
            log.warning("the server could not be told of every job in time")


def _read_jobs(reply: Reply, is_bulk: bool) -> list[tuple[Fetched, bytes]]:
    if not isinstance(reply, bytes):
        return []
    texts = [bytes(raw) for raw in msgspec.json.decode(reply, type=list[msgspec.Raw])] if is_bulk else [reply]
    return [(read_fetched(text), text) for text in texts]
