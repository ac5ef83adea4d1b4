"""The id of something else in an address or in a command: 404 in the one error shape, never a defect."""

import re
from enum import Enum
from typing import Any

import pytest

from api.http.any_command import COMMANDS
from tests.api.http.client import Client, usd

DAY = "2026-03-20"
AMOUNT = usd("1.00")
PLAN = {
    "steps": [
        {"id": "a", "title": "A", "days": 1, "channel": "email", "templates": {"en": {"subject": "S", "body": "B"}}}
    ]
}

TEXTS = {"en": {"body": "Please call us."}}

VALUES: dict[str, Any] = {
    "account": "K-1",
    "account_id": "00000000-0000-0000-0000-000000000002",
    "adjusted_on": DAY,
    "agency": "acme",
    "activity_id": "00000000-0000-0000-0000-000000000001",
    "attachment_id": "00000000-0000-0000-0000-000000000001",
    "amount": AMOUNT,
    "basis": "fixed",
    "call_id": "00000000-0000-0000-0000-000000000001",
    "case_id": "00000000-0000-0000-0000-000000000001",
    "channel": "email",
    "code": "other",
    "collections_stage": "sent",
    "consent": "given",
    "contents": "full",
    "claim_id": "00000000-0000-0000-0000-000000000001",
    "complaint_id": "00000000-0000-0000-0000-000000000001",
    "contact": {},
    "currency": "USD",
    "customer_name": "Ada",
    "decision": "rejected",
    "dispute_id": "00000000-0000-0000-0000-000000000001",
    "due_on": DAY,
    "every": "month",
    "first": DAY,
    "disposition": "no-answer",
    "fact_id": "00000000-0000-0000-0000-000000000001",
    "file_id": "00000000-0000-0000-0000-000000000001",
    "flag": "vip",
    "ground": "law",
    "hold_id": "00000000-0000-0000-0000-000000000001",
    "inbound_id": "00000000-0000-0000-0000-000000000001",
    "instalments": [{"due_on": DAY, "amount": AMOUNT}],
    "invoice_number": "I-1",
    "item_id": "00000000-0000-0000-0000-000000000001",
    "issued_on": "2026-03-01",
    "kind": "note",
    "name": "call-us",
    "number": "P-1",
    "outcome": "rejected",
    "plan": PLAN,
    "point_id": "p",
    "paid_on": "2026-03-16",
    "reason": "a test",
    "reason_code": "other",
    "received_on": "2026-03-16",
    "reference": "T-1",
    "refunded_on": "2026-03-16",
    "resolution": "rejected",
    "sender": "+12125550100",
    "reversal": "nsf",
    "reversed_on": "2026-03-16",
    "service_type": "late-fee",
    "stage": "blocked",
    "state": "filed",
    "subject": "rude",
    "message_id": "00000000-0000-0000-0000-000000000001",
    "subscription": {"number": "S-1"},
    "text": "Hello",
    "texts": TEXTS,
    "title": "Other",
    "to_account_id": "00000000-0000-0000-0000-000000000002",
    "today": "2026-03-16",
    "transferred_on": "2026-03-16",
    "until": "2026-03-17T09:00:00Z",
}
"""Something for each field that has to be said anywhere."""

OF_ITS_OWN: dict[str, dict[str, Any]] = {
    "NewLegalCase": {"kind": "suit"},
    "OpenLegalCase": {"kind": "suit"},
    "MessageResolution": {"outcome": "sent"},
    "ResolveMessage": {"outcome": "sent"},
    "SetAgency": {"agency": {"title": "Acme"}},
}
"""By body or command, what a field is there that means something else elsewhere."""

ONE_OF = {"text"}
"""What is said where one of several has to be."""

SAME_KIND = {"to_account_id": "account_id"}
"""Ids under a second name, and of which kind they are."""

OF_ANYTHING = {"subject_id"}
"""Ids that may be of any kind: whose facts are asked for."""

OTHERS = {
    "activity_id", "attachment_id", "call_id", "case_id", "claim_id", "complaint_id", "dispute_id", "fact_id",
    "hold_id", "inbound_id", "item_id", "message_id",
}  # fmt: skip
"""Ids of what is a part of an account."""


