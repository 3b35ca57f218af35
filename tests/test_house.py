"""The style guide, executed on every file; each rule also proves, on a bad sample, that it can complain."""

from collections.abc import Callable, Iterator

import pytest

from tests.house import habits, shape, words
from tests.house.sources import ROOT, Source, Violation, every_source

Rule = Callable[[Source], Iterator[Violation]]

LONG_FUNCTION = "def f():\n" + "    x = 1\n" * shape.FUNCTION_LINES_MAX
DEEP = "def f():\n if a:\n  pass\n elif b:\n  for c in d:\n   with e:\n    while f:\n     g()\n"

# Each rule with a path and a text that break it.
RULES: list[tuple[Rule, str, str]] = [
    (shape.file_is_short, "src/shopfloor/core/job.py", "x = 1\n" * (shape.FILE_LINES_MAX + 1)),
    (shape.function_is_short, "src/shopfloor/core/job.py", LONG_FUNCTION),
    (shape.parameters_are_few, "src/shopfloor/core/job.py", "def f(a, b, c, d, *e, f, g): ...\n"),
    (shape.nesting_is_shallow, "src/shopfloor/core/job.py", DEEP),
    (shape.name_says_what_lives_there, "src/shopfloor/core/utils.py", "x = 1\n"),
    (habits.opens_with_a_sentence, "src/shopfloor/core/job.py", '"""Jobs"""\n'),
    (
        habits.imports_are_at_the_top,
        "src/shopfloor/core/job.py",
        "def f():\n    from shopfloor import errors\n",
    ),
    (habits.imports_are_real, "src/shopfloor/core/job.py", "from typing import TYPE_CHECKING\n"),
    (habits.core_and_wire_are_deaf_and_blind, "src/shopfloor/core/job.py", "import time\n"),
    (habits.core_and_wire_are_deaf_and_blind, "src/shopfloor/wire/resp.py", "async def f(): ...\n"),
    (habits.core_and_wire_are_deaf_and_blind, "src/shopfloor/core/job.py", "def f(redis_key): ...\n"),
    (habits.clocks_are_asked_in_one_place, "src/shopfloor/broker/ticks.py", "import time\nx = time.time()\n"),
    (habits.clocks_are_asked_in_one_place, "src/shopfloor/broker/ticks.py", "now = datetime.now(UTC)\n"),
    (habits.nobody_prints_but_the_command_line, "src/shopfloor/sdk/client.py", "print(1)\n"),
    (habits.modules_keep_no_state, "src/shopfloor/sdk/client.py", "clients = {}\n"),
    (habits.modules_keep_no_state, "src/shopfloor/sdk/client.py", "def f():\n    global x\n"),
    (words.promises_have_a_number, "src/shopfloor/sdk/client.py", "# TO" + "DO: later\n"),
    (
        words.registries_are_the_machines_business,
        "tests/foreign/x-lock.json",
        '"https://example.test/x.tgz"\n',
    ),
    (
        words.registries_are_the_machines_business,
        "docs/guides/x.md",
        "pip install --index" + "-url x\n",
    ),
    (words.paths_are_nobodys_own, "docs/guides/start.md", f"cd {ROOT}/src\n"),
]
EVERY_RULE = dict.fromkeys(rule for rule, _, _ in RULES)


def _says(rule: Rule) -> str:
    return rule.__name__


@pytest.mark.parametrize("rule", EVERY_RULE, ids=_says)
def test_the_house_keeps_the_rule(rule: Rule) -> None:
    found = [violation for source in every_source() for violation in rule(source) if not source.waives(violation)]
    if found:
        listing = "\n".join(f"  {violation}" for violation in found)
        pytest.fail(f"{rule.__doc__}\n{listing}", pytrace=False)


@pytest.mark.parametrize(("rule", "path", "text"), RULES, ids=[_says(rule) for rule, _, _ in RULES])
def test_the_rule_complains_of_a_bad_sample(rule: Rule, path: str, text: str) -> None:
    assert list(rule(Source(path, text)))


def test_a_reason_in_the_code_waives_a_rule_and_an_empty_one_does_not() -> None:
    source = Source("src/shopfloor/core/job.py", "x = 1  # house: measured to be faster\ny = 2  # house:\n")
    assert source.waives(source.violation(1, ""))
    assert not source.waives(source.violation(2, ""))
    assert not source.waives(source.violation(0, ""))


def test_the_files_are_found() -> None:
    assert "tests/test_house.py" in {source.path for source in every_source()}
