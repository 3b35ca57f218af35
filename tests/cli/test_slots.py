"""`shopfloor throttles` and `shopfloor locks`, and throttles that are changed while the server runs."""

import signal
from pathlib import Path

from tests.cli.programs import Shell, running


def test_nothing_is_throttled_and_nothing_locked(shell: Shell) -> None:
    assert shell.told("throttles", "list") == {"throttles": []}
    assert "no throttles" in shell.done("throttles", "list")
    assert shell.told("locks", "list") == {"locks": []}
    assert "no locks" in shell.done("locks", "list")


def test_locks(shell: Shell) -> None:
    shell.done("push", "A", "1", "--custom", '{"unique_for": 60}', "--jid", "picture-0001")
    shell.done("push", "A", "2", "--custom", '{"unique_for": 30}', "--jid", "picture-0002")
    (lock,) = shell.told("locks", "list", "--count", "1")["locks"]
    assert lock["jid"] == "picture-0002"
    head, *lines = shell.done("locks", "list").splitlines()
    assert head.split() == ["JID", "UNTIL", "KEY"]
    assert [line.split()[0] for line in lines] == ["picture-0002", "picture-0001"]
    shell.done("job", "cancel", "picture-0002")
    assert [lock["jid"] for lock in shell.told("locks", "list")["locks"]] == ["picture-0001"]


def test_throttles_are_read_at_start_and_on_hup_and_jobs_at_work_keep_their_slots(tmp_path: Path) -> None:
    file = tmp_path / "conf" / "conf.d" / "throttles.toml"
    file.parent.mkdir(parents=True)
    file.write_text('[throttles]\n"type:Report" = { concurrency = 1 }\nscrape = { worker = 1, timeout = 60 }\n')
    with running(tmp_path, "--storage", "memory://", "--fetch-seconds", "0.05") as program:
        shell = Shell(tmp_path, {"FAKTORY_URL": program.url()})
        for number in range(3):
            shell.done("push", "Report", "--jid", f"report-{number:04}")
        with shell.connect() as connection:
            fetch = b'FETCHB {"queues":["default"],"count":5}'
            assert [job["jid"] for job in connection.ask_json(fetch)] == ["report-0000"]
            head, *lines = shell.done("throttles", "list").splitlines()
            assert head.split("  ")[0] == "THROTTLE"
            assert [line.split() for line in lines] == [
                ["scrape", "0", "1", "in", "a", "worker", "-"],
                ["type:Report", "1", "1", "at", "once", "report-0000", "at", "a", "client", "without", "a", "wid"],
            ]
            file.write_text('[throttles]\n"type:Report" = { concurrency = 2 }\n"key:*" = { rate = 9, period = 60 }\n')
            program.process.send_signal(signal.SIGHUP)
            program.wait_for("configuration reloaded")
            key, report = shell.told("throttles", "list")["throttles"]
            assert (key["name"], key["limit"]) == ("key:*", {"rate": 9, "period": 60})
            assert (report["limit"], report["in_use"]) == ({"concurrency": 2}, 1)
            assert "0 of 9 starts in 1m 0s" in shell.done("throttles", "list")
            while not (got := connection.ask_json(fetch)):  # until the jobs that were held back are due again
                pass
            assert len(got) == 1
            file.write_text("[throttles]\nscrape = 6\n")
            program.process.send_signal(signal.SIGHUP)
            assert "expected a table" in program.wait_for("configuration was not reloaded")
            assert len(shell.told("throttles", "list")["throttles"]) == 2
