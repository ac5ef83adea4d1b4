"""Work over many accounts over HTTP: how far it is, and stopping it."""

from uuid import UUID, uuid4

from adapters.work.worker import Turn, Worker
from api.processes.step_by_step import StepByStep
from tests.api.http.client import Client
from tests.work import begun


def open_work(service: StepByStep, office: str) -> UUID:
    """Work that nobody has taken a chunk of yet."""
    service.drain()
    return begun(service, office)


def test_a_rule_change_is_seen_to_be_worked_off(client: Client, service: StepByStep, office: str, account: str):
    client.done("PATCH", f"/v1/offices/{office}", {"time_zone": "America/Chicago"})
    service.drain()
    listed = client.get("/v1/work", params={"office": office, "state": "finished"}).json()["items"]
    assert {each["command"] for each in listed} == {"age-account", "judge-collection"}
    for each in listed:
        assert (each["state"], each["left"]) == ("finished", 0)
        assert each["accounts"] == each["done"] >= 1
        assert client.get(f"/v1/work/{each['id']}").json() == each


def test_work_that_waits_is_open_and_nobody_knows_yet_of_how_many_accounts(
    client: Client, service: StepByStep, office: str
):
    work = open_work(service, office)
    found = client.get(f"/v1/work/{work}").json()
    assert (found["state"], found["accounts"], found["left"], found["ended_at"]) == ("open", None, None, None)
    assert [each["id"] for each in client.get("/v1/work?state=open").json()["items"]] == [str(work)]
    service.drain()


def test_work_is_cancelled_with_a_reason_and_the_audit_trail_has_it(
    client: Client, service: StepByStep, office: str, account: str
):
    work = open_work(service, office)
    address = f"/v1/work/{work}/cancellation"
    assert client.refused(409, "POST", address, {})["reason_code"] == "reason-required"
    client.done("POST", address, {"reason": "Wrong buckets"}, headers={"X-Actor": "ada"})
    assert client.get(f"/v1/work/{work}").json()["state"] == "cancelled"
    worker = Worker(service.database, service.arrears)
    assert [worker.turn(), worker.turn()] == [Turn.CHUNK, Turn.IDLE]
    worker.close()
    assert client.get(f"/v1/work/{work}").json()["done"] == 0
    service.drain()
    with service.database.connect("arrears_app") as connection:
        trail = connection.execute(
            "SELECT event_name, actor_id, reason FROM read_model.audit_trail WHERE aggregate_id = %s ORDER BY position",
            [work],
        ).fetchall()
    assert trail == [("work.begun", "test", None), ("work.cancelled", "ada", "Wrong buckets")]


def test_what_has_ended_is_not_cancelled(client: Client, service: StepByStep, office: str):
    work = open_work(service, office)
    service.drain()
    problem = client.refused(409, "POST", f"/v1/work/{work}/cancellation", {"reason": "Too late"})
    assert problem["reason_code"] == "work-finished"


def test_what_is_not_there_is_not_found(client: Client):
    for method, path, body in (("GET", "", None), ("POST", "/cancellation", {"reason": "Why not"})):
        assert client.refused(404, method, f"/v1/work/{uuid4()}{path}", body)["reason_code"] == "unknown-work"


def test_pages_have_every_work_once_the_newest_first(client: Client, service: StepByStep, office: str):
    for _ in range(3):
        open_work(service, office)
    whole = client.get("/v1/work", params={"office": office, "limit": 100}).json()["items"]
    assert whole == sorted(whole, key=lambda each: (each["cause_position"], each["id"]), reverse=True)
    seen, cursor = [], None
    while True:
        page = client.get("/v1/work", params={"office": office, "limit": 2, **({"cursor": cursor} if cursor else {})})
        seen += page.json()["items"]
        if (cursor := page.json()["next"]) is None:
            break
    assert seen == whole
    service.drain()
