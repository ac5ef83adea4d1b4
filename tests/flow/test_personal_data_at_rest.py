"""Without the master key nobody reads what is personal: not in a dump, a backup, the write-ahead log or a table.

A portfolio in which every personal field of every event says a secret of its own is lived through with everything that
writes: policies, messages, a billing file with refused rows, events that cannot be handled. Then it is searched for.
"""

import re
import subprocess
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import psycopg
import pytest

from adapters.backup import backup
from adapters.billing.importer import OfficeDefaults
from adapters.clock import ManualClock
from adapters.delivery.carrier import Attempt, Carrier, CarrierRefused
from adapters.delivery.rendering import Letter
from adapters.postgres.cluster import installed_programs
from adapters.postgres.database import Database
from adapters.postgres.embedded import EmbeddedPostgres
from adapters.postgres.migrations import migrate
from adapters.readers.runner import Runner, note_trouble
from aggregates.account import Account
from aggregates.account.activities import ActivityKind, EndCall, RecordActivity
from aggregates.account.allocation import AllocateFunds
from aggregates.account.attachments import AddAttachment
from aggregates.account.billing import BillInvoice, CorrectInvoice
from aggregates.account.calls import StartCall
from aggregates.account.command import account_id
from aggregates.account.complaints import AnswerComplaint, RecordComplaint
from aggregates.account.contact import ChangeContactDetails, OptInToContact, OptOutOfContact, RecordConsent
from aggregates.account.contact_history import FactKind, RecordContactFact
from aggregates.account.customer import OpenAccount
from aggregates.account.dialling import DialCall, ReportCallNotPlaced
from aggregates.account.disputes import OpenDispute
from aggregates.account.flags import SetFlag
from aggregates.account.holds import PlaceHold
from aggregates.account.inbound import Incoming, MarkMessageRead, Receipt, ReceiveMessage, RecordReceipt
from aggregates.account.legal import LegalKind, LegalState, MoveLegalCase, NoteLegalCase, OpenLegalCase
from aggregates.account.payment_claims import ClaimPayment
from aggregates.account.payments import ReceivePayment, ReversePayment
from aggregates.account.placement import AdjustPlacement, ClosePlacement, PlaceAccount
from aggregates.account.receivables import ReversalKind
from aggregates.account.writing import SendMessage
from aggregates.campaign import CampaignPlan, LaunchCampaign, Step, Template
from aggregates.kernel.actor import Actor
from aggregates.kernel.command import Command, Issued, Outcome, Rejected
from aggregates.kernel.event import Recorded
from aggregates.kernel.personal import EACH, personal_paths
from aggregates.office import OpenOffice, SetAgency, office_id
from aggregates.promise import Instalment, MakePromise
from aggregates.unmatched import KeepUnmatched
from aggregates.values.agency import Agency
from aggregates.values.contact import Channel, Consent, ContactDetails, EmailAddress, PhoneNumber, PostalAddress
from aggregates.values.contact_record import Medium
from aggregates.values.money import Money
from api.contract.events import load_every_event
from api.processes.step_by_step import StepByStep
from projections.questions import activity, audit, promises
from tests.adapters.readers.any_reader import AnyReader
from tests.conftest import QUICK_AND_FORGETFUL
from tests.temporary import temporary_folder

pytestmark = pytest.mark.postgres

MAIN = office_id("main")
NOW = datetime(2026, 3, 2, 15, tzinfo=UTC)
TODAY = date(2026, 3, 2)
SECRET = re.compile(rb"secret[0-9]{4}", re.IGNORECASE)
READABLE = {**QUICK_AND_FORGETFUL, "wal_compression": "off"}
"""Whole pages in the write-ahead log would be compressed; here what is in it lies open."""


@dataclass
class Secrets:
    """Words that are nowhere by chance, each with where it was put."""

    told: dict[str, str] = field(default_factory=dict)

    def new(self, where: str) -> str:
        secret = f"Secret{len(self.told):04}"
        self.told[secret.lower()] = where
        return secret

    def found_in(self, stored: bytes) -> list[str]:
        """Where those were put that can be read here."""
        return sorted({self.told.get(word.decode().lower(), word.decode()) for word in SECRET.findall(stored)})


