"""MUTATE and FLUSH: what operators do to many jobs at once."""

from collections.abc import Callable, Sequence
from functools import partial

from shopfloor.broker.asks import Load, Query, Verb
from shopfloor.broker.context import Context
from shopfloor.broker.following import Following
from shopfloor.broker.progress import Progress
from shopfloor.core import lifecycle
from shopfloor.core.changes import Transition
from shopfloor.core.criteria import Criteria, Finder
from shopfloor.core.job import DEAD, Held, Job, TimedPlace
from shopfloor.core.mutation import Command, Filter, Matcher, Mutation
from shopfloor.store.port import Page

MUTATE_STEP = 500
"""Jobs looked at in one round; other commands get their turn in between."""


class Mutations:
    """Operations on timed places and on everything."""

    def __init__(self, context: Context, following: Following) -> None:
        self._context = context
        self._following = following

    def mutate(self, mutation: Mutation) -> Verb[int]:
        """Carry out an operation on the jobs of a timed place that its filter means; answer how many those were."""
        everything = mutation.filter == Filter()
        if mutation.command == "clear" or (mutation.command == "discard" and everything):
            return (yield from self._clear(mutation))
        if mutation.filter.jids:
            return (yield from self._mutate_named(mutation))
        matcher = Matcher.of(mutation.filter)
        return (yield from self._operate(mutation.command, mutation.target, matcher.matches, Progress()))

    def operate(self, command: Command, place: TimedPlace, criteria: Criteria, progress: Progress) -> Verb[int]:
        """Carry out an operation on the jobs of a timed place that somebody looked for; answer how many those were.

        `progress` says how far it is, and can stop it; what was done until then stays done.
        """
        if criteria.jid:
            named = Mutation(command=command, target=place, filter=Filter(jids=(criteria.jid,)))
            progress.moved = yield from self._mutate_named(named)
            return progress.moved
        return (yield from self._operate(command, place, Finder(criteria).finds, progress))

    def flush(self) -> Verb[None]:
        """Forget all jobs, queues, locks and totals."""
        yield Query(self._context.store.flush)

    def _clear(self, mutation: Mutation) -> Verb[int]:
        """Discard all jobs that were there when the command came, a step at a time."""
        figures = yield Query(self._context.store.figures)
        size: int = getattr(figures, mutation.target)
        done, moved = 0, 1
        while moved and done < size:
            page: Page = yield Query(partial(self._context.store.browse, mutation.target, None, MUTATE_STEP))
            moved = yield from self._following.apply(page.jobs, lifecycle.discard)
            done += moved
        return done

    def _mutate_named(self, mutation: Mutation) -> Verb[int]:
        done = 0
        jids = tuple(dict.fromkeys(mutation.filter.jids))
        for start in range(0, len(jids), MUTATE_STEP):
            some = jids[start : start + MUTATE_STEP]
            loaded = yield Load(some)
            found = [loaded.jobs[jid] for jid in some if jid in loaded.jobs]
            meant = [held for held in found if held.place == mutation.target]
            done += yield from self._apply(mutation.command, meant)
        return done

    def _operate(
        self, command: Command, place: TimedPlace, meant: Callable[[Job], bool], progress: Progress
    ) -> Verb[int]:
        """Walk once through the place as it is now; a dead job that is killed again moves on and is not met twice."""
        context = self._context
        renews = place == DEAD and command == "kill"
        last = context.moment.now + context.rules.dead_seconds if renews else float("inf")
        after: tuple[float, str] | None = None
        while not progress.stopped:
            page: Page = yield Query(partial(context.store.browse, place, after, MUTATE_STEP))
            some = [held for held in page.jobs if held.at < last and meant(held.job)]
            progress.moved += yield from self._apply(command, some)
            progress.looked += len(page.jobs)
            after = page.after
            if after is None or after[0] >= last:
                break
        return progress.moved

    def _apply(self, command: Command, meant: Sequence[Held]) -> Verb[int]:
        if not meant:
            return 0
        return (yield from self._following.apply(meant, self._operation(command)))

    def _operation(self, command: Command) -> Callable[[Held], Transition]:
        now, rules = self._context.moment.now, self._context.rules
        if command == "kill":
            return lambda held: lifecycle.kill(held, now, rules)
        if command == "requeue":
            return lambda held: lifecycle.requeue(held, now)
        return lifecycle.discard
