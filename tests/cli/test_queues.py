"""`shopfloor queues`: listing, pausing, looking in, removing."""

import pytest

from tests.cli.programs import Shell


@pytest.fixture
def filled(shell: Shell) -> Shell:
    """Three jobs in two queues."""
    shell.done("push", "A", "1", "--queue", "high")
    shell.done("push", "B", "2", "--queue", "high")
    shell.done("push", "C", "--queue", "low")
    return shell


def test_no_queues(shell: Shell) -> None:
    assert shell.told("queues", "list") == {"queues": []}
    assert "no queues" in shell.done("queues", "list")


def test_listing(filled: Shell) -> None:
    filled.done("queues", "pause", "low")
    high, low = filled.told("queues", "list")["queues"]
    assert (high["name"], high["size"], high["paused"]) == ("high", 2, False)
    assert (low["name"], low["size"], low["paused"]) == ("low", 1, True)
    assert 0 < low["latency"] < 60
    head, *lines = filled.done("queues", "list").splitlines()
    assert head.split() == ["QUEUE", "JOBS", "OLDEST", "WAITS"]
    assert [line.split()[0] for line in lines] == ["high", "low"]
    assert lines[1].endswith("paused")


def test_a_paused_queue_gives_nothing_until_it_is_resumed(filled: Shell) -> None:
    assert filled.done("queues", "pause", "low", "high") == "paused: low, high\n"
    with filled.connect() as connection:
        assert connection.ask(b"FETCH low high") is None
        assert filled.told("queues", "resume", "--all") == {"resumed": "*"}
        assert connection.ask(b"FETCH low") is not None


def test_peeking_takes_nothing(filled: Shell) -> None:
    jobs = filled.told("queues", "peek", "high", "--count", "1", "--offset", "1")["jobs"]
    assert [job["jobtype"] for job in jobs] == ["B"]
    assert filled.told("info")["faktory"]["total_enqueued"] == 3
    head, line, *_ = filled.done("queues", "peek", "high").splitlines()
    assert head.split()[:3] == ["JID", "TYPE", "QUEUE"]
    assert line.endswith("[1]")
    assert filled.done("queues", "peek", "empty") == "no jobs\n"


def test_latency_of_all_queues_or_of_some(filled: Shell) -> None:
    assert list(filled.told("queues", "latency")) == ["high", "low"]
    assert filled.told("queues", "latency", "empty") == {"empty": 0}
    assert filled.done("queues", "latency", "low").splitlines()[0].split() == ["QUEUE", "SECONDS"]


def test_latency_of_more_queues_than_one_command_takes(shell: Shell) -> None:
    lines = "".join(f'{{"jobtype":"A","args":[],"queue":"q{number}"}}\n' for number in range(150))
    shell.done("push", "--stdin", lines=lines)
    assert len(shell.told("queues", "latency")) == 150


def test_removing_asks_first(filled: Shell) -> None:
    said = filled("queues", "remove", "high")
    assert said.code == 2
    assert "discard all jobs of high? without a terminal, only --yes is an answer" in said.complaints[0]
    assert filled.done("queues", "remove", "high", "--yes") == "removed: high\n"
    assert [queue["name"] for queue in filled.told("queues", "list")["queues"]] == ["low"]


@pytest.mark.parametrize("arguments", [("pause",), ("pause", "a", "--all"), ("remove", "--yes")])
def test_either_names_or_all(shell: Shell, arguments: tuple[str, ...]) -> None:
    said = shell("queues", *arguments)
    assert said.code == 2
    assert "name queues, or say --all" in said.complaints[0]


def test_a_name_that_would_be_another_command(shell: Shell) -> None:
    said = shell("queues", "pause", "a\nFLUSH")
    assert said.code == 2
    assert len(said.complaints) == 1
