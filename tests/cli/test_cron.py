"""`shopfloor cron`, and the `[[cron]]` tables of a server's files."""

import re
import signal
import tomllib
from pathlib import Path

import pytest

from shopfloor.cli.cron_tables import read_cron_tables
from shopfloor.config import Given
from shopfloor.errors import ConfigError
from tests.cli.programs import STOP_SECONDS, Program, Shell, running, start

NOW = 1_700_000_000.0
HUP_SERVER = ("--storage", "memory://")


def test_no_entries(shell: Shell) -> None:
    assert shell.told("cron", "list") == {"entries": []}
    assert "no cron entries" in shell.done("cron", "list")


def test_adding_and_listing(shell: Shell) -> None:
    options = ("--zone", "Europe/Berlin", "--catch-up", "last", "--window", "2h", "--jitter", "30s", "--queue", "low")
    more = ("--retry", "-1", "--reserve-for", "10m", "--custom", '{"unique_for": 60}')
    added = shell.done("cron", "add", "0 6 * * mon-fri", "Report", '"sales"', "1.0", "--name", "sales", *options, *more)
    assert added == "sales\n"
    (entry,) = shell.told("cron", "list")["entries"]
    assert (entry["schedule"], entry["zone"], entry["catch_up"]) == ("0 6 * * mon-fri", "Europe/Berlin", "last")
    assert (entry["window"], entry["jitter"], entry["paused"], entry["source"]) == (7200, 30, False, "api")
    assert entry["job"] == {
        "jobtype": "Report",
        "args": ["sales", 1.0],
        "queue": "low",
        "retry": -1,
        "reserve_for": 600,
        "custom": {"unique_for": 60},
    }
    head, line = shell.done("cron", "list").splitlines()
    assert head.split() == ["NAME", "SCHEDULE", "ZONE", "TYPE", "FROM", "NEXT", "LAST", "WHEN"]
    assert re.match(r"sales +0 6 \* \* mon-fri +Europe/Berlin +Report +api +\d{4}-", line)


def test_an_entry_without_a_name_gets_one(shell: Shell) -> None:
    name = shell.done("cron", "add", "@hourly", "Report", "--paused").strip()
    assert re.fullmatch(r"Report-[0-9a-f]{8}", name)
    assert shell.done("cron", "add", "@hourly", "Report").strip() == name
    assert [entry["name"] for entry in shell.told("cron", "list")["entries"]] == [name]


def test_pausing_running_and_removing(shell: Shell) -> None:
    shell.done("cron", "add", "@yearly", "Report", "--name", "r")
    assert shell.done("cron", "pause", "r") == "paused: r\n"
    assert " paused " in shell.done("cron", "list")
    jid = shell.told("cron", "run", "r")["jid"]
    assert shell.told("job", "get", jid)["job"]["jobtype"] == "Report"
    assert " fired " in shell.done("cron", "list")
    assert shell.done("cron", "resume", "r") == "resumed: r\n"
    said = shell("cron", "remove", "r")
    assert said.code == 2
    assert "remove cron entry r? without a terminal" in said.complaints[0]
    assert shell.told("cron", "remove", "r", "--yes") == {"removed": "r"}
    assert shell.told("cron", "list") == {"entries": []}


def test_what_is_refused(shell: Shell) -> None:
    assert shell("cron", "run", "nobody").complaints == ["shopfloor: Cron entry not found nobody"]
    assert shell("cron", "add", "61 * * * *", "A").complaints == [
        'shopfloor: invalid schedule "61 * * * *": bad minute'
    ]
    said = shell("cron", "pause", "two words")
    assert said.code == 2
    assert "is no name" in said.complaints[0]


def listed(program: Program, folder: Path) -> dict[str, tuple[str, bool]]:
    """Name the entries of a server with their schedule, and whether they are paused."""
    entries = Shell(folder, {"FAKTORY_URL": program.url()}).told("cron", "list")["entries"]
    return {entry["name"]: (entry["schedule"], entry["paused"]) for entry in entries}


def table(name: str, schedule: str) -> str:
    """Write a table."""
    return f'[[cron]]\nname = "{name}"\nschedule = "{schedule}"\n[cron.job]\ntype = "A"\n'