@pytest.fixture(scope="module")
def ids(client: Client, office: str) -> dict[str, str]:
    """One of each kind that has ids of its own, by the name of that id in addresses."""
    opened = client.done(
        "POST", "/v1/accounts", {"office": office, "number": "K-1", "customer_name": "Ada", "currency": "USD"}
    )
    account = opened["id"]
    client.done(
        "POST",
        f"/v1/accounts/{account}/invoices",
        {"number": "I-1", "issued_on": "2026-03-01", "due_on": DAY, "amount": AMOUNT},
    )
    campaign = client.done("POST", "/v1/campaigns", {"office": office, "title": "Reminders", "plan": PLAN})
    template = client.done(
        "POST", "/v1/templates", {"office": office, "name": "call-us", "channel": "sms", "texts": TEXTS}
    )
    promise = client.done("POST", f"/v1/accounts/{account}/promises", {"instalments": VALUES["instalments"]})
    offices = client.get("/v1/accounts/" + account).json()["office_id"]
    return {
        "account_id": account,
        "campaign_id": campaign["id"],
        "promise_id": promise["id"],
        "template_id": template["id"],
        "office_id": offices,
    }


def operations(client: Client) -> list[tuple[str, str, dict[str, Any] | None]]:
    """Method, address (with the parameters that have to be said) and body, if one is taken, of everything that has an
    id in its address."""
    document = client.get("/openapi.json").json()
    return [
        (method.upper(), path + _parameters_of(operation), _body_of(document, operation))
        for path, methods in document["paths"].items()
        if "_id}" in path
        for method, operation in methods.items()
    ]


def _parameters_of(operation: dict[str, Any]) -> str:
    asked = [each["name"] for each in operation.get("parameters", ()) if each["in"] == "query" and each["required"]]
    return "?" + "&".join(f"{name}={VALUES[name]}" for name in asked) if asked else ""


def _body_of(document: dict[str, Any], operation: dict[str, Any]) -> dict[str, Any] | None:
    """What has to be said there."""
    if "application/json" not in operation.get("requestBody", {}).get("content", {}):
        return None
    schema = operation["requestBody"]["content"]["application/json"]["schema"]
    body = schema["$ref"].rpartition("/")[2] if "$ref" in schema else ""
    schema = document["components"]["schemas"][body] if body else schema
    values = {**VALUES, **OF_ITS_OWN.get(body, {})}
    wanted = {*schema.get("required", ()), *(ONE_OF & schema["properties"].keys())}
    return {name: _allowed(values[name], _enum(document, schema, name)) for name in wanted}


def _enum(document: dict[str, Any], schema: dict[str, Any], name: str) -> list[str]:
    field = schema["properties"][name]
    field = document["components"]["schemas"][field["$ref"].rpartition("/")[2]] if "$ref" in field else field
    values: list[str] = field.get("enum", [])
    return values


def _allowed(value: Any, values: list[str]) -> Any:
    """The value, or the last of those that the field takes."""
    return value if not values or value in values else values[-1]


def test_no_address_takes_the_id_of_something_else(client: Client, ids: dict[str, str]):
    answers = []
    for method, path, body in operations(client):
        names = [name for name in re.findall(r"{(\w+_id)}", path) if name not in OTHERS | OF_ANYTHING]
        for name in names:
            for kind, other in ids.items():
                if kind == name:
                    continue
                given = {**ids, **dict.fromkeys(OTHERS, other), name: other, "work_id": other, "flag": "vip"}
                given |= {"number": "P-1", "channel": "email", "point_id": "phone-1"}
                address = path.format(**given) + ("?channel=email" if path.endswith("/contact-check") else "")
                more = {} if body is None else {"json": body}
                response = client.request(method, address, headers={"X-Reason": "a test"}, **more)
                answers.append((response.status_code, method, path, kind))
    assert len(answers) > 100
    assert {each for each in answers if each[0] != 404} == set()


def test_no_command_takes_the_id_of_something_else(client: Client, ids: dict[str, str]):
    """By its name, with every id in it that of each other kind."""
    asked = set()
    for name, command in COMMANDS.items():
        for field in command.model_fields.keys() & {*ids, *SAME_KIND, "work_id"}:
            for kind, other in ids.items():
                if kind == SAME_KIND.get(field, field):
                    continue
                body = {
                    **_fields_of(command),
                    **{each: ids[each] for each in ids if each in command.model_fields},
                }
                said = {"name": name, "body": {**body, field: other}, "reason": "a test"}
                response = client.post("/v1/commands", said)
                assert response.status_code == 404, (name, field, kind, response.text)
                asked.add(name)
    assert len(asked) > 20


def _fields_of(command: Any) -> dict[str, Any]:
    """What has to be said in a command besides ids."""
    required = {field for field, info in command.model_fields.items() if info.is_required()}
    values = {**VALUES, **OF_ITS_OWN.get(command.__name__, {})}
    return {field: _allowed(values[field], _members(command, field)) for field in required & values.keys()}


def _members(command: Any, field: str) -> list[str]:
    kind = command.model_fields[field].annotation
    return [str(each) for each in kind] if isinstance(kind, type) and issubclass(kind, Enum) else []
