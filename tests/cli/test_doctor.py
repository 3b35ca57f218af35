"""`shopfloor doctor`: what it finds on this machine and at the server."""

import os
import shutil
from collections import namedtuple
from pathlib import Path

import pytest

from shopfloor.cli import findings
from shopfloor.cli.findings import Finding, settings_findings, storage_findings
from shopfloor.config import Binding, Secret, Settings, StorageUrl
from tests.cli.programs import Program, Shell, running

Usage = namedtuple("Usage", ("total", "used", "free"))


def _of(found: list[Finding], about: str) -> Finding:
    (finding,) = [finding for finding in found if finding.about == about]
    return finding


def _verdicts(document: dict[str, list[dict[str, str]]]) -> dict[str, str]:
    return {finding["about"]: finding["verdict"] for finding in document["findings"]}


def test_a_healthy_server(tmp_path: Path) -> None:
    with running(tmp_path) as program:
        shell = Shell(tmp_path, {"FAKTORY_URL": program.url()})
        document = shell.told("doctor", "-d", str(tmp_path / "data"))
        lines = shell.done("doctor").splitlines()
    verdicts = _verdicts(document)
    assert (document["problems"], set(verdicts.values())) == (0, {"ok"})
    assert {"settings", "sqlite", "open files", "storage folder", "disk", "store", "server", "clock"} <= set(verdicts)
    assert lines[0].split() == ["WHAT", "FINDING"]
    assert all(line.startswith("ok") for line in lines[1:])


def test_a_server_that_keeps_nothing(bare: Shell, server: Program) -> None:
    document = bare.told("doctor", "--url", server.url())
    assert (document["problems"], _verdicts(document)["durability"]) == (0, "warning")


def test_no_server_is_a_problem_unless_nobody_asks_for_one(bare: Shell) -> None:
    said = bare("doctor", "-b", "127.0.0.1:1")
    assert said.code == 1
    assert "cannot reach tcp://127.0.0.1:1: connection refused" in said.out
    assert bare("doctor", "--offline").code == 0


def test_settings_that_do_not_start_a_server(bare: Shell) -> None:
    said = bare("doctor", "--environment", "production", "--json", "-c", str(bare.home))
    assert said.code == 1
    (finding,) = said.document["findings"]
    assert (finding["verdict"], finding["about"]) == ("problem", "settings")
    assert "production does not start without one" in finding["says"]


def test_the_store_is_read_unless_a_server_has_it(tmp_path: Path) -> None:
    bare = Shell(tmp_path)
    where = ("-d", str(tmp_path / "data"), "--offline", "--json")
    with running(tmp_path) as program:
        bare.done("push", "A", "--url", program.url())
        said = bare("doctor", *where)
        assert said.code == 0
        assert "in use by a server" in said.out
    said = bare("doctor", *where)
    assert said.code == 0
    assert "is whole (" in said.out
    assert "queued 1" in said.out
    (tmp_path / "data" / "shopfloor.db").write_text("not a database " * 1000)
    assert bare("doctor", *where).code == 1
    assert bare("doctor", "--quick", *where).code == 0


def test_memory_is_no_place_for_jobs_that_matter(bare: Shell) -> None:
    document = bare.told("doctor", "--offline", "--storage", "memory://")
    assert _verdicts(document)["durability"] == "warning"


def test_a_kind_of_store_that_there_is_not(bare: Shell) -> None:
    said = bare("doctor", "--offline", "--storage", "reddis://:hunter2@host/0")
    assert said.code == 1
    assert "no store is called 'reddis'" in said.out
    assert "hunter2" not in said.out


def test_who_may_connect() -> None:
    everywhere = Settings(command_binding=Binding("", 7419))
    found = list(settings_findings(everywhere))
    assert _of(found, "password").verdict == _of(found, "tls").verdict == "warning"
    assert "every interface" in _of(found, "tls").says
    guarded = Settings(command_binding=Binding("", 7419), password=Secret("x"))
    assert _of(list(settings_findings(guarded)), "password").verdict == "ok"


def test_a_certificate_that_cannot_be_used(tmp_path: Path) -> None:
    settings = Settings(tls_certificate=tmp_path / "c.pem", tls_key=tmp_path / "k.pem")
    finding = _of(list(settings_findings(settings)), "certificate")
    assert finding.verdict == "problem"
    assert "no such file" in finding.says


def test_more_connections_than_the_system_allows(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("resource.getrlimit", lambda which: (1024, 4096))
    assert _of(list(settings_findings(Settings())), "open files").verdict == "problem"
    assert _of(list(settings_findings(Settings(connections_max=3000))), "open files").verdict == "ok"


def test_an_old_sqlite(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("apsw.sqlite_lib_version", lambda: "3.40.0")
    assert _of(list(settings_findings(Settings())), "sqlite").verdict == "problem"


@pytest.mark.parametrize(("free", "verdict"), [(10 << 20, "problem"), (500 << 20, "warning"), (50 << 30, "ok")])
def test_the_disk(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, free: int, verdict: str) -> None:
    monkeypatch.setattr(shutil, "disk_usage", lambda path: Usage(100 << 30, 0, free))
    settings = Settings(storage=StorageUrl.of_file(tmp_path / "x.db"), backup_dir=tmp_path)
    assert _of(list(storage_findings(settings, reads_all=True)), "disk").verdict == verdict


def test_folders_that_cannot_be_written_to(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    settings = Settings(
        storage=StorageUrl.of_file(tmp_path / "file" / "x.db"), backup_dir=tmp_path / "closed" / "backups"
    )
    (tmp_path / "closed").mkdir()
    monkeypatch.setattr(os, "access", lambda path, mode: False)
    found = list(storage_findings(settings, reads_all=False))
    assert "is no folder" in _of(found, "storage folder").says
    assert "cannot be written to" in _of(found, "backup folder").says


@pytest.mark.parametrize(
    ("ahead", "verdict", "says"),
    [(0.5, "ok", "agrees"), (-5.0, "warning", "5.0s behind"), (3600.0, "problem", "1h 0m ahead")],
)
def test_clocks(ahead: float, verdict: str, says: str) -> None:
    (finding,) = findings._clock(ahead)
    assert finding.verdict == verdict
    assert says in finding.says


@pytest.mark.parametrize(
    ("url", "grace", "warned"),
    [("redis://h", 9.0, True), ("redis://h", 10.0, False), ("sqlite:///a.db", 1.0, False)],
)
def test_a_grace_that_is_short_for_several_servers(url: str, grace: float, warned: bool) -> None:
    settings = Settings(storage=StorageUrl(url), worker_grace_seconds=grace, reap_seconds=5.0)
    found = list(findings._patience(settings))
    assert [finding.verdict for finding in found] == ["warning"] * warned


def test_what_the_server_tells_of_its_store() -> None:
    told = {"trouble": "the last fold failed", "store_breaks": 3, "store_clock_ahead": -40.0}
    found = list(findings._contact(told))
    assert [(finding.verdict, finding.about) for finding in found] == [
        ("problem", "store"),
        ("warning", "store"),
        ("problem", "clock"),
    ]
    assert "3 times" in found[1].says
    assert "40s behind the store's" in found[2].says
    assert list(findings._contact({"trouble": "", "store_breaks": 0, "store_clock_ahead": None})) == []


@pytest.mark.parametrize(("days", "verdict"), [(90.0, "ok"), (3.0, "warning")])
def test_the_end_of_a_certificate(days: float, verdict: str) -> None:
    (finding,) = findings._certificate_end(days * findings.DAY_SECONDS)
    assert (finding.verdict, finding.says) == (verdict, f"runs out in {days:.0f} days")
