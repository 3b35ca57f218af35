"""Greeting and HELLO."""

import json

import pytest

from shopfloor.errors import Hangup
from shopfloor.wire import handshake
from shopfloor.wire.handshake import Challenge, Hello, read_hello


def test_the_greeting_without_a_password_is_what_old_clients_compare_byte_for_byte() -> None:
    assert handshake.greeting(None) == b'+HI {"v":2}\r\n'


def test_the_greeting_with_a_password_has_no_space_in_its_json() -> None:
    asked = Challenge(salt="55104dc76695721d", iterations=1545)
    assert handshake.greeting(asked) == b'+HI {"v":2,"i":1545,"s":"55104dc76695721d"}\r\n'


@pytest.mark.parametrize(
    ("dice", "salt", "iterations"),
    [
        (0, "0", 4000),
        (4095, "0", 8095),
        (4096, "1", 4000),
        (2**75 - 1, "7fffffffffffffff", 8095),
        (0xAB000, "ab", 4000),
    ],
)
def test_a_challenge_is_63_bits_in_hex_and_4000_to_8095_rounds(dice: int, salt: str, iterations: int) -> None:
    assert handshake.challenge(dice) == Challenge(salt=salt, iterations=iterations)


def test_the_password_is_hashed_as_faktory_does_it() -> None:
    expected = "6d877f8e5544b1f2598768f817413ab8a357afffa924dedae99eb91472d4ec30"
    assert handshake.password_hash("foobar", "55104dc76695721d", 1545) == expected


@pytest.mark.parametrize(("version", "rounds"), [(0, 1), (1, 1), (2, 1545), (3, 1545)])
def test_clients_below_version_2_hash_once(version: int, rounds: int) -> None:
    assert handshake.rounds(Hello(version=version), Challenge("x", 1545)) == rounds


def test_the_right_hash_is_let_in_and_any_other_is_not() -> None:
    digest = handshake.further_digest(handshake.first_digest("foobar", "salt"), 4)
    right = handshake.password_hash("foobar", "salt", 5)
    handshake.check_password(Hello(pwdhash=right), digest)
    for wrong in ("", right.upper(), right[:-1], right + "0", "ü", "\ud83d"):
        with pytest.raises(Hangup) as caught:
            handshake.check_password(Hello(pwdhash=wrong), digest)
        assert caught.value.message == "Invalid password"


def test_a_hello_says_who_the_client_is() -> None:
    said = {
        "v": 2,
        "hostname": "h",
        "wid": "w1",
        "pid": 7,
        "labels": ["python", "x"],
        "pwdhash": "p",
        "username": "u",
        "rss_kb": 9,
        "understands": ["cancel"],
    }
    assert read_hello(f"HELLO {json.dumps(said)}".encode()) == Hello(
        version=2,
        wid="w1",
        hostname="h",
        pid=7,
        labels=("python", "x"),
        pwdhash="p",
        username="u",
        rss_kb=9,
        understands=("cancel",),
    )


@pytest.mark.parametrize(
    "text",
    [
        "{}",
        '{"v":null,"hostname":null,"wid":null,"pid":null,"labels":null,"pwdhash":null,"username":null,"rss_kb":null}',
        '{"wid":"","labels":[],"understands":null}',
        '{"unknown":[1,{"deep":true}]}',
        '{"v":0}',
    ],
)
def test_every_key_of_a_hello_may_be_missing_or_null_and_others_are_ignored(text: str) -> None:
    assert read_hello(f"HELLO {text}".encode()) == Hello()


def test_the_keys_of_a_hello_may_be_in_any_case_and_the_last_one_counts() -> None:
    assert read_hello(b'HELLO {"WID":"a","Wid":"b","V":2,"v":1}') == Hello(version=1, wid="b")


def test_a_hello_may_have_broken_characters_and_null_labels() -> None:
    hello = read_hello(b'HELLO {"wid":"a\xff","hostname":"\\ud83d","labels":["x",null],"understands":[null]}')
    assert hello == Hello(wid="a\ufffd", hostname="\ufffd", labels=("x", ""), understands=("",))


@pytest.mark.parametrize(
    "line",
    [
        "",
        "HELLO",
        "HELLO ",
        "HELLO  {}",
        "HELLO null",
        "HELLO []",
        "hello {}",
        "INFO",
        "GET / HTTP/1.1",
        "HELLO {",
        "HELLO {} x",
        'HELLO {"v":2.0}',
        'HELLO {"v":256}',
        'HELLO {"v":-1}',
        'HELLO {"v":"2"}',
        'HELLO {"pid":"1"}',
        'HELLO {"pid":1.5}',
        'HELLO {"pid":1' + "0" * 40 + "}",
        'HELLO {"rss_kb":"1"}',
        'HELLO {"wid":5}',
        'HELLO {"labels":"x"}',
        'HELLO {"labels":[5]}',
        'HELLO {"hostname":NaN}',
        'HELLO {"x":' + "[" * 100_000,
    ],
)
def test_anything_else_is_hung_up_on_without_a_word(line: str) -> None:
    with pytest.raises(Hangup) as caught:
        read_hello(line.encode())
    assert caught.value.message == ""
