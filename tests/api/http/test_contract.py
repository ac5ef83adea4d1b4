"""OpenAPI says what happens: a fuzzer finds no answer that it does not describe, and no defect."""

from typing import Any
from uuid import UUID

import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, assume, given, settings
from hypothesis.errors import Unsatisfiable
from jsonschema import Draft202012Validator  # type: ignore[import-untyped]
from schemathesis import GenerationMode
from schemathesis.core.result import Ok
from schemathesis.specs.openapi.checks import (
    allow_header_conformance,
    content_type_conformance,
    negative_data_rejection,
    response_headers_conformance,
    response_schema_conformance,
    status_code_conformance,
    unsupported_method,
)

from api.http.app import create_app
from api.processes.step_by_step import StepByStep
from tests.api.http.client import Client

EXAMPLES = 6
CHECKS = [
    status_code_conformance,
    content_type_conformance,
    response_schema_conformance,
    response_headers_conformance,
    negative_data_rejection,
    unsupported_method,
    allow_header_conformance,
]


def test_the_document_is_whole(client: Client):
    document = client.get("/openapi.json").json()
    assert document["openapi"].startswith("3.1")
    used = {ref.rpartition("/")[2] for ref in _refs(document)}
    assert used <= document["components"]["schemas"].keys()
    assert [name for name in document["components"]["schemas"] if "__" in name] == [], "a name is a Python path"
    for path, methods in document["paths"].items():
        for method, operation in methods.items():
            assert operation["summary"], (method, path)
            assert operation["description"], (method, path)
            for status, response in operation["responses"].items():
                if status >= "400":
                    assert list(response["content"]) == ["application/problem+json"], (method, path, status)


def _refs(node: Any) -> list[str]:
    if isinstance(node, dict):
        own = [node["$ref"]] if isinstance(node.get("$ref"), str) else []
        return own + [ref for each in node.values() for ref in _refs(each)]
    return [ref for each in node for ref in _refs(each)] if isinstance(node, list) else []


@pytest.mark.slow
@pytest.mark.parametrize("mode", list(GenerationMode))
def test_a_fuzzer_agrees_with_it(service: StepByStep, account: str, mode: GenerationMode):
    """Every operation, with data that fits its schema and data that does not, about an account that is there."""
    service.wait_until_shown()
    schema = schemathesis.openapi.from_asgi("/openapi.json", create_app(service, None), headers={"Host": "localhost"})
    schema.config.headers = {"Host": "localhost"}
    disagreements = []
    for result in schema.get_all_operations():
        assert isinstance(result, Ok), result
        operation = result.ok()
        if not takes_json(schema.raw_schema, operation):
            continue  # no file is made up that is what its name says: test_attachments.py has some
        try:
            exercise(operation, mode, account.rpartition("/")[2], bodies_of(schema.raw_schema, operation))
        except BaseExceptionGroup as group:
            disagreements += [f"{operation.label}\n{each}" for each in group.exceptions]
        except AssertionError as error:
            disagreements.append(f"{operation.label}\n{error}")
        except Unsatisfiable:
            assert mode is GenerationMode.NEGATIVE, operation.label  # nothing can be wrong where nothing is asked
    assert not disagreements, "\n\n".join(disagreements)


def takes_json(document: dict[str, Any], operation: Any) -> bool:
    said = document["paths"][operation.path][operation.method].get("requestBody")
    return said is None or "application/json" in said["content"]


def bodies_of(document: dict[str, Any], operation: Any) -> Draft202012Validator | None:
    """What tells whether a body fits: where a part that is to be wrong may be left out, it may fit all the same."""
    said = document["paths"][operation.path][operation.method].get("requestBody")
    if said is None:
        return None
    of = said["content"]["application/json"]["schema"]
    return Draft202012Validator({**of, "components": document["components"]})


def exercise(operation: Any, mode: GenerationMode, account_id: str, bodies: Draft202012Validator | None) -> None:
    @settings(
        max_examples=EXAMPLES,
        deadline=None,
        derandomize=True,
        database=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(operation.as_strategy(generation_mode=mode))
    def agree(case: Any) -> None:
        assume(all(_can_be_sent(value) for value in (case.query or {}).values()))
        if _is_uuid(case.path_parameters.get("account_id")):
            case.path_parameters["account_id"] = account_id
        if bodies is not None and _is_only_the_body_wrong(case):
            assume(not isinstance(case.body, dict | list) or not bodies.is_valid(case.body))
        response = case.call()
        assert response.status_code < 500, f"{case.method} {case.formatted_path} {case.query}: {response.text}"
        case.validate_response(response, checks=CHECKS)

    agree()


def _is_only_the_body_wrong(case: Any) -> bool:
    return {where.value for where, how in case.meta.components.items() if how.mode.is_negative} == {"body"}


def _can_be_sent(value: object) -> bool:
    """A list in an address is of texts: an object in it arrives as its names, which may well be right."""
    return not (isinstance(value, list) and any(isinstance(each, dict | list) for each in value))


def _is_uuid(text: object) -> bool:
    try:
        return bool(UUID(str(text)))
    except ValueError:
        return False
