"""The HTTP door of a real service on real PostgreSQL, at a time that the tests set."""

import base64
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from datetime import UTC, datetime
from itertools import count

import pytest

from adapters.clock import ManualClock
from adapters.postgres.database import Database
from api.http.app import create_app
from api.processes.step_by_step import StepByStep
from tests.api.http.client import Client, usd
from tests.conftest import TestServer

NOW = datetime(2026, 3, 16, 14, tzinfo=UTC)
"""A Monday; 10:00 in the office."""

_numbers = count(1)

MASTER_KEY = base64.b64encode(bytes(range(32))).decode()


@pytest.fixture(scope="module")
def service(
    postgres: TestServer, built_template: str, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[StepByStep]:
    """One for a file of tests. Not running: it is drained where a test wants the read tables to be up to date."""
    name = postgres.create(template=built_template)
    env = {
        "ARREARS_MASTER_KEY": MASTER_KEY,
        "ARREARS_OUTBOX": str(tmp_path_factory.mktemp("outbox")),
        "ARREARS_ATTACHMENTS_URL": str(tmp_path_factory.mktemp("attachments")),
    }
    with StepByStep(Database(postgres.dsn_of(name)), data_dir=None, env=env, clock=ManualClock(NOW)) as service:
        service.prepare()
        yield service
    postgres.drop(name)


@pytest.fixture(scope="module")
def new_client(service: StepByStep) -> Iterator[Callable[..., Client]]:
    with ExitStack() as stack:

        def make(token: str | None = None, local_token: str | None = None, **headers: str) -> Client:
            return stack.enter_context(Client(create_app(service, token, local_token), headers=headers))

        yield make


@pytest.fixture(scope="module")
def client(new_client: Callable[..., Client]) -> Client:
    """Somebody at this machine, without a token."""
    return new_client()


@pytest.fixture(scope="module")
def office(client: Client, service: StepByStep) -> str:
    """An office's code. The read tables have it: no page is shown before, and any test of a file may be the first."""
    body = {"code": "main", "title": "Main office", "currency": "USD", "time_zone": "America/New_York"}
    client.done("POST", "/v1/offices", body)
    service.drain()
    return "main"


@pytest.fixture
def account(client: Client, office: str) -> str:
    """A new account's address, with two invoices: 100.00 that is 44 days past due, and 50.00 that is not due yet."""
    opened = client.done(
        "POST",
        "/v1/accounts",
        {"office": office, "number": f"A-{next(_numbers)}", "customer_name": "Ada Lovelace", "currency": "USD"},
    )
    address = f"/v1/accounts/{opened['id']}"
    for number, issued_on, due_on, amount in (
        ("INV-1", "2026-01-01", "2026-01-31", "100.00"),
        ("INV-2", "2026-03-10", "2026-04-10", "50.00"),
    ):
        client.done(
            "POST",
            f"{address}/invoices",
            {"number": number, "issued_on": issued_on, "due_on": due_on, "amount": usd(amount)},
        )
    return address
