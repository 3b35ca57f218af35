"""What the protocol forgives in a JSON text."""

import msgspec
import pytest

from shopfloor.core.leniency import keep_known, known_keys, readable, valid_utf8, without_lone_surrogates


def test_broken_utf8_becomes_the_replacement_character() -> None:
    assert valid_utf8(b'"a\xffb"') == '"a\ufffdb"'.encode()


@pytest.mark.parametrize("text", ["plain", "Größe", "日本語"])
def test_utf8_stays_as_it_is(text: str) -> None:
    assert valid_utf8(text.encode()) == text.encode()


@pytest.mark.parametrize(
    ("text", "strict"),
    [
        (rb'"plain"', rb'"plain"'),
        (rb'"\u00e9"', rb'"\u00e9"'),
        (rb'"\ud83d\ude00"', rb'"\ud83d\ude00"'),
        (rb'"\uD83D\uDE00"', rb'"\uD83D\uDE00"'),
        (rb'"\ud83d"', rb'"\ufffd"'),
        (rb'"\ude00"', rb'"\ufffd"'),
        (rb'"\ud83d\ud83d\ude00"', rb'"\ufffd\ud83d\ude00"'),
        (rb'"\ude00\ud83d"', rb'"\ufffd\ufffd"'),
        (rb'"\\ud83d"', rb'"\\ud83d"'),
        (rb'"\\\ud83d"', rb'"\\\ufffd"'),
    ],
)
def test_half_a_character_becomes_the_replacement_character(text: bytes, strict: bytes) -> None:
    assert without_lone_surrogates(text) == strict
    msgspec.json.decode(strict)


def test_keys_are_known_in_any_case_and_others_dropped() -> None:
    assert known_keys(b'{"JID":1,"Other":2}', ("jid",)) == {"jid": msgspec.Raw(b"1")}


def test_of_several_spellings_the_last_one_counts() -> None:
    assert keep_known({"jid": msgspec.Raw(b"1"), "Jid": msgspec.Raw(b"2")}, ("jid",)) == {"jid": msgspec.Raw(b"2")}


def test_null_is_an_object_without_keys() -> None:
    assert known_keys(b"null", ("jid",)) == {}


@pytest.mark.parametrize("text", [b"[]", b"5", b'"x"', b"", b"{", b'{"a":NaN}', b'{"a":1}x'])
def test_what_is_no_object_is_refused(text: bytes) -> None:
    with pytest.raises(msgspec.MsgspecError):
        known_keys(text, ("a",))


def test_bytes_that_are_no_utf8_are_readable_all_the_same() -> None:
    assert readable(b"caf\xc3\xa9 \xff") == "caf\u00e9 \ufffd"
