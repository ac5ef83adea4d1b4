"""Requests that no client of good will sends: each is refused in the one error shape, and none is a defect."""

import json
import re
from collections.abc import Callable
from typing import Any

import pytest

from aggregates.office import office_id
from api.http.auth import COOKIE
from api.http.web import pages
from api.processes.step_by_step import StepByStep
from tests.api.http.client import Client

JSON = {"Content-Type": "application/json"}
TOKEN = "correct horse battery staple"


# --- parameters ---


@pytest.mark.parametrize("query", ["offce=main", "limit=5&colour=red", "as_of=2026-03-01&known=2026-03-01"])
def test_a_parameter_that_the_question_does_not_know_is_refused_and_never_ignored(client: Client, query: str):
    problem = client.refused(422, "GET", f"/v1/report/collections?{query}")
    [error] = problem["errors"]
    assert error["field"] in {"offce", "colour", "known"}
    assert "min_balance" in error["expected"]


@pytest.mark.parametrize("value", ["%00", "a%00b", "a%1Bb", "a%0D%0Ab"])
def test_control_characters_in_a_parameter_are_refused(client: Client, account: str, value: str):
    for address in (f"{account}/activity?kind={value}", f"/v1/accounts?q={value}", f"/v1/report/collections?q={value}"):
        problem = client.refused(422, "GET", address)
        assert problem["errors"][0]["expected"] == "expected text without control characters"
    assert client.get(f"/?q={value}").status_code == 422


# --- bodies ---


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("customer_name", "Evil\r\nBcc: x@example.com"),
        ("customer_name", "Fine\u0007"),
        ("customer_name", "two\nlines"),
        ("contact.emails.0.address", "b@example.com\r\nBcc: c@example.com"),
    ],
)
def test_control_characters_in_a_body_are_refused_by_their_field(client: Client, office: str, field: str, value: str):
    email = {"id": "email-1", "address": value if field.endswith("address") else "b@example.com"}
    body = {
        "office": office,
        "number": "A-9",
        "customer_name": "Ann",
        "currency": "USD",
        "contact": {"emails": [email]},
    }
    problem = client.refused(422, "POST", "/v1/accounts", {**body, field: value} if field in body else body)
    assert problem["errors"] == [{"field": field, "expected": "expected text without control characters"}]


@pytest.mark.parametrize("nothing", ["   ", "\u200b", "\u3164", "\u00a0\u2060"])
def test_text_of_which_nothing_can_be_seen_is_refused_at_every_door(client: Client, account: str, nothing: str):
    expected = [{"field": "notes", "expected": "expected text that can be seen"}]
    body = {"kind": "note", "notes": nothing}
    assert client.refused(422, "POST", f"{account}/activities", body)["errors"] == expected
    if nothing.strip():
        form = {"form": "promise", "amount": "1.00", "due": "2026-03-30", "notes": nothing}
        page = client.request("POST", f"{account.removeprefix('/v1')}/casework/promise", data=form)
        assert page.status_code == 422
        assert "expected text that can be seen" in page.text


def test_a_filter_that_can_show_nothing_is_not_kept(client: Client, office: str):
    for said in ({"bucket": "1-30,zzz"}, {"segment": "no-such"}, {"flag": "no-such"}):
        answer = client.put("/v1/filters/bad", {"office": office, **said})
        assert answer.status_code == 422
        assert next(iter(said)) in answer.text
        page = client.request("POST", "/filters", data={"name": "bad", "office": office, **said})
        assert (page.status_code, next(iter(said)) in page.text) == (422, True)
    assert "bad" not in [each["name"] for each in client.get("/v1/filters").json()]


def test_a_hold_of_no_invoices_is_not_one_of_the_whole_account(client: Client, account: str):
    body = {"code": "complaint", "reason": "wrote in", "invoice_numbers": []}
    [error] = client.refused(422, "POST", f"{account}/holds", body)["errors"]
    assert error["field"] == "invoice_numbers"


