"""Keep the documentation true: write the generated pages, follow every link, hold decisions to their form.

    python scripts/docs.py            writes generated pages that are stale
    python scripts/docs.py --check    writes nothing and fails where one is stale

A generator is a module of ours that, run with a folder, writes its pages there. To add one, add its row here.
"""

import re
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
DOCS = ROOT / "docs"

# Module to run, and the folder below docs/ that its pages live in.
GENERATORS = (
    ("shopfloor.config", "reference"),
    ("shopfloor.cli", "reference"),
    ("shopfloor.web.api", "reference"),
    ("scripts.lifecycle_page", "concepts"),
    ("scripts.python_page", "reference"),
)

LINK = re.compile(r"(?<!!)\[[^\]]*\]\(([^)\s]+)\)")
HEADING = re.compile(r"^#{1,6}\s+(.*?)\s*#*$", re.MULTILINE)
FENCE = re.compile(r"^(```|~~~).*?^\1", re.MULTILINE | re.DOTALL)

DECISION_NAME = re.compile(r"(\d{4})-[a-z0-9-]+\.md")
DECISION_PARTS = ("Situation", "Choice", "What we gave up", "When to revisit")
DECISION_LINES_MAX = 60  # a page


def main(arguments: list[str]) -> int:
    """Say everything that is wrong, then answer 1 if anything was."""
    complaints = [*_stale_pages(write="--check" not in arguments), *_lost_links(), *_shapeless_decisions()]
    for complaint in complaints:
        print(complaint)
    print(f"docs: {len(complaints)} complaints" if complaints else "docs: every link leads somewhere")
    return 1 if complaints else 0


def _stale_pages(*, write: bool) -> Iterator[str]:
    for module, folder in GENERATORS:
        with tempfile.TemporaryDirectory() as fresh:
            subprocess.run([sys.executable, "-m", module, fresh], cwd=ROOT, check=True)
            yield from _differences(Path(fresh), DOCS / folder, module, write=write)


def _differences(fresh: Path, kept: Path, module: str, *, write: bool) -> Iterator[str]:
    for page in sorted(path for path in fresh.rglob("*") if path.is_file()):
        target = kept / page.relative_to(fresh)
        if target.is_file() and target.read_bytes() == page.read_bytes():
            continue
        if write:
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(page.read_bytes())
            print(f"wrote {target.relative_to(ROOT)}")
        else:
            yield f"{target.relative_to(ROOT)}:1: stale: `make docs` writes it again (python -m {module})"


def _lost_links() -> Iterator[str]:
    for page in _pages():
        text = FENCE.sub(_blank, page.read_text(encoding="utf-8"))
        for match in LINK.finditer(text):
            line = text.count("\n", 0, match.start()) + 1
            if complaint := _follow(page, match[1]):
                yield f"{page.relative_to(ROOT)}:{line}: {complaint}"


def _pages() -> list[Path]:
    listing = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard", "*.md"],
        cwd=ROOT,
        capture_output=True,
        check=True,
        text=True,
    )
    return [page for name in sorted(set(listing.stdout.split("\n"))) if name and (page := ROOT / name).is_file()]


def _follow(page: Path, link: str) -> str:
    """Answer what is wrong with a link, or nothing. Links to other sites are not followed."""
    if re.match(r"[a-z]+:", link):
        return ""
    name, _, anchor = link.partition("#")
    target = (page.parent / name).resolve() if name else page
    if not target.exists():
        return f"the link leads nowhere: {link}"
    if anchor and target.suffix == ".md" and anchor not in _anchors(target):
        return f"no such heading: {link}"
    return ""


def _anchors(page: Path) -> set[str]:
    """Give the anchors of a page's headings as hosts of repositories write them."""
    text = FENCE.sub(_blank, page.read_text(encoding="utf-8"))
    plain = (re.sub(r"[^\w\- ]", "", heading.lower()) for heading in HEADING.findall(text))
    return {heading.replace(" ", "-") for heading in plain}


def _blank(fence: re.Match[str]) -> str:
    """Empty a code block and keep its lines, so that the numbers of the lines below stay right."""
    return "\n" * fence[0].count("\n")


def _shapeless_decisions() -> Iterator[str]:
    numbers: dict[str, str] = {}
    for page in sorted((DOCS / "decisions").glob("*.md")):
        where = f"{page.relative_to(ROOT)}:1:"
        match = DECISION_NAME.fullmatch(page.name)
        if match is None:
            yield f"{where} a decision is called NNNN-title.md"
            continue
        if (other := numbers.setdefault(match[1], page.name)) != page.name:
            yield f"{where} {match[1]} is taken by {other}"
        text = page.read_text(encoding="utf-8")
        missing = [part for part in DECISION_PARTS if not re.search(rf"^## {part}$", text, re.MULTILINE)]
        if missing:
            yield f"{where} no heading for: {', '.join(missing)}"
        if (lines := text.count("\n")) > DECISION_LINES_MAX:
            yield f"{where} {lines} lines, a decision fits on a page ({DECISION_LINES_MAX})"


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
