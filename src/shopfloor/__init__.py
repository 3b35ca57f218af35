"""Shopfloor, a background-job server: the face of its client and worker library."""

from shopfloor.errors import BulkRefused, NotJson, Refused, ServerUnreachable, ShopfloorError
from shopfloor.sdk.asks import BatchStatus, Selection, Tracked
from shopfloor.sdk.async_client import AsyncClient
from shopfloor.sdk.client import Client, ClientSettings
from shopfloor.sdk.current import connect
from shopfloor.sdk.jobs import JobFunction, job
from shopfloor.sdk.middleware import Carry, Middleware
from shopfloor.sdk.order import Options, Order
from shopfloor.sdk.running import CurrentJob, current_job

__version__ = "0.1.0"

__all__ = [
    "AsyncClient",
    "BatchStatus",
    "BulkRefused",
    "Carry",
    "Client",
    "ClientSettings",
    "CurrentJob",
    "JobFunction",
    "Middleware",
    "NotJson",
    "Options",
    "Order",
    "Refused",
    "Selection",
    "ServerUnreachable",
    "ShopfloorError",
    "Tracked",
    "connect",
    "current_job",
    "job",
]