@pytest.mark.parametrize("query", ["limit=5&limit=6", "flag=vip&flag=bankruptcy"])
def test_a_parameter_of_which_only_the_last_would_count_is_refused(client: Client, query: str):
    [error] = client.refused(422, "GET", f"/v1/report/collections?{query}")["errors"]
    assert error == {"field": query.partition("=")[0], "expected": "expected once"}


def test_a_parameter_that_may_be_given_several_times_still_may(client: Client, service: StepByStep, account: str):
    service.drain()
    assert client.get(f"{account}/activity?kind=call&kind=note").status_code == 200


@pytest.mark.parametrize(
    ("given", "field"),
    [
        ({"addresses": [{"id": "1", "lines": ["x"]}], "emails": [{"id": "1", "address": "a@b.com"}]}, "emails.0.id"),
        ({"phones": [{"id": "p", "number": "+12125550100"}, {"id": "p", "number": "+12125550101"}]}, "phones.1.id"),
        ({"emails": [{"id": "portal", "address": "a@b.com"}]}, "emails.0.id"),
    ],
)
def test_an_id_names_one_number_or_address(client: Client, office: str, account: str, given: Any, field: str):
    opened = {"office": office, "number": "A-9", "customer_name": "Ann", "currency": "USD", "contact": given}
    for method, address, body in (("POST", "/v1/accounts", opened), ("PUT", f"{account}/contact", given)):
        said = str(client.refused(422, method, address, body)["errors"])
        assert field in said
        assert "which names something else" in said


@pytest.mark.parametrize("notes", ["two\nlines", "a\ttab", "two\r\nlines"])
def test_what_has_several_lines_keeps_them(client: Client, account: str, notes: str):
    assert client.post(f"{account}/activities", {"kind": "note", "notes": notes}).is_success
    assert client.refused(422, "POST", f"{account}/activities", {"kind": "note", "notes": "a\u001bb"})


@pytest.mark.parametrize("media_type", [None, "text/plain", "application/xml", "application/jsonp", "json", "x" * 99])
def test_a_body_of_another_type_or_of_none_is_refused(client: Client, account: str, media_type: str | None):
    headers = {} if media_type is None else {"Content-Type": media_type}
    response = client.request("POST", f"{account}/activities", content=b'{"kind": "note"}', headers=headers)
    assert response.status_code == 415
    assert response.headers["accept"] == "application/json"


@pytest.mark.parametrize("media_type", ["application/json", "Application/JSON; charset=utf-8", "application/x+json"])
def test_json_is_taken_however_it_is_called(client: Client, account: str, media_type: str):
    headers = {"Content-Type": media_type}
    assert client.request("POST", f"{account}/activities", content=b'{"kind": "note"}', headers=headers).is_success


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ('{"kind": "note", "kind": "call"}', "kind"),
        ('{"kind": "note", "notes": "a", "n\\u006ftes": "b"}', "notes"),
        ('{"kind": "note", "notes": {"a": [{"b": 1, "b": 1}]}}', "b"),
        ('[[{"' + "x" * 300 + '": 1, "' + "x" * 300 + '": 2}]]', "x" * 100 + "…"),
    ],
)
def test_a_name_that_stands_twice_in_an_object_is_refused(client: Client, account: str, body: str, field: str):
    response = client.request("POST", f"{account}/activities", content=body.encode(), headers=JSON)
    assert response.status_code == 422
    assert response.json()["errors"] == [{"field": field, "expected": "expected once, but it stands there twice"}]


def test_a_command_by_its_name_has_each_name_once_too(client: Client, account: str):
    account_id = account.rpartition("/")[2]
    body = f'{{"name": "set-flag", "body": {{"account_id": "{account_id}", "flag": "vip", "flag": "legal"}}}}'
    response = client.request("POST", "/v1/commands", content=body.encode(), headers=JSON)
    assert (response.status_code, response.json()["errors"][0]["field"]) == (422, "flag")


@pytest.mark.parametrize(
    "body",
    [
        b'{"kind": ',
        b'{"kind": ' + b"9" * 5_000 + b"}",
        b"[" * 100 + b"]" * 100,
        b"[" * 200_000,
        b'{"kind": "\\ud800"}',
        b'{"\\udfff": 1}',
        b'"\xff\xfe\xfd"',
    ],
    ids=lambda body: body[:16].decode("latin-1"),
)
def test_what_is_not_json_is_said(client: Client, account: str, body: bytes):
    for address in (f"{account}/activities", "/v1/commands"):
        problem = client.request("POST", address, content=body, headers=JSON)
        assert (problem.status_code, problem.json()["type"]) == (400, "urn:arrears:problem:json")


