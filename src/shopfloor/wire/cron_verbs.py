"""Reading CRON's subcommands (extension)."""

from collections.abc import Callable, Mapping

from shopfloor.core.leniency import readable
from shopfloor.errors import Refused
from shopfloor.wire.commands import CronList, CronPause, CronPut, CronRemove, CronResume, CronRun

CronCommand = CronList | CronPut | CronRemove | CronPause | CronResume | CronRun


def read_cron(argument: bytes) -> CronCommand:
    """Read what follows `CRON`; what PUT says is read where the time is known."""
    word, _, rest = argument.partition(b" ")
    subcommand = readable(word).upper()
    if subcommand == "LIST":
        return CronList()
    if subcommand == "PUT":
        return CronPut(rest)
    make = _ABOUT_ONE.get(subcommand)
    if make is None:
        raise Refused(f"no such CRON subcommand: {subcommand}")
    name = readable(rest).strip()
    if not name:
        raise Refused(f"CRON {subcommand} needs a name")
    return make(name)


_ABOUT_ONE: Mapping[str, Callable[[str], CronCommand]] = {
    "REMOVE": CronRemove,
    "PAUSE": CronPause,
    "RESUME": CronResume,
    "RUN": CronRun,
}
