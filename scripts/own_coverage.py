"""Hold every module of `core` and `wire` to 100 % of its branches, covered by its own test file alone.

    python scripts/own_coverage.py            runs tests/core and tests/wire once, then judges each module
    python scripts/own_coverage.py retry      judges only modules whose name holds that word

What another module's tests, or the fuzzer, happen to touch does not count: coverage.py notes whose test ran each
line, and a module is judged by the notes of `tests/<room>/test_<module>.py`, besides what runs as it is imported.
"""

import io
import re
import sys
from collections.abc import Generator, Iterator
from pathlib import Path

import pytest
from coverage import Coverage

ROOT = Path(__file__).resolve().parents[1]
ROOMS = ("core", "wire")


class Notes:
    """Tell coverage.py, through pytest's hooks, whose test is running; between tests it is nobody's."""

    def __init__(self, coverage: Coverage) -> None:
        self._coverage = coverage

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_protocol(self, item: pytest.Item) -> Generator[None, object, object]:
        self._coverage.switch_context(item.path.relative_to(ROOT).as_posix())
        try:
            return (yield)
        finally:
            self._coverage.switch_context("")


def main(arguments: list[str]) -> int:
    """Answer 1 where the tests fail or a branch is left out."""
    modules = [module for module in _modules() if not arguments or arguments[0] in module.stem]
    coverage = Coverage(data_file=None, data_suffix=False, config_file=str(ROOT / "pyproject.toml"))
    coverage.start()
    folders = [str(folder) for room in ROOMS if (folder := ROOT / "tests" / room).is_dir()]
    verdict = pytest.main(["-q", "--ignore-glob=*/test_fuzz.py", *folders], plugins=[Notes(coverage)])
    coverage.stop()
    complaints = [complaint for module in modules if (complaint := _judge(coverage, module))]
    print("\n".join(complaints) or f"own coverage: {len(modules)} modules, every branch by its own tests")
    return 1 if complaints or verdict else 0


def _modules() -> Iterator[Path]:
    for room in ROOMS:
        for module in sorted((ROOT / "src/shopfloor" / room).glob("*.py")):
            if module.stem != "__init__":
                yield module


def _test_file(module: Path) -> Path:
    return ROOT / "tests" / module.parent.name / f"test_{module.stem}.py"


def _judge(coverage: Coverage, module: Path) -> str:
    """Name what the module's own tests leave out, or nothing. What only declares is covered by its import."""
    test_file = _test_file(module)
    where = module.relative_to(ROOT)
    # The empty context is what ran as modules were imported.
    own = rf"^$|^{re.escape(test_file.relative_to(ROOT).as_posix())}$"
    listing = io.StringIO()
    percent = coverage.report(
        include=[str(module)], contexts=[own], file=listing, show_missing=True, skip_covered=False
    )
    if percent == 100:
        return ""
    if not test_file.is_file():
        return f"{where}:1: no test file of its own ({test_file.relative_to(ROOT)})"
    missing = listing.getvalue().splitlines()[2].split("%", 1)[1].strip()
    return f"{where}:1: {percent:.0f} % by {test_file.relative_to(ROOT)}, left out: {missing}"


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
