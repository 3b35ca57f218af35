"""Calling our functions in Redis, and what its refusals mean in our words."""

import asyncio
from collections.abc import Mapping
from typing import Any, Final

from shopfloor.errors import StoreError, StoreUnavailable
from shopfloor.store.redis.connection import Argument, Connection, Lost, Refusal
from shopfloor.store.redis.library import NAME, function, load_library
from shopfloor.store.redis.link import Link

ANSWER_SECONDS_MAX: Final = 2.0
"""How long something is asked again and again; clients of ours begin to give up after that."""
NOT_THE_MASTER: Final = frozenset({"READONLY", "LOADING", "MASTERDOWN"})
"""Refusals of one that is not, or not yet, the one to ask. Nothing of the command happened."""
WORDS: Final[Mapping[str, str]] = {
    "OOM": "redis is out of memory (maxmemory) and takes nothing more",
    "MISCONF": "redis cannot write to its disk and takes nothing until it can",
    "READONLY": "this redis is a replica, which cannot be written to",
    "LOADING": "redis is still reading its data",
    "MASTERDOWN": "this redis is a replica that has lost its master",
    "BUSY": "redis is busy with a script of somebody",
    "NOREPLICAS": "redis has fewer replicas than min-replicas-to-write wants",
    "NOAUTH": "redis wants a password",
    "WRONGPASS": "redis does not take this user and password",
    "NOPERM": "the user of redis may not do that; docs/guides/redis.md lists what it needs",
}


def in_our_words(refusal: Refusal) -> StoreError:
    """Say what Redis refused. Nothing of the command happened."""
    words = WORDS.get(refusal.code)
    if words is None:
        return StoreError(f"redis refused: {refusal}")
    return StoreUnavailable(f"{words} ({refusal})")


class Calls:
    """The functions of one data set, as called through a link."""

    def __init__(self, link: Link, meta: str) -> None:
        self.link = link
        self._meta = meta

    async def send(self, connection: Connection, name: str, arguments: list[Argument]) -> Any:
        """Call a function once; raise `Lost`, or `Refusal` where nothing of it happened."""
        command = ("FCALL", function(name), 1, self._meta, *arguments)
        try:
            return await connection.call(*command)
        except Refusal as refusal:
            if not is_unknown(refusal):
                self.judge(connection, refusal)
                raise
        await load_library(connection)
        return await connection.call(*command)

    def judge(self, connection: Connection, refusal: Refusal) -> None:
        """Leave a server that says it is not the one to ask."""
        if refusal.code in NOT_THE_MASTER:
            self.link.distrust(connection, WORDS[refusal.code])

    async def ask(self, name: str, *arguments: Argument) -> Any:
        """Call a function that changes nothing, or may be called twice; raise `StoreError` where there is no answer."""
        until = asyncio.get_running_loop().time() + ANSWER_SECONDS_MAX
        while True:
            connection = await self.link.connection()
            try:
                return await self.send(connection, name, list(arguments))
            except Lost as lost:
                if asyncio.get_running_loop().time() > until:
                    raise StoreUnavailable(f"redis did not answer: {lost}") from None
            except Refusal as refusal:
                if refusal.code not in NOT_THE_MASTER or asyncio.get_running_loop().time() > until:
                    raise in_our_words(refusal) from None


def is_unknown(refusal: Refusal) -> bool:
    """Say whether Redis does not know our functions: it was restarted without its data, for example."""
    return str(refusal).startswith(("ERR Function not found", f"ERR Library not found {NAME}"))
