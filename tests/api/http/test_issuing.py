"""What every door goes through to issue a command: authority, plausibility, natural keys, and how HTTP says a no."""

from pathlib import Path
from uuid import uuid4

import pytest

from adapters.billing.importer import OfficeDefaults
from adapters.eventstore.requests import Requests
from aggregates.kernel.actor import Actor
from aggregates.kernel.command import Rejected
from aggregates.kernel.refusals import REFUSALS
from aggregates.reader import DiscardEvent
from api.application.authority import Authority
from api.application.campaign_check import FaultView
from api.application.issuing import (
    Caller,
    FaultyPlan,
    ImplausibleField,
    Issuing,
    KeyReused,
    NotIssued,
    NotPermitted,
    Outdated,
    Refused,
)
from api.http.problems import not_issued
from api.processes.step_by_step import StepByStep
from tests.api.http.client import Client, usd

ADA = Caller(Actor.person("ada"), Authority.PUBLIC)


@pytest.fixture
def issuing(service: StepByStep) -> Issuing:
    return Issuing(service, Requests(lambda: service.database.connect("arrears_app")))


def discard(position: int = 7_000_000) -> DiscardEvent:
    return DiscardEvent(reader="agenda", position=position, event_id=uuid4(), event_name="account.aged")


def test_the_systems_own_commands_are_for_whoever_runs_it(issuing: Issuing):
    with pytest.raises(NotPermitted, match="discard-event is for Arrears itself"):
        issuing.issue(discard(), ADA)
    operator = Caller(Actor.person("ada"), Authority.OPERATOR, reason="it was never ours")
    assert issuing.issue(discard(), operator).event_ids


def test_a_command_that_is_given_its_id_is_carried_out_once(issuing: Issuing):
    operator = Caller(Actor.person("ada"), Authority.OPERATOR, reason="it was never ours")
    command, command_id = discard(8_000_000), uuid4()
    first = issuing.issue(command, operator, command_id=command_id)
    assert issuing.issue(command, operator, command_id=command_id) == first


def test_every_no_has_an_answer_over_http():
    found = {
        Refused: Refused(Rejected("unknown-hold", "no such hold is in force")),
        ImplausibleField: ImplausibleField("until", "expected a day"),
        FaultyPlan: FaultyPlan([FaultView(field="plan.rules.buckets", expected="a bucket of the office")]),
        KeyReused: KeyReused("another content"),
        Outdated: Outdated("changed"),
        NotPermitted: NotPermitted("not for you"),
    }
    assert set(NotIssued.__subclasses__()) == found.keys()
    assert [not_issued(each).status for each in found.values()] == [404, 422, 422, 422, 412, 403]


@pytest.mark.parametrize("code", REFUSALS)
def test_a_refusal_has_the_status_of_its_catalogue(code: str):
    assert not_issued(Refused(Rejected(code, "no"))).status == REFUSALS[code].status


# --- natural keys ---


def bring_in(service: StepByStep, folder: Path, number: str, invoice: str) -> tuple[int, int]:
    """How many invoices an import brought in, and how many it refused."""
    file = folder / f"{invoice}.csv"
    file.write_text(
        "account_number,invoice_number,issued_on,due_on,amount,currency\n"
        f"{number},{invoice},2026-03-01,2026-03-31,20.00,USD\n"
    )
    report = service.import_file(file, "invoices", defaults=OfficeDefaults())
    return report.brought_in, report.refused


def test_a_number_that_came_by_http_is_not_imported_again_nor_the_other_way_round(
    client: Client, account: str, service: StepByStep, tmp_path: Path
):
    number = client.get(account).json()["number"]
    assert bring_in(service, tmp_path, number, "INV-1") == (0, 1)
    assert bring_in(service, tmp_path, number, "INV-8") == (1, 0)
    body = {"number": "INV-8", "issued_on": "2026-03-01", "due_on": "2026-03-31", "amount": usd("20.00")}
    by_name = {"name": "bill-invoice", "body": {"account_id": account.rpartition("/")[2], **body}}
    for path, said in ((f"{account}/invoices", body), ("/v1/commands", by_name)):
        problem = client.refused(409, "POST", path, said)
        assert problem["reason_code"] == "duplicate-invoice"
        assert problem["detail"] == "invoice INV-8 is on the account already; correct it"
    assert client.get(account).json()["balance"]["amount"] == "170.00"


def test_what_is_made_is_answered_with_and_what_it_is_about_where_it_is_asked_for_by_name(client: Client, account: str):
    account_id = account.rpartition("/")[2]
    made = client.done("POST", f"{account}/activities", {"kind": "note", "follow_up_on": "2026-03-20"})
    assert [each["activity_id"] for each in client.get(account).json()["follow_ups"]] == [made["id"]]
    by_name = {"name": "record-activity", "body": {"account_id": account_id, "kind": "note"}}
    assert client.done("POST", "/v1/commands", by_name)["id"] == account_id
    assert client.done("PUT", f"{account}/flags/vip")["id"] == account_id
