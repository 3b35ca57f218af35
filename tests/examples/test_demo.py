"""Both parts of `make demo` play to their end and lose nothing."""

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
DEMO_SECONDS_MAX = 150


@pytest.mark.timeout(DEMO_SECONDS_MAX + 10)
def test_the_shop_has_a_good_day() -> None:
    shop = ROOT / "examples" / "shop" / "run.py"
    run = subprocess.run(
        [sys.executable, str(shop)], capture_output=True, text=True, timeout=DEMO_SECONDS_MAX, check=False
    )
    assert run.returncode == 0, run.stdout + run.stderr
    assert run.stdout.endswith("\nA good day.\n")


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
