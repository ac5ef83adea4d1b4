"""An erased person is gone at once: from lists, from search, from what was written about them."""

from datetime import UTC, date, datetime
from typing import Any
from uuid import UUID, uuid4

import pytest

from adapters.clock import ManualClock
from aggregates.account.activities import ActivityKind, RecordActivity
from aggregates.account.command import account_id
from aggregates.account.contact import ChangeContactDetails
from aggregates.account.customer import OpenAccount
from aggregates.kernel.actor import Actor
from aggregates.kernel.command import Accepted, Command, Issued
from aggregates.kernel.personal import ERASED
from aggregates.office import OpenOffice, office_id
from aggregates.values.aging import STANDARD_BUCKETS
from aggregates.values.contact import ContactDetails, PhoneNumber
from api.processes.step_by_step import StepByStep
from projections.people import PeopleProjection
from projections.questions import Filters, accounts, activity, audit
from tests.flow.conftest import AService

MAIN = office_id("main")
TODAY = date(2026, 3, 2)
ADA = account_id(MAIN, "A-1")


@pytest.fixture
def service(a_service: AService) -> StepByStep:
    """Ada's account, and Eve's."""
    made = a_service(ManualClock(datetime(2026, 3, 2, 15, tzinfo=UTC)))
    commands: list[Command] = [OpenOffice(code="main", title="Main", currency="USD", time_zone="UTC")]
    for number, name in (("A-1", "Ada Lovelace"), ("E-1", "Eve Lovelock")):
        account = account_id(MAIN, number)
        phone = PhoneNumber(id="phone-1", number=f"+1 793 555 01{number[-1]}5")
        commands += [
            OpenAccount(office_id=MAIN, number=number, customer_name=name, currency="USD"),
            ChangeContactDetails(account_id=account, contact=ContactDetails(phones=(phone,))),
            RecordActivity(account_id=account, kind=ActivityKind.NOTE, notes=f"{name} called."),
        ]
    for command in commands:
        issued = Issued(command=command, command_id=uuid4(), actor=Actor.person("dana"), reason="Because of Ada.")
        (outcome,) = made.arrears.handle([issued])
        assert isinstance(outcome, Accepted)
    made.drain()
    return made


def shown(service: StepByStep, search: str | None = None) -> dict[str, str]:
    """Names by account number."""
    with service.database.snapshot("arrears_app") as connection:
        page = accounts(connection, today=TODAY, scheme=STANDARD_BUCKETS, filters=Filters(search=search))
    return {row.number: row.customer_name for row in page.rows}


def test_lists_and_search_forget_a_person_at_once(service: StepByStep):
    assert shown(service, "lovel") == {"A-1": "Ada Lovelace", "E-1": "Eve Lovelock"}
    service.arrears.keys.destroy(ADA)
    assert shown(service) == {"A-1": ERASED, "E-1": "Eve Lovelock"}
    assert shown(service, "lovel") == {"E-1": "Eve Lovelock"}
    assert shown(service, "793 555") == {"E-1": "Eve Lovelock"}
    assert shown(service, "erased") == {}
    assert shown(service, "A-1") == {"A-1": ERASED}, "the account itself is still there"
    with service.database.connect("arrears_app") as connection:
        row = connection.execute("SELECT emails, phones, searched FROM personal.people WHERE account_id = %s", [ADA])
        assert row.fetchone() == ([], [], "a-1")


def test_what_was_written_about_them_reads_erased_at_once(service: StepByStep):
    service.arrears.keys.destroy(ADA)
    with service.database.snapshot("arrears_app") as connection:
        notes = [row.notes for row in activity(connection, service.feed, ADA, kinds=["note"]).rows]
        reasons = {row.reason for row in audit(connection, service.feed, ADA).rows}
    assert (notes, reasons) == ([ERASED], {ERASED})


def test_events_that_were_opened_before_bring_nothing_back(service: StepByStep):
    """A reader was at them when the key was destroyed."""
    opened = service.feed.read(0)
    service.arrears.keys.destroy(ADA)
    projection, generation = service.projections.live("people")
    with service.database.connect("arrears_app") as connection:
        connection.execute("SELECT set_config('search_path', %s, true)", [generation.search_path])
        connection.execute("TRUNCATE people")
        projection.handle(opened, connection)
    assert shown(service) == {"A-1": ERASED, "E-1": "Eve Lovelock"}
    assert shown(service, "lovel") == {"E-1": "Eve Lovelock"}


def test_tables_that_are_built_anew_are_the_same(service: StepByStep):
    def rows() -> list[Any]:
        with service.database.connect("arrears_app") as connection:
            return connection.execute("SELECT * FROM personal.people ORDER BY number").fetchall()

    service.arrears.keys.destroy(ADA)
    at_once = rows()
    service.rebuild(PeopleProjection.name)
    assert rows() == at_once


def test_what_errors_said_about_them_goes_too(service: StepByStep):
    eve: UUID = account_id(MAIN, "E-1")
    with service.database.connect("arrears_app") as connection:
        for position, account in ((1, ADA), (2, eve)):
            connection.execute(
                "INSERT INTO read_model.dead_letters (reader, position, sequence_id, account_id, event_id, event_name,"
                " error_class) VALUES ('policies', %s, %s, %s, %s, 'account.opened', 'ValueError')",
                [position, account, account, uuid4()],
            )
            connection.execute(
                "INSERT INTO personal.error_texts VALUES ('policies', %s, 'cannot read Ada Lovelace')", [position]
            )
    service.arrears.keys.destroy(ADA)
    with service.database.connect("arrears_app") as connection:
        assert connection.execute("SELECT position FROM personal.error_texts").fetchall() == [(2,)]
