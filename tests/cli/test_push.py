"""`shopfloor push`: jobs from arguments and from standard input."""

import json
from datetime import UTC, datetime

import pytest

from tests.cli.programs import Shell


def _next(shell: Shell, queue: str = "default") -> dict[str, object]:
    jobs = shell.told("queues", "peek", queue)["jobs"]
    job: dict[str, object] = jobs[0]
    return job


def test_a_job_with_arguments_of_every_kind(shell: Shell) -> None:
    jid = shell.done("push", "Report", "42", '"a text"', "-5", "null", '{"a": [1.0]}', "--queue", "low").strip()
    job = _next(shell, "low")
    assert job["jid"] == jid
    assert (job["jobtype"], job["queue"]) == ("Report", "low")
    assert job["args"] == [42, "a text", -5, None, {"a": [1.0]}]


def test_arguments_survive_as_they_were_typed(shell: Shell) -> None:
    shell.done("push", "A", "12345678901234567890123", "1.0")
    with shell.connect() as connection:
        reply = connection.ask(b"FETCH default")
    assert isinstance(reply, bytes)
    assert b'"args":[12345678901234567890123,1.0]' in reply


def test_every_option_reaches_the_job(shell: Shell) -> None:
    options = ("--retry", "3", "--reserve-for", "10m", "--custom", '{"track": 1}', "--jid", "my-own-jid")
    assert shell.told("push", "A", *options) == {"jid": "my-own-jid"}
    job = _next(shell)
    assert (job["retry"], job["reserve_for"], job["custom"], job["args"]) == (3, 600, {"track": 1}, [])


def test_a_job_for_later(shell: Shell) -> None:
    shell.done("push", "A", "--at", "2040-01-31T08:00:00Z")
    shell.done("push", "B", "--in", "90m")
    later, soon = sorted(shell.told("scheduled", "list")["jobs"], key=lambda one: str(one["job"]["jobtype"]))
    assert later["job"]["at"] == "2040-01-31T08:00:00Z"
    wait = datetime.fromisoformat(soon["at"]) - datetime.now(UTC)
    assert wait.total_seconds() == pytest.approx(5400, abs=60)


def test_a_time_without_a_zone_is_of_the_local_clock(shell: Shell) -> None:
    shell.done("push", "A", "--at", "2040-01-31 08:00")
    (job,) = shell.told("scheduled", "list")["jobs"]
    local = datetime(2040, 1, 31, 8).astimezone()
    assert datetime.fromisoformat(job["at"]) == local


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        ((), "missing argument JOBTYPE"),
        (("A", "bob"), "'bob' is no JSON; a text stands in double quotes"),
        (("A", "--qeue", "x"), "no such option: --qeue"),
        (("A", "--in", "soon"), "'soon' is no time span"),
        (("A", "--in", "999999d"), "is no time span"),
        (("A", "--at", "tomorrow"), "'tomorrow' is no time"),
        (("A", "--queue", "a b"), "'a b' is no queue"),
        (("A", "--at", "2040-01-31T08:00:00Z", "--in", "1h"), "--at and --in exclude each other"),
        (("A", "1", "--stdin"), "with --stdin each line has its own arguments"),
    ],
)
def test_a_wrong_command_line_is_one_line_and_code_2(shell: Shell, arguments: tuple[str, ...], says: str) -> None:
    said = shell("push", *arguments)
    assert (said.code, said.out, len(said.complaints)) == (2, "", 1)
    assert says in said.complaints[0]
    assert said.complaints[0].startswith("shopfloor: ")


def test_what_the_server_refuses_is_code_1(shell: Shell) -> None:
    said = shell("push", "A", "--jid", "short")
    assert (said.code, said.complaints) == (1, ["shopfloor: jobs must have a reasonable jid parameter"])


def test_whole_jobs_from_standard_input(shell: Shell) -> None:
    lines = [
        {"jobtype": "A", "args": [1]},
        {"jobtype": "B", "args": [], "queue": "other", "jid": "jid-of-the-line", "at": None},
    ]
    text = "\n\n".join(map(json.dumps, lines))
    assert shell.done("push", "--stdin", "--queue", "low", lines=text) == "2 pushed, 0 refused\n"
    assert _next(shell, "low")["args"] == [1]
    assert _next(shell, "other")["jid"] == "jid-of-the-line"


def test_lists_of_arguments_from_standard_input(shell: Shell) -> None:
    shell.done("push", "Resize", "--stdin", lines='[1, "two"]\n[]\n{"args": [3], "queue": "q3"}\n')
    assert _next(shell)["args"] == [1, "two"]
    assert _next(shell, "q3")["jobtype"] == "Resize"


def test_more_jobs_than_one_command_takes(shell: Shell) -> None:
    shell.done("push", "A", "--stdin", lines="[]\n" * 2500)
    assert shell.told("queues", "list")["queues"][0]["size"] == 2500


def test_refused_lines_are_listed_by_number(shell: Shell) -> None:
    lines = '{"jobtype":"A","args":[]}\n{"jobtype":"A"}\n{"args":[],"jobtype":"A","jid":"x"}\n'
    said = shell("push", "--stdin", "--json", lines=lines)
    assert said.code == 1
    assert said.document["pushed"] == 1
    assert [refusal["line"] for refusal in said.document["refused"]] == [2, 3]
    assert said.complaints == [
        "shopfloor: line 2: jobs must have an args parameter",
        "shopfloor: line 3: jobs must have a reasonable jid parameter",
    ]


def test_so_many_refusals_are_counted(shell: Shell) -> None:
    said = shell("push", "--stdin", lines='{"jobtype":"A"}\n' * 30)
    assert len(said.complaints) == 21
    assert said.complaints[-1] == "shopfloor: 10 more were refused"


@pytest.mark.parametrize("line", ["nonsense", "[1]", "{", '{"jid": 5}'])
def test_a_line_that_is_no_job_ends_it(shell: Shell, line: str) -> None:
    said = shell("push", "--stdin", lines='{"jobtype":"A","args":[]}\n' + line)
    assert said.code == 1
    assert said.complaints[0].startswith("shopfloor: line 2 is no job: ")
    assert said.complaints[0].endswith("0 jobs were pushed before")
