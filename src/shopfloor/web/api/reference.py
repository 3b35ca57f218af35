"""The page that lists the operations, for people."""

from typing import Final

from shopfloor.web.api.operations import BEGIN, OPERATIONS
from shopfloor.web.api.problem import KINDS, TYPE_BEGINS
from shopfloor.web.api.scopes import SCOPES

HEAD: Final = """# The JSON API

<!-- Written by `make docs` from src/shopfloor/web/api/operations.py. -->

How to use it is in the [guide](../guides/api.md). [openapi.json](openapi.json) says exactly what each operation takes
and answers, and a server gives it out under `/api/v1/openapi.json`.
"""


def page() -> str:
    """Write the page."""
    lines = [HEAD, "## Operations", "", "| operation | scope | what it does |", "|---|---|---|"]
    for operation in OPERATIONS:
        path = f"`{operation.method} {BEGIN}{operation.path}`"
        lines.append(f"| {path} | {operation.scope} | {operation.says} |")
    lines += ["", "## Scopes", "", "| scope | allows to |", "|---|---|"]
    lines += [f"| `{scope}` | {says} |" for scope, says in SCOPES.items()]
    lines += ["", "## Problems", "", "| type | status | title |", "|---|---|---|"]
    lines += [f"| `{TYPE_BEGINS}{kind}` | {status} | {title} |" for kind, (status, title) in KINDS.items()]
    return "\n".join(lines) + "\n"
