"""A log that an earlier release left, opened by this one: the same answers, and life goes on."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from adapters.billing.importer import OfficeDefaults
from adapters.clock import ManualClock
from adapters.postgres.database import Database
from aggregates.kernel.aggregate import KINDS
from api.http.app import create_app
from api.processes.step_by_step import StepByStep
from tests.api.http.client import Client
from tests.conftest import TestServer
from tests.upgrade.answers import (
    EXPECTED,
    as_told_now,
    compact,
    inner_tables,
    live_on,
    look_again,
    may_say_more,
    unlike,
)
from tests.upgrade.log import MASTER_KEY, restore

THEN: dict[str, Any] = json.loads(EXPECTED.read_text(encoding="utf-8"))
NOW = datetime.fromisoformat(THEN["now"])
BILLING = Path(__file__).parent / "billing"


@contextmanager
def opened(postgres: TestServer, name: str, outbox: Path) -> Iterator[StepByStep]:
    env = {"ARREARS_MASTER_KEY": MASTER_KEY.read_text(encoding="ascii"), "ARREARS_OUTBOX": str(outbox)}
    with StepByStep(Database(postgres.dsn_of(name)), data_dir=None, env=env, clock=ManualClock(NOW)) as service:
        service.prepare()
        service.drain()
        yield service


@pytest.fixture(scope="module")
def old_log(postgres: TestServer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A database with the log, opened once and closed again: others are copied from it."""
    name = postgres.create()
    with Database(postgres.dsn_of(name)) as database:
        restore(database, tmp_path_factory.mktemp("migrations"), migrations=THEN["migrations"])
    with opened(postgres, name, tmp_path_factory.mktemp("outbox")):
        pass
    yield name
    postgres.drop(name)


