"""Jobs without a server: what is pushed is kept in a list, and run when the test says so, or at once.

Arguments go to JSON and back as they do in reality, so that what could not be pushed, or would arrive as something
else, fails here too.
"""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import datetime
from typing import Any

import msgspec

from shopfloor.sdk.client import ClientSettings
from shopfloor.sdk.current import CHOSEN
from shopfloor.sdk.jobs import JobFunction
from shopfloor.sdk.middleware import Middleware, around_push
from shopfloor.sdk.order import Order
from shopfloor.sdk.running import CurrentJob, Fetched, Report
from shopfloor.sdk.worker.handlers import Handlers, load_handlers
from shopfloor.testing.clock import TravellingClock

AnyJob = JobFunction[..., Any]

DRAINED_MAX = 10_000
"""A job that pushes itself again and again would be drained for ever."""


class FakeJobs:
    """Takes what is pushed. `orders` is what was pushed and not run yet; `results` what was returned, by jid."""

    def __init__(self, targets: Sequence[str | AnyJob] = (), middleware: Sequence[Middleware] = ()) -> None:
        self.clock = TravellingClock()
        self.settings = ClientSettings(clock=self.clock, middleware=middleware)
        self.orders: list[Order] = []
        self.results: dict[str, Any] = {}
        self.reports: list[tuple[str, Report]] = []
        """What handlers said of their jobs: progress, and wishes for more time."""
        self.at_once = False
        """Whether a job is run while it is pushed, as long as it is due."""
        self._targets = targets
        self._handlers: Handlers | None = None

    def push(self, order: Order) -> str:
        """Take a job."""
        with around_push(self.settings.middleware, [order]) as (inner,):
            self.orders.append(inner)
            if self.at_once and self._is_due(inner):
                self._run(inner)
            return inner.jid

    def push_bulk(self, orders: Sequence[Order]) -> list[str]:
        """Take jobs."""
        return [self.push(order) for order in orders]

    def enqueued(self, job: AnyJob | str, *args: object, **options: Any) -> list[Order]:
        """List what was pushed and fits: the job, its first arguments as far as they are given, and options."""
        jobtype = job if isinstance(job, str) else job.jobtype
        return [order for order in self.orders if order.jobtype == jobtype and _fits(order, args, options)]

    def assert_enqueued(self, job: AnyJob | str, *args: object, **options: Any) -> Order:
        """Assert that exactly one job that fits was pushed; answer it."""
        found = self.enqueued(job, *args, **options)
        assert len(found) == 1, f"{len(found)} jobs fit, not one; there are: {self._shown()}"
        return found[0]

    def refute_enqueued(self, job: AnyJob | str, *args: object, **options: Any) -> None:
        """Assert that no job that fits was pushed."""
        found = self.enqueued(job, *args, **options)
        assert not found, f"{len(found)} jobs fit, none should; there are: {self._shown()}"

    def drain(self, job: AnyJob | str | None = None) -> int:
        """Run what is due, and what that pushes, in order; answer how many. What a job raises is raised here."""
        count = 0
        while (order := self._next(job)) is not None:
            count += 1
            assert count <= DRAINED_MAX, f"more than {DRAINED_MAX} jobs were drained; does {order.jobtype} push itself?"
            self._run(order)
        return count

    def _next(self, job: AnyJob | str | None) -> Order | None:
        jobtype = job.jobtype if isinstance(job, JobFunction) else job
        due = (order for order in self.orders if self._is_due(order) and jobtype in (None, order.jobtype))
        return next(due, None)

    def _is_due(self, order: Order) -> bool:
        return not order.at or datetime.fromisoformat(order.at).timestamp() <= self.clock()

    def _run(self, order: Order) -> None:
        self.orders.remove(order)
        text = msgspec.json.encode(
            {"queue": "default", **msgspec.json.decode(order.text(), type=dict[str, msgspec.Raw])}
        )
        fetched = msgspec.json.decode(text, type=Fetched)
        current = CurrentJob(fetched, lambda jid, report: self.reports.append((jid, report)), self.clock)
        self.results[order.jid] = self._loaded().run_blocking(fetched, current)

    def _loaded(self) -> Handlers:
        if self._handlers is None:
            modules = [target for target in self._targets if isinstance(target, str)]
            functions = [target for target in self._targets if not isinstance(target, str)]
            loaded = load_handlers(modules).functions.values() if modules else ()
            self._handlers = Handlers([*loaded, *functions], self.settings.middleware)
        return self._handlers

    def _shown(self) -> str:
        return ", ".join(f"{order.jobtype}{bytes(order.args).decode()}" for order in self.orders) or "none"


def _fits(order: Order, args: Sequence[object], options: Mapping[str, Any]) -> bool:
    given = msgspec.json.decode(order.args)
    wanted = msgspec.json.decode(msgspec.json.encode(args))
    told = {"queue": order.queue or "default", "retry": order.retry, "jid": order.jid, **order.custom}
    return bool(given[: len(wanted)] == wanted) and all(told.get(key) == value for key, value in options.items())


@contextmanager
def faked(*targets: str | AnyJob, at_once: bool = False, middleware: Sequence[Middleware] = ()) -> Iterator[FakeJobs]:
    """Let every push of the process go into a `FakeJobs`; `targets` are modules and jobs that can be run."""
    jobs = FakeJobs(targets, middleware)
    jobs.at_once = at_once
    with CHOSEN.replaced(jobs):
        yield jobs
