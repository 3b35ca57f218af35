"""Running the server in the foreground: signals, logging, and what is said at start and stop."""

import asyncio
import faulthandler
import gc
import io
import os
import resource
import signal
import sys
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from functools import partial
from typing import NamedTuple

import uvloop
from structlog.typing import FilteringBoundLogger

from shopfloor import __version__
from shopfloor.cli.build import build_server, build_web
from shopfloor.cli.cron_tables import read_cron_tables
from shopfloor.cli.logs import adopt_standard_logging, open_log
from shopfloor.cli.statsd_table import read_statsd
from shopfloor.cli.throttle_tables import read_throttle_tables
from shopfloor.cli.token_file import open_tokens
from shopfloor.config import Binding, Loaded, Settings, load
from shopfloor.core.cron_definition import Definition
from shopfloor.errors import ConfigError, ShopfloorError
from shopfloor.server.listener import Server
from shopfloor.server.statsd import Statsd
from shopfloor.server.tls import Tls, open_tls
from shopfloor.web.house import WebHouse

GC_THRESHOLDS = (50_000, 20, 100)
"""Jobs at rest are values without cycles; collecting as often as by default would walk over them for nothing."""
SPARE_FILES = 600
"""Files that a server has open besides its connections: the store, the log, 500 visitors of the pages."""


class House(NamedTuple):
    """What a running server is made of."""

    server: Server
    web: WebHouse | None
    tls: Tls | None
    statsd: Statsd | None


def serve(flags: Mapping[str, object]) -> None:
    """Serve until SIGTERM or SIGINT; raise a `ShopfloorError` where that cannot begin."""
    loaded = load(flags, os.environ)
    log = open_log(loaded.settings, sys.stdout)
    adopt_standard_logging(log, loaded.settings.log_level)
    for notice in loaded.notices:
        log.info(notice)
    raise_file_limit(loaded.settings)
    gc.set_threshold(*GC_THRESHOLDS)
    uvloop.run(_serve(loaded, flags, log))


def raise_file_limit(settings: Settings) -> None:
    """Let the process open as many files as its settings ask for, as far as the system allows."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = settings.connections_max + SPARE_FILES
    if soft != resource.RLIM_INFINITY and soft < wanted:
        most = wanted if hard == resource.RLIM_INFINITY else min(wanted, hard)
        with suppress(OSError, ValueError):
            resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, most), hard))


async def _serve(loaded: Loaded, flags: Mapping[str, object], log: FilteringBoundLogger) -> None:
    settings = loaded.settings
    entries = read_cron_tables(loaded.tables.cron, time.time())
    throttles = read_throttle_tables(loaded.tables.throttles)
    target = read_statsd(loaded.tables.statsd, os.environ)
    tls = open_tls(settings)
    server = build_server(settings, log, tls)
    server.broker.throttles.apply(throttles)
    web = build_web(settings, server, tls)
    if web is not None:
        web.reload(settings.web_password.reveal(), open_tokens(settings))
    await _start(server, settings.command_binding)
    await _apply_cron(server, entries)
    await _start_web(web, server, settings.web_binding)
    statsd = None if target is None else Statsd(server.broker, server.vitals, target, log)
    if statsd is not None:
        statsd.start()
    house = House(server, web, tls, statsd)
    gc.freeze()
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    loop.add_signal_handler(signal.SIGHUP, _reload, flags, house, log)
    loop.add_signal_handler(signal.SIGTTIN, _log_tasks, log)
    _dump_threads()
    await _announce(house, settings, log)
    await stop.wait()
    log.info("shopfloor stops")
    await _stop(house)
    log.info("shopfloor stopped")


async def _announce(house: House, settings: Settings, log: FilteringBoundLogger) -> None:
    server, web = house.server, house.web
    description = await server.broker.ticks.store.describe()
    log.info(
        "shopfloor serves",
        version=__version__,
        address=f"{settings.command_binding.host}:{server.port}",
        web="off" if web is None else f"{settings.web_binding.host}:{web.port}",
        tls=house.tls is not None,
        storage=str(settings.storage),
        store=description.engine,
        durability=description.durability,
        environment=settings.environment,
        pid=os.getpid(),
    )


async def _stop(house: House) -> None:
    if house.statsd is not None:
        await house.statsd.stop()
    if house.web is not None:
        await house.web.stop()
    await house.server.stop()


async def _start(server: Server, binding: Binding) -> None:
    try:
        await server.start()
    except OSError as error:
        await server.stop()
        raise ShopfloorError(f"cannot listen on {binding}: {(error.strerror or str(error)).lower()}") from None


async def _start_web(web: WebHouse | None, server: Server, binding: Binding) -> None:
    if web is None:
        return
    try:
        await web.start()
    except OSError as error:
        await server.stop()
        raise ShopfloorError(f"cannot listen on {binding}: {(error.strerror or str(error)).lower()}") from None


async def _apply_cron(server: Server, entries: Sequence[Definition]) -> None:
    try:
        await server.broker.ticks.run(server.broker.cron.apply(entries))
    except ShopfloorError:
        await server.stop()
        raise


def _reload(flags: Mapping[str, object], house: House, log: FilteringBoundLogger) -> None:
    """Read configuration and certificate again; what cannot be used changes nothing."""
    try:
        loaded = load(flags, os.environ)
        entries = read_cron_tables(loaded.tables.cron, time.time())
        throttles = read_throttle_tables(loaded.tables.throttles)
        tokens = open_tokens(loaded.settings)
        if house.tls is not None:
            house.tls.reload()
    except ConfigError as error:
        log.error("configuration was not reloaded", error=str(error))
        return
    house.server.reload(loaded.settings.password.reveal())
    if house.web is not None:
        house.web.reload(loaded.settings.web_password.reveal(), tokens)
    broker = house.server.broker
    broker.throttles.apply(throttles)
    applying = broker.ticks.run(broker.cron.apply(entries))
    applying.add_done_callback(partial(_log_failure, log))
    log.info("configuration reloaded")


def _log_failure(log: FilteringBoundLogger, applying: "asyncio.Future[None]") -> None:
    error = applying.exception()
    if error is not None:
        log.error("cron entries were not reloaded", error=str(error))


def _dump_threads() -> None:
    """Let SIGTTIN write the stack of every thread, even where the event loop is stuck; `_log_tasks` comes after it."""
    with suppress(io.UnsupportedOperation):  # output that is no file, in tests
        faulthandler.register(signal.SIGTTIN, file=sys.stdout, all_threads=True, chain=True)


def _log_tasks(log: FilteringBoundLogger) -> None:
    """Log where every task waits; a task of the event loop has no thread whose stack would show it."""
    for task in asyncio.all_tasks():
        written = io.StringIO()
        task.print_stack(file=written)
        log.warning("stack of a task", task=task.get_name(), stack=written.getvalue())
