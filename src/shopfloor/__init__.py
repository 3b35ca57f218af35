"""Shopfloor, a background-job server: the face of its client and worker library."""

from shopfloor.errors import BulkRefused, NotJson, Refused, ServerUnreachable, ShopfloorError
from shopfloor.sdk.asks import BatchStatus, Selection, Tracked
from shopfloor.sdk.async_client import AsyncClient
from shopfloor.sdk.batch import Batch
from shopfloor.sdk.client import Client, ClientSettings
from shopfloor.sdk.current import connect
from shopfloor.sdk.jobs import JobFunction, job
from shopfloor.sdk.middleware import Carry, Middleware
from shopfloor.sdk.order import Options, Order
from shopfloor.sdk.running import CurrentJob, current_job
from shopfloor.sdk.worker.outcome import Cancel, Discard, JobTimeout, Retry
from shopfloor.sdk.worker.settings import WorkerSettings
from shopfloor.sdk.worker.worker import Worker
from shopfloor.sdk.workflow import Workflow, chain, chord, group

__version__ = "0.1.0"

__all__ = [
    "AsyncClient",
    "Batch",
    "BatchStatus",
    "BulkRefused",
    "Cancel",
    "Carry",
    "Client",
    "ClientSettings",
    "CurrentJob",
    "Discard",
    "JobFunction",
    "JobTimeout",
    "Middleware",
    "NotJson",
    "Options",
    "Order",
    "Refused",
    "Retry",
    "Selection",
    "ServerUnreachable",
    "ShopfloorError",
    "Tracked",
    "Worker",
    "WorkerSettings",
    "Workflow",
    "chain",
    "chord",
    "connect",
    "current_job",
    "group",
    "job",
]
