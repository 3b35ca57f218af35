"""What holds for all tests: where CI is set, property tests try the same examples every time.

A run that lands or not must not hang on dice. New examples are looked for by everybody's own runs, without CI.
"""

import os

from hypothesis import settings

settings.register_profile("ci", derandomize=True)
if os.environ.get("CI"):
    settings.load_profile("ci")
