"""The messages: each is a value, and each extension is announced."""

import re
import typing

from shopfloor.wire import commands
from shopfloor.wire.verbs import VERBS

FAKTORY_VERBS = {
    "ACK",
    "BATCH",
    "BEAT",
    "END",
    "FAIL",
    "FETCH",
    "FLUSH",
    "INFO",
    "MUTATE",
    "PUSH",
    "PUSHB",
    "QUEUE",
    "TRACK",
}


def test_messages_are_frozen_values() -> None:
    assert commands.Ack("job-0001") == commands.Ack("job-0001")
    assert all(message.__struct_config__.frozen for message in typing.get_args(commands.Command))


def test_every_extension_is_announced_and_says_so() -> None:
    documented = {
        match[1]
        for message in typing.get_args(commands.Command)
        if (match := re.match(r"`([A-Z]+(?: [A-Z]+)?).*\(extension\)", message.__doc__ or "", re.DOTALL))
    }
    assert documented == set(commands.EXTENSIONS)


def test_every_verb_is_of_the_protocol_or_announced() -> None:
    announced = {extension.split()[0] for extension in commands.EXTENSIONS}
    assert {verb.decode() for verb in VERBS} == FAKTORY_VERBS | announced
