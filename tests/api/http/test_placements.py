"""Placement with agencies over HTTP and on its page: terms, one account, files, and what comes back."""

from typing import Any
from uuid import UUID

import httpx
import pytest
from pysequoia import ArmorKind, Tsk, armor

from api.application.placements import basis_points, percent
from api.processes.step_by_step import StepByStep
from tests.api.http.client import Client
from tests.api.http.test_pages import HTML, page

HERE = "/settings/agencies"


@pytest.fixture
def agency(client: Client, office: str) -> str:
    terms = {"title": "Acme Recovery", "commission_bp": 2_500}
    client.done("PUT", "/v1/agencies/acme", {"office": office, "agency": terms})
    return "acme"


def contact_of(client: Client, account: str) -> None:
    client.done("PUT", f"{account}/contact", {"emails": [{"id": "e", "address": "a@example.com"}]})


def test_placements_of_an_agency_or_office_that_is_not_there_are_refused(
    client: Client, service: StepByStep, office: str, agency: str
):
    service.drain()
    for path in ("/v1/placements", "/v1/placements/commission", "/v1/placement-files"):
        problem = client.refused(422, "GET", f"{path}?agency=nobody")
        assert "agency: expected one of acme" in problem["detail"]
        client.refused(404, "GET", f"{path}?office=paris")
        assert client.get(f"{path}?agency={agency}").status_code == 200
    client.refused(404, "GET", f"/v1/placements?account_id={UUID(int=1)}")
    client.refused(422, "GET", "/v1/report/collections?placed_with=nobody")
    assert client.get(f"/v1/report/collections?placed_with={agency}").status_code == 200


def test_an_account_is_placed_answered_for_and_recalled(
    client: Client, service: StepByStep, account: str, office: str, agency: str
):
    contact_of(client, account)
    client.done("POST", f"{account}/placement", {"agency": agency})
    service.drain()
    account_id, number = account.rpartition("/")[2], client.get(account).json()["number"]
    assert client.get(account).json()["collections_stage"] == "sent"
    problem = client.refused(409, "PUT", f"{account}/collections-stage", {"collections_stage": "not set"})
    assert problem["reason_code"] == "placed-already"
    assert number in {e["number"] for e in client.get(f"/v1/report/collections?placed_with={agency}").json()["items"]}
    file = client.get("/v1/placement-files?agency=acme").json()["items"][0]
    assert (file["contents"], file["state"], file["accounts"]) == ("new", "delivered", 1)

    paid = f"record,account_number,reference,amount,date\npayment,{number},H-1,10.00,2026-03-02\npayment,none,H-2,1,x\n"
    body = {"office": office, "agency": agency, "content": paid}
    came = client.done("POST", "/v1/placements/answers", body)
    assert (came["done"], came["rejected"], came["problems"][0]["line"]) == ({"payment": 1}, 1, 3)
    assert client.done("POST", "/v1/placements/answers", body)["known"] == 1
    service.drain()
    (placed,) = client.get(f"/v1/placements?account_id={account_id}").json()["items"]
    assert (placed["state"], placed["paid"], placed["commission"]) == ("sent", "10.00", "2.50")
    assert client.get("/v1/placements/commission?agency=acme").json()[0]["net"] == "7.50"

    client.done("POST", f"{account}/placement/recall", {"reason": "A mistake"})
    client.done("POST", "/v1/placement-files", {"office": office, "agency": agency, "contents": "updates"})
    service.drain()
    assert "collections_stage" not in client.get(account).json()
    assert client.get("/v1/placement-files?agency=acme").json()["items"][0]["state"] == "delivered"
    history = client.get(f"{account}/activity?type=placement").json()["items"]
    assert {"placed", "placement-sent", "agency-payment-posted", "placement-ended"} <= {e["kind"] for e in history}

    own = account.removeprefix("/v1")
    client.done("POST", f"{account}/placement", {"agency": agency})
    service.drain()
    assert "The agency is done" in client.get(f"{own}?tab=payments", headers=HTML).text
    form = {"agency": agency, "code": "uncollectible", "notes": "Nobody there", "once": "closure"}
    assert client.request("POST", f"{own}/placement/closure", data=form, headers=HTML).status_code == 303
    service.drain()
    assert {each["state"] for each in client.get(f"/v1/placements?account_id={account_id}").json()["items"]} == {
        "recalled", "closed"
    }  # fmt: skip


def test_terms_that_cannot_be_are_refused_by_field(client: Client, office: str):
    def refused(**terms: Any) -> str:
        said = {"office": office, "agency": {"title": "X", **terms}}
        return str(client.refused(422, "PUT", "/v1/agencies/x", said)["errors"][0]["field"])

    assert refused(layout="none") == "agency.layout"
    secret = armor(bytes(Tsk.generate("X")), ArmorKind.SecretKey)
    said = {"office": office, "agency": {"title": "X", "public_key": secret}}
    assert "this one is secret" in client.refused(409, "PUT", "/v1/agencies/x", said)["detail"]
    column = {"title": "A", "field": "shoe_size"}
    assert "columns" in refused(layout="own", own_layout={"name": "own", "columns": [column]})
    assert (
        client.refused(404, "POST", "/v1/agencies/nobody/retire", {"office": office})["reason_code"] == "unknown-agency"
    )


def test_the_page_sets_an_agency_takes_a_file_in_and_retires(
    service: StepByStep, client: Client, office: str, agency: str, account: str
):
    def sent(path: str = "", **fields: str) -> httpx.Response:
        return client.request("POST", f"{HERE}{path}", data={"office": office, **fields}, headers=HTML)

    terms = {"code": "by-page", "title": "By <b>page</b>", "layout": "arm", "format": "tsv", "channel": "folder"}
    assert sent(**terms, commission="12.5").status_code == 303
    service.drain()
    seen = page(client, HERE)
    assert ("By <b>page</b>" in seen.text, "12.5 %" in seen.text) == (True, True)
    wrong = sent(**terms, commission="a lot")
    assert (wrong.status_code, "expected a percentage" in wrong.text) == (422, True)
    came = sent("/answers", code=agency, text="record,account_number\r\naccepted,nobody", dry_run="on")
    assert (came.status_code, "there is no &#39;nobody&#39;" in came.text) == (200, True)
    wrong = sent("/answers", code=agency, text="account_number\r\nA-1")
    assert (wrong.status_code, "expected a header" in wrong.text) == (422, True)
    key = Tsk.generate("By page").extract_certificate()
    wrong = sent(**terms, public_key="no key")
    assert (wrong.status_code, "expected one OpenPGP public key" in wrong.text) == (409, True)
    assert sent(**terms, public_key=str(key)).status_code == 303
    service.drain()
    assert key.fingerprint.upper() in page(client, HERE).text
    assert sent(**terms, without_key="on").status_code == 303
    service.drain()
    assert key.fingerprint.upper() not in page(client, HERE).text
    assert sent("/retirement", code="by-page").status_code == 303
    assert "retired" in page(client, HERE).text
    service.drain()
    assert 'name="agency"' in client.get(f"{account.removeprefix('/v1')}?tab=billing", headers=HTML).text


def test_percentages_are_written_as_they_are_read():
    assert [percent(basis_points(each)) for each in ("25", "12.5%", "0", "100", "0.05")] == [
        "25", "12.5", "0", "100", "0.05",
    ]  # fmt: skip
    for wrong in ("101", "100.01", "1.234", "-1", "x", "1."):
        with pytest.raises(ValueError, match="commission"):
            basis_points(wrong)
