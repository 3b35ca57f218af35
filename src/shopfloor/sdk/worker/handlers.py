"""The functions that a worker can run, found in the modules that it was given."""

import asyncio
import importlib
from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextvars import copy_context
from typing import Any

from shopfloor.errors import ShopfloorError
from shopfloor.sdk.current import CHOSEN
from shopfloor.sdk.jobs import BY_NAME, JobFunction, Manner, job
from shopfloor.sdk.middleware import Middleware, around_run
from shopfloor.sdk.running import CURRENT_JOB, CurrentJob, Fetched
from shopfloor.sdk.workflow import CONTINUE, resume

AnyJob = JobFunction[..., Any]


class UnknownJob(ShopfloorError):
    """No function here is for jobs of that type."""


class Handlers:
    """Functions by the type of their jobs, and the middleware that surrounds every run."""

    def __init__(self, functions: Iterable[AnyJob], middleware: Sequence[Middleware] = ()) -> None:
        found: dict[str, AnyJob] = {}
        for function in functions:
            known = found.setdefault(function.jobtype, function)
            if known is not function:
                raise ShopfloorError(
                    f"two functions are called {function.jobtype}, in {known.__module__} and {function.__module__}:"
                    " give one of them another name, @job(name=…)"
                )
        found.setdefault(CONTINUE, continue_workflow)
        self.functions: Mapping[str, AnyJob] = found
        self._middleware = middleware

    def find(self, jobtype: str) -> AnyJob:
        """Find the function for a type of job."""
        function = self.functions.get(jobtype)
        if function is None:
            raise UnknownJob(f"no function here is called {jobtype}")
        return function

    def manner(self, jobtype: str) -> Manner:
        """Say how jobs of a type are run."""
        function = self.functions.get(jobtype)
        return Manner() if function is None else function.manner

    def run(self, fetched: Fetched, current: CurrentJob) -> Any:
        """Run a job's function, surrounded by the middleware, and answer what it returned."""
        token = CURRENT_JOB.set(current)
        try:
            function = self.find(fetched.jobtype)
            if not self._middleware:
                return self._call(function, fetched)
            with around_run(self._middleware, current):
                return self._call(function, fetched)
        finally:
            CURRENT_JOB.reset(token)

    async def run_async(self, fetched: Fetched, current: CurrentJob) -> Any:
        """Run a job's coroutine function, as `run` does."""
        CURRENT_JOB.set(current)  # the task has a context of its own
        function = self.find(fetched.jobtype)
        with around_run(self._middleware, current):
            return await self._call(function, fetched)

    def run_blocking(self, fetched: Fetched, current: CurrentJob) -> Any:
        """Run a job's function here and now, a coroutine function in an event loop of its own if there is none yet."""
        if not self.find(fetched.jobtype).is_async:
            return self.run(fetched, current)
        running = self.run_async(fetched, current)
        try:
            asyncio.get_running_loop()
        except RuntimeError:
            return asyncio.run(running)
        with ThreadPoolExecutor(1) as elsewhere:  # within a loop no other one can run in the same thread
            return elsewhere.submit(copy_context().run, asyncio.run, running).result()

    def _call(self, function: AnyJob, fetched: Fetched) -> Any:
        custom = fetched.custom
        arguments = function.parameters.read(fetched.args, bool(custom and custom.get(BY_NAME)))
        return function.function(*arguments.in_order, **arguments.by_name)


@job(name=CONTINUE)
def continue_workflow(rest: list[Any], parent: str) -> None:
    """Launch what is left of a workflow, within the batch that waits for it."""
    client = CHOSEN.connected()
    client.perform(resume(rest, parent, client.extensions()))


def load_handlers(targets: Sequence[str]) -> Handlers:
    """Import modules and take every job in them; `module:name` takes one job, or a list of jobs.

    The middleware is that of the client that the modules chose with `connect`.
    """
    found: list[AnyJob] = []
    for target in targets:
        name, _, attribute = target.partition(":")
        module = importlib.import_module(name)
        found += _jobs_in(getattr(module, attribute)) if attribute else _jobs_in(vars(module).values())
    if not found:
        raise ShopfloorError(f"there is no job in {', '.join(targets)}: decorate functions with @job")
    return Handlers(dict.fromkeys(found), CHOSEN.client().settings.middleware)


def _jobs_in(values: Any) -> list[AnyJob]:
    if isinstance(values, JobFunction):
        return [values]
    return [value for value in values if isinstance(value, JobFunction)]