class Quoting(Carrier):
    """Quotes whom it cannot reach, refuses one account's mail, and breaks over another's."""

    is_idempotent = False
    answers_within = timedelta(seconds=10)

    def __init__(self) -> None:
        self._broke: dict[UUID, str] = {}

    def send(self, message_id: UUID, letter: Letter) -> str:
        if letter.to.endswith("refused.example"):
            raise CarrierRefused("no-such-mailbox", f"550 {letter.to} is not known here")
        if letter.to.endswith("breaks.example"):
            self._broke[message_id] = letter.to
            raise RuntimeError(f"no answer for {letter.to}")
        return f"carrier-{message_id.hex[:8]}"

    def took(self, message_id: UUID, attempt: Attempt) -> Letter | bool | None:
        raise RuntimeError(f"no answer for {self._broke.get(message_id)}")


class Talkative(AnyReader):
    """A reader that fails on everything that has notes, and quotes them."""

    name = "talkative"

    def handle(self, batch: Sequence[Recorded], connection: psycopg.Connection[Any]) -> None:
        for recorded in batch:
            if notes := getattr(recorded.event, "notes", None):
                raise ValueError(f"cannot handle {notes!r}")


@dataclass
class World:
    service: StepByStep
    secrets: Secrets
    folder: Path

    def do(self, *commands: Command, reason: str | None = None) -> list[Outcome]:
        outcomes = [
            self.service.arrears.handle(
                [Issued(command=each, command_id=uuid4(), actor=Actor.person("ada"), reason=reason or self.why(each))]
            )[0]
            for each in commands
        ]
        self.service.drain()
        return outcomes

    def done(self, *commands: Command) -> None:
        outcomes = self.do(*commands)
        assert not [each for each in outcomes if isinstance(each, Rejected)], outcomes

    def why(self, command: Command) -> str | None:
        """A secret reason, where the command is about an account: other reasons are not about a person."""
        about = hasattr(command, "account_id") or isinstance(command, OpenAccount)
        return self.secrets.new(f"the reason of {command.command_name}") if about else None

    def text(self, where: str) -> str:
        return self.secrets.new(where)

    def contact(self, domain: str) -> ContactDetails:
        text = self.text
        return ContactDetails(
            addresses=(
                PostalAddress(
                    id="address-1", lines=(text("line 1"), text("line 2")), city=text("city"), postal_code=text("code")
                ),
            ),
            phones=(PhoneNumber(id="phone-1", number=text("phone"), sms_consent=Consent.GIVEN),),
            emails=(EmailAddress(id="email-1", address=f"{text('e-mail')}@{domain}", consent=Consent.GIVEN),),
        )

    def account(self, number: str, domain: str = "reached.example") -> UUID:
        text = self.text
        self.done(
            OpenAccount(
                office_id=MAIN,
                number=number,
                customer_name=text("name"),
                currency="USD",
                information={"Door": text("information of an account")},
                contact=self.contact(domain),
            )
        )
        return account_id(MAIN, number)

    def invoice(self, account: UUID, number: str, *, issued_on: date, due_on: date, minor: int = 10_000) -> BillInvoice:
        return BillInvoice(
            account_id=account,
            number=number,
            issued_on=issued_on,
            due_on=due_on,
            amount=Money(minor, "USD"),
            information={"Meter": self.text("information of an invoice")},
        )


