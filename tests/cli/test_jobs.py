"""`shopfloor job`, `scheduled`, `retries` and `dead`: jobs wherever they rest."""

import json

import pytest

from tests.cli.programs import Shell

LATER = ("--at", "2040-01-31T08:00:00Z")


def _fail(shell: Shell, *, retry: int = 5, message: str = "out of paper") -> str:
    """Let a job fail once; return its jid."""
    jid = shell.done("push", "Print", "7", "--retry", str(retry)).strip()
    report = {"jid": jid, "errtype": "IOError", "message": message, "backtrace": ["one", "two"]}
    with shell.connect() as connection:
        assert connection.ask(b"FETCH default") is not None
        connection.ask(b"FAIL " + json.dumps(report).encode())
    return jid


def _sizes(shell: Shell) -> dict[str, int]:
    told = shell.told("info")["faktory"]
    sizes: dict[str, int] = {**told["sets"], "queued": told["total_enqueued"]}
    return {name: size for name, size in sizes.items() if size}


def test_a_job_is_found_wherever_it_rests(shell: Shell) -> None:
    jid = shell.done("push", "A", *LATER).strip()
    found = shell.told("job", "get", jid)
    assert (found["place"], found["job"]["jid"]) == ("scheduled", jid)
    assert "scheduled" in shell.done("job", "get", jid).splitlines()[0]


def test_a_failed_job_shows_its_failure_line_by_line(shell: Shell) -> None:
    text = shell.done("job", "get", _fail(shell))
    assert "out of paper" in text
    assert [line.split()[-1] for line in text.splitlines()[-2:]] == ["one", "two"]


def test_an_unknown_job(shell: Shell) -> None:
    said = shell("job", "get", "nobody-knows")
    assert (said.code, said.complaints) == (1, ["shopfloor: Job not found nobody-knows"])


def test_cancelling(shell: Shell) -> None:
    jid = shell.done("push", "A").strip()
    assert shell.done("job", "cancel", jid) == f"cancelled: {jid}\n"
    assert _sizes(shell) == {}


def test_requeueing_a_scheduled_job(shell: Shell) -> None:
    jid = shell.done("push", "A", *LATER).strip()
    assert shell.told("job", "requeue", jid) == {"requeued": jid, "from": "scheduled"}
    assert _sizes(shell) == {"queued": 1}


def test_requeueing_what_a_worker_has(shell: Shell) -> None:
    jid = shell.done("push", "A").strip()
    with shell.connect() as connection:
        connection.ask(b"FETCH default")
        assert _sizes(shell) == {"working": 1}
        assert shell.done("job", "requeue", jid) == f"requeued: {jid}, it was working\n"
    assert _sizes(shell) == {"queued": 1}
    said = shell("job", "requeue", jid)
    assert (said.code, said.complaints) == (1, [f"shopfloor: job {jid} is in its queue already"])


def test_listing_retries_shows_why(shell: Shell) -> None:
    jid = _fail(shell)
    head, line = shell.done("retries", "list").splitlines()
    assert head.split()[-3:] == ["FAILURES", "ERROR", "ARGUMENTS"]
    assert line.startswith(jid)
    assert "1  IOError: out of paper  [7]" in line


def test_what_a_worker_said_cannot_move_the_cursor(shell: Shell) -> None:
    _fail(shell, message="\x1b[2J\u202egone")
    text = shell.done("retries", "list")
    assert "\\x1b[2J\\u202egone" in text


def test_listing_by_type_pattern_and_jid(shell: Shell) -> None:
    first = shell.done("push", "Send Mail", "1", *LATER).strip()
    second = shell.done("push", "Other", '"a b"', *LATER).strip()

    def listed(*filters: str) -> list[str]:
        return [job["job"]["jid"] for job in shell.told("scheduled", "list", *filters)["jobs"]]

    assert set(listed()) == {first, second}
    assert listed("--type", "Send Mail") == [first]
    assert listed("--match", '*"args":\\["a b"\\]*') == [second]
    assert listed("--jid", second, "--jid", "unknown", "--type", "ignored") == [second]
    assert shell.done("scheduled", "list", "--type", "None") == "no jobs\n"


def test_listing_more_than_a_page(shell: Shell) -> None:
    shell.done("push", "A", "--stdin", *LATER, lines="".join(f"[{number}]\n" for number in range(250)))
    said = shell("scheduled", "list")
    assert len(said.out.splitlines()) == 51
    assert said.complaints == ["there are more: say --count or --all"]
    assert shell.told("scheduled", "list", "--count", "10")["more"] is True
    everything = shell.told("scheduled", "list", "--all")
    assert everything["more"] is False
    jids = [job["job"]["jid"] for job in everything["jobs"]]
    assert len(set(jids)) == 250
    backwards = shell.told("scheduled", "list", "--all", "--latest-first")["jobs"]
    assert [job["job"]["jid"] for job in reversed(backwards)] == jids


def test_from_retries_to_dead_and_back(shell: Shell) -> None:
    jid = _fail(shell)
    assert shell.done("retries", "kill", "--jid", jid) == "retries: 1 before, 0 now\n"
    assert _sizes(shell) == {"dead": 1}
    assert shell.told("dead", "retry", "--match", "*out of paper*") == {"place": "dead", "before": 1, "after": 0}
    assert _sizes(shell) == {"queued": 1}


def test_discarding_by_a_type_with_a_space(shell: Shell) -> None:
    shell.done("push", "Send Mail", *LATER)
    shell.done("push", "Other", *LATER)
    shell.done("scheduled", "discard", "--type", "Send Mail")
    assert [job["job"]["jobtype"] for job in shell.told("scheduled", "list")["jobs"]] == ["Other"]


def test_all_must_be_said(shell: Shell) -> None:
    _fail(shell, retry=-1)
    for arguments in (("dead", "discard"), ("dead", "discard", "--all", "--type", "A")):
        said = shell(*arguments)
        assert said.code == 2
        assert "choose jobs by --jid, --type or --match, or say --all" in said.complaints[0]
    assert _sizes(shell) == {"dead": 1}
    shell.done("dead", "discard", "--all")
    assert _sizes(shell) == {}


def test_clearing_asks_first(shell: Shell) -> None:
    shell.done("push", "A", *LATER)
    assert shell("scheduled", "clear").code == 2
    assert shell.done("scheduled", "clear", "--yes") == "scheduled: 1 before, 0 now\n"


@pytest.mark.parametrize("place", ["scheduled", "retries", "dead"])
def test_each_place_has_the_same_commands(shell: Shell, place: str) -> None:
    text = shell.done(place, "--help")
    for name in ("list", "retry", "kill", "discard", "clear"):
        assert f"  {name} " in text
