"""Casework on the account's page and over HTTP: promises, flags, holds, exclusion."""

import html
from typing import Any

import httpx
import pytest

from api.processes.step_by_step import StepByStep
from tests.api.http.client import Client, usd

HTML = {"Accept": "text/html"}


@pytest.fixture(autouse=True)
def _shown(service: StepByStep, account: str):
    """Read tables know of the account."""
    service.drain()


def sent(client: Client, account: str, form: str, **fields: str) -> httpx.Response:
    fields = {"form": form, **fields}
    return client.request("POST", f"{account.removeprefix('/v1')}/casework/{form}", data=fields, headers=HTML)


def did(client: Client, account: str, form: str, **fields: str) -> str:
    """What the page shows afterwards."""
    answer = sent(client, account, form, **fields)
    page = f"{account.removeprefix('/v1')}?tab=casework"
    assert (answer.status_code, answer.headers.get("location")) == (303, page), answer.text
    return html.unescape(client.get(page, headers=HTML).text)


def view(client: Client, account: str) -> dict[str, Any]:
    found: dict[str, Any] = client.get(account).json()
    return found


@pytest.mark.parametrize(
    ("form", "field", "more"),
    [
        ("promise", "due", {"amount": "100.00"}),
        ("hold", "until", {"code": "complaint"}),
    ],
)
@pytest.mark.parametrize("day", ["1797552000", "20261220", "2026-02-30"])
def test_a_day_is_written_as_one(
    *, client: Client, account: str, form: str, field: str, more: dict[str, str], day: str
):
    answer = sent(client, account, form, **more, **{field: day})
    assert answer.status_code == 422
    assert "expected a day" in html.unescape(answer.text)


def test_the_page_records_a_promise_once_moves_it_and_takes_it_back(client: Client, account: str):
    said = {"amount": "100.00", "due": "2026-03-30", "grace": "5", "notes": "on payday", "once": "7"}
    assert "on payday" in did(client, account, "promise", **said)
    did(client, account, "promise", **said)
    [promise] = view(client, account)["promises"]
    assert (promise["amount"], promise["due_on"]) == (usd("100.00"), "2026-03-30")
    did(client, account, "promise-over", promise=promise["id"], due="2026-04-05", do="move")
    assert view(client, account)["promises"][0]["due_on"] == "2026-04-05"
    shown = did(client, account, "promise-over", promise=promise["id"], do="withdraw", reason="changed her mind")
    assert "withdrawn" in shown
    assert view(client, account)["promises"] == []


PLAN = {"every": "month", "first": "2026-03-31", "count": "4"}


def test_a_plan_is_calculated_and_then_promised(client: Client, account: str):
    plan = client.get(f"{account}/instalment-plan?every=month&first=2026-03-31&count=4").json()
    days = ["2026-03-31", "2026-04-30", "2026-05-31", "2026-06-30"]
    assert [each["due_on"] for each in plan["instalments"]] == days
    assert [each["amount"] for each in plan["instalments"]] == [usd("37.50")] * 4
    shown = sent(client, account, "plan", **PLAN, do="calculate")
    assert shown.status_code == 200
    assert "The plan, which is not promised yet" in shown.text
    assert "31 May 2026" in shown.text
    assert view(client, account)["promises"] == []
    assert "4 instalments" in did(client, account, "plan", **PLAN, do="promise")
    assert [each["due_on"] for each in view(client, account)["promises"]] == ["2026-06-30"]
    nothing_left = client.refused(422, "GET", f"{account}/instalment-plan?every=week&first=2026-03-31&count=2")
    assert "not promised already" in nothing_left["detail"]


