"""Web pages: what a person sees, and that nobody's name or note is ever markup."""

import re
from datetime import UTC, datetime
from html.parser import HTMLParser
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

import pytest

from api.http.web.rendering import environment_of_pages
from api.processes.step_by_step import StepByStep
from tests.api.http.client import Client, usd

HOSTILE = "<script>alert(1)</script>\"'><img src=x onerror=alert(1)>&amp;{{ 7*7 }}"
HTML = {"Accept": "text/html"}


class Elements(HTMLParser):
    """Every start tag and attribute of a page, and its text."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        self.text += data


def page(client: Client, path: str, status: int = 200) -> Elements:
    response = client.get(path, headers=HTML)
    assert response.status_code == status, response.text
    assert response.headers["content-type"] == "text/html; charset=utf-8"
    return Elements(response.text)


@pytest.fixture(scope="module")
def hostile(client: Client, service: StepByStep, office: str) -> str:
    """An account all of whose texts try to be markup; its page's address."""
    opened = client.done(
        "POST",
        "/v1/accounts",
        {
            "office": office,
            "number": f"X-{HOSTILE[:80]}",
            "customer_name": HOSTILE,
            "currency": "USD",
            "segment": HOSTILE[:90],
            "contact": {
                "emails": [{"id": "email-1", "address": HOSTILE}],
                "phones": [{"id": "phone-1", "number": HOSTILE}],
                "addresses": [{"id": "address-1", "lines": [HOSTILE], "city": HOSTILE}],
            },
        },
    )
    address = f"/v1/accounts/{opened['id']}"
    who = {"X-Actor": HOSTILE.encode(), "X-Reason": HOSTILE.encode()}
    invoice = {"number": HOSTILE, "issued_on": "2026-01-01", "due_on": "2026-01-31", "amount": usd("100.00")}
    client.done("POST", f"{address}/invoices", {**invoice, "subscription": HOSTILE}, headers=who)
    promise = {"instalments": [{"due_on": "2026-03-20", "amount": usd("10.00")}], "notes": HOSTILE}
    client.done("POST", f"{address}/promises", promise, headers=who)
    note = {"kind": "note", "notes": HOSTILE, "assignee": HOSTILE, "follow_up_on": "2026-03-20"}
    client.done("POST", f"{address}/activities", note, headers=who)
    client.done("PUT", f"{address}/exclusion", {}, headers=who)
    client.done("POST", f"{address}/complaints", {"subject": HOSTILE, "notes": HOSTILE, "assignee": HOSTILE})
    client.done("POST", f"{address}/payment-claims", {"amount": usd("1.00"), "reference": HOSTILE, "notes": HOSTILE})
    case = {"kind": "lien", "court": HOSTILE, "case_number": HOSTILE, "documents": [HOSTILE], "notes": HOSTILE}
    client.done("POST", f"{address}/legal-cases", case)
    client.done("POST", f"{address}/payments", {"number": HOSTILE, "amount": usd("1.00"), "received_on": "2026-03-16"})
    service.wait_until_shown()
    return f"/accounts/{opened['id']}"


@pytest.mark.parametrize(
    "tab", ["overview", "payments", "casework", "conversation", "activity", "audit", "contact", "calls"]
)
def test_what_people_wrote_is_shown_as_they_wrote_it(client: Client, hostile: str, tab: str):
    seen = page(client, f"{hostile}?tab={tab}")
    assert_inert(seen)
    assert HOSTILE in seen.text


def test_the_report_shows_names_as_they_are(client: Client, hostile: str):
    for path in ("/", "/?as_of=2026-03-15", "/?q=%3Cscript%3Ealert(1)%3C/script%3E"):
        assert_inert(page(client, path))
    said = page(client, "/").text
    assert HOSTILE in said
    assert re.search(r"\b[1-9]\d* open\b", said)


