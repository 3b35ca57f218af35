"""Reading TRACK's subcommands."""

import pytest
from msgspec import Raw

from shopfloor.core.tracking import Report
from shopfloor.errors import Refused
from shopfloor.wire.commands import TrackGet, TrackSet
from shopfloor.wire.track_verbs import read_track
from tests.jobs import NOW


def read(argument: str) -> TrackSet | TrackGet:
    return read_track(argument.encode(), 200)


@pytest.mark.parametrize("argument", ["GET job-0001", "get job-0001", "GET  job-0001 "])
def test_get_names_a_job(argument: str) -> None:
    assert read(argument) == TrackGet("job-0001")


@pytest.mark.parametrize(
    ("argument", "report"),
    [
        ('SET {"jid":"job-0001"}', Report(jid="job-0001")),
        ('SET {"jid":"job-0001","percent":0,"desc":""}', Report(jid="job-0001", percent=0, desc="")),
        ('set {"JID":"job-0001","Percent":45,"Desc":"a b","other":[]}', Report(jid="job-0001", percent=45, desc="a b")),
        ('SET {"jid":"job-0001","percent":99.9}', Report(jid="job-0001", percent=99)),
        ('SET {"jid":"job-0001","percent":101}', Report(jid="job-0001", percent=100)),
        ('SET {"jid":"job-0001","percent":-1}', Report(jid="job-0001", percent=0)),
        ('SET {"jid":"job-0001","percent":null,"desc":null,"result":null}', Report(jid="job-0001")),
        (
            'SET {"jid":"job-0001","result":{"rows": 1.0,\r"n":12345678901234567890}}',
            Report(jid="job-0001", result=Raw(b'{"rows": 1.0, "n":12345678901234567890}')),
        ),
        ('SET {"jid":"job-0001","result":"x"}', Report(jid="job-0001", result=Raw(b'"x"'))),
        ('SET {"jid":"job-0001","reserve_until":""}', Report(jid="job-0001")),
        (
            'SET {"jid":"job-0001","reserve_until":"2023-11-14T22:14:20Z"}',
            Report(jid="job-0001", reserve_until=NOW + 60),
        ),
    ],
)
def test_set_tells_how_far_a_job_is(argument: str, report: Report) -> None:
    assert read(argument) == TrackSet(report)


@pytest.mark.parametrize(
    ("argument", "message"),
    [
        ("", "no such TRACK subcommand: "),
        ("DROP job-0001", "no such TRACK subcommand: DROP"),
        ("GET", "TRACK GET needs a jid"),
        ("GET  ", "TRACK GET needs a jid"),
        ("SET", "invalid TRACK SET "),
        ("SET job-0001", "invalid TRACK SET job-0001"),
        ('SET {"jid":1}', 'invalid TRACK SET {"jid":1}'),
        ('SET {"jid":"job-0001","percent":"45"}', 'invalid TRACK SET {"jid":"job-0001","percent":"45"}'),
        ("SET {}", "missing JID"),
        ("SET " + "[" * 250, "report is too large: 250 bytes, the limit is 200"),
        (
            'SET {"jid":"job-0001","reserve_until":"soon"}',
            'invalid timestamp for \'reserve_until\': "soon": cannot parse "soon" as an RFC 3339 time',
        ),
    ],
)
def test_what_is_no_track_command_is_refused(argument: str, message: str) -> None:
    with pytest.raises(Refused) as refused:
        read(argument)
    assert refused.value.message == message
