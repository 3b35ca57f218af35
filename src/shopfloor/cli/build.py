"""Putting a server together from its settings."""

import secrets
import time

from structlog.typing import FilteringBoundLogger

from shopfloor import __version__
from shopfloor.broker.broker import Broker, World
from shopfloor.broker.context import BrokerLimits
from shopfloor.broker.reach import Reach
from shopfloor.config import Settings
from shopfloor.core.lifecycle import Rules
from shopfloor.server.connection import ConnectionLimits
from shopfloor.server.listener import Binding, Identity, Server, ServerLimits
from shopfloor.server.timers import Periods
from shopfloor.server.tls import Tls
from shopfloor.store.open import open_store
from shopfloor.store.port import Store
from shopfloor.web.house import WebHouse
from shopfloor.web.listener import Binding as WebBinding
from shopfloor.web.site import Options, Site
from shopfloor.wire.verbs import WireLimits

DAY_SECONDS = 86_400
IN_PROCESS = ("memory", "sqlite")


def build_rules(settings: Settings) -> Rules:
    """Choose the numbers that the rules depend on."""
    return Rules(
        reserve_seconds_default=settings.reserve_seconds_default,
        dead_seconds=settings.dead_days_max * float(DAY_SECONDS),
        crashes_max=settings.crashes_max,
        queue_jobs_max=settings.queue_jobs_max,
    )


def build_broker(settings: Settings, log: FilteringBoundLogger) -> Broker:
    """Make the broker and its store, which is not opened yet."""
    rules = build_rules(settings)
    limits = BrokerLimits(
        fetch_seconds=settings.fetch_seconds,
        worker_seconds=settings.worker_seconds,
        worker_grace_seconds=settings.worker_grace_seconds,
        job_bytes_max=settings.job_bytes_max,
        queue_name_bytes_max=settings.queue_name_bytes_max,
        dead_jobs_max=settings.dead_jobs_max,
        track_seconds=settings.track_seconds,
        batches_reopen=settings.batches_reopen,
        batch_open_seconds=settings.batch_open_seconds,
        batch_kept_seconds=settings.batch_kept_seconds,
        latency_calls_per_second_max=settings.latency_calls_per_second_max,
        backup_dir=settings.backup_dir,
    )
    world = World(clock=time.time, dice=secrets.randbelow, log=log)
    return Broker(_within_reach(open_store(settings, rules), settings), rules, limits, world)


def _within_reach(store: Store, settings: Settings) -> Store:
    """A store that is part of this process is always there, and need not pay for being watched."""
    if settings.storage.scheme in IN_PROCESS:
        return store
    return Reach(store, settings.store_seconds, secrets.randbelow)


def build_server(settings: Settings, log: FilteringBoundLogger, tls: Tls | None) -> Server:
    """Make the whole server; it is not started yet."""
    limits = ServerLimits(
        wire=WireLimits(
            line_bytes_max=settings.line_bytes_max,
            job_bytes_max=settings.job_bytes_max,
            bulk_jobs_max=settings.bulk_jobs_max,
            queues_per_fetch_max=settings.queues_per_fetch_max,
            latency_queues_max=settings.latency_queues_max,
            peek_jobs_max=settings.peek_jobs_max,
        ),
        connection=ConnectionLimits(
            handshake_seconds=settings.handshake_seconds,
            output_bytes_max=settings.output_bytes_max,
            slow_peer_seconds=settings.slow_peer_seconds,
        ),
        periods=Periods(
            schedule_seconds=settings.schedule_seconds,
            reap_seconds=settings.reap_seconds,
            batch_seconds=settings.batch_seconds,
            cron_seconds=settings.cron_seconds,
        ),
        connections_max=settings.connections_max,
        memory_megabytes_max=settings.memory_megabytes_max,
        drain_seconds=settings.drain_seconds,
    )
    binding = Binding(
        host=settings.command_binding.host,
        port=settings.command_binding.port,
        password=settings.password.reveal(),
        tls=None if tls is None else tls.context,
    )
    return Server(build_broker(settings, log), binding, limits, Identity(version=__version__, log=log))


def build_web(settings: Settings, server: Server, tls: Tls | None) -> WebHouse | None:
    """Make the web side of a server; None where the settings switch it off."""
    if not settings.web_enabled:
        return None
    options = Options(
        environment=settings.environment,
        hide_arguments=settings.web_hide_arguments,
        job_bytes_max=settings.job_bytes_max,
        line_bytes_max=settings.line_bytes_max,
        bulk_jobs_max=settings.bulk_jobs_max,
        peek_jobs_max=settings.peek_jobs_max,
    )
    site = Site(server.broker, server.vitals, settings.web_password.reveal(), options)
    binding = WebBinding(
        host=settings.web_binding.host,
        port=settings.web_binding.port,
        tls=None if tls is None else tls.context,
    )
    return WebHouse(site, binding)
