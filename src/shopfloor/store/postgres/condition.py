"""What the store is at the moment: the engine, its settings that matter, and what an OK means because of them."""

from typing import Final

from shopfloor.config import Durability
from shopfloor.store.port import Description
from shopfloor.store.postgres.address import Address
from shopfloor.store.postgres.care import Care
from shopfloor.store.postgres.line import Line

SETTINGS: Final = """
    SELECT current_setting('server_version') AS version, current_setting('synchronous_commit') AS synchronous_commit,
        current_setting('fsync') AS fsync, current_setting('full_page_writes') AS full_page_writes,
        current_setting('synchronous_standby_names') AS standbys, current_setting('autovacuum') AS autovacuum,
        (SELECT max(version) FROM migrations) AS schema_version, extract(epoch FROM clock_timestamp())::float8 AS clock,
        pg_is_in_recovery() AS is_standby"""
OLDEST: Final = """
    SELECT coalesce(extract(epoch FROM max(now() - xact_start)), 0)::float8 AS seconds FROM pg_stat_activity
    WHERE datname = current_database() AND backend_xmin IS NOT NULL AND pid <> pg_backend_pid()"""


async def describe(line: Line, address: Address, durability: Durability, care: Care) -> Description:
    """Say what the store is, for people."""
    (row,) = await line.fetch(SETTINGS)
    (oldest,) = await line.fetch(OLDEST)
    facts: dict[str, str | int | float] = {
        "schema": address.schema,
        "schema_version": row["schema_version"],
        "ok_means": ok_means(durability, row["fsync"], row["synchronous_commit"], row["standbys"]),
        "fsync": row["fsync"],
        "synchronous_commit": row["synchronous_commit"],
        "synchronous_standby_names": row["standbys"],
        "other_servers": care.others,
        "oldest_snapshot_seconds": round(oldest["seconds"], 1),
    }
    if care.trouble:
        facts["trouble"] = care.trouble
    return Description(
        engine="postgresql",
        version=f"PostgreSQL {row['version']}",
        durability=durability,
        clock=row["clock"],
        facts=facts,
    )


def ok_means(durability: Durability, fsync: str, synchronous_commit: str, standbys: str) -> str:
    """Say in words what an acknowledged command survives."""
    if fsync == "off":
        return "postgresql runs with fsync off: an OK survives the death of this server, but no crash of its machine"
    if durability != "commit" or synchronous_commit == "off":
        return (
            "an OK survives the death of this server; a crash of postgresql may lose what came within its last second"
        )
    if standbys and synchronous_commit in ("on", "remote_apply", "remote_write"):
        where = "on the standby's disk" if synchronous_commit != "remote_write" else "in the standby's memory"
        return f"an OK is on the disk of the database and {where} ({standbys})"
    return "an OK is on the disk of the database"
