"""Commands over HTTP: what is asked happens once, under the name of who asked, or is refused with the reason."""

from typing import Any
from uuid import UUID

import pytest

from aggregates.account import Account
from api.processes.step_by_step import StepByStep
from tests.api.http.client import Client, usd

PAYMENT = {"number": "PAY-1", "amount": usd("60.00"), "received_on": "2026-03-16"}


def balance(client: Client, account: str) -> str:
    found: str = client.get(account).json()["balance"]["amount"]
    return found


def test_a_payment_that_comes_in_lowers_the_balance_at_once(client: Client, account: str):
    response = client.post(f"{account}/payments", PAYMENT)
    assert response.status_code == 201
    assert response.headers["location"] == f"{account}/payments"
    assert balance(client, account) == "90.00"


def test_a_reversed_payment_opens_the_debt_again(client: Client, account: str):
    client.done("POST", f"{account}/payments", PAYMENT)
    client.done("POST", f"{account}/payments/PAY-1/reversal", {"reversal": "nsf", "reversed_on": "2026-03-16"})
    assert balance(client, account) == "150.00"
    assert client.get(f"{account}/payments").json()[0]["reversed"] is True


def test_a_number_with_a_slash_is_a_number_too(client: Client, account: str):
    client.done("POST", f"{account}/payments", {**PAYMENT, "number": "2026/03/1"})
    client.done(
        "POST", f"{account}/payments/2026%2F03%2F1/reversal", {"reversal": "error", "reversed_on": "2026-03-16"}
    )
    assert balance(client, account) == "150.00"


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("payments", PAYMENT),
        ("credits", {"number": "CR-1", "amount": usd("5.00"), "issued_on": "2026-03-16"}),
        (
            "invoices",
            {"number": "INV-9", "amount": usd("5.00"), "issued_on": "2026-03-16", "due_on": "2026-03-16"},
        ),
    ],
)
def test_a_number_is_never_taken_twice(client: Client, account: str, path: str, body: dict[str, Any]):
    client.done("POST", f"{account}/{path}", body)
    before = balance(client, account)
    problem = client.refused(409, "POST", f"{account}/{path}", body)
    assert problem["reason_code"] == f"duplicate-{path.removesuffix('s')}"
    assert body["number"] in problem["detail"]
    assert balance(client, account) == before


# --- Idempotency-Key ---


def test_the_same_key_again_gets_the_same_answer_and_does_nothing(client: Client, account: str, service: StepByStep):
    key = {"Idempotency-Key": "bank-file-7-line-3"}
    first = client.post(f"{account}/payments", PAYMENT, headers=key)
    events = len(service.arrears.history(Account, UUID(account.rpartition("/")[2])))
    again = client.post(f"{account}/payments", PAYMENT, headers=key)
    assert (again.status_code, again.json()) == (first.status_code, first.json())
    assert again.headers["location"] == first.headers["location"]
    assert len(service.arrears.history(Account, UUID(account.rpartition("/")[2]))) == events


def test_the_same_key_with_another_content_is_refused(client: Client, account: str):
    key = {"Idempotency-Key": "k-1"}
    client.done("POST", f"{account}/payments", PAYMENT, headers=key)
    problem = client.refused(422, "POST", f"{account}/payments", {**PAYMENT, "amount": usd("61.00")}, headers=key)
    assert problem["type"] == "urn:arrears:problem:idempotency-key-reused"
    assert balance(client, account) == "90.00"


def test_a_key_belongs_to_its_actor_and_route(client: Client, account: str):
    note = {"kind": "note", "notes": "called back"}
    ids = {
        client.done("POST", f"{account}/activities", note, headers={"Idempotency-Key": "1", "X-Actor": actor})["id"]
        for actor in ("ada", "grace")
    }
    assert len(ids) == 2


def test_a_refusal_under_a_key_stays_refused(client: Client, account: str):
    key = {"Idempotency-Key": "k-1"}
    first = client.refused(409, "POST", f"{account}/holds", {"code": "review"}, headers=key)
    again = client.refused(409, "POST", f"{account}/holds", {"code": "review"}, headers=key)
    assert first["reason_code"] == again["reason_code"] == "reason-required"


