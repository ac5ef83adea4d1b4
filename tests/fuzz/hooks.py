"""What the fuzzer is told about a service: ids of what is there, of the right kind and of others, and what can be sent.

schemathesis imports this by its name (SCHEMATHESIS_HOOKS); FUZZ_IDS has the ids, as JSON.
"""

import json
import os
from typing import Any
from uuid import UUID

import schemathesis

IDS_VARIABLE = "FUZZ_IDS"

_ids: list[str] = json.loads(os.environ.get(IDS_VARIABLE, "[]"))


@schemathesis.hook
def map_path_parameters(context: Any, path_parameters: dict[str, Any] | None) -> dict[str, Any] | None:
    """An id that fits its schema becomes one of something that is there, of whatever kind."""
    del context
    if not path_parameters or not _ids:
        return path_parameters
    return {name: _known(value) for name, value in path_parameters.items()}


@schemathesis.hook
def filter_query(context: Any, query: dict[str, Any] | None) -> bool:
    """A list in an address is of texts: an object in it arrives as its names, which may well be right."""
    del context
    return not any(
        isinstance(value, list) and any(isinstance(each, dict | list) for each in value)
        for value in (query or {}).values()
    )


def _known(value: Any) -> Any:
    try:
        wanted = UUID(str(value))
    except ValueError:
        return value
    return _ids[wanted.int % len(_ids)] if wanted.int % 4 else value
