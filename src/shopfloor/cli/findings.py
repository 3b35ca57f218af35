"""What `shopfloor doctor` looks at: each check is a function that yields findings and changes nothing."""

import asyncio
import os
import resource
import shutil
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

import apsw
from msgspec import Struct

from shopfloor.cli import screen
from shopfloor.cli.address import EVERYWHERE
from shopfloor.cli.build import IN_PROCESS, build_rules
from shopfloor.cli.connection import Connection
from shopfloor.cli.serve import SPARE_FILES
from shopfloor.config import Settings
from shopfloor.core.timestamps import parse_timestamp
from shopfloor.errors import ConfigError, ShopfloorError, StoreError, StoreLocked
from shopfloor.server.tls import open_tls
from shopfloor.store.embedded.check import check as check_store
from shopfloor.store.embedded.file import check_sqlite
from shopfloor.store.open import open_store
from shopfloor.store.port import Examination, Examined

Verdict = Literal["ok", "warning", "problem"]

FREE_BYTES_LOW = 1 << 30
FREE_BYTES_TOO_LOW = 100 << 20
"""A store that cannot write refuses every command; a backup needs as much again as the store itself."""
CLOCK_SECONDS_WARNING = 2.0
CLOCK_SECONDS_PROBLEM = 30.0
"""Clients compute `at` by their own clock, so a job comes as much too early or late as the clocks differ."""
CERTIFICATE_DAYS_LOW = 14
DAY_SECONDS = 86_400
LOOPBACK = ("localhost", "127.0.0.1", "::1")


class Finding(Struct, frozen=True):
    """One thing that was looked at."""

    verdict: Verdict
    about: str
    says: str


def settings_findings(settings: Settings) -> Iterator[Finding]:
    """Look at what this machine's settings ask of it."""
    yield from _sqlite()
    yield from _file_limit(settings)
    yield from _protection(settings)
    yield from _certificate(settings)
    yield from _patience(settings)


def storage_findings(settings: Settings, *, reads_all: bool) -> Iterator[Finding]:
    """Look at the store, its folder and its disk; `reads_all` reads every job in it."""
    storage = settings.storage
    yield from _kind(settings)
    if storage.scheme == "memory":
        yield Finding("warning", "durability", "memory:// keeps nothing when the server stops")
    if storage.scheme != "sqlite":
        return
    yield from _folder("storage folder", storage.path.parent)
    yield from _folder("backup folder", settings.backup_dir)
    yield from _disk(storage.path)
    if not storage.path.exists():
        yield Finding("ok", "store", f"{storage.path} does not exist yet; the first start makes it")
    elif reads_all:
        yield from _store(storage.path)


def server_findings(connection: Connection) -> Iterator[Finding]:
    """Look at the server that answered."""
    asked_at = time.time()
    told = connection.info()
    now = (asked_at + time.time()) / 2
    server = told["server"]
    name = f"{server['description']} {server.get('shopfloor_version', server['faktory_version'])}"
    yield Finding("ok", "server", f"{name} answers at {connection.address}")
    yield from _clock(parse_timestamp(told["now"]) - now)
    if connection.certificate_ends_at is not None:
        yield from _certificate_end(connection.certificate_ends_at - now)
    yield from _contact(server)
    if server.get("durability") == "none":
        yield Finding("warning", "durability", "acknowledged jobs are lost when the server stops unexpectedly")


def _sqlite() -> Iterator[Finding]:
    try:
        check_sqlite()
    except StoreError as error:
        yield Finding("problem", "sqlite", str(error))
    else:
        yield Finding("ok", "sqlite", f"version {apsw.sqlite_lib_version()}")


def _kind(settings: Settings) -> Iterator[Finding]:
    """Making a store opens nothing, but says whether there is one of that kind; some can be looked at."""
    try:
        store = open_store(settings, build_rules(settings))
    except ConfigError as error:
        yield Finding("problem", "storage", str(error))
        return
    yield Finding("ok", "storage", str(settings.storage))
    if isinstance(store, Examined):
        try:
            found = asyncio.run(_examined(store))
        except ShopfloorError as error:
            yield Finding("problem", "storage", str(error))
        else:
            yield from (Finding(one.verdict, one.about, one.says) for one in found)


async def _examined(store: Examined) -> Sequence[Examination]:
    return await store.examine(time.time)


