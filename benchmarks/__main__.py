"""`python -m benchmarks`: see `benchmarks/README.md`, or `--help`."""

import sys

from benchmarks.command_line import main

sys.exit(main(sys.argv[1:]))
