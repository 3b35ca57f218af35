"""Commands that arrive together commit together.

Each round of `Ticks` takes what every connection has ready, lets the verbs run until they ask for something, looks
up for all of them at once, commits for all of them at once, and hands each its outcome. The order of events:

    1. verbs start, or go on from the last round, and say what they need
    2. one `load` for all who look something up, as often as somebody does
    3. one `commit`: every transition, then every waiting fetcher that may be served now
    4. questions (peek, counts): they see what this round committed
    5. replies leave; a verb that asks for more stays for the next round, which newcomers join

A fetcher that got nothing is parked in the round that asked, and each job put into a queue lets one parked fetcher of
that queue be asked for in the same commit: rounds follow one another, so no push can come between looking and parking.
They run in one coroutine: there is no task, lock or thread per command.
"""

import asyncio
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from itertools import islice
from time import perf_counter
from typing import Any

from structlog.typing import FilteringBoundLogger

from shopfloor.broker.asks import Aside, Fork, Load, Prong, Query, Verb, Wait
from shopfloor.broker.calls import Call, Errand, Gathering, Source
from shopfloor.broker.contact import Contact
from shopfloor.broker.counts import COMMIT_SPANS, Histogram
from shopfloor.broker.foresight import Foresight, in_foreseen_order, jobs_to_come
from shopfloor.broker.moment import Moment
from shopfloor.broker.rumours import Rumours
from shopfloor.broker.waiting import Waiting
from shopfloor.core.changes import Transition
from shopfloor.core.job import Held
from shopfloor.errors import Refused, StoreUnavailable
from shopfloor.store.port import Reserve, Store

TIMED_EVERY = 8
"""Of so many rounds the commit of one is timed: looking at the clock twice costs a lone job half a percent."""


