"""The page of the commands: fresh, and complete."""

from pathlib import Path

import click

from shopfloor.cli.exits import MEANINGS
from shopfloor.cli.main import main
from shopfloor.cli.reference import PAGE, reference_page, write_reference

KEPT = Path(__file__).parents[2] / "docs" / "reference" / PAGE


def test_the_page_is_fresh(tmp_path: Path) -> None:
    write_reference(tmp_path)
    assert (tmp_path / PAGE).read_text("utf-8") == KEPT.read_text("utf-8"), "python scripts/docs.py writes it"


def test_every_command_has_its_heading() -> None:
    headings = {line.lstrip("# ") for line in reference_page().splitlines() if line.startswith("#")}
    for name, command in main.commands.items():
        assert f"shopfloor {name}" in headings
        for inner in command.commands if isinstance(command, click.Group) else ():
            assert f"shopfloor {name} {inner}" in headings


def test_every_command_and_option_says_what_it_is_for() -> None:
    commands = [main, *main.commands.values()]
    commands += [inner for group in commands if isinstance(group, click.Group) for inner in group.commands.values()]
    for command in commands:
        assert (command.help or "").strip(), command.name
        for param in command.params:
            assert not isinstance(param, click.Option) or param.help, (command.name, param.name)


def test_every_exit_code_is_on_the_page() -> None:
    page = reference_page()
    for code, meaning in MEANINGS.items():
        assert f"| {int(code)} | {meaning} |" in page
