"""What can be measured: the size of files and functions, how deep they nest, and what they are called."""

import ast
from collections.abc import Iterator
from pathlib import PurePosixPath

from tests.house.sources import Function, Source, Violation

FILE_LINES_MAX = 400
FUNCTION_LINES_MAX = 40
PARAMETERS_MAX = 6
NESTING_MAX = 3

HOMELESS_NAMES = frozenset({"utils", "util", "common", "helpers", "base", "manager", "misc", "types"})

Block = ast.If | ast.For | ast.AsyncFor | ast.While | ast.With | ast.AsyncWith | ast.Try | ast.TryStar | ast.Match


def file_is_short(source: Source) -> Iterator[Violation]:
    """A file has at most 400 lines."""
    if source.is_python and len(source.lines) > FILE_LINES_MAX:
        yield source.violation(0, f"{len(source.lines)} lines, at most {FILE_LINES_MAX}: split it by subject")


def function_is_short(source: Source) -> Iterator[Violation]:
    """A function has at most 40 lines, its docstring counted."""
    for function in _functions(source):
        lines = (function.end_lineno or function.lineno) - function.lineno + 1
        if lines > FUNCTION_LINES_MAX:
            says = f"{function.name} has {lines} lines, at most {FUNCTION_LINES_MAX}: name its parts"
            yield source.violation(function.lineno, says)


def parameters_are_few(source: Source) -> Iterator[Violation]:
    """A function takes at most six parameters, besides self."""
    for function in _functions(source):
        found = function.args
        every = [
            *found.posonlyargs,
            *found.args,
            *found.kwonlyargs,
            *filter(None, [found.vararg, found.kwarg]),
        ]
        count = sum(argument.arg not in {"self", "cls"} for argument in every)
        if count > PARAMETERS_MAX:
            says = f"{function.name} takes {count} parameters, at most {PARAMETERS_MAX}: group them in a value"
            yield source.violation(function.lineno, says)


def nesting_is_shallow(source: Source) -> Iterator[Violation]:
    """Blocks nest at most three deep inside a function."""
    for function in _functions(source):
        for block in _blocks_at(function.body, NESTING_MAX + 1):
            says = f"{function.name} nests deeper than {NESTING_MAX}: return early, or name the inner part"
            yield source.violation(block.lineno, says)


def name_says_what_lives_there(source: Source) -> Iterator[Violation]:
    """No folder or module is named for having no name."""
    if not source.is_python:
        return
    parts = PurePosixPath(source.path.removesuffix(".py")).parts
    for part in parts:
        if part.removeprefix("test_") in HOMELESS_NAMES:
            yield source.violation(0, f"'{part}' says nothing: name it for what lives there")


def _functions(source: Source) -> Iterator[Function]:
    if source.is_python:
        yield from source.functions()


def _blocks_at(body: list[ast.stmt], depth: int) -> Iterator[ast.stmt]:
    """Give the blocks that sit `depth` deep. An elif is no deeper than its if; inner functions count anew."""
    for statement in body:
        if not isinstance(statement, Block):
            continue
        if depth == 1:
            yield statement
            continue
        for branch in _branches(statement):
            yield from _blocks_at(branch, depth - 1)
        for sibling in _elif(statement):
            yield from _blocks_at([sibling], depth)


def _elif(statement: ast.stmt) -> list[ast.stmt]:
    is_elif = isinstance(statement, ast.If) and len(statement.orelse) == 1 and isinstance(statement.orelse[0], ast.If)
    return statement.orelse if is_elif and isinstance(statement, ast.If) else []


def _branches(statement: ast.stmt) -> Iterator[list[ast.stmt]]:
    yield getattr(statement, "body", [])
    yield getattr(statement, "finalbody", [])
    if not _elif(statement):
        yield getattr(statement, "orelse", [])
    for part in [*getattr(statement, "handlers", []), *getattr(statement, "cases", [])]:
        yield part.body
