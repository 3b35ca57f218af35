"""The `shopfloor` command: its subcommands in the order in which `--help` and the reference page list them."""

import click

from shopfloor import __version__
from shopfloor.cli.about import completion, config, info, version
from shopfloor.cli.backup import backup, restore
from shopfloor.cli.batch import batch
from shopfloor.cli.caller import server_options
from shopfloor.cli.cron import cron
from shopfloor.cli.doctor import doctor
from shopfloor.cli.exits import MEANINGS
from shopfloor.cli.group import NAME, Commands
from shopfloor.cli.job import job
from shopfloor.cli.move import move
from shopfloor.cli.places import HELP, place_commands
from shopfloor.cli.push import push
from shopfloor.cli.queues import queues
from shopfloor.cli.run import serve_command
from shopfloor.cli.slots import locks, throttles
from shopfloor.cli.take_over import import_group
from shopfloor.cli.top import top
from shopfloor.cli.work import work

EXIT_CODES = "\n".join(f"      {code:>3}  {meaning}" for code, meaning in MEANINGS.items())


class InOrder(Commands):
    """Lists its commands as they were added: what is needed first comes first."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Name the commands."""
        return list(self.commands)


@click.group(NAME, cls=InOrder, epilog=f"\b\nExit codes:\n{EXIT_CODES}")
@click.version_option(__version__, prog_name=NAME, message="%(prog)s %(version)s")
@server_options
def main() -> None:
    """Run, ask and look after a Shopfloor server."""


for _command in (
    serve_command,
    work,
    push,
    info,
    top,
    queues,
    job,
    *map(place_commands, HELP),
    batch,
    cron,
    throttles,
    locks,
    backup,
    restore,
    import_group,
    move,
    doctor,
    config,
    version,
    completion,
):
    main.add_command(_command)
