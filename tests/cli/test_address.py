"""Where the server is: URLs, variables and the server's own settings."""

from pathlib import Path

import pytest

from shopfloor.cli.address import find_address, own_address, parse_address
from shopfloor.config import Binding, Secret, Settings
from shopfloor.errors import ConfigError


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("tcp://jobs:7000", "tcp://jobs:7000"),
        ("tcp://jobs", "tcp://jobs:7419"),
        ("tcp+tls://jobs", "tcp+tls://jobs:7419"),
        ("tcp://[::1]:7419", "tcp://[::1]:7419"),
        ("tcp://user:secret@jobs:1", "tcp://jobs:1"),
    ],
)
def test_reading_a_url(url: str, shown: str) -> None:
    assert str(parse_address(url, "--url")) == shown


def test_what_a_url_says_of_its_user() -> None:
    address = parse_address("tcp://joe:p%40ss%2Fword@jobs", "--url")
    assert (address.username, address.password.reveal()) == ("joe", "p@ss/word")
    assert "p@ss" not in repr(address)


@pytest.mark.parametrize(
    "url", ["jobs:7419", "http://jobs", "tcp://", "tcp://jobs:x", "tcp://jobs:99999", "tcp://[::1"]
)
def test_what_is_no_url_of_a_server(url: str) -> None:
    with pytest.raises(ConfigError, match="--url"):
        parse_address(url, "--url")


def test_a_wrong_url_does_not_show_its_password() -> None:
    with pytest.raises(ConfigError) as raised:
        parse_address("http://:hunter2@jobs", "FAKTORY_URL")
    assert "hunter2" not in str(raised.value)


def test_which_of_several_counts() -> None:
    variables = {
        "SHOPFLOOR_PROVIDER": "FIRST",
        "FIRST": "tcp://first",
        "SHOPFLOOR_URL": "tcp://second",
        "FAKTORY_PROVIDER": "THIRD",
        "THIRD": "tcp://third",
        "FAKTORY_URL": "tcp://fourth",
    }
    assert find_address("tcp://flag", variables).host == "flag"
    for expected, dropped in (
        ("first", "SHOPFLOOR_PROVIDER"),
        ("second", "SHOPFLOOR_URL"),
        ("third", "FAKTORY_PROVIDER"),
        ("fourth", "FAKTORY_URL"),
    ):
        assert find_address("", variables).host == expected
        del variables[dropped]


def test_a_provider_is_the_name_of_a_variable() -> None:
    with pytest.raises(ConfigError, match="FAKTORY_PROVIDER: expected the name of a variable"):
        find_address("", {"FAKTORY_PROVIDER": "tcp://jobs"})
    with pytest.raises(ConfigError, match="FAKTORY_PROVIDER: names JOBS, but there is no such variable"):
        find_address("", {"FAKTORY_PROVIDER": "JOBS"})


def test_without_a_word_the_settings_of_this_machine_count(tmp_path: Path) -> None:
    (tmp_path / "shopfloor.toml").write_text('[command]\nbinding = "0.0.0.0:7000"\n')
    variables = {"SHOPFLOOR_CONFIG_DIR": str(tmp_path), "FAKTORY_PASSWORD": "secret"}
    address = find_address("", variables)
    assert (str(address), address.password) == ("tcp://localhost:7000", Secret("secret"))


def test_the_certificate_of_the_own_server_is_known() -> None:
    settings = Settings(command_binding=Binding("jobs.test", 0), tls_certificate=Path("c.pem"), tls_key=Path("k.pem"))
    address = own_address(settings)
    assert (str(address), address.certificate) == ("tcp+tls://jobs.test:7419", Path("c.pem"))