@pytest.mark.parametrize("template", ["{{ row.items }}", "{{ row.keys }}"])
def test_no_page_shows_a_function_in_place_of_a_field(template: str):
    with pytest.raises(TypeError, match="a page shows <built-in method"):
        environment_of_pages().from_string(template).render(row={"items": 1})


def test_a_problem_page_repeats_nothing_as_markup(client: Client, office: str):
    for path in ("/?stage=%3Cscript%3E", "/?as_of=%3Cimg%20src=x%3E", "/accounts/%3Cscript%3E", "/%3Cscript%3E"):
        seen = page(client, path, status=404 if path[1] in "a%" else 422)
        assert_inert(seen)


def assert_inert(seen: Elements) -> None:
    """No script but our own files, no style or handler in an attribute, nothing from elsewhere."""
    for tag, attributes in seen.tags:
        assert tag not in {"img", "iframe", "style"}
        assert tag != "script" or (dict(attributes).get("src") or "").startswith("/static/")
        assert not [name for name in attributes if name.startswith("on") or name == "style"]
        for name in ("href", "src", "action"):
            assert not re.match(r"(https?:)?//|javascript:|data:", attributes.get(name) or "")
    assert "49" not in seen.text.split("7*7")[0][-3:]


def test_every_page_can_be_used_without_seeing_it(client: Client, hostile: str):
    for path in ("/", hostile, f"{hostile}?tab=audit", "/campaigns", "/worklist", "/settings/offices"):
        seen = page(client, path)
        tags = [tag for tag, _ in seen.tags]
        assert tags.count("h1") == 1
        assert tags.count("table") == tags.count("caption")
        assert ("a", {"class": "skip", "href": "#main"}) in seen.tags
        assert dict(seen.tags[0][1]) == {"lang": "en"} or seen.tags[0][0] == "html"
        ids = [attributes["id"] for _, attributes in seen.tags if "id" in attributes]
        assert len(ids) == len(set(ids))
        assert labelled(client.get(path, headers=HTML).text)


def labelled(text: str) -> bool:
    """Every field that a person fills in stands inside a label."""
    without = re.sub(r"<label.*?</label>", "", text, flags=re.DOTALL)
    return not re.search(r"<select|<textarea|<input(?![^>]*type=\"hidden\")", without)


def test_the_report_sorts_filters_and_pages_by_links(client: Client, service: StepByStep, office: str):
    for n in range(60):
        opened = client.done(
            "POST",
            "/v1/accounts",
            {"office": office, "number": f"N-{n:02}", "customer_name": f"Name {n:02}", "currency": "USD"},
        )
        invoice = {"number": "1", "issued_on": "2026-01-01", "due_on": "2026-01-31", "amount": usd(f"{n + 1}.00")}
        client.done("POST", f"/v1/accounts/{opened['id']}/invoices", invoice)
    service.wait_until_shown()
    first = page(client, "/?q=Name&sort=customer_name&dir=asc")
    assert "60 accounts of this selection" in first.text
    assert "Name 00" in first.text
    assert "Name 59" not in first.text
    [following] = [a["href"] for tag, a in first.tags if tag == "a" and a.get("rel") == "next"]
    assert following is not None
    assert "Name 59" in page(client, following).text
    [sorted_by] = [a for tag, a in first.tags if tag == "th" and "aria-sort" in a]
    assert sorted_by["aria-sort"] == "ascending"


def test_the_page_says_while_names_are_filled_in_again(client: Client, service: StepByStep, office: str):
    body = {"office": office, "number": "F-1", "customer_name": "Fay Filler", "currency": "USD"}
    opened = client.done("POST", "/v1/accounts", body)
    invoice = {"number": "1", "issued_on": "2026-01-01", "due_on": "2026-01-31", "amount": usd("5.00")}
    client.done("POST", f"/v1/accounts/{opened['id']}/invoices", invoice)
    service.wait_until_shown()
    said = "Names are being filled in again"
    asked = f"/?office={office}&q=F-1"
    assert "Fay Filler" in page(client, asked).text
    assert said not in page(client, asked).text
    assert "names" not in client.get("/v1/accounts?number=F-1").json()
    _, generation = service.projections.live("people")
    with service.database.connect() as connection:  # as a crash leaves it
        connection.execute(f"TRUNCATE {generation.schema}.people, {generation.schema}.filling".encode())
    assert said in page(client, asked).text
    assert "Fay Filler" not in page(client, asked).text
    listed = client.get("/v1/accounts?number=F-1").json()
    assert (listed["names"], listed["items"][0]["customer_name"]) == ("being filled", "F-1")
    service.rebuild("people")
    assert "Fay Filler" in page(client, asked).text


