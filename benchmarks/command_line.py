"""The command `python -m benchmarks`: a sub-command per workload, its flags made from its settings."""

import argparse
import dataclasses
import json
import sys
from pathlib import Path
from typing import Any

from benchmarks import report, tools
from benchmarks.errors import BenchmarkError
from benchmarks.servers import NAMES_HELP, describe
from benchmarks.turns import take_turns
from benchmarks.workload import Workload
from benchmarks.workloads import WORKLOADS

# What sets the flags of a workload's settings apart from the flags that all workloads have.
SETTING = "setting_"


def main(arguments: list[str]) -> int:
    """Run one command; give the exit status: 0, or 1 with the reason on standard error."""
    try:
        chosen = _parser().parse_args(arguments)
        chosen.act(chosen)
    except BenchmarkError as error:
        _tell(str(error))
        return 1
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks", description="Measure servers of the Faktory work protocol."
    )
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    for workload in WORKLOADS:
        command = commands.add_parser(workload.name, help=workload.summary, description=workload.summary)
        command.set_defaults(act=_run, workloads=(workload,))
        _add_common(command)
        _add_settings(command, workload)
    everything = commands.add_parser("all", help="every workload with its own settings, one after the other")
    everything.set_defaults(act=_run, workloads=WORKLOADS)
    _add_common(everything)
    build = commands.add_parser("tools", help="build all programs needed into .tools/bin")
    build.add_argument("names", nargs="*", metavar="NAME", help=f"only these of {', '.join(tools.TOOLS)}")
    build.set_defaults(act=_build)
    show = commands.add_parser("show", help="print saved results as tables")
    show.add_argument("files", nargs="+", type=Path, metavar="FILE")
    show.set_defaults(act=_show)
    return parser


def _add_common(command: argparse.ArgumentParser) -> None:
    command.add_argument("--server", default="shopfloor", metavar="A", help=NAMES_HELP + " (%(default)s)")
    command.add_argument("--against", metavar="B", help="a second server, run in turns with the first")
    command.add_argument("--rounds", type=int, default=1, help="how often each is run (%(default)s)")
    command.add_argument("--quick", action="store_true", help="tiny sizes: shows that it runs and no more")
    command.add_argument("--json", action="store_true", help="print JSON instead of a table")
    command.add_argument("--output", type=Path, metavar="FILE", help="also keep the JSON in this file")


def _add_settings(command: argparse.ArgumentParser, workload: Workload[Any]) -> None:
    """Add a flag per setting, with no default, so that a flag that was given can be told from others."""
    for setting in dataclasses.fields(workload.settings):
        default = getattr(workload.settings, setting.name)
        several = isinstance(default, tuple)
        shown = " ".join(map(str, default)) if several else default
        command.add_argument(
            "--" + setting.name.replace("_", "-"),
            dest=SETTING + setting.name,
            type=type(default[0] if several else default),
            nargs="+" if several else None,
            metavar="N",
            help=f"{setting.metadata['help']} ({shown})",
        )


def _run(chosen: argparse.Namespace) -> None:
    servers = [describe(name) for name in (chosen.server, chosen.against) if name is not None]
    documents = []
    for workload in chosen.workloads:
        result = take_turns(workload, _settings(workload, chosen), servers, chosen.rounds, _tell)
        documents.append(report.document(result))
        if not chosen.json:
            _say(report.table(documents[-1]) + "\n")
    kept = documents if len(chosen.workloads) > 1 else documents[0]
    if chosen.json:
        _say(report.encode(kept))
    if chosen.output is not None:
        chosen.output.write_text(report.encode(kept) + "\n")


def _settings(workload: Workload[Any], chosen: argparse.Namespace) -> Any:
    """Take the workload's settings, quick or real, and put the flags that were given over them."""
    changed = {
        flag.removeprefix(SETTING): tuple(value) if isinstance(value, list) else value
        for flag, value in vars(chosen).items()
        if flag.startswith(SETTING) and value is not None
    }
    return dataclasses.replace(workload.quick if chosen.quick else workload.settings, **changed)


def _build(chosen: argparse.Namespace) -> None:
    for path in tools.build(chosen.names or tuple(tools.TOOLS)):
        _say(str(path.relative_to(tools.ROOT)))


def _show(chosen: argparse.Namespace) -> None:
    for path in chosen.files:
        kept = json.loads(path.read_text())
        for one in kept if isinstance(kept, list) else [kept]:
            _say(report.table(one) + "\n")


def _say(text: str) -> None:
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


def _tell(text: str) -> None:
    sys.stderr.write(text + "\n")
    sys.stderr.flush()
