"""Who may come in, from where, and what every answer carries."""

from collections.abc import Callable

import pytest

from adapters.postgres.errors import ConnectionLost
from api.http import accounts
from api.http.auth import COOKIE
from api.http.server import BindRefused, check_bind
from api.processes.restarts import Restarts
from api.processes.step_by_step import StepByStep
from tests.api.http.client import Client

TOKEN = "correct horse battery staple"


# --- binding ---


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.168.1.10", "arrears.example.com"])
def test_without_a_token_nobody_outside_is_let_in(host: str):
    with pytest.raises(BindRefused, match="no API token is configured"):
        check_bind(host, None)
    check_bind(host, TOKEN)
    with pytest.raises(BindRefused, match="empty"):
        check_bind(host, " ")


@pytest.mark.parametrize("host", ["127.0.0.1", "::1", "localhost", "127.0.0.2"])
def test_this_machine_needs_no_token(host: str):
    check_bind(host, None)


# --- the token ---


def test_with_a_token_everything_but_health_asks_for_it(new_client: Callable[..., Client]):
    client = new_client(TOKEN)
    for path in ("/v1/offices", "/v1/report/collections", "/v1/projections", "/v1/nowhere"):
        assert client.get(path).status_code == 401
        for wrong in ("Bearer wrong", "Bearer ", f"Basic {TOKEN}", TOKEN, f"Bearer {TOKEN}x", "Bearer é"):
            response = client.get(path, headers={"Authorization": wrong.encode()})
            assert response.status_code == 401
            assert response.headers["www-authenticate"] == "Bearer"
    assert client.get("/v1/offices", headers={"Authorization": f"Bearer {TOKEN}"}).status_code == 200
    assert client.get("/health/live").json() == {"status": "live"}
    assert client.get("/health/ready").json() == {"status": "ready"}


