"""One connection to PostgreSQL that is made when it is needed and made again when it broke."""

import asyncio
import random
import time
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager, suppress
from typing import Any, Final, TypeAlias

import asyncpg

from shopfloor.config import Durability
from shopfloor.errors import ConfigError, StoreError, StoreUnavailable
from shopfloor.store.postgres.address import Address
from shopfloor.store.postgres.rows import Row

Connection: TypeAlias = "asyncpg.Connection[asyncpg.Record]"

CONNECT_SECONDS: Final = 5.0
STATEMENT_SECONDS: Final = 10.0
"""The longest that a statement of the server may take; rounds take milliseconds."""
LOCK_SECONDS: Final = 5.0
IDLE_SECONDS: Final = 10.0
"""A server that stands still in the middle of a transaction holds others up that long and no longer."""
SLACK_SECONDS: Final = 2.0
"""We wait that much longer than PostgreSQL, which says better what is wrong; behind a pooler we wait alone."""
BACKOFF_SECONDS: Final = (0.05, 2.0)
"""After a failed attempt none is made for that long, doubled each time up to the second, give or take half."""

PLANS: Final[Mapping[str, str]] = {
    "enable_seqscan": "off",
    "enable_bitmapscan": "off",
    "enable_hashjoin": "off",
    "enable_mergejoin": "off",
    "plan_cache_mode": "force_generic_plan",
    "jit": "off",
}
"""Every statement of a round looks single rows up by key. A plan made while a table was empty must stay good."""

LOSSES: Final = (
    asyncpg.PostgresConnectionError,
    asyncpg.InterfaceError,
    asyncpg.InternalClientError,  # what asyncpg says where the end of a backend and our statement cross
    OSError,
    TimeoutError,
)
CONTENTION: Final = (asyncpg.DeadlockDetectedError, asyncpg.SerializationError, asyncpg.LockNotAvailableError)
ENDINGS: Final = (asyncpg.AdminShutdownError, asyncpg.CrashShutdownError, asyncpg.CannotConnectNowError)
FENCED: Final = "SF003"
REFUSALS: Final = (
    asyncpg.InvalidAuthorizationSpecificationError,
    asyncpg.InvalidCatalogNameError,
    asyncpg.InvalidPasswordError,
)


class Lost(StoreUnavailable):
    """The connection broke: nobody knows whether the statement that was under way happened."""


class Contended(StoreUnavailable):
    """Another server was in the way. Nothing happened, and the same again is likely to work."""


class Fenced(StoreError):
    """The round came from a server that is not one any more, or from before its connection broke. Nothing happened."""