def test_a_promise_made_twice_under_a_key_is_one_promise(client: Client, account: str):
    body = {"instalments": [{"due_on": "2026-03-20", "amount": usd("40.00")}]}
    made = [client.done("POST", f"{account}/promises", body, headers={"Idempotency-Key": "p"})["id"] for _ in range(2)]
    assert made[0] == made[1]
    assert [p["id"] for p in client.get(account).json()["promises"]] == made[:1]


# --- who and why ---


def test_the_audit_trail_names_the_person_and_the_reason(client: Client, account: str):
    client.done(
        "PUT",
        f"{account}/exclusion",
        {"reason": "écrit à la main"},
        headers={"X-Actor": "josé".encode(), "Prefer": "wait=5"},
    )
    last = [row for row in client.get(f"{account}/audit").json()["items"] if row["event_name"] == "account.excluded"]
    assert [(row["actor_kind"], row["actor_id"], row["reason"]) for row in last] == [
        ("person", "josé", "écrit à la main")
    ]


def test_where_the_trail_has_to_say_why_somebody_must(client: Client, account: str):
    problem = client.refused(409, "PUT", f"{account}/exclusion", {})
    assert problem["reason_code"] == "reason-required"
    client.done("PUT", f"{account}/exclusion", {}, headers={"X-Reason": "asked by the manager"})


# --- refusals ---


def test_nobody_sets_a_stage_and_the_refusal_says_why_it_is_what_it_is(client: Client, account: str):
    problem = client.refused(409, "PUT", f"{account}/stage", {"stage": "engaged"})
    assert problem["reason_code"] == "stage-is-judged"
    assert "because" in problem["detail"]


def test_what_is_unknown_is_not_found(client: Client, account: str):
    nowhere = "/v1/accounts/00000000-0000-0000-0000-000000000001"
    for method, path, body, code in (
        ("GET", nowhere, None, "unknown-account"),
        ("POST", f"{nowhere}/payments", PAYMENT, "unknown-account"),
        ("PUT", f"{account}/flags/no-such-flag", None, "unknown-flag"),
        ("GET", "/v1/offices/nowhere", None, "unknown-office"),
        ("GET", "/v1/campaigns/00000000-0000-0000-0000-000000000001", None, "unknown-campaign"),
        ("DELETE", f"{account}/holds/00000000-0000-0000-0000-000000000001", None, "unknown-hold"),
        ("DELETE", f"{account}/promises/00000000-0000-0000-0000-000000000001", None, "unknown-promise"),
        (
            "POST",
            f"{account}/payments/PAY-0/reversal",
            {"reversal": "nsf", "reversed_on": "2026-03-16"},
            "unknown-payment",
        ),
    ):
        assert client.refused(404, method, path, body)["reason_code"] == code


def test_a_promise_is_found_under_its_own_account_only(client: Client, account: str, office: str):
    other = client.done(
        "POST", "/v1/accounts", {"office": office, "number": "OTHER-1", "customer_name": "Grace", "currency": "USD"}
    )["id"]
    promise = client.done(
        "POST", f"{account}/promises", {"instalments": [{"due_on": "2026-03-20", "amount": usd("40.00")}]}
    )["id"]
    client.refused(404, "DELETE", f"/v1/accounts/{other}/promises/{promise}", headers={"X-Reason": "no"})
    client.done("DELETE", f"{account}/promises/{promise}", headers={"X-Reason": "paid in cash instead"})
    assert client.get(account).json()["promises"] == []


# --- money and dates ---


@pytest.mark.parametrize(
    ("amount", "expected"),
    [
        (12.5, "expected an object with amount and currency"),
        ({"amount": 12.5, "currency": "USD"}, 'a decimal string such as "12.50"'),
        ({"amount": "12.505", "currency": "USD"}, "at most 2 decimal places for USD"),
        ({"amount": "12.5", "currency": "JPY"}, "at most 0 decimal places for JPY"),
        ({"amount": "12,50", "currency": "USD"}, "a decimal string"),
        ({"amount": "1e3", "currency": "USD"}, "a decimal string"),
        ({"amount": "12.50", "currency": "US$"}, "an ISO 4217 code"),
        ({"minor": 1250, "currency": "USD"}, "expected an object with amount and currency"),
        ({"amount": "999999999999999", "currency": "USD"}, "expected at most"),
        ({"amount": "0", "currency": "USD"}, "expected more than zero"),
    ],
)
def test_an_amount_that_is_not_one_says_what_was_expected(client: Client, account: str, amount: Any, expected: str):
    problem = client.refused(422, "POST", f"{account}/payments", {**PAYMENT, "amount": amount})
    assert problem["errors"][0]["field"].startswith("amount")
    assert expected in problem["detail"]


