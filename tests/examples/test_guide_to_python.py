"""What the guides to Python show is true: their files are written, their commands run, and the output compared.

A block marked `python` whose first line is a comment with a file's name is that file. A block marked `console` has
commands behind `$ ` and what they print; "…" stands for anything. Commands run one after the other, in one folder,
against one server that was empty at first.
"""

import os
import re
import shlex
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from benchmarks.servers import ADDRESS, describe, running

ROOT = Path(__file__).resolve().parents[2]
PAGES = [ROOT / "docs" / "guides" / f"{name}.md" for name in ("python", "testing", "web-frameworks")]
BLOCK = re.compile(r"^```(python|ini|console)\n(.*?)^```", re.MULTILINE | re.DOTALL)
NAMED = re.compile(r"# (\w+\.(?:py|toml|ini))\n")
PROGRAMS = {
    "python": [sys.executable, "-W", "error"],
    "pytest": [sys.executable, "-W", "error", "-m", "pytest", "-p", "no:randomly", "-p", "no:cacheprovider"],
    "shopfloor": [sys.executable, "-W", "error", "-m", "shopfloor"],
}
SECONDS_MAX = 40


def commands(block: str) -> Iterator[tuple[str, str]]:
    """Cut a console block into commands and what each prints."""
    for part in re.split(r"^\$ ", block, flags=re.MULTILINE)[1:]:
        command, _, output = part.partition("\n")
        yield command, output


def fits(shown: str, got: str) -> bool:
    """Compare output line by line, each without the spaces at its end; "…" is anything."""
    pattern = "\n".join(re.escape(line.rstrip()).replace("…", ".*") for line in shown.splitlines())
    return re.fullmatch(pattern, "\n".join(line.rstrip() for line in got.splitlines())) is not None


@pytest.mark.parametrize("page", PAGES, ids=[page.stem for page in PAGES])
@pytest.mark.timeout(180)
def test_the_page_does_what_it_shows(page: Path, tmp_path: Path) -> None:
    spec = describe("shopfloor:memory")
    with running(replace(spec, command=spec.command + " --fetch-seconds 0.2")) as server:
        environment = os.environ | {
            "FAKTORY_URL": f"tcp://{ADDRESS}:{server.port}",
            "PYTHONPATH": f"{ROOT / 'src'}{os.pathsep}{tmp_path}",
            "COLUMNS": "100",
        }
        for kind, block in BLOCK.findall(page.read_text(encoding="utf-8")):
            name = NAMED.match(block)
            if kind != "console" and name:
                (tmp_path / name[1]).write_text(block, encoding="utf-8")
            for command, shown in commands(block) if kind == "console" else ():
                run = subprocess.run(
                    [*PROGRAMS[command.split()[0]], *shlex.split(command)[1:]],
                    cwd=tmp_path,
                    env=environment,
                    capture_output=True,
                    text=True,
                    timeout=SECONDS_MAX,
                )
                assert run.returncode == 0, (command, run.stdout, run.stderr)
                assert fits(shown, run.stdout), (command, run.stdout, run.stderr)
