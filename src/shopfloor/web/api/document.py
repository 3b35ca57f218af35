"""The OpenAPI document, made from the table of operations; nothing in it is written twice."""

import re
from collections.abc import Mapping, Sequence
from typing import Any, Final

import msgspec

from shopfloor.core.mutation import TARGETS
from shopfloor.web.api.operations import BEGIN, OPERATIONS, Operation
from shopfloor.web.api.problem import KINDS, MEDIA_TYPE, TYPE_BEGINS, Problem
from shopfloor.web.api.scopes import SCOPES

REFERENCES: Final = "#/components/schemas/{name}"
NAMES = re.compile(r"\{(\w+)\}")
ALWAYS: Final = (400, 401, 403, 404, 409, 422, 500, 503)
"""What any operation may be answered with; those that take a body may answer 413 and 415 too."""
ABOUT: Final = (
    "Push jobs, look at everything, operate the server. Arguments are kept byte for byte. Keys that are not listed are"
    " errors. Ask with `Authorization: Bearer <token>`, or with the web password by Basic authentication."
)


def document() -> dict[str, Any]:
    """Make the document."""
    shapes = {one for operation in OPERATIONS for one in (operation.answer, operation.body) if one is not None}
    _, schemas = msgspec.json.schema_components(
        sorted({*shapes, Problem}, key=lambda one: one.__name__), ref_template=REFERENCES
    )
    schemas["Problem"]["properties"]["type"] = {"enum": [TYPE_BEGINS + kind for kind in KINDS]}
    paths: dict[str, dict[str, Any]] = {}
    for operation in OPERATIONS:
        paths.setdefault(BEGIN + operation.path, {})[operation.method.lower()] = _told(operation)
    return {
        "openapi": "3.1.0",
        "info": {"title": "Shopfloor", "version": "1", "description": ABOUT},
        "paths": paths,
        "components": {
            "schemas": schemas,
            "securitySchemes": {
                "token": {"type": "http", "scheme": "bearer"},
                "password": {"type": "http", "scheme": "basic"},
            },
        },
        "security": [{"token": []}, {"password": []}],
    }


def _told(operation: Operation) -> dict[str, Any]:
    told: dict[str, Any] = {
        "operationId": operation.name,
        "summary": operation.says,
        "description": f"Scope `{operation.scope}`: {SCOPES[operation.scope]}.",
        "tags": [operation.path.split("/")[1]],
        "parameters": [*_in_path(operation.path), *_in_query(operation.query)],
        "responses": _responses(operation),
    }
    if operation.body is not None:
        told["requestBody"] = {
            "required": True,
            "content": {"application/json": {"schema": _reference(operation.body)}},
        }
    return told


def _responses(operation: Operation) -> Mapping[str, Any]:
    good: dict[str, Any] = {
        "description": (operation.answer.__doc__ or "").strip(),
        "content": {"application/json": {"schema": _reference(operation.answer)}},
    }
    answers: dict[str, Any] = {str(operation.status): good}
    if operation.method == "GET":
        answers["304"] = {"description": "Nothing has changed since the answer of that ETag (`If-None-Match`)."}
    for status in (*ALWAYS, *((413, 415) if operation.body is not None else ())):
        titles = [title for known, title in KINDS.values() if known == status]
        answers[str(status)] = {
            "description": ", or: ".join(titles),
            "content": {MEDIA_TYPE: {"schema": _reference(Problem)}},
        }
    return answers


def _in_path(path: str) -> Sequence[Mapping[str, Any]]:
    schemas: Mapping[str, Any] = {"place": {"enum": list(TARGETS)}}
    plain = {"type": "string", "minLength": 1}
    return [
        {"name": name, "in": "path", "required": True, "schema": schemas.get(name, plain)}
        for name in NAMES.findall(path)
    ]


def _in_query(shape: type) -> Sequence[Mapping[str, Any]]:
    (_,), schemas = msgspec.json.schema_components([shape], ref_template=REFERENCES)
    properties: dict[str, dict[str, Any]] = schemas[shape.__name__]["properties"]
    return [
        {"name": name, "in": "query", "schema": {key: value for key, value in schema.items() if key != "description"}}
        | ({"description": schema["description"]} if "description" in schema else {})
        for name, schema in properties.items()
    ]


def _reference(shape: type) -> Mapping[str, str]:
    return {"$ref": REFERENCES.format(name=shape.__name__)}