def live(world: World) -> None:
    """Everything that has a personal field happens once, to somebody."""
    text = world.text
    world.done(
        OpenOffice(code="main", title="Main", currency="USD", time_zone="UTC"),
        LaunchCampaign(
            office_id=MAIN,
            title="Reminders",
            plan=CampaignPlan(
                steps=(
                    Step(
                        id="first",
                        title="First",
                        days=1,
                        channel=Channel.EMAIL,
                        templates={"en": Template(subject="Dear {{ customer_name }}", body="{{ customer_name }} owes")},
                    ),
                ),
                business_days_only=False,
            ),
        ),
    )
    accounts = {
        number: world.account(number, domain)
        for number, domain in (("A-1", "reached.example"), ("A-2", "refused.example"), ("A-3", "breaks.example"))
    }
    one = accounts["A-1"]
    for number, account in accounts.items():
        world.done(world.invoice(account, f"{number}-1", issued_on=TODAY - timedelta(30), due_on=TODAY))
    world.done(
        world.invoice(one, "A-1-later", issued_on=TODAY + timedelta(20), due_on=TODAY + timedelta(40)),
        OpenAccount(
            office_id=MAIN,
            number="A-1",
            customer_name=text("new name"),
            currency="USD",
            information={"Door": text("new information")},
        ),
        ChangeContactDetails(account_id=one, contact=world.contact("reached.example")),
        RecordActivity(account_id=one, kind=ActivityKind.CALL, notes=text("notes of a call")),
        SendMessage(
            account_id=one, channel=Channel.EMAIL, subject=text("written subject"), text=text("written message")
        ),
        SetFlag(account_id=accounts["A-2"], flag="vip"),
    )
    hear(world, one)
    have_two_accounts(world)
    place_with_an_agency(world)
    live_through_messages(world)
    hear_from_elsewhere(world, one)
    world.done(
        CorrectInvoice(
            account_id=one,
            number="A-1-1",
            issued_on=TODAY - timedelta(30),
            due_on=TODAY,
            amount=Money(9_000, "USD"),
            information={"Meter": text("corrected information")},
        ),
        ReceivePayment(account_id=one, number="P-1", amount=Money(2_000, "USD"), received_on=TODAY),
        ReversePayment(account_id=one, number="P-1", reversal=ReversalKind.NSF, reversed_on=TODAY),
        ReceivePayment(account_id=accounts["A-2"], number="P-2", amount=Money(10_000, "USD"), received_on=TODAY),
        world.invoice(accounts["A-2"], "A-2-2", issued_on=TODAY - timedelta(30), due_on=TODAY),
        AllocateFunds(account_id=accounts["A-2"], number="P-2", invoice_number="A-2-2", amount=Money(10_000, "USD")),
        OpenDispute(
            account_id=one, invoice_numbers=("A-1-1",), reason_code="quality", notes=text("notes of a dispute")
        ),
        MakePromise(
            promise_id=uuid4(),
            account_id=accounts["A-2"],
            instalments=(Instalment(due_on=TODAY + timedelta(9), amount=Money(500, "USD")),),
            notes=text("notes of a promise"),
        ),
        ClaimPayment(account_id=one, reference=text("reference of a payment"), notes=text("notes of a payment claim")),
        PlaceHold(account_id=one, code="vacation"),
        RecordActivity(account_id=one, kind=ActivityKind.CALL, point_id="phone-1", disposition="busy"),
        StartCall(account_id=one),
        RecordContactFact(account_id=one, kind=FactKind.WRONG_NUMBER, number=text("wrong number")),
        RecordContactFact(account_id=one, kind=FactKind.EMAIL_NOTICE, address=text("noticed address")),
        RecordContactFact(account_id=one, kind=FactKind.BANKRUPTCY, case_number=text("case number")),
        RecordContactFact(
            account_id=one,
            kind=FactKind.ATTORNEY,
            name=text("attorney"),
            reached_at=text("attorney's number"),
            notes=text("notes of a fact"),
        ),
    )
    talk(world)
    attach(world)
    complain(world, one)
    refuse(world, one)
    bring_in_a_file(world)


def hear(world: World, account: UUID) -> None:
    """The customer writes, and somebody who is not known."""
    world.done(
        ReceiveMessage(
            account_id=account,
            channel=Incoming.EMAIL,
            sender=world.text("sender of a message"),
            subject=world.text("subject of a message"),
            text=world.text("text of a message"),
            source="email",
            source_id=world.text("Message-ID of a message"),
        ),
        RecordReceipt(
            account_id=account,
            message_id=uuid4(),
            channel=Channel.EMAIL,
            receipt=Receipt.SOFT_BOUNCED,
            detail=world.text("a carrier's report"),
            point=world.text("address in a carrier's report"),
            at=NOW,
        ),
        KeepUnmatched(
            inbound_id=uuid4(),
            channel=Incoming.EMAIL,
            sender=world.text("sender of a message without an account"),
            subject=world.text("subject of a message without an account"),
            text=world.text("text of a message without an account"),
            received_at=NOW,
            source="email",
            source_id=world.text("Message-ID of a message without an account"),
        ),
    )
    [waiting] = world.service.arrears.load(Account, account).inbound.to_read
    world.done(MarkMessageRead(account_id=account, inbound_id=waiting))


def live_through_messages(world: World) -> None:
    """One is sent, one refused by the carrier, and over one the carrier breaks."""
    clock = world.service.clock
    assert isinstance(clock, ManualClock)
    for day in (1, 2):
        world.service.tick(NOW + timedelta(days=day))
    clock.set(NOW + timedelta(days=2))


