"""What `shopfloor doctor` asks of a database: it is looked at as it is, nothing is made or changed."""

from collections.abc import Callable, Iterator
from typing import Any, Final

from shopfloor.config import Durability
from shopfloor.store.port import Examination
from shopfloor.store.postgres.address import Address
from shopfloor.store.postgres.condition import OLDEST, ok_means
from shopfloor.store.postgres.line import Connection, Line
from shopfloor.store.postgres.migrating import EXISTS, migrations

SNAPSHOT_SECONDS_WARNING: Final = 300.0
CLOCK_SECONDS_WARNING: Final = 2.0
CLOCK_SECONDS_PROBLEM: Final = 30.0
"""Servers compare times that each of them noted; the database's clock stands for all of theirs."""
CONNECTIONS_LEFT_MIN: Final = 10

ASKED: Final = """
    SELECT current_setting('server_version') AS version, current_setting('fsync') AS fsync,
        current_setting('synchronous_commit') AS synchronous_commit,
        current_setting('synchronous_standby_names') AS standbys, current_setting('autovacuum') AS autovacuum,
        current_setting('track_counts') AS track_counts, current_setting('max_connections')::integer AS connections,
        (SELECT count(*) FROM pg_stat_activity WHERE backend_type = 'client backend') AS used,
        pg_is_in_recovery() AS is_standby, extract(epoch FROM clock_timestamp())::float8 AS clock"""
TABLES: Final = """
    SELECT c.relname AS name, array_to_string(c.reloptions, ', ') AS options FROM pg_catalog.pg_class AS c
    JOIN pg_catalog.pg_namespace AS n ON n.oid = c.relnamespace
    WHERE n.nspname = $1 AND c.relname IN ('ready', 'working', 'deltas', 'jobs') ORDER BY c.relname"""


async def examine(
    line: Line, address: Address, durability: Durability, clock: Callable[[], float]
) -> list[Examination]:
    """Ask everything; raise a `StoreError` or `ConfigError` where the database cannot be asked."""
    async with line.transaction() as connection:
        began = clock()
        asked = await connection.fetchrow(ASKED)
        assert asked is not None
        now = (began + clock()) / 2
        found = [*_engine(dict(asked), durability), *_clock(asked["clock"] - now)]
        found += [*await _schema(connection, address), *await _snapshots(connection)]
    if address.pooler:
        found.append(
            Examination("ok", "pooler", "nothing is kept in a session; servers look for new jobs every second")
        )
    return found


def _engine(asked: dict[str, Any], durability: Durability) -> Iterator[Examination]:
    yield Examination("ok", "postgresql", f"version {asked['version']}")
    if asked["is_standby"]:
        yield Examination("problem", "postgresql", "this is a standby: it can be read and not written")
    says = ok_means(durability, asked["fsync"], asked["synchronous_commit"], asked["standbys"])
    weak = durability == "commit" and asked["fsync"] == "off"
    yield Examination("warning" if weak else "ok", "durability", says)
    if asked["autovacuum"] == "off" or asked["track_counts"] == "off":
        yield Examination("problem", "autovacuum", "off: the tables grow without end")
    left = asked["connections"] - asked["used"]
    verdict: Any = "warning" if left < CONNECTIONS_LEFT_MIN else "ok"
    yield Examination(verdict, "connections", f"{left} of {asked['connections']} are free; a server needs two")


def _clock(ahead: float) -> Iterator[Examination]:
    apart = abs(ahead)
    if apart < CLOCK_SECONDS_WARNING:
        yield Examination("ok", "database clock", "agrees with this machine's")
        return
    verdict: Any = "problem" if apart >= CLOCK_SECONDS_PROBLEM else "warning"
    yield Examination(
        verdict, "database clock", f"{apart:.1f} s {'ahead of' if ahead > 0 else 'behind'} this machine's"
    )


async def _schema(connection: Connection, address: Address) -> list[Examination]:
    newest = max(migrations())
    if not await connection.fetchval(EXISTS, address.schema):
        return [Examination("ok", "schema", f"{address.schema} does not exist yet; the first start makes it")]
    version = await connection.fetchval(f"SELECT coalesce(max(version), 0) FROM {address.schema}.migrations")
    if version > newest:
        return [Examination("problem", "schema", f"{address.schema} has version {version}, we know {newest}")]
    says = f"{address.schema} has version {version}" + ("" if version == newest else f"; a start makes it {newest}")
    rows = await connection.fetch(TABLES, address.schema)
    vacuum = [Examination("ok", f"table {row['name']}", row["options"] or "autovacuum as usual") for row in rows]
    return [Examination("ok", "schema", says), *vacuum]


async def _snapshots(connection: Connection) -> list[Examination]:
    row = await connection.fetchrow(OLDEST)
    assert row is not None
    seconds = row["seconds"]
    verdict: Any = "warning" if seconds > SNAPSHOT_SECONDS_WARNING else "ok"
    says = f"the oldest is {seconds:.0f} s old" + ("; vacuum cannot clean up behind it" if verdict == "warning" else "")
    return [Examination(verdict, "snapshots", says)]