class Line:
    """A connection with one statement at a time; whoever needs it meanwhile waits."""

    def __init__(self, address: Address, durability: Durability, seconds: float = STATEMENT_SECONDS) -> None:
        self._address = address
        self._durability = durability
        self._seconds = seconds
        self._connection: Connection | None = None
        self._turn = asyncio.Lock()
        self._closed = False
        self._failures = 0
        self._again_at = 0.0
        self._reason = ""
        self.renewed: Callable[[], None] = lambda: None
        """Called for every new connection."""

    async def fetch(self, statement: str, *values: Any) -> list[Row]:
        """Run one statement in a transaction of its own. Raises `Lost` where nobody knows whether it happened."""
        async with self._turn, self._failing():
            connection = await self._connected()
            if not self._address.pooler:
                return await connection.fetch(statement, *values, timeout=self._seconds + SLACK_SECONDS)
            await connection.execute(self._beginning())
            try:
                rows: list[Row] = await connection.fetch(statement, *values, timeout=self._seconds + SLACK_SECONDS)
            except BaseException:
                await self._roll_back(connection)
                raise
            await connection.execute("COMMIT")
            return rows

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator[Connection]:
        """Run statements in one transaction; an exception undoes it."""
        async with self._turn, self._failing():
            connection = await self._connected()
            await connection.execute(self._beginning())
            try:
                yield connection
            except BaseException:
                await self._roll_back(connection)
                raise
            await connection.execute("COMMIT")

    async def connection(self) -> Connection:
        """Answer the connection itself, made if need be: to listen on."""
        async with self._turn, self._failing():
            return await self._connected()

    @property
    def is_up(self) -> bool:
        """Whether there is a connection, as far as we know."""
        return self._connection is not None and not self._connection.is_closed()

    async def close(self) -> None:
        """Hang up for good. May be called twice."""
        self._closed = True
        connection, self._connection = self._connection, None
        if connection is not None:
            with suppress(*LOSSES, asyncpg.PostgresError):
                await connection.close(timeout=SLACK_SECONDS)

    def drop(self) -> None:
        """Hang up without a word; the next statement connects anew."""
        connection, self._connection = self._connection, None
        if connection is not None:
            with suppress(Exception):
                connection.terminate()

    async def _roll_back(self, connection: Connection) -> None:
        try:
            await connection.execute("ROLLBACK", timeout=SLACK_SECONDS)
        except (*LOSSES, asyncpg.PostgresError):
            self.drop()

    @asynccontextmanager
    async def _failing(self) -> AsyncIterator[None]:
        """Turn what asyncpg raises into our errors; a connection that is of no use any more is dropped."""
        try:
            yield
        except CONTENTION as error:
            raise Contended(in_our_words(error)) from error
        except (*LOSSES, *ENDINGS, asyncpg.ReadOnlySQLTransactionError) as error:
            self.drop()
            raise Lost(in_our_words(error)) from error
        except (asyncpg.QueryCanceledError, asyncpg.InsufficientResourcesError) as error:
            raise StoreUnavailable(in_our_words(error)) from error
        except asyncpg.PostgresError as error:
            kind = Fenced if error.sqlstate == FENCED else StoreError
            raise kind(in_our_words(error)) from error
        except asyncio.CancelledError:
            self.drop()
            raise

    async def _connected(self) -> Connection:
        if self._closed:
            raise StoreUnavailable("the connection to postgresql is closed")
        if self._connection is not None and not self._connection.is_closed():
            return self._connection
        if time.monotonic() < self._again_at:
            raise StoreUnavailable(f"postgresql is away: {self._reason}")
        try:
            self._connection = connection = await self._connect()
        except REFUSALS as error:
            raise ConfigError(f"storage: {in_our_words(error)}") from error
        except (*LOSSES, asyncpg.PostgresError) as error:
            least, most = BACKOFF_SECONDS
            pause = min(most, least * 2**self._failures) * random.uniform(0.5, 1.5)  # noqa: S311 - spreads servers out
            self._failures, self._again_at = min(self._failures + 1, 10), time.monotonic() + pause
            self._reason = in_our_words(error)
            raise StoreUnavailable(f"postgresql is away: {self._reason}") from error
        self._failures = 0
        self.renewed()
        return connection

    async def _connect(self) -> Connection:
        address = self._address
        connection: Connection = await asyncpg.connect(
            address.url,
            timeout=CONNECT_SECONDS,
            statement_cache_size=0 if address.pooler else 100,
            server_settings={"application_name": "shopfloor"} | ({} if address.pooler else self._settings()),
        )
        if not address.pooler and self._durability == "commit":
            await connection.execute(_never_off(local=False))
        return connection

    def _settings(self) -> dict[str, str]:
        """What holds for a session or, behind a pooler, for each transaction."""
        ours = {
            "search_path": self._address.schema,
            "statement_timeout": str(round(self._seconds * 1000)),
            "lock_timeout": str(round(LOCK_SECONDS * 1000)),
            "idle_in_transaction_session_timeout": str(round(IDLE_SECONDS * 1000)),
            "default_transaction_isolation": "read committed",
            **PLANS,
        }
        return ours if self._durability == "commit" else ours | {"synchronous_commit": "off"}

    def _beginning(self) -> str:
        if not self._address.pooler:
            return "BEGIN"
        settings = [f"SET LOCAL {name} = '{value}'" for name, value in self._settings().items()]
        if self._durability == "commit":
            settings.append(_never_off(local=True))
        return "; ".join(["BEGIN ISOLATION LEVEL READ COMMITTED", *settings])


def in_our_words(error: BaseException) -> str:
    """Say what happened, in the manner of our own messages."""
    text = str(error).strip() or type(error).__name__
    return text[0].lower() + text[1:].rstrip(".")


def _never_off(*, local: bool) -> str:
    """An OK of durability `commit` is on disk, whatever the database's default is; more than that it may say."""
    return (
        f"SELECT set_config('synchronous_commit', 'on', {str(local).lower()})"
        " WHERE current_setting('synchronous_commit') = 'off'"
    )