def test_a_body_that_nobody_would_read_is_refused(client: Client, account: str):
    """Rather than lost: it may say why."""
    taken_none = []
    for path, methods in client.get("/openapi.json").json()["paths"].items():
        for method, operation in methods.items():
            if "requestBody" not in operation:
                ids = {"account_id": account.rpartition("/")[2], "flag": "vip", "channel": "email", "code": "main"}
                named = re.findall(r"{(\w+)}", path)
                ids = {name: ids.get(name, "00000000-0000-0000-0000-000000000001") for name in named}
                address = path.format(**ids)
                response = client.request(method.upper(), address, content=b'{"reason": "why"}', headers=JSON)
                if path in {"/health/live", "/health/ready"}:
                    assert response.status_code == 422
                taken_none.append((response.status_code, method, path))
    assert {each for each in taken_none if each[0] != 422} == set()
    assert len(taken_none) > 20


def test_the_reason_in_a_body_is_kept(client: Client, account: str, service: StepByStep):
    client.done("PUT", f"{account}/flags/vip", {"reason": "a good customer"})
    activity = client.done("POST", f"{account}/activities", {"kind": "note", "follow_up_on": "2026-03-20"})
    client.done("POST", f"{account}/activities/{activity['id']}/follow-up/completion", {"reason": "called back"})
    client.done("POST", "/v1/offices/main/pause", {})
    client.done("POST", "/v1/offices/main/resume", {"reason": "the outage is over"})
    assert {"a good customer", "called back", "the outage is over"} <= _reasons(client, account, service)


def test_the_reason_may_be_left_out_where_none_is_needed(client: Client, account: str):
    assert client.put(f"{account}/flags/vip").is_success
    assert client.put(f"{account}/flags/legal", {}).is_success
    assert client.put(f"{account}/flags/vip", {"why": "?"}).status_code == 422


def _reasons(client: Client, account: str, service: StepByStep) -> set[str]:
    """Of the account and of its office."""
    service.wait_until_shown()
    said = [client.get(f"{account}/audit").json(), client.get(f"/v1/audit/{office_id('main')}").json()]
    return {row["reason"] for page in said for row in page["items"]}


# --- headers ---


@pytest.mark.parametrize(
    "session",
    ["9" * 4_301 + ".x", "1" * 16 + ".x", "\u0661\u0662.x".encode().decode("latin-1"), "." * 5_000, "-1.x", "1e9.x"],
    ids=["digits", "16 digits", "other digits", "dots", "negative", "float"],
)
def test_a_session_of_any_text_is_none(new_client: Callable[..., Client], session: str):
    client = new_client(TOKEN)
    cookie = {"Cookie": f"{COOKIE}={session}".encode("latin-1")}
    for accept in ("text/html", "*/*"):
        assert client.get("/sign-in", headers={**cookie, "Accept": accept}).status_code == 200
        assert client.get("/", headers={**cookie, "Accept": accept}).status_code in {303, 401}
        assert client.get("/nowhere", headers={**cookie, "Accept": accept}).status_code in {303, 401}


@pytest.mark.parametrize("host", ["[", "[::1", "a b", "http://[", "\\", ":0", "", "[localhost]"])
@pytest.mark.parametrize("accept", ["text/html", "*/*"])
def test_a_host_that_is_none_is_not_answered(new_client: Callable[..., Client], host: str, accept: str):
    for client, status in ((new_client(), {200, 421}), (new_client(TOKEN), {200, 303, 401})):
        for path in ("/", "/v1/offices", "/nowhere", "/sign-in"):
            assert client.get(path, headers={"Host": host, "Accept": accept}).status_code in {*status, 404}


@pytest.mark.parametrize("origin", ["http://[", "//[", "null", "http://localhost:99999999"])
def test_an_origin_that_is_none_is_another_one(client: Client, account: str, origin: str):
    assert client.put(f"{account}/flags/vip", headers={"Origin": origin}).status_code == 403


