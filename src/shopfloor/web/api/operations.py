"""The table of operations: one row says all there is to know of one, for the routes and for the document.

To add an operation: its structs in `shapes`, a function, a row here. `make docs` writes the reference again.
"""

from collections.abc import Callable, Coroutine, Sequence
from typing import Any, Final

from msgspec import Struct

from shopfloor.web.api import batches, jobs, places, queues, shapes, whole
from shopfloor.web.api.asked import Asked
from shopfloor.web.api.scopes import Scope

BEGIN: Final = "/api/v1"
DOCUMENT_PATH: Final = f"{BEGIN}/openapi.json"

Run = Callable[[Asked], Coroutine[Any, Any, Any]]


class Operation(Struct, frozen=True, kw_only=True):
    """One thing that can be asked. `large` lets the body be as long as a command line, not just as a job."""

    method: str
    path: str
    name: str
    scope: Scope
    run: Run
    answer: type
    query: type = shapes.Nothing
    body: type | None = None
    large: bool = False
    status: int = 200

    @property
    def says(self) -> str:
        """What it does, in a sentence."""
        return (self.run.__doc__ or "").strip()


def _get(path: str, name: str, run: Run, answer: type, query: type = shapes.Nothing) -> Operation:
    return Operation(method="GET", path=path, name=name, scope="read", run=run, answer=answer, query=query)


def _post(path: str, name: str, scope: Scope, run: Run, answer: type = shapes.Nothing) -> Operation:
    return Operation(method="POST", path=path, name=name, scope=scope, run=run, answer=answer)


def _send(path: str, name: str, scope: Scope, run: Run, shape: tuple[type, type]) -> Operation:
    body, answer = shape
    large = body is not shapes.NewJob
    return Operation(method="POST", path=path, name=name, scope=scope, run=run, body=body, answer=answer, large=large)


def _delete(path: str, name: str, run: Run, answer: type) -> Operation:
    return Operation(method="DELETE", path=path, name=name, scope="admin", run=run, answer=answer)


OPERATIONS: Final[Sequence[Operation]] = (
    _send("/jobs", "push", "push", jobs.push, (shapes.NewJob, shapes.Pushed)),
    _send("/jobs/bulk", "push_many", "push", jobs.push_many, (shapes.NewJobs, shapes.PushedMany)),
    _get("/jobs/{jid}", "get_job", jobs.get, shapes.HeldShown),
    _post("/jobs/{jid}/cancel", "cancel_job", "operate", jobs.cancel),
    _post("/jobs/{jid}/requeue", "requeue_job", "operate", jobs.requeue),
    _get("/tracking/{jid}", "get_tracking", jobs.track, shapes.TrackShown),
    _get("/queues", "list_queues", queues.browse, shapes.QueuePage, shapes.Paging),
    _get("/queues/{name}", "get_queue", queues.get, shapes.QueueShown),
    _get("/queues/{name}/jobs", "peek_queue", queues.peek, shapes.PeekPage, shapes.Paging),
    _post("/queues/{name}/pause", "pause_queue", "operate", queues.pause),
    _post("/queues/{name}/resume", "resume_queue", "operate", queues.resume),
    _delete("/queues/{name}", "clear_queue", queues.clear, shapes.ActionTaken),
    _get("/sets/{place}", "list_set", places.browse, shapes.JobPage, shapes.Search),
    _send("/sets/{place}/actions", "act_on_set", "operate", places.act, (shapes.Action, shapes.ActionTaken)),
    _get("/chores/{id}", "get_chore", places.chore, shapes.ChoreShown),
    _post("/chores/{id}/stop", "stop_chore", "operate", places.stop),
    _get("/batches", "list_batches", batches.browse, shapes.BatchPage, shapes.Paging),
    _send("/batches", "new_batch", "push", batches.new, (shapes.NewBatch, shapes.BatchNamed)),
    _get("/batches/{bid}", "get_batch", batches.get, shapes.BatchShown),
    _post("/batches/{bid}/open", "open_batch", "push", batches.open_again, shapes.BatchNamed),
    _post("/batches/{bid}/commit", "commit_batch", "push", batches.commit),
    _post("/batches/{bid}/cancel", "cancel_batch", "operate", batches.cancel, shapes.Changed),
    _post("/batches/{bid}/retry", "retry_batch", "operate", batches.retry, shapes.Changed),
    _get("/cron", "list_cron", whole.entries, shapes.EntriesShown),
    _send("/cron", "put_cron", "admin", whole.put_entry, (shapes.NewEntry, shapes.EntryNamed)),
    _delete("/cron/{name}", "remove_cron", whole.remove_entry, shapes.Nothing),
    _post("/cron/{name}/pause", "pause_cron", "operate", whole.pause_entry),
    _post("/cron/{name}/resume", "resume_cron", "operate", whole.resume_entry),
    _post("/cron/{name}/run", "run_cron", "operate", whole.run_entry, shapes.Pushed),
    _get("/throttles", "list_throttles", whole.throttles, shapes.ThrottlesShown),
    _get("/locks", "list_locks", whole.locks, shapes.LocksShown, shapes.Some),
    _get("/workers", "list_workers", whole.workers, shapes.WorkersShown, shapes.Paging),
    _post("/workers/{wid}/quiet", "quiet_worker", "operate", whole.quiet),
    _post("/workers/{wid}/stop", "stop_worker", "operate", whole.stop),
    _get("/stats", "get_stats", whole.stats, shapes.Stats),
    _get("/info", "get_info", whole.info, shapes.Info),
)
