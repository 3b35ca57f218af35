"""Reading BATCH's subcommands."""

import pytest

from shopfloor.errors import Refused
from shopfloor.wire.batch_verbs import read_batch
from shopfloor.wire.commands import (
    BatchCancel,
    BatchCommit,
    BatchList,
    BatchNew,
    BatchOpen,
    BatchRetry,
    BatchShow,
    BatchStatus,
)


def test_new_may_have_spaces_in_its_json() -> None:
    command = read_batch(b'NEW {"description": "two words", "success": {"jobtype": "T", "args": []}}')
    assert isinstance(command, BatchNew)
    assert command.definition.description == "two words"


def test_list_needs_no_batch() -> None:
    assert read_batch(b"LIST") == BatchList()


@pytest.mark.parametrize(
    ("word", "message"),
    [
        ("OPEN", BatchOpen("b-1")),
        ("commit", BatchCommit("b-1")),
        ("STATUS", BatchStatus("b-1")),
        ("show", BatchShow("b-1")),
        ("CANCEL", BatchCancel("b-1")),
        ("RETRY", BatchRetry("b-1")),
    ],
)
def test_subcommands_name_a_batch_and_may_be_in_any_case(word: str, message: object) -> None:
    assert read_batch(f"{word} b-1".encode()) == message


@pytest.mark.parametrize(
    ("argument", "reason"),
    [
        ("", "no such BATCH subcommand: "),
        ("CLOSE b-1", "no such BATCH subcommand: CLOSE"),
        ("OPEN", "BATCH OPEN needs a batch"),
        ("STATUS  ", "BATCH STATUS needs a batch"),
        ("NEW", "invalid batch: "),
        ("NEW []", "invalid batch: "),
    ],
)
def test_what_is_not_a_batch_command_is_refused(argument: str, reason: str) -> None:
    with pytest.raises(Refused) as refused:
        read_batch(argument.encode())
    assert refused.value.message.startswith(reason)