@pytest.mark.parametrize("length", ["9" * 5_000, "1000001", "9" * 16, "-1", "x"])
def test_a_length_that_is_none_or_too_large_is_refused(client: Client, account: str, length: str):
    """One that is no number is refused before that where it comes over a connection."""
    headers = {**JSON, "Content-Length": length}
    response = client.request("POST", f"{account}/activities", content=b'{"kind": "note"}', headers=headers)
    assert response.status_code == 413


def test_the_error_page_never_fails(client: Client, monkeypatch: pytest.MonkeyPatch):
    def broken(*_: object, **__: object) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr(pages, "render", broken)
    response = client.get("/nowhere", headers={"Accept": "text/html"})
    assert response.status_code == 404
    assert response.json()["type"] == "urn:arrears:problem:not-found"


# --- HEAD ---


def test_head_is_answered_as_get_without_the_body(client: Client, account: str):
    for path in ("/health/live", "/v1/offices", account, "/", "/static/arrears.css", "/openapi.json", "/nowhere"):
        get, head = client.get(path), client.request("HEAD", path)
        assert head.status_code == get.status_code, path
        assert head.headers["content-type"] == get.headers["content-type"]
        assert head.headers["content-length"] == str(len(get.content)), path
        assert head.content == b""
    assert client.request("HEAD", f"{account}/exclusion").status_code == 405


# --- methods ---


@pytest.mark.parametrize("resource", ["check", "forecast"])
def test_a_resource_has_its_own_methods_whatever_stands_beside_it(client: Client, resource: str):
    for method in ("GET", "OPTIONS", "DELETE"):
        response = client.request(method, f"/v1/campaigns/{resource}")
        assert (response.status_code, response.headers["allow"]) == (405, "POST")


# --- patterns ----------------------------------------------------------------------------------------


def patterns_of(node: Any) -> set[str]:
    """Every pattern in a schema."""
    match node:
        case dict():
            own = {node["pattern"]} if isinstance(node.get("pattern"), str) else set()
            return own.union(*map(patterns_of, node.values()))
        case list():
            return set[str]().union(*map(patterns_of, node))
        case _:
            return set()


def test_a_parameter_is_refused_in_words_and_never_with_its_pattern(client: Client, account: str):
    account_id, asked = account.rpartition("/")[2], 0
    for path, methods in client.get("/openapi.json").json()["paths"].items():
        for parameter in methods.get("get", {}).get("parameters", []):
            name, schema = parameter["name"], parameter["schema"]
            patterns = patterns_of(schema)
            if parameter["in"] != "query" or not (patterns or '"uuid"' in json.dumps(schema)):
                continue
            asked += 1
            there = re.sub(r"\{[a-z_]+\}", account_id, path)
            problem = client.refused(422, "GET", there, params={name: "!"})
            said = {each["field"]: each["expected"] for each in problem["errors"]}[name]
            assert said.startswith("expected "), (path, name, said)
            assert not any(each in said for each in (*patterns, "[", "urn:uuid")), (path, name, said)
    assert asked > 40


@pytest.mark.parametrize(
    ("path", "body", "words"),
    [
        ("/v1/offices", {"code": "No Code", "title": "X", "currency": "USD"}, "code: expected lower-case letters"),
        ("/v1/offices", {"code": "x", "title": "X", "currency": "usd"}, "currency: expected an ISO 4217 code"),
    ],
)
def test_a_field_is_refused_in_words_and_never_with_its_pattern(
    client: Client, path: str, body: dict[str, str], words: str
):
    problem = client.refused(422, "POST", path, {**body, "time_zone": "UTC"})
    assert problem["detail"].startswith(words)
    assert "^" not in problem["detail"]


def test_the_page_says_it_in_words_too(client: Client, account: str):
    shown = client.get("/?flag=No%20Flag", headers={"Accept": "text/html"})
    assert shown.status_code == 422
    assert "flag: expected one or several of lower-case letters" in shown.text
    assert "[a-z0-9]" not in shown.text
