"""A group of commands that says every error in one line on stderr and ends with a code of `exits`."""

import io
import sys
from collections.abc import Sequence
from typing import Any

import click

from shopfloor.cli.exits import Exit, exit_of
from shopfloor.cli.screen import printable
from shopfloor.errors import ShopfloorError

NAME = "shopfloor"


class Commands(click.Group):
    """The outermost group. Groups within it are of this class too, but run inside its `main`."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Show the help where no command is named, in every version of click alike."""
        if not args and not ctx.resilient_parsing:
            click.echo(ctx.get_help(), color=ctx.color)
            ctx.exit(Exit.USAGE)
        return super().parse_args(ctx, args)

    def main(
        self,
        args: Sequence[str] | None = None,
        prog_name: str | None = None,
        complete_var: str | None = None,
        standalone_mode: bool = True,
        **extra: Any,
    ) -> Any:
        """Run a command line and exit."""
        for stream in (sys.stdout, sys.stderr):
            if isinstance(stream, io.TextIOWrapper):
                stream.reconfigure(errors="backslashreplace")  # a terminal of another alphabet
        try:
            code = super().main(args, NAME, complete_var, standalone_mode=False, **extra)
        except click.Abort:
            complain("interrupted")
            code = Exit.INTERRUPTED
        except click.UsageError as error:
            help_of = f" (see {error.ctx.command_path} --help)" if error.ctx is not None else ""
            complain(error.format_message() + help_of)
            code = Exit.USAGE
        except click.ClickException as error:
            complain(error.format_message())
            code = error.exit_code
        except ShopfloorError as error:
            complain(str(error))
            code = exit_of(error)
        except BrokenPipeError:
            # Whoever read our output has seen enough; Python would complain again when it flushes.
            sys.stdout = open("/dev/null", "w")  # noqa: SIM115  # it lives as long as the process
            code = Exit.OK
        sys.exit(int(code or 0))


def complain(text: str) -> None:
    """Say on stderr what is wrong, each problem on a line of its own."""
    for line in text.splitlines() or [""]:
        click.echo(f"{NAME}: {printable(line)}", err=True)
