"""`POST /v1/contact/check`: the same verdicts as at the command line, without an account."""

from typing import Any

import pytest

from api.application.contact_check import check_contact, read_case
from tests.api.cli.test_contact import case
from tests.api.http.client import Client


def test_a_case_is_judged_without_any_account(client: Client):
    import json

    answer = client.post("/v1/contact/check", case())
    assert answer.status_code == 200
    assert answer.json() == json.loads(check_contact(read_case(json.dumps(case()), "a case")).model_dump_json())
    assert [each["rule"] for each in answer.json()["refusals"]] == ["hours-8-to-21", "calls-7-in-7"]
    assert answer.json()["refusals"][1]["allowed_from"] == "2026-03-09T10:00:00Z"


def test_it_is_allowed_from_the_moment_that_a_refusal_names(client: Client):
    contact = {"at": "2026-03-09T18:00:00Z", "channel": "call", "debt": "D1"}
    assert client.post("/v1/contact/check", case(contact=contact)).json() == {"allowed": True, "refusals": []}


@pytest.mark.parametrize(
    ("wrong", "field"),
    [
        ({"debtor": {"phone": "n/a"}}, "debtor.phone"),
        ({"debtor": {"street": "Main"}}, "debtor.street"),
        ({"role": "creditor"}, "role"),
        ({"history": [{"at": "2026-03-02T15:00:00Z", "kind": "cease", "words": "x"}]}, "history.0.words"),
        ({"history": [{"at": "2026-03-02T15:00:00Z", "channel": "call", "number": "x"}]}, "history.0.number"),
        ({"settings": {"wa-hours": {"on": False}}}, "settings.wa-hours"),
    ],
    ids=str,
)
def test_what_is_unknown_is_an_error_that_names_its_field(client: Client, wrong: dict[str, Any], field: str):
    answer = client.post("/v1/contact/check", case(**wrong))
    assert answer.status_code == 422
    assert [each["field"] for each in answer.json()["errors"]] == [field]
