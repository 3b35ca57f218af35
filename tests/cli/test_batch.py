"""`shopfloor batch`: listing, showing what is waited for, cancelling, retrying, and finding what is unusual."""

import json
from typing import Any

import pytest

from shopfloor.wire.client import command, json_command
from tests.cli.programs import Shell

CALLBACKS = {name: {"jobtype": name.title(), "args": [], "queue": "callbacks"} for name in ("complete", "success")}


def new(shell: Shell, *jids: str, commit: bool = True, **definition: Any) -> str:
    with shell.connect() as connection:
        bid = connection.ask(json_command("BATCH NEW", CALLBACKS | definition))
        assert isinstance(bid, bytes)
        for jid in jids:
            job = {"jid": jid, "jobtype": "Work", "args": [], "custom": {"bid": bid.decode()}, "retry": -1}
            connection.ask(json_command("PUSH", job))
        if commit:
            connection.ask(command("BATCH COMMIT", bid))
    return bid.decode()


def work(shell: Shell, queue: str = "default", *, fail: bool = False) -> None:
    with shell.connect() as connection:
        jid = connection.ask_json(command("FETCH", queue.encode()))["jid"]
        connection.ask(json_command("FAIL" if fail else "ACK", {"jid": jid}))


@pytest.fixture(autouse=True)
def _no_repairs(shell: Shell) -> None:
    assert shell.told("info")["server"]["batches_repaired"] == 0


def test_no_batches(shell: Shell) -> None:
    assert shell.told("batch", "list") == {"batches": []}
    assert shell.done("batch", "list") == "no batches are under way\n"


def test_listing(shell: Shell) -> None:
    bid = new(shell, "job-0001", "job-0002", description="monthly report")
    work(shell)
    still_open = new(shell, commit=False)
    done = new(shell)
    work(shell, "callbacks")
    work(shell, "callbacks")
    assert {told["bid"] for told in shell.told("batch", "list")["batches"]} == {bid, still_open}
    assert {told["bid"] for told in shell.told("batch", "list", "--all")["batches"]} == {bid, still_open, done}
    assert len(shell.told("batch", "list", "--count", "1")["batches"]) == 1
    head, *lines = shell.done("batch", "list", "--all").splitlines()
    assert head.split()[:6] == ["BID", "STATE", "JOBS", "PENDING", "FAILED", "LOST"]
    states = {line.split()[0]: line.split()[1] for line in lines}
    assert states == {bid: "committed", still_open: "open", done: "succeeded"}
    assert any("monthly report" in line for line in lines)


def test_showing_the_tree_and_what_blocks_it(shell: Shell) -> None:
    parent = new(shell, commit=False, description="the whole")
    child = new(shell, "job-0001", "job-0002", parent_bid=parent)
    work(shell, fail=True)
    told = shell.told("batch", "show", parent)
    assert (told["bid"], [below["bid"] for below in told["children"]]) == (parent, [child])
    lines = shell.done("batch", "show", parent).splitlines()
    assert lines[0] == f"{parent} open, 0 jobs, the whole"
    drawn = "\n".join(lines)
    assert "waits for: it is open: BATCH COMMIT" in drawn
    assert f"waits for: batch {child} is open" in drawn
    assert f"{child} committed, 2 jobs, 1 pending, 1 failed, 1 lost" in drawn
    assert "waits for: member job-0002 (Work) is queued in default" in drawn
    work(shell)
    assert f"waits for: callback {child}-complete (Complete) is queued in callbacks" in shell.done(
        "batch", "show", child
    )


def test_an_unknown_batch(shell: Shell) -> None:
    for action in ("show", "cancel", "retry"):
        said = shell("batch", action, "b-nobody")
        assert (said.code, said.complaints) == (1, ["shopfloor: no such batch b-nobody"])


def test_cancelling(shell: Shell) -> None:
    bid = new(shell, "job-0001", "job-0002")
    assert shell.done("batch", "cancel", bid) == f"cancelled: 2 jobs of {bid}\n"
    assert shell.told("batch", "cancel", bid) == {"cancelled": 0}
    assert shell.told("batch", "show", bid)["complete_st"] == "1"


def test_retrying(shell: Shell) -> None:
    bid = new(shell, "job-0001", "job-0002")
    work(shell, fail=True)
    assert shell.done("batch", "retry", bid) == f"enqueued: 1 jobs of {bid}\n"
    assert shell.told("batch", "retry", bid) == {"enqueued": 0}


def test_a_doctor_who_finds_nothing(shell: Shell) -> None:
    new(shell, "job-0001")
    assert shell.done("batch", "doctor") == "1 batches, 1 under way, 0 repaired: nothing unusual\n"


def test_a_doctor_who_finds_what_is_unusual(shell: Shell) -> None:
    parent = new(shell, commit=False)
    child = new(shell, "job-0001", "job-0002", parent_bid=parent)
    work(shell, fail=True)
    said = shell("batch", "doctor", "--open-for", "0", "--json")
    assert said.code == 1
    document = json.loads(said.out)
    assert (document["batches"], document["waiting"], document["repaired"]) == (2, 2, 0)
    found = [(one["bid"], one["finding"]) for one in document["findings"]]
    assert any(bid == parent and "BATCH COMMIT is missing" in finding for bid, finding in found)
    assert any(bid == child and "only an operator can bring it back" in finding for bid, finding in found)
    assert (child, "1 of its jobs are lost: `success` never comes") in found
    assert "2 batches, 2 under way, 0 repaired" in shell("batch", "doctor", "--open-for", "0").out
