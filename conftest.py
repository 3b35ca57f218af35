"""What holds for all tests: the stores there are and, where CI is set, property tests that try the same examples.

A run that lands or not must not hang on dice. New examples are looked for by everybody's own runs, without CI.
"""

import os
from collections.abc import Sequence

from hypothesis import settings

from shopfloor.store.conformance.kind import Kind
from tests.stores import CONFORMING

pytest_plugins = ["shopfloor.store.conformance.plugin"]

# How long an example takes is up to what else the machine does; the limit of pytest is enough against a hang.
settings.register_profile("ours", deadline=None)
settings.register_profile("ci", derandomize=True, deadline=None)
settings.load_profile("ci" if os.environ.get("CI") else "ours")


def pytest_shopfloor_stores() -> Sequence[Kind]:
    """List the stores that the conformance suite runs on."""
    return CONFORMING