def test_flags_holds_and_exclusion_begin_and_end_on_the_page_and_stay_listed(client: Client, account: str):
    did(client, account, "flag", flag="vip", do="set", reason="a board member")
    assert "a board member" in did(client, account, "flag", flag="vip", do="clear")
    [flag] = client.get(f"{account}/flags").json()
    assert (flag["title"], flag["since"], flag["until"]) == ("Handle with care", "2026-03-16", "2026-03-16")

    did(client, account, "hold", code="illness", until="2026-03-20", reason="in hospital")
    [hold] = view(client, account)["holds"]
    assert "in hospital" in did(client, account, "hold-over", hold=hold["id"])
    [row] = client.get(f"{account}/holds").json()
    assert (row["code"], row["until"], row["ended_on"]) == ("illness", "2026-03-20", "2026-03-16")

    assert "Let it be chased again" in did(client, account, "exclusion", do="exclude", reason="hardship")
    assert "Exclude the account" in did(client, account, "exclusion", do="lift", reason="over")


def test_a_hold_of_one_invoice_since_an_earlier_day(client: Client, account: str):
    did(
        client,
        account,
        "hold",
        code="goods-missing",
        invoice="INV-1",
        since="2026-03-10",
        reason="they wrote on the 10th",
    )
    [row] = client.get(f"{account}/holds").json()
    assert (row["invoices"], row["since"], row["sent_meanwhile"]) == (["INV-1"], "2026-03-10", [])
    body = {"code": "illness", "begins_on": "2026-03-17", "reason": "r"}
    assert "2026-03-16 or earlier" in client.refused(409, "POST", f"{account}/holds", body)["detail"]


def test_what_is_said_to_be_paid_is_shown_checked_and_decided(client: Client, account: str):
    shown = did(client, account, "claim", invoice="INV-1", amount="60.00", paid="2026-03-12", reference="wire 7")
    assert "wire 7" in shown
    assert "1 item, checked until 26 Mar 2026" in shown
    [claim] = view(client, account)["payment_claims"]
    did(client, account, "claim-over", claim=claim["id"], do="accepted", reason="seen on the statement")
    assert "to be booked until 26 Mar 2026" in did(client, account, "flag", flag="vip", do="set")
    body = {"decision": "rejected", "reason": "it was for another"}
    client.done("POST", f"{account}/payment-claims/{claim['id']}/decision", body)
    [row] = client.get(f"{account}/payment-claims").json()
    assert (row["state"], row["invoices"], row["amount"], row["reason"]) == (
        "rejected", ["INV-1"], usd("60.00"), "it was for another",
    )  # fmt: skip
    assert "payment_claims" not in view(client, account)


def test_a_complaint_is_recorded_answered_and_closed(client: Client, account: str):
    shown = did(client, account, "complaint", subject="rude on the phone", kind="fca", medium="letter", rests="yes")
    assert "rude on the phone" in shown
    assert "to be answered by 11 May 2026" in shown
    [complaint] = view(client, account)["complaints"]
    assert "we are sorry" in did(
        client, account, "complaint-over", complaint=complaint["id"], do="answer", notes="we are sorry"
    )
    did(client, account, "complaint-over", complaint=complaint["id"], do="upheld", reason="it was so")
    [row] = client.get(f"{account}/complaints").json()
    assert (row["state"], row["outcome"], row["answer"], row["source"]) == (
        "closed", "upheld", "we are sorry", "UK, DISP 1.6.2 R: eight weeks",
    )  # fmt: skip
    assert "complaints" not in view(client, account)


def test_a_suit_goes_from_state_to_state_with_its_costs_and_documents(client: Client, account: str):
    said = {"kind": "suit", "invoice": "INV-1", "court": "County court", "cost": "40.00", "documents": "draft.pdf"}
    assert "suit, prepared since 16 Mar 2026" in did(client, account, "legal-case", **said)
    [case] = view(client, account)["legal_cases"]
    went = {
        "case": case["id"],
        "state": "filed",
        "number": "26-CV-17",
        "cost": "360.00",
        "documents": "complaint.pdf, fee.pdf",
    }
    assert "26-CV-17" in did(client, account, "legal-case-goes-on", **went)
    did(client, account, "legal-case-goes-on", case=case["id"], notes="hearing in May")
    client.done("PUT", f"{account}/legal-cases/{case['id']}/state", {"state": "withdrawn"})
    [row] = client.get(f"{account}/legal-cases").json()
    assert [step["state"] for step in row["history"]] == ["prepared", "filed", "withdrawn"]
    assert (row["court"], row["costs"], row["notes"]) == ("County court", usd("400.00"), ["hearing in May"])
    assert row["documents"] == ["draft.pdf", "complaint.pdf", "fee.pdf"]
    assert "legal_cases" not in view(client, account)


