"""What the bare text shows: promises without a number, addresses of registries, and paths of one machine."""

import re
import sys
from collections.abc import Iterator
from pathlib import Path, PurePosixPath

from tests.house.sources import ROOT, Source, Violation

PROSE = frozenset({".md", ".rst", ".txt"})
PROMISE = re.compile(r"\b(TO" + r"DO|FIX" + r"ME)\b(?!\(#\d+\))")

# No registry is named here either: the kind of file it stands in gives an address away, or its words do.
BUILD_FILE = re.compile(
    r"(\.lock|-lock\.(json|yaml)|\.npmrc|pip\.conf|go\.(mod|sum)|(^|/)(Makefile|Dockerfile|Cargo\.toml))$"
    r"|^(scripts|\.ci)/"
)
ADDRESS = re.compile(r"\bhttps?://(?!localhost|127\.0\.0\.1|\[::1\])[\w.-]+", re.IGNORECASE)
REGISTRY_ADDRESS = re.compile(
    r"\bhttps?://[\w.-]*\b(pypi|pythonhosted|npmjs|yarnpkg|crates|maven|artifactory|registry|proxy|mirrors?|deb)\b[\w.-]*"
    r"|--(extra-)?index[-]url\b|\bfind-links\s*=|\bGOPROXY\s*=|\bPIP_(EXTRA_)?INDEX_URL\b|\bregistry\s*=\s*http",
    re.IGNORECASE,
)
EVERYBODYS_FOLDERS = frozenset({"/", "/home", "/opt", "/srv", "/src", "/tmp", "/usr", "/usr/local", "/var", "/builds"})


def promises_have_a_number(source: Source) -> Iterator[Violation]:
    """What is left to be done names its issue, as in TO-DO(#12)."""
    if PurePosixPath(source.path).suffix not in PROSE:
        yield from _every_match(source, PROMISE, "name the issue, as in {}(#12), or do it")


def registries_are_the_machines_business(source: Source) -> Iterator[Violation]:
    """No address of a registry or an index anywhere; in locks, build files and scripts no address at all."""
    if source.path.startswith("tests/house/"):
        return
    pattern = ADDRESS if BUILD_FILE.search(source.path) else REGISTRY_ADDRESS
    yield from _every_match(source, pattern, "'{}': which registry is used is the machine's business")


def paths_are_nobodys_own(source: Source) -> Iterator[Violation]:
    """No path of the machine that this was written on: no checkout or its neighbours, no home."""
    beside = ROOT.parent.iterdir() if str(ROOT.parent) not in EVERYBODYS_FOLDERS else ()
    own = {ROOT, *beside, Path.home(), Path(sys.base_prefix)}
    paths = sorted(str(path) for path in own if str(path) not in EVERYBODYS_FOLDERS)
    pattern = re.compile(r"(?<![\w.~-])(" + "|".join(map(re.escape, paths)) + r")(?![\w.-])")
    yield from _every_match(source, pattern, "'{}' is a path of this machine alone")


def _every_match(source: Source, pattern: re.Pattern[str], says: str) -> Iterator[Violation]:
    if not pattern.search(source.text):
        return
    for number, line in enumerate(source.lines, start=1):
        if match := pattern.search(line):
            yield source.violation(number, says.format(match[0]))
