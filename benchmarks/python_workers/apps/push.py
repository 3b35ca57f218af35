"""Enqueues with one of the modules beside it, imported by its name, as workers do: `push.py app_x one|bulk COUNT`."""

import sys
from importlib import import_module

if __name__ == "__main__":
    import_module(sys.argv[1]).main()
