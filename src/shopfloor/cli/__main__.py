"""Write the reference page of the commands: `python -m shopfloor.cli [folder]`."""

import sys
from pathlib import Path

from shopfloor.cli.reference import write_reference

if __name__ == "__main__":
    write_reference(Path(sys.argv[1] if len(sys.argv) > 1 else "docs/reference"))