@pytest.fixture(scope="module")
def looked_at(postgres: TestServer, old_log: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[StepByStep]:
    """For tests that only read."""
    name = postgres.create(template=old_log)
    with opened(postgres, name, tmp_path_factory.mktemp("outbox")) as service:
        yield service
    postgres.drop(name)


@pytest.fixture(scope="module")
def reading(looked_at: StepByStep) -> Iterator[Client]:
    with Client(create_app(looked_at, None)) as client:
        yield client


@pytest.fixture
def service(postgres: TestServer, old_log: str, tmp_path: Path) -> Iterator[StepByStep]:
    """A log of this test's own, to go on with."""
    name = postgres.create(template=old_log)
    with opened(postgres, name, tmp_path / "outbox") as service:
        yield service
    postgres.drop(name)


@pytest.fixture
def client(service: StepByStep) -> Iterator[Client]:
    with Client(create_app(service, None)) as client:
        yield client


def account(client: Client, number: str) -> str:
    """An account's address."""
    [found] = client.get(f"/v1/accounts?number={number}").json()["items"]
    return f"/v1/accounts/{found['account_id']}"


# --- the same answers --------------------------------------------------------------------------------


@pytest.mark.parametrize("question", THEN["answers"])
def test_a_question_has_the_answer_of_then(reading: Client, question: str):
    path, answer = THEN["answers"][question]["path"], THEN["answers"][question]["answer"]
    response = reading.get(path)
    assert response.status_code == 200, response.text
    if may_say_more(path):
        assert [*unlike(answer, response.json())] == []
    else:
        answer = as_told_now(answer, response.json())
        assert response.json() == answer
        assert response.text == compact(answer), "the same, but in another order or form"


@pytest.mark.parametrize("table", THEN["tables"])
def test_a_read_table_has_the_rows_of_then(looked_at: StepByStep, table: str):
    with looked_at.database.connect("arrears_app") as connection:
        assert look_again(connection, table, THEN["tables"][table]) == THEN["tables"][table]


def test_what_only_a_projection_understands_changes_with_its_version_alone(looked_at: StepByStep):
    """Tables that an earlier release built are gone on with, unless their version says to build them anew."""
    with looked_at.database.connect("arrears_app") as connection:
        now = inner_tables(connection)
    same_version = {name for name in THEN["inner"] if now[name]["version"] == THEN["inner"][name]["version"]}
    assert {name: now[name] for name in same_version} == {name: THEN["inner"][name] for name in same_version}


def test_nothing_is_found_wrong_with_the_log(looked_at: StepByStep):
    assert [*looked_at.verify()] == []


# --- aggregates --------------------------------------------------------------------------------------


def test_an_aggregate_is_the_same_from_its_snapshot_and_from_its_whole_history(looked_at: StepByStep):
    arrears = looked_at.arrears
    with looked_at.database.connect("arrears_app") as connection:
        shots = connection.execute(
            "SELECT kind, aggregate_id, version, account_id, state, state_version FROM arrears.snapshots"
        ).fetchall()
    assert len(shots) > 1
    for kind, aggregate_id, version, account_id, state, state_version in shots:
        if state_version != KINDS[kind].state_version:
            continue  # passed over, and the events are read
        shot = arrears.event_mapper.decode_snapshot(KINDS[kind], aggregate_id, version, account_id, bytes(state))
        assert shot.model_dump() == arrears.load(KINDS[kind], aggregate_id, version=version).model_dump()
        shot.fold(each for each in arrears.history(KINDS[kind], aggregate_id) if each.version > version)
        assert shot.model_dump() == arrears.load(KINDS[kind], aggregate_id).model_dump()


def test_every_aggregate_is_loaded_with_all_of_its_events(looked_at: StepByStep):
    with looked_at.database.connect("arrears_app") as connection:
        found = connection.execute(
            "SELECT split_part(min(name), '.', 1), aggregate_id, count(*) FROM arrears.events GROUP BY aggregate_id"
        ).fetchall()
    assert {kind for kind, _, _ in found} == {"account", "campaign", "office", "promise", "reader"}
    for kind, aggregate_id, events in found:
        assert looked_at.arrears.load(KINDS[kind], aggregate_id).version == events


# --- life goes on ------------------------------------------------------------------------------------


def test_payments_come_in_on_accounts_of_every_kind(service: StepByStep, client: Client):
    """With snapshots, with a promise, of an erased person, in yen, from a billing file."""
    paying = {"M-01": "10.00", "M-05": "20.00", "M-15": "5.00", "T-01": "661", "B-01": "1.50"}
    addresses = {number: account(client, number) for number in paying}
    before = {number: client.get(address).json() for number, address in addresses.items()}
    for number, amount in paying.items():
        money = {"amount": amount, "currency": before[number]["currency"]}
        paid = {"number": "New-1", "amount": money, "received_on": before[number]["as_of"]}
        client.done("POST", f"{addresses[number]}/payments", paid)
    service.drain()
    for number, amount in paying.items():
        after = client.get(addresses[number]).json()
        assert after["version"] > before[number]["version"]
        owed = Decimal(before[number]["balance"]["amount"]) - Decimal(amount)
        assert Decimal(after["balance"]["amount"]) == owed
        [row] = client.get(f"/v1/accounts?number={number}").json()["items"]
        assert row["balance"] == after["balance"]["amount"]
    assert [*service.verify()] == []


def test_a_request_that_comes_again_has_its_answer_of_then_and_changes_nothing(service: StepByStep, client: Client):
    head = service.feed.head()
    for then in THEN["repeats"]:
        sent = {"json": then["json"]} if then["json"] is not None else {}
        again = client.request(then["method"], then["path"], headers=then["headers"], **sent)
        assert again.json() == then["answer"], then
    service.drain()
    assert service.feed.head() == head


def test_a_billing_file_that_comes_again_changes_nothing(service: StepByStep):
    head = service.feed.head()
    defaults = OfficeDefaults(code="berlin", time_zone="Europe/Berlin")
    report = service.import_file(BILLING / "billing-again.csv", "invoices", defaults=defaults)
    assert (report.brought_in, report.corrected, report.deferred, report.refused) == (0, 0, 0, 0)
    assert service.feed.head() == head


def test_what_was_planned_then_happens_in_the_days_that_follow(service: StepByStep, client: Client):
    live_on(service, NOW)
    for question, then in THEN["later"].items():
        said = client.get(then["path"]).json()
        if may_say_more(then["path"]):
            assert [*unlike(then["answer"], said)] == [], question
        else:
            assert said == as_told_now(then["answer"], said), question
    assert [*service.verify()] == []
    assert [(each.parked, each.trouble) for each in service.status()] == [(0, None)] * len(service.status())
