"""STORE BACKUP: a copy of the store, made while everybody goes on working."""

from functools import partial
from pathlib import Path
from typing import Any

from shopfloor.broker.asks import Aside, Verb
from shopfloor.broker.context import Context
from shopfloor.errors import Refused, StoreUnavailable


class Backups:
    """Writes copies into the backup folder, one at a time."""

    def __init__(self, context: Context) -> None:
        self._context = context
        self._under_way = ""

    def write(self, name: str) -> Verb[dict[str, Any]]:
        """Write the copy `name`, which must not be there yet; answer where it is and how large.

        It appears under its name when it is whole.
        """
        if self._under_way:
            raise Refused(f"backup {self._under_way} is under way")
        target = self._context.limits.backup_dir / name
        if target.exists():
            raise Refused(f"backup {name} exists already")
        self._under_way = name
        try:
            yield Aside(partial(self._copy, target))
        finally:
            self._under_way = ""
        return {"name": name, "path": str(target), "bytes": target.stat().st_size}

    async def _copy(self, target: Path) -> None:
        try:
            await self._context.store.backup(target)
        except OSError as error:
            reason = (error.strerror or str(error)).lower()
            raise StoreUnavailable(f"cannot write {target}: {reason}") from error