class Ticks:
    """The one place where verbs run. Everything that changes or asks the store goes through here."""

    def __init__(self, store: Store, clock: Callable[[], float], log: FilteringBoundLogger) -> None:
        self.store = store
        self._log = log
        self.clock = clock
        self.moment = Moment.at(clock())
        self.waiting: Waiting[Call] = Waiting()
        self.limited: Mapping[str, bool] = {}
        """Queues of which only some jobs may be working, and whether that is so for each worker by itself."""
        self.rounds = 0
        self.commits = Histogram(COMMIT_SPANS)
        """How long the store took to commit, in seconds; of some rounds."""
        self._ready: list[Source] = []
        self._arrived: list[Call] = []
        self._going: list[Call] = []
        self._touched: dict[Source, None] = {}
        self._asked: dict[Call, bool] = {}
        """Fetchers that the store is being asked for at this moment, and whether they still want something."""
        self._idle: asyncio.Future[None] | None = None
        self._asides: set[asyncio.Task[None]] = set()
        self._stopping = False
        self._parking = True
        """Whether a fetcher that got nothing may wait for something."""
        self.contact = Contact(self.moment.now, log)
        self._rumours: Rumours[Call] = Rumours()
        store.listen(self.arrived)

    def ready(self, source: Source) -> None:
        """The source has commands; they begin with the next round."""
        self._ready.append(source)
        self._nudge()

    def begin(self, call: Call) -> None:
        """Begin one call with the next round: what `ready` comes to for a source that has just one command."""
        self._arrived.append(call)
        if self._idle is not None:
            self._nudge()

    def arrived(self, queues: Collection[str] | None) -> None:
        """Another server may have made these queues give out jobs, or any (None): ask for those who wait on them."""
        self._rumours.hear(self.waiting.queues() if queues is None else queues)
        self._nudge()

    def run(self, verb: Verb[Any]) -> "asyncio.Future[Any]":
        """Run a verb of the server's own and answer what it returns."""
        errand = Errand(verb)
        self.ready(errand)
        return errand.future

    def abandon(self, calls: Iterable[Call]) -> None:
        """Whoever asked has gone: parked calls end now, others finish what they have begun."""
        for call in calls:
            if call in self._asked:
                self._asked[call] = False
            elif call.wait is not None:
                self.waiting.unpark(call)
                call.done = True
                call.verb.close()

    def release_all(self) -> None:
        """Answer every parked fetcher that there is nothing; from now on none is parked."""
        self._parking = False
        self._release(self.waiting.all())

    def release_timed_out(self) -> None:
        """Answer the fetchers whose time is over."""
        self._release(list(self.waiting.timed_out(self.clock())))

    def stop(self) -> None:
        """Let `serve` return once nothing is under way; what is done aside, a backup for example, is broken off."""
        self._stopping = True
        for task in self._asides:
            task.cancel()
        self._nudge()

    def _nudge(self) -> None:
        idle, self._idle = self._idle, None
        if idle is not None and not idle.done():
            idle.set_result(None)

    async def serve(self) -> None:
        """Run rounds until `stop`."""
        loop = asyncio.get_running_loop()
        while True:
            if not self._ready and not self._arrived and not self._going and not self._rumours:
                if self._stopping:
                    return
                self._idle = loop.create_future()
                await self._idle
            else:
                await asyncio.sleep(0)
            try:
                await self.round()
            except Exception:
                self._log.exception("a round failed for a reason of ours; its commands go on with the next one")

    async def round(self) -> None:
        """Carry everybody one commit further."""
        self.rounds += 1
        self.moment = self.moment.moved_to(self.clock())
        going, self._going = self._going, []
        ready, self._ready = self._ready, []
        arrived, self._arrived = self._arrived, []
        for call in arrived:
            self._step(call, None)
        going += arrived
        for source in ready:
            for call in self._begun(source):
                self._step(call, None)
                going.append(call)
        try:
            going = self._with_forks(going)
            loading = [call for call in going if type(call.ask) is Load]
            if loading:
                going = in_foreseen_order(going, await self._load(loading))
            queries = await self._commit(going)
            if queries:
                await self._query(queries)
        finally:
            self._going += [call for call in going if not call.done and call.wait is None and call.aside is None]
            self._settle()

    def _begun(self, source: Source) -> Iterable[Call]:
        """Let a source begin; a bug in it must not cost the others their turn."""
        try:
            return source.start()
        except Exception:
            self._log.exception("a source could not begin its commands")
            return ()

    async def _load(self, loading: list[Call]) -> list[Call]:
        """Look up for all who ask. Each sees the records as those before it in this round mean to leave them.

        Answers who means to write records, in that order, which is the one to commit them in.
        """
        sight = Foresight()
        while loading:
            asked = sight.unknown(loading)
            try:
                sight.learn(asked, await self.store.load(asked.jids, asked.records))
                self._reached()
            except Exception as error:
                self._throw(loading, error)
                break
            loading = [call for call in loading if self._look(call, sight)]
        return sight.order

    def _look(self, call: Call, sight: Foresight) -> bool:
        """Answer a verb, and again as long as it looks up what is known; say whether it looks up more."""
        while True:
            if type(call.ask) is Load:
                self._step(call, sight.seen)
            outdated = sight.foresee(call) if sight.seen.records else None
            if outdated == "unknown":
                return True
            if outdated is not None:
                self._step(call, outdated)
                if not sight.may_correct(call):
                    return False
            if type(call.ask) is not Load:
                return False
            if not sight.knows(call.ask):
                return True

    async def _commit(self, calls: list[Call]) -> list[Call]:
        """Commit for all; return those that have a question."""
        queries: list[Call] = []
        committing: list[Call] = []
        transitions: list[Transition] = []
        fetching: list[Call] = []
        for call in calls:
            ask = call.ask
            kind = type(ask)
            if kind is tuple:
                committing.append(call)
                transitions.append(ask)
            elif kind is list:
                committing.append(call)
                transitions += ask
            elif kind is Wait:
                fetching.append(call)
            elif kind is Query:
                queries.append(call)
            elif kind is Aside:
                call.aside = asyncio.create_task(self._aside(call))
                self._asides.add(call.aside)
                call.aside.add_done_callback(self._asides.discard)
        if transitions or self._rumours:
            woken = self._woken(transitions)
            calls += woken
            fetching[:0] = woken
        if committing or fetching:
            await self._commit_all(committing, transitions, fetching)
        return queries

    async def _commit_all(self, committing: list[Call], transitions: list[Transition], fetching: list[Call]) -> None:
        requests: list[Reserve] = [call.ask.request for call in fetching]
        self._asked = dict.fromkeys(fetching, True)
        began = perf_counter() if self.rounds % TIMED_EVERY == 0 else 0.0
        try:
            committed = await self.store.commit(transitions, requests, self.moment.now)
        except Exception as error:
            self.contact.unsure(requests, self.moment.now)
            waits = isinstance(error, StoreUnavailable)  # fetchers can wait for the store as they do for a job
            self._throw(committing + [call for call in fetching if call.wait is None and not waits], error)
            self._serve([()] * len(fetching))
            return
        self._reached()
        if began:
            self.commits.add(perf_counter() - began)
        self.contact.delivered(self.moment.now)
        self._hand_out(committing, committed.outcomes)
        self._serve(committed.reserved)
        self._rumours.follow()

    def _serve(self, reserved: Sequence[Sequence[Held]]) -> None:
        """Give the fetchers that were asked for what they got; park those who got nothing and still want something."""
        asked, self._asked = self._asked, {}
        for (call, wants), held in zip(asked.items(), reserved, strict=True):
            if call.done:
                continue
            if held or not wants or not self._parking:
                if call.wait is not None:
                    self.waiting.unpark(call)
                self._step(call, held)
            elif call.wait is None:
                self.waiting.park(call, call.ask)

    def _hand_out(self, committing: list[Call], outcomes: Any) -> None:
        at = 0
        for call in committing:
            if type(call.ask) is tuple:
                at += 1
                self._step(call, outcomes[at - 1])
            else:
                count = len(call.ask)
                at += count
                self._step(call, outcomes[at - count : at])

    def _woken(self, transitions: list[Transition]) -> list[Call]:
        """List the parked fetchers that these transitions, or another server's, may serve, first come first.

        A fetcher may wait on several of the queues that get a job and take the job of another one than it was listed
        for. So from each queue as many are listed as there are jobs in all: then no job is left behind.
        """
        if not self.waiting.count:
            return []
        counts = jobs_to_come(transitions, self.limited, self.waiting.count)
        woken: dict[Call, None] = {}
        jobs = sum(counts.values())
        for queue in counts:
            woken.update(dict.fromkeys(islice(self.waiting.on(queue), jobs)))
        woken.update(dict.fromkeys(self._rumours.fetchers(self.waiting, self.limited)))
        return list(woken)

    async def _query(self, calls: list[Call]) -> None:
        for call in calls:
            while type(call.ask) is Query:
                try:
                    answer = await call.ask.question()
                except Exception as error:
                    self._throw([call], error)
                else:
                    self._reached()
                    self._step(call, answer)

    def _reached(self) -> None:
        if self.contact.trouble:
            self.contact.holds(self.clock())

    def _release(self, calls: Iterable[Call]) -> None:
        for call in calls:
            if call in self._asked:
                self._asked[call] = False
                continue
            self.waiting.unpark(call)
            self._step(call, ())
            if not call.done:
                self._going.append(call)
                self._nudge()
        self._settle()

    async def _aside(self, call: Call) -> None:
        try:
            answer = await call.ask.work()
        except asyncio.CancelledError:
            self._throw([call], StoreUnavailable("the server stops"))
        except Exception as error:
            self._throw([call], error)
        else:
            self._step(call, answer)
        call.aside = None
        if not call.done:
            self._going.append(call)
            self._nudge()
        self._settle()

    def _with_forks(self, calls: list[Call]) -> list[Call]:
        """Begin the verbs of forks; they take their turn right behind the one that forked, so that order is kept."""
        if Fork not in [type(call.ask) for call in calls]:
            return calls
        expanded: list[Call] = []
        for call in calls:
            expanded.append(call)
            if type(call.ask) is Fork:
                expanded += self._with_forks(self._forked(call))
        return expanded

    def _forked(self, call: Call) -> list[Call]:
        """Begin the verbs of a fork; they take part in this round, and may fork in turn."""
        verbs, call.ask = call.ask.verbs, None
        fork = Gathering(call, self._gathered)
        children = [Call(verb, fork) for verb in verbs]
        fork.children = children
        for child in children:
            self._step(child, None)
        if not children:
            self._gathered(call, [])
        return children

    def _gathered(self, call: Call, children: list[Call]) -> None:
        self._step(call, [Prong(child.result, child.error) for child in children])

    def _settle(self) -> None:
        while self._touched:
            touched, self._touched = self._touched, {}
            for source in touched:
                try:
                    source.settle()
                except Exception:
                    self._log.exception("a source could not take its replies")

    def _step(self, call: Call, answer: Any) -> None:
        """Resume a verb; what it asks for next is in `ask`, or it is done."""
        try:
            call.ask = call.verb.send(answer)
            return
        except StopIteration as stop:
            call.result = stop.value
        except Refused as refused:
            call.error = refused
        except Exception as error:
            self._log.exception("a command failed for a reason of ours")
            call.error = error
        call.ask, call.done = None, True
        self._touched[call.source] = None

    def _throw(self, calls: list[Call], error: Exception) -> None:
        """The store could not do what these verbs asked: each of them fails, and only they."""
        self.contact.broke(error, len(calls), self.clock())
        for call in calls:
            self.waiting.unpark(call)
            call.verb.close()
            call.ask, call.done, call.error = None, True, error
            self._touched[call.source] = None