def hear_from_elsewhere(world: World, account: UUID) -> None:
    """The customer answers a message that was sent, from another address, which may mean STOP."""
    contacts = world.service.arrears.load(Account, account).contact_history.contacts
    sent = next(key for key, each in contacts.items() if each.channel is Medium.EMAIL and not each.is_inbound)
    world.done(
        ReceiveMessage(
            account_id=account,
            channel=Incoming.EMAIL,
            sender=world.text("another sender"),
            text="leave me alone",
            in_reply_to=sent,
        )
    )
    [waiting] = world.service.arrears.load(Account, account).inbound.to_read
    world.done(MarkMessageRead(account_id=account, inbound_id=waiting, stops=False))


def have_two_accounts(world: World) -> None:
    """What a customer says on one of their accounts, and takes back, the other one is told."""
    first = world.account("C-1", "two.example")
    world.account("C-2", "two.example")
    opened = OpenAccount(
        office_id=MAIN, number="C-2", customer_name=world.text("name"), currency="USD", customer_number="C-1"
    )
    world.done(opened)
    mail: dict[str, Any] = {"account_id": first, "channel": Channel.EMAIL, "point_id": "email-1"}
    world.done(RecordConsent(**mail, consent=Consent.REFUSED))
    world.done(RecordConsent(**mail, consent=Consent.GIVEN))
    world.done(OptOutOfContact(**mail))
    world.done(OptInToContact(**mail))


def talk(world: World) -> None:
    """A call to a customer, and what they, and others for them, say about contact."""
    text, account = world.text, world.account("T-1", "talks.example")
    world.done(StartCall(account_id=account, override=True))
    [call_id] = world.service.arrears.load(Account, account).calls.open
    world.done(
        DialCall(account_id=account, call_id=call_id),
        ReportCallNotPlaced(
            account_id=account, call_id=call_id, code="no", detail=text("what a carrier said of a call")
        ),
        EndCall(
            account_id=account,
            call_id=call_id,
            disposition="spoke-to-customer",
            notes=text("notes of an ended call"),
        ),
        RecordContactFact(
            account_id=account, kind=FactKind.CONSENT, channel=Channel.VOICE, number=text("number of a consent")
        ),
        RecordContactFact(
            account_id=account, kind=FactKind.EMAIL_NOTICE, address=f"{text('address of a notice')}@talks.example"
        ),
        RecordContactFact(
            account_id=account,
            kind=FactKind.ATTORNEY,
            name=text("name of an attorney"),
            reached_at=text("an attorney's number"),
            notes=text("notes of a fact"),
        ),
        RecordContactFact(
            account_id=account, kind=FactKind.BANKRUPTCY, case_number=text("case number of a bankruptcy")
        ),
    )


def attach(world: World) -> None:
    """A file whose name and content are secrets, and a message that takes it with it."""
    account = world.account("F-1", "files.example")
    content = f"%PDF-1.7 {world.text('content of a file')}".encode()
    sha256 = world.service.attachments.put(account, content)
    world.done(
        AddAttachment(
            account_id=account,
            file_name=f"{world.text('name of a file')}.pdf",
            media_type="application/pdf",
            size=len(content),
            sha256=sha256,
        )
    )
    [file_id] = world.service.arrears.load(Account, account).attachments.kept
    world.done(
        SendMessage(
            account_id=account, channel=Channel.EMAIL, text=world.text("text with a file"), attachment_ids=(file_id,)
        )
    )


def place_with_an_agency(world: World) -> None:
    text, account = world.text, world.account("P-1")
    agency = Agency(title="Acme Recovery")
    world.done(
        SetAgency(office_id=MAIN, code="acme", agency=agency),
        world.invoice(account, "P-1-1", issued_on=TODAY - timedelta(30), due_on=TODAY),
        PlaceAccount(account_id=account, agency="acme"),
        AdjustPlacement(
            account_id=account,
            agency="acme",
            reference="J-1",
            amount=Money(-100, "USD"),
            adjusted_on=TODAY,
            notes=text("notes of an adjustment"),
        ),
        ClosePlacement(account_id=account, agency="acme", notes=text("notes of a closure")),
    )


