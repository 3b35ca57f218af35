"""`make demo` plays to its end and loses nothing."""

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
DEMO_SECONDS_MAX = 150


@pytest.mark.foreign
@pytest.mark.faults
@pytest.mark.timeout(DEMO_SECONDS_MAX + 10)
def test_the_demo_loses_nothing() -> None:
    demo = ROOT / "examples" / "demo" / "run.py"
    run = subprocess.run(
        [sys.executable, str(demo)], capture_output=True, text=True, timeout=DEMO_SECONDS_MAX, check=False
    )
    assert run.returncode == 0, run.stdout + run.stderr
    assert run.stdout.endswith("\nNothing was lost.\n")
