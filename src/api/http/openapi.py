"""OpenAPI that says what happens: every operation with the problems that it can answer with."""

from collections.abc import Iterator
from typing import Any

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi
from fastapi.responses import JSONResponse

from api.http.problems import PROBLEM, SCHEMA, documented
from api.http.shapes import LOCAL_TIME

PATH = "/openapi.json"


def document(app: FastAPI, *, has_token: bool) -> None:
    """Gives the app its OpenAPI document and the route to it."""
    made: dict[str, Any] = {}

    def openapi() -> dict[str, Any]:
        if not made:
            made.update(_document(app, has_token=has_token))
        return made

    def get_document() -> JSONResponse:
        return JSONResponse(openapi())

    app.openapi = openapi  # type: ignore[method-assign]
    app.add_api_route(PATH, get_document, include_in_schema=False)


def _document(app: FastAPI, *, has_token: bool) -> dict[str, Any]:
    made = get_openapi(
        title=app.title, version=app.version, description=app.description, routes=app.routes, openapi_version="3.1.0"
    )
    schemas = made.setdefault("components", {}).setdefault("schemas", {})
    schemas[PROBLEM] = SCHEMA
    for name in ("HTTPValidationError", "ValidationError"):
        schemas.pop(name, None)
    _local_times(schemas)
    for path, method, operation in _operations(made):
        responses = operation["responses"]
        responses.pop("422", None)
        statuses = [400, 408, 413, 415, 422] if "requestBody" in operation else [408, 413, 422]
        statuses += [500, 503] if method == "get" else [403, 500, 503]
        if has_token and path.startswith("/v1"):
            statuses.append(401)
            operation["security"] = [{"token": []}]
        if not has_token:
            statuses.append(421)
        for status, response in documented(*statuses).items():
            responses[str(status)] = response
    if has_token:
        made["components"]["securitySchemes"] = {"token": {"type": "http", "scheme": "bearer"}}
    return made


def _local_times(node: Any) -> None:
    """The format `time` has an offset; times of day in an office have none."""
    if isinstance(node, dict):
        if node.get("format") == "time":
            del node["format"]
            node["pattern"] = LOCAL_TIME
        node = list(node.values())
    if isinstance(node, list):
        for each in node:
            _local_times(each)


def _operations(made: dict[str, Any]) -> Iterator[tuple[str, str, dict[str, Any]]]:
    for path, methods in made["paths"].items():
        for method, operation in methods.items():
            yield path, method, operation
