"""Where a server is: URLs and variables. What the command line adds is tested in tests/cli/test_address.py."""

import pytest

from shopfloor.errors import ConfigError
from shopfloor.wire.address import Address, find_address, parse_address


@pytest.mark.parametrize(
    ("url", "address", "shown"),
    [
        ("tcp://jobs:7000", Address(host="jobs", port=7000), "tcp://jobs:7000"),
        ("tcp://jobs", Address(host="jobs", port=7419), "tcp://jobs:7419"),
        ("tcp+tls://jobs", Address(host="jobs", tls=True), "tcp+tls://jobs:7419"),
        ("tcp://[::1]:1", Address(host="::1", port=1), "tcp://[::1]:1"),
        ("tcp://joe:p%40s@jobs", Address(host="jobs", username="joe", password="p@s"), "tcp://jobs:7419"),
    ],
)
def test_reading_and_showing_an_address(url: str, address: Address, shown: str) -> None:
    found = parse_address(url, "url")
    assert found == address
    assert str(found) == shown
    assert "p@s" not in repr(found)
    assert parse_address(found.url(), "url") == address


@pytest.mark.parametrize("url", ["jobs:7419", "http://:hunter2@jobs", "tcp://", "tcp://:hunter2@jobs:x", "tcp://[::1"])
def test_what_is_no_address_is_told_without_its_password(url: str) -> None:
    with pytest.raises(ConfigError, match="place: ") as raised:
        parse_address(url, "place")
    assert "hunter2" not in str(raised.value)


def test_which_variable_counts() -> None:
    variables = {
        "SHOPFLOOR_PROVIDER": "FIRST",
        "FIRST": "tcp://first",
        "SHOPFLOOR_URL": "tcp://second",
        "FAKTORY_PROVIDER": "THIRD",
        "THIRD": "tcp://third",
        "FAKTORY_URL": "tcp://fourth",
    }
    for expected, dropped in (
        ("first", "SHOPFLOOR_PROVIDER"),
        ("second", "SHOPFLOOR_URL"),
        ("third", "FAKTORY_PROVIDER"),
        ("fourth", "FAKTORY_URL"),
    ):
        found = find_address(variables)
        assert found is not None
        assert found.host == expected
        del variables[dropped]
    assert find_address(variables) is None


@pytest.mark.parametrize("provider", ["tcp://jobs", "NOBODY"])
def test_a_provider_names_a_variable(provider: str) -> None:
    with pytest.raises(ConfigError, match="FAKTORY_PROVIDER: "):
        find_address({"FAKTORY_PROVIDER": provider})