@pytest.mark.parametrize("day", ["2026-02-30", "16.03.2026", "20260316", 1773619200, "0001-01-01", "9999-12-31"])
def test_a_day_that_is_not_one_says_what_was_expected(client: Client, account: str, day: Any):
    problem = client.refused(422, "POST", f"{account}/payments", {**PAYMENT, "received_on": day})
    assert problem["errors"][0]["field"] == "received_on"
    assert problem["errors"][0]["expected"].startswith("expected a day")


def test_every_wrong_field_is_named(client: Client, account: str):
    problem = client.refused(422, "POST", f"{account}/invoices", {"number": "", "amount": "x", "colour": "red"})
    assert {e["field"] for e in problem["errors"]} == {"number", "issued_on", "due_on", "amount", "colour"}


def test_a_rule_about_two_fields_names_one(client: Client, account: str):
    days = {"issued_on": "2026-03-10", "due_on": "2026-03-01"}
    body = {"number": "INV-3", **days, "amount": usd("1.00"), "charges": usd("0.50")}
    problem = client.refused(422, "POST", f"{account}/invoices", body)
    assert problem["errors"] == [
        {"field": "charges", "expected": "expected at least the amount (they are before discount)"}
    ]


def test_text_that_the_database_cannot_hold_is_refused(client: Client, account: str):
    problem = client.refused(422, "POST", f"{account}/activities", {"kind": "note", "notes": "a\x00b"})
    assert problem["errors"][0]["field"] == "notes"


def test_what_is_no_json_is_refused(client: Client, account: str):
    for content, status in (
        (b"{", 400),
        (b"\xff\xfe", 400),
        (b"[1]", 422),
        (b'{"kind": NaN}', 422),
        (b"[" * 10_000, 400),
    ):
        response = client.request(
            "POST", f"{account}/activities", content=content, headers={"Content-Type": "application/json"}
        )
        assert response.status_code == status, response.text


def test_a_body_that_is_too_large_is_refused(client: Client, account: str):
    body = {"kind": "note", "notes": "x" * 1_100_000}
    assert client.refused(413, "POST", f"{account}/activities", body)["type"] == "urn:arrears:problem:too-large"


# --- any command ---


def test_any_command_can_be_sent_by_name(client: Client, account: str):
    body = {
        "name": "receive-payment",
        "body": {"account_id": account.rpartition("/")[2], **PAYMENT},
    }
    client.done("POST", "/v1/commands", body)
    assert balance(client, account) == "90.00"
    assert client.refused(409, "POST", "/v1/commands", body)["reason_code"] == "duplicate-payment"


def test_the_systems_own_commands_are_nobodys(client: Client, account: str):
    body = {"name": "report-sent", "body": {"account_id": account.rpartition("/")[2]}}
    assert client.refused(422, "POST", "/v1/commands", body)["errors"][0]["field"] == "name"


def test_a_commands_wrong_field_is_named(client: Client, account: str):
    body = {
        "name": "receive-payment",
        "body": {"account_id": account.rpartition("/")[2], **PAYMENT, "amount": {"minor": 1, "currency": "USD"}},
    }
    assert client.refused(422, "POST", "/v1/commands", body)["errors"][0]["field"] == "body.amount"
    body["body"] = {"account_id": "x"}
    fields = {e["field"] for e in client.refused(422, "POST", "/v1/commands", body)["errors"]}
    assert fields == {"body.account_id", "body.number", "body.amount", "body.received_on"}


def test_every_command_has_a_schema(client: Client):
    commands = {each["name"]: each["body"] for each in client.get("/v1/commands").json()}
    assert "amount" in commands["receive-payment"]["properties"]
    assert "minor" not in str(commands)
