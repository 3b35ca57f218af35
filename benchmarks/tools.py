"""The programs that a benchmark runs and Python does not bring: found, or built into `.tools/bin`.

Faktory and its load program are built from their published module at one version and run as they are; none of
their source is part of this repository. They are required by a throw-away module, because `go install
path@version` also asks for the list of all versions, which not every module mirror has.
"""

import os
import shutil
import subprocess
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from benchmarks.errors import BenchmarkError

ROOT = Path(__file__).resolve().parent.parent
BINARIES = ROOT / ".tools" / "bin"
GENERATOR = ROOT / "benchmarks" / "generator"
FAKTORY_VERSION = "v1.9.4"
FAKTORY_MODULE = "github.com/contribsys/faktory"


@dataclass(frozen=True, slots=True, kw_only=True)
class Tool:
    """A program, the environment variable that names it elsewhere, and the Go package it comes from."""

    variable: str
    package: str
    on_path: bool = False


TOOLS = {
    "faktory": Tool(variable="FAKTORY_BIN", package=f"{FAKTORY_MODULE}/cmd/faktory", on_path=True),
    "load": Tool(variable="FAKTORY_LOAD_BIN", package=f"{FAKTORY_MODULE}/test/load"),
    "generator": Tool(variable="GENERATOR_BIN", package="."),
}


def find(name: str) -> Path:
    """Find a program: where its variable points, in `.tools/bin`, or on PATH where its name is its own."""
    tool = TOOLS[name]
    if named := os.environ.get(tool.variable):
        return Path(named)
    if (built := BINARIES / name).exists():
        return built
    if tool.on_path and (found := shutil.which(name)):
        return Path(found)
    raise BenchmarkError(f"{name} is missing: run `python -m benchmarks tools`, or set {tool.variable}")


def build(names: Sequence[str] = tuple(TOOLS)) -> list[Path]:
    """Build programs into `.tools/bin`. This needs Go; to run, Faktory also needs redis-server."""
    if unknown := set(names) - set(TOOLS):
        raise BenchmarkError(f"no such tool: {', '.join(sorted(unknown))} (there are: {', '.join(TOOLS)})")
    BINARIES.mkdir(parents=True, exist_ok=True)
    packages = [TOOLS[name].package for name in names]
    foreign = [package for package in packages if package.startswith(FAKTORY_MODULE)]
    if len(foreign) < len(packages):
        _go(GENERATOR, "build", "-o", str(BINARIES / "generator"), ".")
    if foreign:
        with tempfile.TemporaryDirectory() as folder:
            _go(Path(folder), "mod", "init", "tools")
            _go(Path(folder), "get", *[f"{package}@{FAKTORY_VERSION}" for package in foreign])
            # The slash makes `-o` a folder even for one package.
            _go(Path(folder), "build", "-mod=mod", "-o", f"{BINARIES}/", *foreign)
    return [BINARIES / name for name in names]


def _go(directory: Path, *arguments: str) -> None:
    try:
        subprocess.run(["go", *arguments], cwd=directory, check=True, capture_output=True, text=True)
    except FileNotFoundError as error:
        raise BenchmarkError("go is missing: install Go 1.25 or later") from error
    except subprocess.CalledProcessError as error:
        raise BenchmarkError(f"go {arguments[0]} failed:\n{error.stderr}") from error
