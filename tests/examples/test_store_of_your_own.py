"""The example of a store of another package: it is installed, and the suite says that it is a store."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

EXAMPLE = Path(__file__).resolve().parents[2] / "examples" / "store_of_your_own"
SUITE = "shopfloor.store.conformance"
PIP = ("install", "--quiet", "--no-deps", "--no-build-isolation", "--no-index")
SECONDS_MAX = 170


@pytest.mark.timeout(SECONDS_MAX + 10)
def test_the_example_is_a_store(tmp_path: Path) -> None:
    site = tmp_path / "site"
    _run(tmp_path, "-m", "pip", "--disable-pip-version-check", *PIP, "--target", str(site), str(EXAMPLE))
    asked = ("--shopfloor-store", "shared-file:///{folder}/jobs.db", "--shopfloor-store-shared")
    said = _run(tmp_path, "-m", "pytest", "-q", "-p", f"{SUITE}.plugin", "--pyargs", SUITE, *asked)
    assert "passed" in said.splitlines()[-1]
    assert "skipped" not in said


def _run(folder: Path, *words: str) -> str:
    run = subprocess.run(
        [sys.executable, *words],
        cwd=folder,
        env=os.environ | {"PYTHONPATH": str(folder / "site")},
        capture_output=True,
        text=True,
        timeout=SECONDS_MAX,
    )
    assert run.returncode == 0, run.stdout + run.stderr
    return run.stdout