def complain(world: World, account: UUID) -> None:
    text = world.text
    subject, notes = text("subject of a complaint"), text("notes of a complaint")
    world.done(RecordComplaint(account_id=account, subject=subject, notes=notes))
    [complaint_id] = world.service.arrears.load(Account, account).complaints.open
    details = {"court": "court", "case_number": "case number", "notes": "notes of a case"}
    names = iter(("first", "second", "third"))

    def said() -> dict[str, Any]:
        which = next(names)
        told = {field: text(f"{which} {where}") for field, where in details.items()}
        return {"account_id": account, "documents": (text(f"{which} document"),), **told}

    world.done(OpenLegalCase(kind=LegalKind.SUIT, **said()))
    [case_id] = world.service.arrears.load(Account, account).legal_cases.open
    world.done(
        MoveLegalCase(case_id=case_id, state=LegalState.FILED, **said()), NoteLegalCase(case_id=case_id, **said())
    )
    world.done(AnswerComplaint(account_id=account, complaint_id=complaint_id, notes=text("notes of an answer")))


def refuse(world: World, account: UUID) -> None:
    """What is refused is remembered too, with what was wrong."""
    text = world.text
    refused = world.do(
        OpenDispute(account_id=account, invoice_numbers=("none",), reason_code="quality", notes=text("refused notes")),
        OpenAccount(office_id=MAIN, number="A-1", customer_name=text("refused name"), currency="EUR"),
    )
    assert all(isinstance(each, Rejected) for each in refused)


def bring_in_a_file(world: World) -> None:
    """Two customers, and one whose row is refused for a value that is personal."""
    header = "account_number,name,email_1,email_1_consent,phone_1,phone_1_type,note"
    text = world.text
    rows = [
        f"B-{nth},{text('imported name')},{text('imported e-mail')}@b.example,{consent},+1 212 555 010{nth},"
        f"mobile,{text('imported note')}"
        for nth, consent in ((1, "given"), (2, "given"), (3, text("refused consent")))
    ]
    file = world.folder / "customers.csv"
    file.write_text("\n".join([header, *rows]) + "\n", encoding="utf-8")
    report = world.service.import_file(file, "customers", defaults=OfficeDefaults(code="main", currency="USD"))
    assert (report.brought_in, report.refused) == (2, 1)


def fail_to_handle(world: World) -> None:
    """A reader's errors quote what they are about; one event is tried again."""
    service = world.service
    runner = Runner(service.database, service.feed, Talkative())
    runner.catch_up()
    with service.database.connect("arrears_app") as connection:
        parked = connection.execute("SELECT DISTINCT sequence_id FROM read_model.dead_letters").fetchall()
    assert len(parked) > 1
    for (sequence_id,) in parked:
        runner.retry(sequence_id)
    note_trouble(service.database, runner.name, ValueError(f"cannot handle {world.text('an error')}"))
    runner.release()


@pytest.fixture(scope="module")
def world() -> Iterator[World]:
    with temporary_folder() as folder:
        env = {
            "ARREARS_MASTER_KEY": "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=",
            "ARREARS_OUTBOX": str(folder / "outbox"),
            "ARREARS_ATTACHMENTS_URL": str(folder / "attachments"),
        }
        with EmbeddedPostgres(folder / "data", settings=READABLE) as embedded:
            database = Database(embedded.dsn)
            migrate(database)
            with StepByStep(database, data_dir=None, env=env, clock=ManualClock(NOW)) as service:
                service.prepare()
                service.deliver_through(Quoting())
                lived = World(service, Secrets(), folder)
                live(lived)
                fail_to_handle(lived)
                for name in service.projections.names:
                    service.rebuild(name)
                yield lived


# --- what was put there ---


def texts_at(node: Any, path: tuple[str, ...]) -> Iterator[str]:
    if not path:
        yield from [node] if isinstance(node, str) else []
    elif path[0] == EACH:
        for each in node.values() if isinstance(node, dict) else node or []:
            yield from texts_at(each, path[1:])
    elif isinstance(node, dict):
        yield from texts_at(node.get(path[0]), path[1:])


def test_every_personal_field_of_every_event_says_a_secret(world: World):
    """What is searched for below was there to be found."""
    expected = {(event.event_name, path) for event in load_every_event() for path in personal_paths(event)}
    said: dict[tuple[str, tuple[str, ...]], list[str]] = {}
    for recorded in world.service.feed.read(0, 10_000):
        data = recorded.event.model_dump(mode="json")
        for path in personal_paths(type(recorded.event)):
            said.setdefault((recorded.name, path), []).extend(texts_at(data, path))
    secret = {where for where, texts in said.items() if any(SECRET.search(text.encode()) for text in texts)}
    assert secret == expected