@pytest.mark.parametrize(
    ("form", "fields", "status", "said"),
    [
        ("promise", {"amount": "150.01", "due": "2026-03-30"}, 409, "at most 150.00 USD"),
        ("promise", {"amount": "1", "due": "2026-03-15"}, 409, "2026-03-16 or later"),
        ("promise", {"amount": "1", "due": "soon"}, 422, "expected a day such as 2026-03-31"),
        ("promise", {"amount": "1", "due": "2026-03-30", "grace": "61"}, 422, "grace_days"),
        ("promise-over", {"promise": "x", "do": "move", "due": "2026-03-30"}, 422, "expected one that is open"),
        ("flag", {"flag": "haunted"}, 404, "expected one of bankruptcy"),
        ("hold", {"code": "illness"}, 409, "say why"),
        ("hold", {"code": "Not a code", "reason": "r"}, 422, "code"),
        ("hold-over", {"hold": "00000000-0000-0000-0000-000000000001"}, 404, "no such hold"),
        ("claim", {"amount": "0"}, 422, "more than zero"),
        ("claim", {"paid": "2026-03-17"}, 409, "2026-03-16 or earlier"),
        ("claim-over", {"claim": "x", "do": "accepted", "reason": "r"}, 422, "claim_id"),
        ("claim-over", {"claim": "00000000-0000-0000-0000-000000000001", "do": "maybe"}, 422, "decision"),
        ("complaint", {"kind": "fca", "medium": "letter"}, 422, "subject"),
        ("complaint", {"subject": "s", "medium": "owl"}, 422, "medium"),
        ("complaint", {"subject": "s", "received": "2026-03-17"}, 409, "2026-03-16 or earlier"),
        ("complaint-over", {"complaint": "00000000-0000-0000-0000-000000000001", "do": "answer"}, 404, "no such"),
        ("legal-case", {"kind": "duel"}, 422, "kind"),
        ("legal-case", {"kind": "suit", "cost": "0"}, 422, "more than zero"),
        ("legal-case", {"kind": "suit", "on": "2026-03-17"}, 409, "2026-03-16"),
        ("legal-case-goes-on", {"case": "00000000-0000-0000-0000-000000000001", "state": "filed"}, 404, "no such"),
        ("exclusion", {"do": "exclude"}, 409, "say why"),
        ("plan", {**PLAN, "count": "61", "do": "calculate"}, 422, "count: expected from 1 to 60"),
        ("plan", {**PLAN, "amount": "5", "do": "promise"}, 422, "either a count or an amount"),
        ("plan", {**PLAN, "every": "year", "do": "promise"}, 422, "expected one of week"),
        ("plan", {**PLAN, "first": "soon", "do": "calculate"}, 422, "first: expected a day"),
        ("plan", {**PLAN, "total": "1000", "do": "promise"}, 409, "at most 150.00 USD"),
        ("nothing", {}, 422, "expected one of promise"),
    ],
)
def test_what_is_wrong_is_said(
    *, client: Client, account: str, form: str, fields: dict[str, str], status: int, said: str
):
    answer = sent(client, account, form, **fields)
    assert answer.status_code == status, answer.text
    assert said in html.unescape(answer.text)


def test_a_past_day_offers_no_form(client: Client, account: str):
    page = f"{account.removeprefix('/v1')}?tab=casework"
    assert "They promise it" in client.get(page, headers=HTML).text
    assert "<button>They promise it" not in client.get(f"{page}&as_of=2026-03-15", headers=HTML).text


@pytest.mark.parametrize("what", ["flags", "holds", "payment-claims", "complaints", "legal-cases"])
def test_of_nobody_there_is_nothing(client: Client, what: str):
    client.refused(404, "GET", f"/v1/accounts/00000000-0000-0000-0000-000000000001/{what}")
