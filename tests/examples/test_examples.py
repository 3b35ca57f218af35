"""Every example runs against a fresh server and prints what its closing comment promises.

An example is a file right below `examples/` that finds the server by FAKTORY_URL and ends like this:

    # Output:
    # first line
    # second line
"""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from benchmarks.servers import ADDRESS, describe, running

ROOT = Path(__file__).resolve().parents[2]
EXAMPLES = sorted((ROOT / "examples").glob("*.py"))
OUTPUT = "\n# Output:\n"
EXAMPLE_SECONDS_MAX = 150


def promised_output(text: str) -> str:
    """Read the closing comment of an example; the last one counts, and it reaches to the end of the file."""
    _, mark, promise = text.rpartition(OUTPUT)
    assert mark, "an example ends with '# Output:' and what it prints, as comment lines"
    return "".join(line.removeprefix("#").removeprefix(" ") for line in promise.splitlines(keepends=True))


@pytest.mark.parametrize("example", EXAMPLES, ids=[example.name for example in EXAMPLES])
def test_the_example_prints_what_it_promises(example: Path) -> None:
    promise = promised_output(example.read_text(encoding="utf-8"))
    with running(describe("shopfloor:none")) as server:
        address = f"tcp://{ADDRESS}:{server.port}"
        run = subprocess.run(
            [sys.executable, "-W", "error", str(example)],
            env=os.environ | {"FAKTORY_URL": address, "PYTHONPATH": str(ROOT / "src")},
            cwd=example.parent,
            capture_output=True,
            text=True,
            timeout=EXAMPLE_SECONDS_MAX,
        )
    assert run.returncode == 0, run.stderr
    assert run.stdout == promise


def test_the_promise_is_the_closing_comment() -> None:
    text = "# Output:\n# no\nprint()\n# Output:\n# one\n#\n#   three\n"
    assert promised_output(text) == "one\n\n  three\n"
