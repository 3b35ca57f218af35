"""Every exception of Shopfloor, in one tree.

    ShopfloorError
    ├── Refused              the peer's doing: travels on the wire as "-<code> <message>"
    │   ├── Hangup           as Refused, and the connection ends with it
    │   └── BulkRefused      some jobs of a bulk push were not taken; says which, and why
    ├── NotJson              the client's doing: an argument that cannot travel as JSON
    ├── ConfigError          a setting is unknown, malformed or contradictory
    ├── ServerUnreachable    the client end could not reach, or lost, its server
    │   └── ProtocolBroken   what answered there does not speak the protocol
    └── StoreError           the store's doing: the command was not carried out
        ├── StoreUnavailable     it may work when tried again (disk full, store away)
        ├── StoreLocked          another server owns the store's file
        ├── StoreDamaged         the store's content cannot be trusted
        └── StoreTooNew          the store was written by a newer version

Messages are lower case, without a full stop, and name the value they are about.
"""

from collections.abc import Mapping


class ShopfloorError(Exception):
    """Root of everything that Shopfloor raises on purpose."""


class Refused(ShopfloorError):
    """A command that breaks a rule; `code` is the first word of the error reply."""

    def __init__(self, message: str, code: str = "ERR") -> None:
        super().__init__(message)
        self.message = message
        self.code = code


class Hangup(Refused):
    """A refusal after which the connection cannot go on; an empty message means no reply at all."""


class BulkRefused(Refused):
    """Some jobs of a bulk push were not taken, the others were; `refusals` says why, by jid."""

    def __init__(self, refusals: Mapping[str, str]) -> None:
        jid, reason = next(iter(refusals.items()))
        super().__init__(f"{len(refusals)} jobs were not taken; {jid}: {reason}")
        self.refusals = refusals


class NotJson(ShopfloorError, TypeError):
    """A value that cannot travel as JSON was given as an argument of a job."""


class ConfigError(ShopfloorError):
    """A setting is unknown, malformed or contradicts another one."""


class ServerUnreachable(ShopfloorError):
    """No server answered at that address, or the connection broke before the reply."""


class ProtocolBroken(ServerUnreachable):
    """What answered at that address does not speak the protocol, or not this version of it."""


class StoreError(ShopfloorError):
    """The store did not carry out what it was asked; nothing of it happened."""


class StoreUnavailable(StoreError):
    """The store cannot write or answer at present; the same call may succeed later."""


class StoreLocked(StoreError):
    """Another server has the store's file open."""


class StoreDamaged(StoreError):
    """The store's content contradicts itself or cannot be read."""


class StoreTooNew(StoreError):
    """The store was written by a newer version of Shopfloor."""
