"""The table of settings: what is derived from it is complete and fresh, and its values read the real disk."""

import runpy
import sys
import tomllib
from collections.abc import Callable
from dataclasses import FrozenInstanceError, replace
from pathlib import Path

import pytest

from shopfloor.config import (
    ENTRIES,
    Binding,
    Disk,
    Entry,
    Secret,
    Settings,
    StorageUrl,
    flags,
    load,
    validate,
)
from shopfloor.config.document import KEYS, read_document
from shopfloor.config.reference import TABLE_TITLES, sample_file, settings_page
from shopfloor.errors import ConfigError

REFERENCE = Path(__file__).parent.parent / "docs" / "reference"
UNITS = (
    "bytes",
    "connections",
    "days",
    "depth",
    "jobs",
    "lines",
    "megabytes",
    "queues",
    "second",
    "crashes",
)


def _named(entry: Entry) -> str:
    return entry.name


@pytest.mark.parametrize(("name", "write"), [("settings.md", settings_page), ("shopfloor.toml", sample_file)])
def test_the_written_reference_is_fresh(name: str, write: Callable[[], str]) -> None:
    assert (REFERENCE / name).read_text("utf-8") == write(), "run: python -m shopfloor.config"


def test_the_reference_is_written_into_the_folder_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "argv", ["shopfloor.config", str(tmp_path)])
    runpy.run_module("shopfloor.config", run_name="__main__")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["settings.md", "shopfloor.toml"]


@pytest.mark.parametrize("entry", ENTRIES, ids=_named)
def test_every_setting_is_described(entry: Entry) -> None:
    assert entry.row.help.endswith(".")
    assert entry.row.table in TABLE_TITLES
    assert f"\n### {entry.name}\n" in settings_page()
    if entry.type in (int, float):
        assert entry.row.low is not None
        assert entry.row.high is not None
        assert entry.row.why.endswith("."), "a number has a reason"
        assert any(unit in entry.name for unit in UNITS), "a number has its unit in its name"


def test_every_setting_has_its_own_key_and_a_default_within_its_bounds() -> None:
    assert len({entry.key for entry in ENTRIES}) == len(ENTRIES)
    assert len(KEYS) == len(ENTRIES) + sum(bool(entry.row.faktory_key) for entry in ENTRIES)
    validate(Settings())


def test_the_sample_shows_every_setting_and_says_the_defaults() -> None:
    lines = sample_file().splitlines()
    said = "\n".join(line.removeprefix("# ") if " = " in line else line for line in lines)
    assert {(table, name) for table, keys in tomllib.loads(said).items() for name in keys} == {
        entry.key for entry in ENTRIES if entry.row.by_file
    }
    given = read_document(Path("sample"), said).settings
    assert {name: there.value for name, there in given.items()} == {
        entry.name: entry.default for entry in ENTRIES if entry.row.by_file and not entry.row.derived
    }


def test_settings_are_frozen() -> None:
    with pytest.raises(FrozenInstanceError):
        Settings().connections_max = 1  # type: ignore[misc]  # what is tested


def test_a_setting_changed_by_hand_is_judged_by_its_name() -> None:
    with pytest.raises(ConfigError, match=r"^queues_max: 0 is below 1$"):
        validate(replace(Settings(), queues_max=0))


def test_flags_are_derived_and_faktorys_letters_among_them() -> None:
    rows = {row.name: row for row in flags()}
    letters = {row.declarations[0]: row.name for row in rows.values() if len(row.declarations) == 2}
    assert letters == {
        "-e": "environment",
        "-c": "config_dir",
        "-b": "command_binding",
        "-w": "web_binding",
        "-d": "storage_dir",
        "-l": "log_level",
    }
    assert "password" not in rows
    assert rows["log_arguments"].declarations == ("--log-arguments/--no-log-arguments",)
    assert rows["log_level"].choices == ("error", "warn", "info", "debug")
    assert (rows["connections_max"].type, rows["connections_max"].default) == (int, "10000")
    assert rows["fetch_seconds"].variable == "SHOPFLOOR_FETCH_SECONDS"
    assert rows["log_arguments"].default == "false"
    assert "`" not in "".join(row.help + row.default for row in rows.values())


@pytest.mark.parametrize("text", ["localhost:7419", ":0", "[::1]:7419", "0.0.0.0:65535"])
def test_a_binding_is_shown_as_it_was_written(text: str) -> None:
    assert str(Binding.parse(text)) == text


def test_an_ipv6_binding_is_held_without_brackets() -> None:
    assert Binding.parse("[::1]:7419") == Binding("::1", 7419)


def test_a_storage_url_names_a_file_whatever_letters_its_path_has() -> None:
    path = Path("/srv/50% of what?/shopfloor.db")
    url = StorageUrl.of_file(path)
    assert (url.scheme, url.path) == ("sqlite", path)
    assert url != Secret(url.reveal())


# The real disk.


def test_the_real_disk_is_read(tmp_path: Path) -> None:
    (tmp_path / "conf.d").mkdir()
    (tmp_path / "conf.d" / "a.toml").write_text("[limits]\nqueues_max = 7\n")
    (tmp_path / "shopfloor.toml").write_text('[storage]\ndurability = "process"\n')
    settings = load({"config_dir": tmp_path, "storage_dir": tmp_path / "db"}, {}).settings
    assert (settings.queues_max, settings.durability) == (7, "process")
    assert settings.storage.path == tmp_path / "db" / "shopfloor.db"


def test_what_cannot_be_read_is_refused_with_its_path(tmp_path: Path) -> None:
    (tmp_path / "latin.toml").write_bytes(b"# caf\xe9")
    with pytest.raises(ConfigError, match=r"latin\.toml: not UTF-8"):
        Disk().read(tmp_path / "latin.toml")
    with pytest.raises(ConfigError, match="is a directory"):
        Disk().read(tmp_path)
    with pytest.raises(ConfigError, match="expected a folder"):
        Disk().names(tmp_path / "latin.toml")
    with pytest.raises(ConfigError, match="file name too long"):
        Disk().names(tmp_path / ("x" * 300))
    assert Disk().read(tmp_path / "gone") is None
    assert Disk().names(tmp_path / "gone") == []


def test_home_and_relative_paths_become_absolute() -> None:
    assert Disk().absolute(Path("~/db")) == Path.home() / "db"
    assert Disk().absolute(Path("db/../x")) == Path.cwd() / "x"
