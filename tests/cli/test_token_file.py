"""Opening the file of tokens."""

from dataclasses import replace
from pathlib import Path

import pytest

from shopfloor.cli.token_file import open_tokens
from shopfloor.config import Settings
from shopfloor.errors import ConfigError
from shopfloor.web.api.scopes import digest


def test_tokens_are_found_by_what_they_are(tmp_path: Path) -> None:
    path = tmp_path / "tokens"
    path.write_text(f"checkout read,push sha256:{digest('a token')}\nboss admin sha256:{digest('another')}\n")
    tokens = open_tokens(replace(Settings(), web_tokens=path))
    found, boss = tokens.find("a token"), tokens.find("another")
    assert found is not None
    assert boss is not None
    assert (found.name, found.scopes) == ("checkout", frozenset(("read", "push")))
    assert boss.scopes == {"read", "push", "operate", "admin"}
    assert tokens.find("a tokem") is None


def test_no_file_is_no_tokens() -> None:
    assert not open_tokens(Settings())


def test_a_file_that_cannot_be_read(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="cannot read"):
        open_tokens(replace(Settings(), web_tokens=tmp_path / "none"))
