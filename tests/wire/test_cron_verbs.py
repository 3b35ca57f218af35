"""Reading CRON's subcommands."""

import pytest

from shopfloor.errors import Refused
from shopfloor.wire.commands import Command, CronList, CronPause, CronPut, CronRemove, CronResume, CronRun
from shopfloor.wire.cron_verbs import read_cron
from shopfloor.wire.verbs import WireLimits, read_command


@pytest.mark.parametrize(
    ("line", "message"),
    [
        (b"CRON LIST", CronList()),
        (b"CRON list", CronList()),
        (b'CRON PUT {"a": 1}', CronPut(b'{"a": 1}')),
        (b"CRON REMOVE report", CronRemove("report")),
        (b"CRON PAUSE report ", CronPause("report")),
        (b"CRON RESUME report", CronResume("report")),
        (b"CRON RUN report", CronRun("report")),
    ],
)
def test_subcommands(line: bytes, message: Command) -> None:
    assert read_command(line, WireLimits()) == message


@pytest.mark.parametrize(
    ("argument", "says"),
    [
        (b"", "no such CRON subcommand: "),
        (b"DANCE x", "no such CRON subcommand: DANCE"),
        (b"RUN", "CRON RUN needs a name"),
        (b"PAUSE  ", "CRON PAUSE needs a name"),
        (b"\xff", "no such CRON subcommand: \N{REPLACEMENT CHARACTER}"),
    ],
)
def test_refusals(argument: bytes, says: str) -> None:
    with pytest.raises(Refused) as caught:
        read_cron(argument)
    assert caught.value.message == says
