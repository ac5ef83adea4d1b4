"""The id of something else in an address or in a command: 404 in the one error shape, never a defect."""

import re
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
ANOTHER_ACCOUNT = "00000000-0000-0000-0000-000000000002"
INSTALMENTS = {"instalments": [{"due_on": DAY, "amount": AMOUNT}]}

BODIES: dict[str, Any] = {
    "/activities": {"kind": "note"},
    "/activities/{activity_id}/follow-up/completion": {},
    "/contact": {},
    "/credits": {"number": "C-1", "amount": AMOUNT, "issued_on": "2026-03-01"},
    "/disputes": {"reason_code": "other"},
    "/disputes/{dispute_id}/resolution": {"resolution": "rejected"},
    "/exclusion": {"reason": "a test"},
    "/flags/{flag}": {"reason": "a test"},
    "/holds": {"code": "other", "reason": "a test"},
    "/invoices": {"number": "I-1", "issued_on": "2026-03-01", "due_on": DAY, "amount": AMOUNT},
    "/opt-outs": {"channel": "email"},
    "/allocations": {"number": "P-1", "invoice_number": "I-1", "amount": AMOUNT},
    "/allocations/restatement": {},
    "/payments": {"number": "P-1", "amount": AMOUNT, "received_on": "2026-03-16"},
    "/payments/{number}/move": {"to_account_id": ANOTHER_ACCOUNT},
    "/payments/{number}/transfers": {"to_account_id": ANOTHER_ACCOUNT, "transferred_on": "2026-03-16"},
    "/payments/{number}/withdrawal": {},
    "/payments/{number}/reversal": {"reversal": "nsf", "reversed_on": "2026-03-16"},
    "/promises": INSTALMENTS,
    "/promises/{promise_id}": INSTALMENTS,
    "/stage": {"stage": "blocked"},
    "/subscriptions": {"number": "S-1"},
    "/pause": {"reason": "a test"},
    "/plan": {"plan": PLAN},
    "/resume": {},
    "/retire": {"reason": "a test"},
    "/cancellation": {"reason": "a test"},
}
"""By the end of an address, what is sent there."""

OF_ANYTHING = {"subject_id"}
"""Ids that may be of any kind: whose facts are asked for."""

SAME_KIND = {"to_account_id": "account_id"}
"""Ids under a second name, and of which kind they are."""

OTHERS = {"activity_id", "dispute_id", "hold_id"}
"""Ids of what is a part of an account."""


@pytest.fixture(scope="module")
def ids(client: Client, office: str) -> dict[str, str]:
    """One of each kind that has ids of its own, by the name of that id in addresses."""
    opened = client.done(
        "POST", "/v1/accounts", {"office": office, "number": "K-1", "customer_name": "Ada", "currency": "USD"}
    )
    account = opened["id"]
    client.done("POST", f"/v1/accounts/{account}/invoices", BODIES["/invoices"])
    campaign = client.done("POST", "/v1/campaigns", {"office": office, "title": "Reminders", "plan": PLAN})
    promise = client.done("POST", f"/v1/accounts/{account}/promises", INSTALMENTS)
    offices = client.get("/v1/accounts/" + account).json()["office_id"]
    return {"account_id": account, "campaign_id": campaign["id"], "promise_id": promise["id"], "office_id": offices}


def operations(client: Client) -> list[tuple[str, str, bool]]:
    """Method, address and whether a body is taken, of everything that has an id in its address."""
    paths = client.get("/openapi.json").json()["paths"]
    return [
        (method.upper(), path, "requestBody" in operation)
        for path, methods in paths.items()
        if "_id}" in path
        for method, operation in methods.items()
    ]


def test_no_address_takes_the_id_of_something_else(client: Client, ids: dict[str, str]):
    answers = []
    for method, path, takes_body in operations(client):
        names = [name for name in re.findall(r"{(\w+_id)}", path) if name not in OTHERS | OF_ANYTHING]
        end = re.sub(r"^/v1/\w+/{\w+}", "", path)
        for name in names:
            for kind, other in ids.items():
                if kind == name:
                    continue
                given = {**ids, **dict.fromkeys(OTHERS, other), name: other, "work_id": other, "flag": "vip"}
                address = path.format(**{**given, name: other, "number": "P-1", "channel": "email"})
                more = {"json": BODIES[end]} if takes_body else {}
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
                    **_fields_of(name, command),
                    **{each: ids[each] for each in ids if each in command.model_fields},
                }
                said = {"name": name, "body": {**body, field: other}, "reason": "a test"}
                response = client.post("/v1/commands", said)
                assert response.status_code == 404, (name, field, kind, response.text)
                asked.add(name)
    assert len(asked) > 20


def _fields_of(name: str, command: Any) -> dict[str, Any]:
    """What has to be said in a command besides ids."""
    given = {
        "activity_id": "00000000-0000-0000-0000-000000000001",
        "dispute_id": "00000000-0000-0000-0000-000000000001",
        "hold_id": "00000000-0000-0000-0000-000000000001",
        "amount": AMOUNT,
        "channel": "email",
        "code": "other",
        "contact": {},
        "currency": "USD",
        "customer_name": "Ada",
        "due_on": DAY,
        "flag": "vip",
        "instalments": INSTALMENTS["instalments"],
        "issued_on": "2026-03-01",
        "kind": "payment" if name == "allocate-funds" else "note",
        "invoice_number": "I-1",
        "consent": "given",
        "point_id": "p",
        "number": "N-1",
        "plan": PLAN,
        "reason_code": "other",
        "received_on": "2026-03-16",
        "resolution": "rejected",
        "reversal": "nsf",
        "reversed_on": "2026-03-16",
        "stage": "blocked",
        "subscription": {"number": "S-1"},
        "title": "Other",
        "to_account_id": ANOTHER_ACCOUNT,
        "today": "2026-03-16",
        "transferred_on": "2026-03-16",
    }
    fields = command.model_fields
    return {field: given[field] for field, info in fields.items() if info.is_required() and field in given}
