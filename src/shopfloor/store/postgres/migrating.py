"""The schema: made where there is none, brought up to date where it is older, refused where it is newer."""

import re
from importlib.resources import files
from typing import Final

from shopfloor.errors import ConfigError, StoreTooNew
from shopfloor.store.postgres.address import Address
from shopfloor.store.postgres.line import Connection, Line

VERSION_MIN: Final = 130_000
"""PostgreSQL 13 is the oldest that its makers still mended when this was written."""
EXISTS: Final = """
    SELECT EXISTS (SELECT FROM pg_catalog.pg_class AS c JOIN pg_catalog.pg_namespace AS n ON n.oid = c.relnamespace
                   WHERE n.nspname = $1 AND c.relname = 'migrations')"""
NUMBERED: Final = re.compile(r"(\d{4})\.sql")


def migrations() -> dict[int, str]:
    """Read the migrations by number."""
    folder = files("shopfloor.store.postgres").joinpath("migrations")
    found = {match[1]: entry for entry in folder.iterdir() if (match := NUMBERED.fullmatch(entry.name))}
    return {int(number): found[number].read_text("utf-8") for number in sorted(found)}


async def migrate(line: Line, address: Address) -> int:
    """Bring the schema up to date; answer its version. Servers that start at once wait for each other."""
    steps = migrations()
    newest = max(steps)
    async with line.transaction() as connection:
        await _check(connection)
        version = await _version(connection, address.schema)
    if version < newest:
        # In a transaction of its own, which knows nothing yet of what is there: what it finds behind the lock is true.
        async with line.transaction() as connection:
            await connection.execute("SET LOCAL lock_timeout = 0; SET LOCAL statement_timeout = '10min'")
            await connection.execute(f"SELECT pg_advisory_xact_lock({address.guard + 1})")
            version = await _version(connection, address.schema)
            await _carry_out(connection, address.schema, {n: text for n, text in steps.items() if n > version})
    if version > newest:
        raise StoreTooNew(f"schema {address.schema} has version {version}, this shopfloor knows {newest}")
    return newest


async def _carry_out(connection: Connection, schema: str, steps: dict[int, str]) -> None:
    if steps:
        await connection.execute(f"CREATE SCHEMA IF NOT EXISTS {schema}; SET LOCAL search_path = {schema}")
        await connection.execute("CREATE TABLE IF NOT EXISTS migrations (version integer PRIMARY KEY, at timestamptz)")
    for number, text in steps.items():
        await connection.execute(text.replace("@schema@", schema))
        await connection.execute(f"INSERT INTO migrations (version, at) VALUES ({number}, now())")


async def _check(connection: Connection) -> None:
    row = await connection.fetchrow(
        "SELECT current_setting('server_version_num')::integer AS version,"
        " current_setting('server_encoding') AS encoding"
    )
    assert row is not None
    if row["version"] < VERSION_MIN:
        raise ConfigError(f"storage: postgresql 13 or later is needed, this is {row['version'] // 10_000}")
    if row["encoding"] != "UTF8":
        raise ConfigError(f"storage: the database must have the encoding UTF8, not {row['encoding']}")


async def _version(connection: Connection, schema: str) -> int:
    """Ask the catalogue, not `to_regclass`: that may remember from an earlier transaction that there is nothing."""
    if not await connection.fetchval(EXISTS, schema):
        return 0
    version: int = await connection.fetchval(f"SELECT coalesce(max(version), 0) FROM {schema}.migrations")
    return version
