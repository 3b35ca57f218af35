"""`shopfloor serve`: the command around `serve`."""

from typing import Any

import click

from shopfloor.cli.serve import serve
from shopfloor.cli.setting_options import given_flags, setting_options


@click.command("serve")
@setting_options()
def serve_command(**given: Any) -> None:
    """Run the server in the foreground, until SIGTERM or SIGINT.

    SIGHUP reads the configuration and the certificate again. SIGTTIN writes the stacks of all threads and
    tasks to the log. Every option is a setting, which a variable or a file may set as well.
    """
    serve(given_flags(given))