def test_who_asks_sees_what_is_personal(world: World):
    service, account = world.service, account_id(MAIN, "A-1")
    promised = account_id(MAIN, "A-2")
    with service.database.snapshot("arrears_app") as connection:
        said = [
            *activity(connection, service.feed, account, limit=500).rows,
            *audit(connection, service.feed, account, limit=500).rows,
            *promises(connection, service.feed, as_of=TODAY + timedelta(2), account_id=promised).rows,
        ]
    shown = world.secrets.found_in("\n".join(each.model_dump_json() for each in said).encode())
    for where in (
        "notes of a call",
        "notes of a dispute",
        "notes of a promise",
        "new name",
        "the reason of place-hold",
    ):
        assert where in shown


# --- and is not found ---


_TABLES = """
    SELECT format('%I.%I', nspname, relname) FROM pg_class JOIN pg_namespace AS n ON n.oid = relnamespace
    WHERE relkind IN ('r', 'm') AND nspname NOT LIKE 'personal%' AND nspname <> 'information_schema'
"""
_PERSONAL = """
    SELECT c.oid, c.relname, c.relpersistence, pg_relation_filepath(c.oid)
    FROM pg_class AS c JOIN pg_namespace AS n ON n.oid = c.relnamespace
    WHERE n.nspname LIKE 'personal%' AND c.relkind IN ('r', 'i', 'S', 'm')
    UNION ALL
    SELECT toast.oid, toast.relname, toast.relpersistence, pg_relation_filepath(toast.oid)
    FROM pg_class AS c JOIN pg_namespace AS n ON n.oid = c.relnamespace
    JOIN pg_class AS toast ON toast.oid = c.reltoastrelid
    WHERE n.nspname LIKE 'personal%'
"""


def test_no_table_holds_a_secret_in_the_open(world: World):
    """Catalogs included: statistics hold samples of what was analysed."""
    with world.service.database.connect() as connection:
        connection.execute("ANALYZE")
        connection.execute("SET bytea_output TO 'escape'")  # so that text in bytes reads as text
        readable = {}
        for (table,) in connection.execute(_TABLES).fetchall():
            with connection.cursor().copy(f"COPY (SELECT * FROM {table}) TO STDOUT".encode()) as copy:
                found = world.secrets.found_in(b"".join(copy))
            if found:
                readable[table] = found
    assert readable == {}


def test_a_backup_holds_no_secret(world: World, tmp_path: Path):
    file = tmp_path / "arrears.backup"
    backup(world.service.database, file)
    restored = [str(installed_programs() / "bin" / "pg_restore"), "--file=-", str(file)]
    script = subprocess.run(restored, check=True, capture_output=True).stdout
    assert b"arrears.events" in script
    assert world.secrets.found_in(script) == []


def test_tables_with_personal_data_are_in_no_write_ahead_log(world: World):
    with world.service.database.connect() as connection:
        kept = connection.execute(_PERSONAL).fetchall()
        names = connection.execute("SELECT customer_name FROM personal.people").fetchall()
    assert {relation for _, relation, *_ in kept} >= {"people", "filling", "error_texts"}
    assert {persistence for _, _, persistence, _ in kept} == {"u"}
    assert world.secrets.found_in(repr(names).encode())


def test_no_file_of_an_account_can_be_read_without_the_key(world: World):
    files = [each for each in (world.folder / "attachments").rglob("*") if each.is_file()]
    assert len(files) == 1
    assert world.secrets.found_in(files[0].read_bytes()) == []


def test_nothing_else_in_the_data_folder_holds_a_secret(world: World):
    """The write-ahead log, the server's log, indexes, catalogs: every file but those of the unlogged tables."""
    with world.service.database.connect(autocommit=True) as connection:
        connection.execute("CHECKPOINT")
        personal = {path for *_, path in connection.execute(_PERSONAL)}
    cluster = world.folder / "data" / "postgres"
    searched, readable = set(), {}
    for file in cluster.rglob("*"):
        relation = re.split(r"[._]", str(file.relative_to(cluster)))[0]
        if file.is_file() and relation not in personal:
            searched.add(file.parent.name)
            if found := world.secrets.found_in(file.read_bytes()):
                readable[str(file.relative_to(cluster))] = found
    assert {"pg_wal", "global"} <= searched
    assert readable == {}