def _file_limit(settings: Settings) -> Iterator[Finding]:
    """The server raises its own limit up to the hard one, so that only the hard one can stand in the way."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = settings.connections_max + SPARE_FILES
    if hard != resource.RLIM_INFINITY and hard < wanted:
        says = f"{hard} at most, connections_max needs {wanted}: raise `ulimit -Hn` or lower connections_max"
        yield Finding("problem", "open files", says)
    else:
        most = "any number" if hard == resource.RLIM_INFINITY else str(hard)
        yield Finding("ok", "open files", f"{most} allowed, connections_max needs {wanted}")


def _protection(settings: Settings) -> Iterator[Finding]:
    """Say who may connect. Staging and production do not start without a password unless told to."""
    host = settings.command_binding.host
    is_local = host in LOOPBACK
    reach = "every interface" if host in EVERYWHERE else host
    if settings.password:
        yield Finding("ok", "password", "set")
    elif is_local:
        yield Finding("ok", "password", f"none; only this machine can connect ({host})")
    else:
        yield Finding("warning", "password", f"none, and {reach} can be reached by others")
    if settings.tls_enabled or is_local:
        yield Finding("ok", "tls", "on" if settings.tls_enabled else "off; only this machine can connect")
    else:
        yield Finding("warning", "tls", f"off: jobs cross the network readable by others ({reach})")


def _certificate(settings: Settings) -> Iterator[Finding]:
    try:
        if open_tls(settings) is not None:
            yield Finding("ok", "certificate", f"{settings.tls_certificate} and its key fit")
    except ConfigError as error:
        yield Finding("problem", "certificate", str(error))


def _patience(settings: Settings) -> Iterator[Finding]:
    """Servers that share a store see only their own connections of a worker; each look tells the others."""
    least = 2 * settings.reap_seconds
    if settings.storage.scheme not in IN_PROCESS and settings.worker_grace_seconds < least:
        says = (
            f"{settings.worker_grace_seconds:g} is less than twice reap_seconds, short for servers that share a store"
        )
        yield Finding("warning", "worker_grace_seconds", says)


def _certificate_end(seconds: float) -> Iterator[Finding]:
    days = int(seconds // DAY_SECONDS)
    verdict: Verdict = "warning" if days < CERTIFICATE_DAYS_LOW else "ok"
    yield Finding(verdict, "certificate", f"runs out in {days} days")


def _folder(about: str, folder: Path) -> Iterator[Finding]:
    """A folder that is missing is made by the server, so what matters is the nearest one that exists."""
    nearest = _nearest(folder)
    if not nearest.is_dir():
        yield Finding("problem", about, f"{nearest} is no folder")
    elif not os.access(nearest, os.W_OK | os.X_OK):
        yield Finding("problem", about, f"{nearest} cannot be written to by this user")
    else:
        yield Finding("ok", about, str(folder) if nearest == folder else f"{folder} will be made")


def _disk(path: Path) -> Iterator[Finding]:
    free = shutil.disk_usage(_nearest(path.parent)).free
    used = path.stat().st_size if path.exists() else 0
    says = f"{screen.size(free)} free, the store has {screen.size(used)}"
    if free < FREE_BYTES_TOO_LOW:
        yield Finding("problem", "disk", says)
    elif free < FREE_BYTES_LOW or free < used:
        yield Finding("warning", "disk", f"{says}; a backup needs as much again")
    else:
        yield Finding("ok", "disk", says)


def _store(path: Path) -> Iterator[Finding]:
    try:
        facts = check_store(path)
    except StoreLocked:
        yield Finding("ok", "store", f"{path} is in use by a server, so it was not read")
    except StoreError as error:
        yield Finding("problem", "store", str(error))
    else:
        told = ", ".join(f"{name} {value}" for name, value in facts.items() if name not in ("path", "sqlite"))
        yield Finding("ok", "store", f"{path} is whole ({told})")


def _clock(ahead: float) -> Iterator[Finding]:
    yield from _apart(ahead, "the server's clock", "this machine's")


def _apart(ahead: float, one: str, other: str) -> Iterator[Finding]:
    apart = abs(ahead)
    if apart < CLOCK_SECONDS_WARNING:
        yield Finding("ok", "clock", f"{one} agrees with {other}")
        return
    says = f"{one} is {screen.duration(apart)} {'ahead of' if ahead > 0 else 'behind'} {other}"
    yield Finding("problem" if apart >= CLOCK_SECONDS_PROBLEM else "warning", "clock", says)


def _contact(server: Mapping[str, Any]) -> Iterator[Finding]:
    """Look at the server's store, as the server told of it."""
    if server.get("trouble"):
        yield Finding("problem", "store", f"the server's: {server['trouble']}")
    if server.get("store_breaks"):
        says = f"did not answer the server, or refused to write, {server['store_breaks']} times since its start"
        yield Finding("warning", "store", says)
    ahead = server.get("store_clock_ahead")
    if ahead is not None:
        yield from _apart(ahead, "the server's clock", "the store's")


def _nearest(path: Path) -> Path:
    return path if path.exists() or path == path.parent else _nearest(path.parent)
