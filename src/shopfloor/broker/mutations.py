"""MUTATE and FLUSH: what operators do to many jobs at once."""

from collections.abc import Callable, Sequence
from functools import partial

from shopfloor.broker.asks import Load, Query, Verb
from shopfloor.broker.context import Context
from shopfloor.broker.following import Following
from shopfloor.core import lifecycle
from shopfloor.core.changes import Transition
from shopfloor.core.job import DEAD, Held
from shopfloor.core.mutation import Filter, Matcher, Mutation
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
        return (yield from self._mutate_matching(mutation))

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
            done += yield from self._apply(mutation, meant)
        return done

    def _mutate_matching(self, mutation: Mutation) -> Verb[int]:
        """Walk once through the place as it is now; a dead job that is killed again moves on and is not met twice."""
        context = self._context
        matcher = Matcher.of(mutation.filter)
        renews = mutation.target == DEAD and mutation.command == "kill"
        last = context.moment.now + context.rules.dead_seconds if renews else float("inf")
        done = 0
        after: tuple[float, str] | None = None
        while True:
            page: Page = yield Query(partial(context.store.browse, mutation.target, after, MUTATE_STEP))
            meant = [held for held in page.jobs if held.at < last and matcher.matches(held.job)]
            done += yield from self._apply(mutation, meant)
            after = page.after
            if after is None or after[0] >= last:
                return done

    def _apply(self, mutation: Mutation, meant: Sequence[Held]) -> Verb[int]:
        if not meant:
            return 0
        return (yield from self._following.apply(meant, self._operation(mutation)))

    def _operation(self, mutation: Mutation) -> Callable[[Held], Transition]:
        now, rules = self._context.moment.now, self._context.rules
        if mutation.command == "kill":
            return lambda held: lifecycle.kill(held, now, rules)
        if mutation.command == "requeue":
            return lambda held: lifecycle.requeue(held, now)
        return lifecycle.discard
