"""`python -m shopfloor` is the command line."""

from shopfloor.cli.main import main

if __name__ == "__main__":
    main()
