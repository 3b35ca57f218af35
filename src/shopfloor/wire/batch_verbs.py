"""Reading BATCH's subcommands (reference 4.1; LIST, SHOW, CANCEL and RETRY are extensions)."""

from collections.abc import Callable, Mapping

from shopfloor.core.batch_definition import read_definition
from shopfloor.core.leniency import readable, valid_utf8
from shopfloor.errors import Refused
from shopfloor.wire.commands import (
    BatchCancel,
    BatchCommit,
    BatchList,
    BatchNew,
    BatchOpen,
    BatchRetry,
    BatchShow,
    BatchStatus,
)

BatchCommand = BatchNew | BatchOpen | BatchCommit | BatchStatus | BatchList | BatchShow | BatchCancel | BatchRetry


def read_batch(argument: bytes) -> BatchCommand:
    """Read what follows `BATCH`; what NEW says, with the jobs and batches in it, is checked here."""
    word, _, rest = argument.partition(b" ")
    subcommand = readable(word).upper()
    if subcommand == "NEW":
        return BatchNew(read_definition(valid_utf8(rest)))
    if subcommand == "LIST":
        return BatchList()
    make = _ABOUT_ONE.get(subcommand)
    if make is None:
        raise Refused(f"no such BATCH subcommand: {subcommand}")
    bid = readable(rest).strip()
    if not bid:
        raise Refused(f"BATCH {subcommand} needs a batch")
    return make(bid)


_ABOUT_ONE: Mapping[str, Callable[[str], BatchCommand]] = {
    "OPEN": BatchOpen,
    "COMMIT": BatchCommit,
    "STATUS": BatchStatus,
    "SHOW": BatchShow,
    "CANCEL": BatchCancel,
    "RETRY": BatchRetry,
}