def test_a_past_day_says_so(client: Client, hostile: str):
    assert "As it was true at the end of 2 Feb 2026." in page(client, f"{hostile}?as_of=2026-02-02").text
    assert "back to today" in page(client, "/?as_of=2026-02-02").text


def test_a_campaign_says_whom_it_engages_and_whether_it_sends(client: Client, office: str):
    step = {"id": "a", "title": "First notice", "days": 5, "channel": "email", "templates": {"en": {"body": "x"}}}
    body = {"office": office, "title": "Notices", "plan": {"steps": [step], "rules": {"min_amount": usd("25.00")}}}
    campaign = client.post("/v1/campaigns", body).headers["location"]
    client.done("POST", f"{campaign}/pause", {"paused_until": "2026-03-20T16:00:00Z"})
    client.done("POST", "/v1/accounts", {"office": office, "number": "C-1", "customer_name": "C", "currency": "USD"})
    seen = page(client, "/campaigns").text
    assert "Paused until 20 Mar 2026, 12:00" in seen
    assert "from 25.00 USD" in seen
    assert "First notice" in seen
    client.done("POST", f"{campaign}/retire")


def test_campaigns_and_all_automation_are_paused_resumed_and_ended_on_the_page(client: Client, office: str):
    step = {"id": "a", "title": "First notice", "days": 5, "channel": "email", "templates": {"en": {"body": "x"}}}
    body = {"office": office, "title": "Second notices", "plan": {"steps": [step]}}
    campaign = client.post("/v1/campaigns", body).headers["location"]
    zone = ZoneInfo(client.get(f"/v1/offices/{office}").json()["time_zone"])
    form: dict[str, Any] = {"headers": {**HTML, "Sec-Fetch-Site": "same-origin"}}

    def sends(path: str, status: int = 303, **fields: str) -> str:
        sent = client.request("POST", path, data={"reason": "A test."} | fields, **form)
        assert sent.status_code == status, sent.text
        return sent.text if status != 303 else page(client, sent.headers["location"]).text

    for address, here in (
        (campaign, campaign.removeprefix("/v1")),
        (f"/v1/offices/{office}", f"/campaigns/of/{office}"),
    ):
        assert "aused until 31 Mar 2026, 09:00" in sends(
            f"{here}/pause", paused_from="2026-03-01T09:00", paused_until="2026-03-31T09:00", reason="Storm."
        )
        until = datetime(2026, 3, 31, 9, tzinfo=zone).astimezone(UTC)
        assert client.get(address).json()["pause"]["paused_until"] == until.strftime("%Y-%m-%dT%H:%M:%SZ")
        sends(f"{here}/resume", reason="Over.")
        assert client.get(address).json()["pause"] is None
        assert "paused_until must be later" in sends(
            f"{here}/pause", 409, paused_from="2026-03-02T09:00", paused_until="2026-03-01T09:00"
        )
        assert "expected a day and a time" in sends(f"{here}/pause", 422, paused_until="soon")
        assert "expected one of pause, resume" in sends(f"{here}/stop", 422)
    sends("/campaigns/of/nowhere/pause", 404)
    sends(f"/campaigns/{UUID(int=7)}/pause", 404)
    sends(f"{campaign.removeprefix('/v1')}/retire", reason="No longer used.")
    assert client.get(campaign).json()["status"] == "retired"
    elements = page(client, "/campaigns").text
    assert "End Second notices" not in elements
