"""What a Redis is and how it is set up, and what an OK of ours means on it."""

from collections.abc import Sequence
from typing import Final

from msgspec import Struct

from shopfloor.config import Durability
from shopfloor.store.port import Examination
from shopfloor.store.redis.connection import Connection, Refusal

REDIS_MAJOR_MIN: Final = 7
"""Functions came with Redis 7.0; every Valkey has them."""
SAFE_POLICY: Final = "noeviction"
MEMORY_PART_HIGH: Final = 0.8
"""Of what Redis may use: above it an operator has little time left."""


class Condition(Struct, frozen=True, kw_only=True):
    """What was found. Empty texts stand for what Redis does not let us look at."""

    engine: str
    version: str
    run_id: str
    policy: str
    memory_bytes: int
    memory_bytes_max: int
    appends: bool
    """Whether every write goes to the append-only file."""
    syncs: str
    """When that file is synced: always, everysec or no."""
    snapshots: str
    """After how many seconds and changes a snapshot is taken; empty is never."""
    snapshot_failed: bool
    replicas: int


async def examine(connection: Connection) -> Condition:
    """Look at the Redis behind a connection."""
    told: dict[str, str] = {}
    for section in ("server", "memory", "persistence", "replication"):
        text = (await connection.call("INFO", section)).decode(errors="replace")
        told |= dict(line.split(":", 1) for line in text.splitlines() if ":" in line)
    asked = await _settings(connection)
    engine = told.get("server_name", "redis").strip()
    return Condition(
        engine=engine,
        version=told.get(f"{engine}_version") or told.get("redis_version", "0"),
        run_id=told.get("run_id", ""),
        policy=asked.get("maxmemory-policy") or told.get("maxmemory_policy", ""),
        memory_bytes=int(told.get("used_memory", "0")),
        memory_bytes_max=int(told.get("maxmemory", "0")),
        appends=told.get("aof_enabled", "0") == "1",
        syncs=asked.get("appendfsync", ""),
        snapshots=asked.get("save", ""),
        snapshot_failed=told.get("rdb_last_bgsave_status", "ok") != "ok",
        replicas=int(told.get("connected_slaves", "0")),
    )


async def _settings(connection: Connection) -> dict[str, str]:
    """Read the settings that INFO does not tell; Redis may be set up to refuse that."""
    found: dict[str, str] = {}
    for name in ("appendfsync", "save", "maxmemory-policy"):
        try:
            pairs = await connection.call("CONFIG", "GET", name)
        except Refusal:
            return {}
        found |= {pairs[at].decode(): pairs[at + 1].decode() for at in range(0, len(pairs), 2)}
    return found


def too_old(condition: Condition) -> str:
    """Say why this Redis cannot be used at all, or nothing."""
    major = condition.version.partition(".")[0]
    if condition.engine == "redis" and major.isdigit() and int(major) < REDIS_MAJOR_MIN:
        return f"redis {condition.version} has no functions: Redis {REDIS_MAJOR_MIN} or later, or Valkey, is needed"
    return ""


def objection(condition: Condition, durability: Durability, *, unchecked: bool) -> str:
    """Say why an OK would not mean here what the durability setting promises, or nothing."""
    if condition.policy not in (SAFE_POLICY, ""):
        return (
            f"redis may delete jobs when its memory is full: maxmemory-policy is {condition.policy}; "
            f"set it to {SAFE_POLICY} (CONFIG SET maxmemory-policy {SAFE_POLICY}, and in redis.conf)"
        )
    if durability == "none" or unchecked:
        return ""
    lacks = _lacks(condition, durability)
    if not lacks:
        return ""
    return (
        f"durability {durability} needs {lacks}: set it (CONFIG SET, and in redis.conf), "
        f"or choose a durability that this redis has; docs/guides/redis.md says what each means"
    )


def _lacks(condition: Condition, durability: Durability) -> str:
    if not condition.appends:
        return "appendonly yes" + (" and appendfsync always" if durability == "commit" else "")
    if durability == "commit" and condition.syncs != "always":
        now = f", which is {condition.syncs}" if condition.syncs else ", which redis does not let us see"
        return f"appendfsync always{now}"
    return ""


def meaning(condition: Condition, replicas: int) -> str:
    """Say in one line what an OK means on this Redis."""
    if condition.appends:
        means = {
            "always": "an OK is on redis' disk",
            "everysec": "an OK survives the death of redis; a power loss may take the last second or two",
            "no": "an OK survives the death of redis; a power loss may take the last half minute",
        }.get(condition.syncs, "an OK is in the append-only file; when that is synced is not known")
    elif condition.snapshots:
        means = f"an OK is in redis' memory; a crash takes all since the last snapshot (save {condition.snapshots})"
    else:
        means = "an OK is in redis' memory only; redis keeps nothing when it stops"
    if replicas:
        means += f", and in the memory of {replicas} replica{'s' * (replicas > 1)}"
    elif condition.replicas:
        means += "; a fail-over may take what the replica had not got yet"
    return means


def findings(condition: Condition, durability: Durability, replicas: int, *, unchecked: bool) -> Sequence[Examination]:
    """Say what there is to say of a Redis, for `shopfloor doctor`."""
    wrong = too_old(condition) or objection(condition, durability, unchecked=unchecked)
    found = [Examination("ok", "redis", f"{condition.engine} {condition.version}")]
    if wrong:
        found.append(Examination("problem", "redis", wrong))
    found.append(Examination("ok", "durability", meaning(condition, replicas)))
    if unchecked and not condition.syncs:
        found.append(Examination("warning", "durability", "redis does not let us see when it syncs (unchecked)"))
    if condition.snapshot_failed:
        found.append(Examination("problem", "redis", "its last snapshot failed: it may refuse every write"))
    if not condition.memory_bytes_max:
        says = "maxmemory is not set: a backlog may use up the machine's memory, and the kernel kill redis"
        found.append(Examination("warning", "memory", says))
    elif condition.memory_bytes > MEMORY_PART_HIGH * condition.memory_bytes_max:
        says = f"{condition.memory_bytes} of {condition.memory_bytes_max} bytes are used; a full one refuses pushes"
        found.append(Examination("warning", "memory", says))
    if replicas > condition.replicas:
        says = (
            f"{condition.replicas} replicas are connected and replicas={replicas} is wanted: commands will be refused"
        )
        found.append(Examination("problem", "replicas", says))
    return found
