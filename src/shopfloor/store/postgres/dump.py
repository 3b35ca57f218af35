"""Backups: pg_dump makes them better than anything that could be written here."""

import asyncio
import os
import shutil
from pathlib import Path
from urllib.parse import unquote, urlsplit, urlunsplit

from shopfloor.errors import StoreError, StoreUnavailable
from shopfloor.store.postgres.address import Address

FAILED_LINES: int = 3


async def dump(address: Address, target: Path) -> None:
    """Write the schema and what is in it to `target`, in the format that pg_restore reads."""
    program = shutil.which("pg_dump")
    if program is None:
        raise StoreError("pg_dump is not installed here; use it, or your usual backup, on the database itself")
    target.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    partial = target.with_name(target.name + ".partial")
    url, password = _without_password(address.url)
    environment = dict(os.environ) | ({"PGPASSWORD": password} if password else {})
    command = ["--format=custom", f"--schema={address.schema}", f"--file={partial}", f"--dbname={url}"]
    process = await asyncio.create_subprocess_exec(
        program, *command, env=environment, stdin=asyncio.subprocess.DEVNULL, stderr=asyncio.subprocess.PIPE
    )
    try:
        _, errors = await process.communicate()
        if process.returncode:
            said = " ".join(errors.decode(errors="replace").split("\n")[:FAILED_LINES]).strip()
            raise StoreUnavailable(f"pg_dump failed: {said}")
        partial.chmod(0o600)
        os.replace(partial, target)
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
        partial.unlink(missing_ok=True)


def _without_password(url: str) -> tuple[str, str]:
    """Command lines can be read by every user of the machine; environments cannot."""
    parts = urlsplit(url)
    user, _, host = parts.netloc.rpartition("@")
    name, _, password = user.partition(":")
    netloc = f"{name}@{host}" if user else host
    return urlunsplit(parts._replace(netloc=netloc)), unquote(password)
