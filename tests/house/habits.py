"""What the syntax tree shows: imports, clocks, dice, prints, opening sentences, and state kept by modules."""

import ast
import re
from collections.abc import Iterator, Mapping

from tests.house.sources import Source, Violation

# What the core and the wire may not touch, with where it belongs instead.
OUTSIDE_WORLD: Mapping[str, str] = {
    "asyncio": "the broker waits",
    "logging": "the server logs",
    "structlog": "the server logs",
    "os": "the command line reads the environment",
    "random": "dice arrive as an argument",
    "secrets": "dice arrive as an argument",
    "uuid": "dice arrive as an argument",
    "socket": "the server owns sockets",
    "ssl": "the server owns sockets",
    "subprocess": "nothing here starts programs",
    "threading": "the broker waits",
    "time": "`now` arrives as an argument",
    "apsw": "a store knows databases",
    "sqlite3": "a store knows databases",
    "redis": "a store knows databases",
    "psycopg": "a store knows databases",
    "asyncpg": "a store knows databases",
}
CLOCKS: Mapping[str, str] = {
    "datetime.now": "take `now` as an argument",
    "datetime.utcnow": "take `now` as an argument",
    "datetime.today": "take `now` as an argument",
    "date.today": "take `now` as an argument",
    "time.time": "take `now`, or a clock, as an argument",
    "time.time_ns": "take `now`, or a clock, as an argument",
}
CLOCK_OWNERS = frozenset({"cli", "server"})
MUTABLE_MAKERS = frozenset({"list", "dict", "set", "bytearray", "defaultdict", "deque", "Counter", "OrderedDict"})
READ_ONLY = re.compile(r"\b(Mapping|Sequence|Collection|Set)\b")
DATABASE_WORDS = re.compile(
    r"(?<![a-z])(sql|sqlite|postgres|postgresql|redis|valkey|lua|cursor)(?![a-z])", re.IGNORECASE
)


def opens_with_a_sentence(source: Source) -> Iterator[Violation]:
    """A file opens with a sentence that says what lives there."""
    if not source.is_python:
        return
    opening = (ast.get_docstring(source.tree) or "").split("\n\n")[0].strip()
    if not opening:
        yield source.violation(0, "open with a docstring that says what lives here")
    elif not opening.endswith((".", ":", "?")):
        yield source.violation(0, f"the opening is no sentence: {opening.splitlines()[-1]!r}")


def imports_are_at_the_top(source: Source) -> Iterator[Violation]:
    """Our own modules are imported at the top alone, but for the backend that `open_store` was asked for."""
    if not source.in_package:
        return
    for function in source.functions():
        if source.room == "store" and function.name == "open_store":
            continue
        for node in ast.walk(function):
            if _imports_ours(node):
                yield source.violation(_line(node), f"import in {function.name}: move it to the top of the file")


def imports_are_real(source: Source) -> Iterator[Violation]:
    """Nothing is imported for the type checker alone."""
    if source.is_python and not source.path.startswith("tests/house/"):
        for node in ast.walk(source.tree):
            if isinstance(node, ast.Name | ast.alias) and _name(node) == "TYPE_CHECKING":
                yield source.violation(node.lineno, "TYPE_CHECKING hides a circle: turn the import around")


def core_and_wire_are_deaf_and_blind(source: Source) -> Iterator[Violation]:
    """No await, clock, dice, log, environment, socket or database word in `core` and `wire`."""
    if not source.in_package or source.room not in {"core", "wire"}:
        return
    for node in ast.walk(source.tree):
        if isinstance(node, ast.Await | ast.AsyncFunctionDef | ast.AsyncFor | ast.AsyncWith):
            yield source.violation(node.lineno, "nothing waits here: the broker waits")
        for module in _imported_modules(node):
            if module in OUTSIDE_WORLD:
                yield source.violation(_line(node), f"no {module} here: {OUTSIDE_WORLD[module]}")
        if match := DATABASE_WORDS.search(_own_name(node)):
            yield source.violation(_line(node), f"'{match[0]}' is a word of one store: say it in the job's words")


def clocks_are_asked_in_one_place(source: Source) -> Iterator[Violation]:
    """Only the command line and the server ask what time it is; handing the clock on is fine everywhere."""
    if not source.in_package or source.room in CLOCK_OWNERS:
        return
    for node in ast.walk(source.tree):
        called = _called(node).removeprefix("datetime.datetime.").removeprefix("datetime.date.")
        for clock, instead in CLOCKS.items():
            if called == clock or f"datetime.{called}" == clock:
                yield source.violation(_line(node), f"{clock}() outside cli and server: {instead}")


def nobody_prints_but_the_command_line(source: Source) -> Iterator[Violation]:
    """`print` belongs to `cli`, and to a module's own `__main__`."""
    if not source.in_package or source.room == "cli" or source.path.endswith("/__main__.py"):
        return
    for node in ast.walk(source.tree):
        if _called(node) == "print":
            yield source.violation(_line(node), "print outside cli: log it, or return it")


def modules_keep_no_state(source: Source) -> Iterator[Violation]:
    """A module holds constants and definitions; what changes has an owner that is an object."""
    if not source.in_package:
        return
    for statement in source.tree.body:
        if isinstance(statement, ast.Assign | ast.AnnAssign) and _is_writable(statement):
            says = "a module-level mutable: use a tuple, a frozenset, or annotate it as a Mapping"
            yield source.violation(statement.lineno, says)
    for node in ast.walk(source.tree):
        if isinstance(node, ast.Global):
            yield source.violation(node.lineno, "`global`: give the state an owner")


def _is_writable(statement: ast.Assign | ast.AnnAssign) -> bool:
    targets = statement.targets if isinstance(statement, ast.Assign) else [statement.target]
    if any(isinstance(target, ast.Name) and target.id == "__all__" for target in targets):
        return False
    if isinstance(statement, ast.AnnAssign) and READ_ONLY.search(ast.unparse(statement.annotation)):
        return False
    value = statement.value
    literals = ast.List | ast.Dict | ast.Set | ast.ListComp | ast.DictComp | ast.SetComp
    return isinstance(value, literals) or _called(value).split(".")[-1] in MUTABLE_MAKERS


def _called(node: ast.AST | None) -> str:
    """Name what a call calls, as `time.time`; empty for what is no call of a plain name."""
    if not isinstance(node, ast.Call) or not isinstance(node.func, ast.Name | ast.Attribute):
        return ""
    return ast.unparse(node.func)


def _imported_modules(node: ast.AST) -> list[str]:
    if isinstance(node, ast.Import):
        return [alias.name.split(".")[0] for alias in node.names]
    if isinstance(node, ast.ImportFrom) and node.level == 0:
        return [(node.module or "").split(".")[0]]
    return []


def _imports_ours(node: ast.AST) -> bool:
    is_relative = isinstance(node, ast.ImportFrom) and node.level > 0
    return is_relative or "shopfloor" in _imported_modules(node)


def _own_name(node: ast.AST) -> str:
    """Name what a node defines or speaks of; comments and docstrings may compare us with whom they like."""
    for field in ("id", "name", "arg", "attr"):
        name = getattr(node, field, None)
        if isinstance(name, str):
            return name
    return ""


def _name(node: ast.Name | ast.alias) -> str:
    return node.id if isinstance(node, ast.Name) else node.name


def _line(node: ast.AST) -> int:
    line: int = getattr(node, "lineno", 0)
    return line