def test_files_are_read_at_start_and_on_hup(tmp_path: Path) -> None:
    file = tmp_path / "conf" / "conf.d" / "cron.toml"
    file.parent.mkdir(parents=True)
    file.write_text(table("a", "@hourly") + table("b", "@daily"))
    with running(tmp_path, *HUP_SERVER) as program:
        assert listed(program, tmp_path) == {"a": ("@hourly", False), "b": ("@daily", False)}
        Shell(tmp_path, {"FAKTORY_URL": program.url()}).done("cron", "pause", "a")
        file.write_text(table("a", "@weekly") + table("c", "@daily"))
        program.process.send_signal(signal.SIGHUP)
        program.wait_for("configuration reloaded")
        assert listed(program, tmp_path) == {"a": ("@weekly", True), "c": ("@daily", False)}
        file.write_text(table("a", "never"))
        program.process.send_signal(signal.SIGHUP)
        log = program.wait_for("configuration was not reloaded")
        assert 'conf.d/cron.toml [[cron]] 1: invalid schedule \\"never\\"' in log
        assert listed(program, tmp_path) == {"a": ("@weekly", True), "c": ("@daily", False)}


def test_a_server_does_not_start_on_a_wrong_table_and_the_doctor_says_why(tmp_path: Path) -> None:
    file = tmp_path / "conf" / "shopfloor.toml"
    file.parent.mkdir()
    file.write_text(table("a", "@hourly").replace("schedule", "shedule"))
    program = start(tmp_path, *HUP_SERVER)
    assert program.process.wait(STOP_SECONDS) == 2
    says = "shopfloor.toml [[cron]] 1 shedule: unknown key, did you mean schedule?"
    assert says in program.log.read_text()
    found = Shell(tmp_path)("doctor", "--offline", "-c", str(file.parent))
    assert found.code == 1
    assert says in found.out


def given(place: int, /, **said: object) -> Given:
    """Make a table as it is read from a file."""
    return Given({"schedule": "@hourly", "job": {"type": "A"}} | said, f"conf.d/cron.toml [[cron]] {place}")


def test_tables_are_read_as_faktory_has_them() -> None:
    job = {"type": "SomeJob", "queue": "critical", "retry": 3, "args": ["hourly"], "reserve_for": 600}
    custom = {"unique_for": 65.0, "expires_in": 60}
    (read,) = read_cron_tables([Given({"schedule": "*/5 * * * *", "job": {**job, "custom": custom}}, "f")], NOW)
    assert b'"custom":{"unique_for": 65.0, "expires_in": 60}' in bytes(read.job)
    assert read.name.startswith("SomeJob-")


@pytest.mark.parametrize(
    ("said", "says"),
    [
        ({"zones": "UTC"}, "cron.toml [[cron]] 1 zones: unknown key, did you mean zone?"),
        ({"job": {"type": "A", "qeue": "x"}}, "cron.toml [[cron]] 1 [cron.job] qeue: unknown key, did you mean queue?"),
        ({"job": {}}, "cron.toml [[cron]] 1: jobs must have a jobtype parameter"),
        ({"job": "A"}, "cron.toml [[cron]] 1: Expected `object`, got `str` - at `$.job`"),
        ({"catch_up": "most"}, "cron.toml [[cron]] 1: Invalid enum value 'most' - at `$.catch_up`"),
        ({"zone": "Mars"}, 'cron.toml [[cron]] 1: unknown time zone "Mars"'),
    ],
)
def test_a_wrong_table_is_named_with_its_place(said: dict[str, object], says: str) -> None:
    with pytest.raises(ConfigError) as caught:
        read_cron_tables([given(1, **said)], NOW)
    assert says in str(caught.value)


def test_two_tables_of_one_name() -> None:
    with pytest.raises(ConfigError, match=r"\[\[cron\]\] 2: its name .* is that of .* 1; give each a `name`"):
        read_cron_tables([given(1), given(2, job={"type": "A", "queue": "low"})], NOW)
    assert len(read_cron_tables([given(1), given(2, name="other")], NOW)) == 2


def test_too_many_tables(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("shopfloor.cli.cron_tables.ENTRIES_MAX", 1)
    with pytest.raises(ConfigError, match="too many"):
        read_cron_tables([given(1), given(2, name="other")], NOW)


def test_a_date_among_the_arguments_is_a_text() -> None:
    job = tomllib.loads('type = "A"\nargs = [2030-01-31, 2030-01-31T08:00:00Z]')
    (read,) = read_cron_tables([given(1, job=job)], NOW)
    assert b'["2030-01-31", "2030-01-31T08:00:00+00:00"]' in bytes(read.job)