def test_a_service_whose_part_failed_lately_is_not_ready_and_says_no_more_than_which(
    new_client: Callable[..., Client], service: StepByStep, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(service, "restarts", Restarts())
    client = new_client(TOKEN)
    service.restarts.note("receive", "ValueError")
    answer = client.get("/health/ready")
    assert answer.status_code == 503
    assert answer.json()["detail"] == "parts: failed and started again, the log says why: receive (ValueError)"
    assert client.get("/health/live").status_code == 200


def test_the_token_of_this_machines_commands_lets_read_and_nothing_else(new_client: Callable[..., Client]):
    client = new_client(TOKEN, local_token="made at start")
    local, public = ({"Authorization": f"Bearer {token}"} for token in ("made at start", TOKEN))
    answer = client.get("/v1/offices", headers=local)
    assert (answer.status_code, answer.headers["arrears-local"]) == (200, "yes")
    assert client.post("/v1/offices/main/resume", headers=local).status_code == 401
    assert client.post("/v1/commands", {}, headers=local).status_code == 401
    assert "arrears-local" not in client.get("/v1/offices", headers=public).headers
    assert "arrears-local" not in client.get("/v1/offices").headers
    assert client.get("/", headers={**local, "Accept": "text/html"}).status_code == 200


def test_without_such_a_token_nobody_has_it(new_client: Callable[..., Client]):
    for given in ("Bearer ", "Bearer None", "Bearer", ""):
        assert new_client(TOKEN).get("/v1/offices", headers={"Authorization": given}).status_code == 401
        assert "arrears-local" not in new_client().get("/v1/offices", headers={"Authorization": given}).headers


def test_a_browser_signs_in_with_the_token(new_client: Callable[..., Client]):
    client = new_client(TOKEN, Accept="text/html")
    assert client.get("/").headers["location"] == "/sign-in"
    wrong = client.request("POST", "/sign-in", data={"token": "wrong"})
    assert wrong.status_code == 401
    assert "set-cookie" not in wrong.headers
    response = client.request("POST", "/sign-in", data={"token": TOKEN})
    assert response.headers["location"] == "/"
    cookie = response.headers["set-cookie"]
    assert "HttpOnly" in cookie
    assert "SameSite=strict" in cookie
    assert client.get("/").status_code == 200
    assert client.get("/v1/offices").status_code == 401  # the session is for pages


@pytest.mark.parametrize("session", ["", "99999999999.", "99999999999.00", "1.2", "x.y", "99999999999." + "0" * 64])
def test_a_session_that_nobody_gave_out_is_none(new_client: Callable[..., Client], session: str):
    client = new_client(TOKEN, Accept="text/html", Cookie=f"{COOKIE}={session}")
    assert client.get("/").headers["location"] == "/sign-in"


def test_without_a_token_there_are_no_cookies(client: Client):
    assert "set-cookie" not in client.get("/", headers={"Accept": "text/html"}).headers


# --- from elsewhere ---


@pytest.mark.parametrize(
    "headers",
    [
        {"Origin": "https://evil.example"},
        {"Origin": "null"},
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site"},
    ],
)
def test_another_sites_page_changes_nothing(client: Client, account: str, headers: dict[str, str]):
    assert client.post(f"{account}/activities", {"kind": "note"}, headers=headers).status_code == 403
    assert client.put(f"{account}/flags/vip", headers=headers).status_code == 403


def test_our_own_page_may(client: Client, account: str):
    headers = {"Origin": "http://localhost", "Sec-Fetch-Site": "same-origin"}
    assert client.put(f"{account}/flags/vip", headers=headers).status_code == 200


def test_a_name_that_was_made_to_point_here_is_not_answered(client: Client):
    for host in ("evil.example", "127.0.0.1.evil.example", "localhost.evil.example"):
        assert client.get("/v1/offices", headers={"Host": host}).status_code == 421
    for host in ("127.0.0.1:8420", "[::1]:8420", "localhost:8420"):
        assert client.get("/v1/offices", headers={"Host": host}).status_code == 200


# --- every answer ---


def test_every_answer_tells_browsers_to_be_careful(client: Client):
    for path in ("/", "/v1/offices", "/nowhere", "/static/arrears.css"):
        headers = client.get(path).headers
        assert headers["content-security-policy"].startswith("default-src 'self'")
        assert headers["x-content-type-options"] == "nosniff"
        assert headers["referrer-policy"] == "same-origin"
        assert headers["x-frame-options"] == "DENY"


def test_a_correlation_id_is_kept_or_made(client: Client):
    given = "7d6f5a0e-3f1c-4b52-9d3e-0f2d4c6b8a10"
    assert client.get("/health/live", headers={"X-Correlation-Id": given}).headers["x-correlation-id"] == given
    made = client.get("/health/live", headers={"X-Correlation-Id": "<script>"}).headers["x-correlation-id"]
    assert len(made) == 36


def test_a_method_that_is_none_here_names_those_that_are(client: Client, account: str):
    problem = client.request("DELETE", account)
    assert (problem.status_code, problem.headers["allow"]) == (405, "GET, HEAD")
    assert client.request("POST", f"{account}/exclusion").headers["allow"] == "PUT, DELETE"


def test_a_defect_says_nothing_of_what_is_inside(client: Client, account: str, monkeypatch: pytest.MonkeyPatch):
    def broken(*_: object) -> None:
        raise ZeroDivisionError("secret figure")

    monkeypatch.setattr(accounts, "account_view", broken)
    problem = client.refused(500, "GET", account)
    assert problem["type"] == "urn:arrears:problem:unexpected"
    assert "secret" not in str(problem)


def test_a_database_that_is_away_is_said(client: Client, account: str, monkeypatch: pytest.MonkeyPatch):
    def away(*_: object) -> None:
        raise ConnectionLost("The connection to the database was lost")

    monkeypatch.setattr(accounts, "account_view", away)
    problem = client.request("GET", account)
    assert (problem.status_code, problem.headers["retry-after"]) == (503, "2")


def test_projections_say_how_far_they_are(client: Client, service: StepByStep):
    service.wait_until_shown()
    statuses = client.get("/v1/projections").json()
    assert {"collections_report", "ledger", "promises", "agenda"} <= {each["name"] for each in statuses}
    assert all(each["lag_events"] == 0 for each in statuses)
