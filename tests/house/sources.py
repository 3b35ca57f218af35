"""The files that git knows of, read and parsed once for all rules."""

import ast
import re
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache, cached_property
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]

LINE_WAIVER = re.compile(r"#\s*house:\s*\w+\W+\w+")
FILE_WAIVER = re.compile(r"#\s*house-file:\s*\w+\W+\w+")

Function = ast.FunctionDef | ast.AsyncFunctionDef


@dataclass(frozen=True, kw_only=True)
class Violation:
    """One broken rule at one place; line 0 means the file as a whole."""

    path: str
    line: int
    says: str

    def __str__(self) -> str:
        return f"{self.path}:{max(self.line, 1)}: {self.says}"


@dataclass(frozen=True)
class Source:
    """One tracked file: its path from the root with forward slashes, and its text."""

    path: str
    text: str

    @cached_property
    def lines(self) -> list[str]:
        return self.text.splitlines()

    @cached_property
    def tree(self) -> ast.Module:
        return ast.parse(self.text)

    @property
    def is_python(self) -> bool:
        return self.path.endswith(".py")

    @property
    def room(self) -> str:
        """The folder or module right below the package, as `core` or `cli`; empty outside of it."""
        match = re.match(r"src/shopfloor/([a-z_]+)", self.path)
        return match[1] if match else ""

    @property
    def in_package(self) -> bool:
        return self.path.startswith("src/shopfloor/") and self.is_python

    def violation(self, line: int, says: str) -> Violation:
        return Violation(path=self.path, line=line, says=says)

    def waives(self, violation: Violation) -> bool:
        if violation.line == 0:
            return FILE_WAIVER.search(self.text) is not None
        return LINE_WAIVER.search(self.lines[violation.line - 1]) is not None

    def functions(self) -> Iterator[Function]:
        for node in ast.walk(self.tree):
            if isinstance(node, Function):
                yield node


@cache
def every_source() -> tuple[Source, ...]:
    """Read every text file that git tracks or would track; what it ignores is nobody's concern."""
    listing = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard", "-z"],
        cwd=ROOT,
        capture_output=True,
        check=True,
        text=True,
    )
    paths = sorted(set(filter(None, listing.stdout.split("\0"))))
    return tuple(filter(None, map(_read, paths)))


def _read(path: str) -> Source | None:
    """Answer None for what is no text, or was removed from the folder but not yet from git."""
    try:
        return Source(path, (ROOT / path).read_text(encoding="utf-8"))
    except (UnicodeDecodeError, FileNotFoundError, IsADirectoryError):
        return None
