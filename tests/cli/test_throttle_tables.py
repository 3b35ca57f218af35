"""Reading `[throttles]`."""

from pathlib import Path

import pytest

from shopfloor.cli.throttle_tables import read_throttle_tables
from shopfloor.config.document import read_document
from shopfloor.core.throttle import Limit, Table, Throttle
from shopfloor.errors import ConfigError


def read(text: str) -> Table:
    return read_throttle_tables(read_document(Path("t.toml"), f"[throttles]\n{text}\n").tables.throttles)


def test_throttles_of_faktory_and_ours() -> None:
    found = read(
        'scrape = { concurrency = 6, timeout = 90 }\n"img-resize" = { worker = 2, timeout = 45 }\n'
        '"type:Resize" = { concurrency = 2 }\n"key:customer-*" = { rate = 10, period = 60 }'
    )
    assert found.throttles == (
        Throttle(kind="queue", name="scrape", limit=Limit(concurrency=6)),
        Throttle(kind="queue", name="img-resize", limit=Limit(worker=2)),
        Throttle(kind="type", name="Resize", limit=Limit(concurrency=2)),
        Throttle(kind="key", name="customer-*", limit=Limit(rate=10, period=60.0)),
    )


def test_no_throttles_are_none() -> None:
    assert read("") == Table()


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("scrape = 6", "t.toml [throttles] scrape: expected a table, as in { concurrency = 2, timeout = 60 }"),
        (
            "scrape = { concurency = 6 }",
            "t.toml [throttles] scrape concurency: unknown key, did you mean concurrency?",
        ),
        (
            "scrape = { concurrency = 0 }",
            "t.toml [throttles] scrape concurrency: expected a whole number from 1 to 1000000, not 0",
        ),
        (
            "scrape = { worker = true }",
            "t.toml [throttles] scrape worker: expected a whole number from 1 to 1000000, not True",
        ),
        (
            "scrape = { rate = 1001, period = 1 }",
            "t.toml [throttles] scrape rate: expected a whole number from 1 to 1000, not 1001",
        ),
        (
            'scrape = { worker = 1, timeout = "90" }',
            "t.toml [throttles] scrape timeout: expected seconds, more than 0 and at most 86400, not '90'",
        ),
        (
            "scrape = { rate = 5 }",
            "t.toml [throttles] scrape: rate and period go together, as in { rate = 10, period = 60 }",
        ),
        (
            "scrape = { timeout = 5 }",
            "t.toml [throttles] scrape: sets no limit: give concurrency, worker, or rate and period",
        ),
        (
            '"typ:Resize" = { worker = 1 }',
            "t.toml [throttles] typ:Resize: unknown kind of throttle typ:, did you mean type?",
        ),
        (
            '"x:y" = { worker = 1 }',
            't.toml [throttles] x:y: unknown kind of throttle x:; there are queues, "type:…" and "key:…"',
        ),
        ('"key:" = { worker = 1 }', "t.toml [throttles] key:: a key has a name, or *"),
        (
            '"my queue" = { worker = 1 }',
            't.toml [throttles] my queue: no queue can be called "my queue"; did you mean "type:my queue"?',
        ),
    ],
)
def test_what_is_no_throttle_is_refused_with_its_place(text: str, complaint: str) -> None:
    with pytest.raises(ConfigError) as refused:
        read(text)
    assert str(refused.value) == complaint


def test_the_example_of_the_guide_is_one() -> None:
    page = Path(__file__).resolve().parents[2] / "docs/guides/throttles.md"
    example = page.read_text(encoding="utf-8").split("```toml\n")[1].split("```")[0]
    assert len(read_throttle_tables(read_document(page, example).tables.throttles).throttles) == 5
