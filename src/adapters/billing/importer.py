"""From staged facts to commands: what is new is brought in, what differs is corrected, the same changes nothing."""

import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import Self
from uuid import UUID
from zoneinfo import ZoneInfo

import psycopg
from pydantic import ValidationError

from adapters.billing.facts import CreditFact, CustomerFact, Fact, InvoiceFact, PaymentFact, SubscriptionFact
from adapters.billing.imported import Change, Classified, classify, record
from adapters.billing.readers import FileNotice, Progress
from adapters.billing.rejects import reject_path, write_rejects
from adapters.billing.rows import RowNotice, RowProblem, ZoneOf
from adapters.billing.source import ImportSource
from adapters.billing.staging import Comparison, Loaded, Staged, Staging
from adapters.eventstore.application import AggregateNotFoundError, Arrears
from adapters.stop import Stop, check
from aggregates.account import Account
from aggregates.account.billing import BillInvoice, CorrectInvoice
from aggregates.account.command import account_id
from aggregates.account.customer import CustomerKind, EnsureAccount, OpenAccount, RecordSubscription, Subscription
from aggregates.account.payments import CorrectCredit, CorrectPayment, NoteCredit, ReceivePayment
from aggregates.kernel.actor import Actor
from aggregates.kernel.command import Accepted, Command, Issued, Outcome, Rejected, identifier
from aggregates.office import Office, OpenOffice, office_id
from aggregates.values.business_time import local_date
from aggregates.values.contact import ContactDetails, EmailAddress, PhoneNumber, PostalAddress

ACTOR = Actor.service("import")
CHUNK = 1_000
PROBLEMS_SHOWN = 20

Done = Callable[[int, int], None]
"""Told how many facts of how many were dealt with."""


class ImportRefused(Exception):
    """Nothing was brought in; the message says why."""


@dataclass(frozen=True, slots=True)
class OfficeDefaults:
    """How an office that a file names and that is not open yet is opened."""

    code: str = "main"
    currency: str | None = None
    """None: the currency of the file's first amount."""
    time_zone: str = "UTC"


@dataclass(slots=True)
class ImportReport:
    """What an import did, or (dry run) would do."""

    rows: int
    facts: dict[str, int] = field(default_factory=dict)
    brought_in: int = 0
    corrected: int = 0
    unchanged: int = 0
    deferred: int = 0
    """Facts dated in the future, which wait for their day."""
    repeats: int = 0
    refused: int = 0
    """Rows with a problem; they are in the reject file."""
    left_out: int = 0
    """Facts dated after the end of a play."""
    problems: list[RowProblem] = field(default_factory=list)
    """The first few."""
    noticed: int = 0
    """How much there is to know of the file, and of rows that were taken."""
    notices: list[FileNotice | RowNotice] = field(default_factory=list)
    """Those about the file, and the first few about rows."""
    rejects: Path | None = None

    @classmethod
    def of(cls, loaded: Loaded) -> Self:
        """Of a file that was read, before anything is brought in."""
        return cls(
            rows=loaded.rows,
            facts=dict(loaded.facts),
            repeats=loaded.repeats,
            noticed=loaded.noticed,
            notices=list(loaded.notices),
        )

    def notice(self, notice: RowNotice) -> None:
        self.noticed += 1
        if len(self.notices) < PROBLEMS_SHOWN:
            self.notices.append(notice)


class Importer:
    """Brings staged facts in through the one write path, and remembers which it brought."""

    def __init__(
        self, arrears: Arrears, connection: psycopg.Connection, staging: Staging, defaults: OfficeDefaults
    ) -> None:
        self._arrears = arrears
        self._connection = connection
        self._staging = staging
        self._defaults = defaults
        self._offices: dict[str, UUID] = {}

    def bring_in(self, chunk: Sequence[Staged], report: ImportReport) -> None:
        """One chunk of facts, each account's in order; counts into the report, problems into the staging."""
        classified = classify(self._connection, chunk)
        todo: list[tuple[Classified | None, Issued]] = []
        problems: list[RowProblem] = []
        known: set[tuple[str, str, str | None]] = set()
        openings: dict[UUID, str] = {}
        for each in classified:
            if each.change is Change.UNCHANGED:
                report.unchanged += 1
                continue
            if each.change is Change.NEW and _is_nothing(each.staged.fact):
                report.unchanged += 1
                report.notice(RowNotice(each.staged.line, _number(each.staged), "an invoice of 0.00; nothing is owed"))
                continue
            try:
                issued = self._issued(each)
                if (opening := self._opening(each.staged, known)) is not None:
                    todo.append((None, opening))
                    openings[opening.command_id] = each.staged.natural_key
                todo.append((each, issued))
            except (ImportRefused, ValidationError) as error:
                problems.append(_problem(each.staged, _plain(error)))
        outcomes = self._arrears.handle([issued for _, issued in todo])
        of_opening: dict[str, Outcome] = {
            openings[issued.command_id]: outcome
            for (each, issued), outcome in zip(todo, outcomes, strict=True)
            if each is None
        }
        accepted = []
        for (each_or_opening, _), outcome in zip(todo, outcomes, strict=True):
            if each_or_opening is None:
                continue  # an account that could not be opened shows in what was to be booked on it
            each = each_or_opening
            before = of_opening.get(each.staged.natural_key)
            if isinstance(outcome, Rejected):
                why = before if isinstance(before, Rejected) else outcome
                problems.append(_problem(each.staged, _expected(why)))
            else:
                accepted.append(each)
                self._count(each, outcome, report)
                self._look(each.staged, report, opened=isinstance(before, Accepted) and bool(before.event_ids))
        record(self._connection, accepted)
        if problems:
            self._staging.refuse(problems)

    def _count(self, each: Classified, outcome: Accepted, report: ImportReport) -> None:
        today = self._arrears.clock.now().date()
        if each.change is Change.CHANGED:
            report.corrected += 1
        elif each.staged.effective_on is not None and each.staged.effective_on > today and outcome.event_ids:
            report.deferred += 1
        else:
            report.brought_in += 1

    def _look(self, staged: Staged, report: ImportReport, *, opened: bool) -> None:
        """What to know of a fact that was taken."""
        fact = staged.fact
        if opened and isinstance(fact, PaymentFact | CreditFact):
            said = f"no customer and no invoice of account {fact.account_number} is known; the account was opened"
            report.notice(RowNotice(staged.line, _number(staged), said))

    # --- fact to command ---

    def _opening(self, staged: Staged, known: set[tuple[str, str, str | None]]) -> Issued | None:
        """Invoices, and money, open the account that no file has described so far: files come in any order."""
        fact = staged.fact
        if isinstance(fact, CustomerFact):
            known.add((staged.office, fact.account_number, fact.currency))
        if isinstance(fact, CustomerFact | SubscriptionFact):
            return None
        whose = (staged.office, fact.account_number, fact.amount.currency)
        if whose in known:
            return None
        known.add(whose)
        office = self._office(staged)
        today = local_date(self._arrears.clock.now(), self._arrears.load(Office, office).zone)
        return Issued(
            command=EnsureAccount(office_id=office, number=fact.account_number, currency=fact.amount.currency),
            # The content is in the id: where this is refused, a corrected row is looked at anew.
            command_id=identifier("import", "account", staged.office, staged.natural_key, staged.digest.hex()),
            actor=ACTOR,
            effective_on=min(fact.effective_on, today),
        )

    def _issued(self, each: Classified) -> Issued:
        staged = each.staged
        office = self._office(staged)
        account = account_id(office, staged.fact.account_number)
        if each.account_before not in (None, staged.fact.account_number):
            raise ImportRefused(f"account {each.account_before}, where this {staged.fact.kind} was imported before")
        command = self._command(staged, office, account, corrects=each.change is Change.CHANGED)
        natural_key = command.natural_key()
        revision = f"{each.revision}:{staged.digest.hex()}"
        return Issued(
            command=command,
            command_id=identifier("import", staged.office, staged.natural_key, revision),
            actor=ACTOR,
            effective_on=staged.effective_on if isinstance(staged.fact, CustomerFact | SubscriptionFact) else None,
            key=natural_key.id if natural_key is not None else None,
        )

    def _command(self, staged: Staged, office: UUID, account: UUID, *, corrects: bool) -> Command:
        match fact := staged.fact:
            case CustomerFact():
                return self._customer(fact, office, account, known=corrects)
            case SubscriptionFact():
                subscription = Subscription(
                    number=fact.subscription_number,
                    service_type=fact.service_type,
                    started_on=fact.started_on,
                    initial_discount=fact.initial_discount,
                )
                return RecordSubscription(account_id=account, subscription=subscription)
            case InvoiceFact():
                invoice = CorrectInvoice if corrects else BillInvoice
                return invoice(
                    account_id=account,
                    number=fact.invoice_number,
                    issued_on=fact.issued_on,
                    due_on=fact.due_on or fact.issued_on,
                    amount=fact.amount,
                    charges=fact.original_charges,
                    service_type=fact.service_type,
                    subscription=fact.subscription_number,
                    marked_disputed=bool(fact.disputed),
                    information=dict(fact.information),
                )
            case PaymentFact():
                payment = CorrectPayment if corrects else ReceivePayment
                return payment(
                    account_id=account,
                    number=payment_number(staged),
                    amount=fact.amount,
                    received_on=fact.received_on,
                    method=fact.method,
                    invoice_number=fact.invoice_number,
                )
            case CreditFact():
                credit = CorrectCredit if corrects else NoteCredit
                return credit(
                    account_id=account,
                    number=fact.credit_number,
                    amount=fact.amount,
                    issued_on=fact.issued_on,
                    invoice_number=fact.invoice_number,
                )

    def _customer(self, fact: CustomerFact, office: UUID, account: UUID, *, known: bool) -> OpenAccount:
        """What the file does not say stays as it is known."""
        before = self._account(account) if known else None
        contact = before.contact.details if before else ContactDetails()
        return OpenAccount(
            office_id=office,
            number=fact.account_number,
            customer_name=fact.name or (before.customer.name if before else fact.account_number),
            currency=fact.currency
            or (before.customer.currency if before else self._arrears.load(Office, office).currency),
            customer_kind=fact.customer_kind or (before.customer.kind if before else CustomerKind.CONSUMER),
            segment=fact.segment or (before.customer.segment if before else None),
            country=fact.country or (before.customer.country if before else None),
            information={**(before.customer.information if before else {}), **dict(fact.information)},
            contact=contact_details(fact, contact),
        )

    def _account(self, account: UUID) -> Account | None:
        try:
            return self._arrears.load(Account, account)
        except AggregateNotFoundError:
            return None

    # --- offices ---

    def _office(self, staged: Staged) -> UUID:
        """The office a fact belongs to, opened the first time a file names it."""
        known = self._offices.get(staged.office)
        if known is not None:
            return known
        code = _office_code(staged.office, self._defaults)
        try:
            office = self._arrears.load(Office, office_id(code)).id
        except AggregateNotFoundError:
            office = self._open_office(code, staged)
        self._offices[staged.office] = office
        return office

    def _open_office(self, code: str, staged: Staged) -> UUID:
        currency = self._defaults.currency or _currency(staged.fact)
        if currency is None:
            raise ImportRefused(f"an office {code!r} that is open (or --currency, to open it in)")
        opening = OpenOffice(code=code, title=staged.office, currency=currency, time_zone=self._defaults.time_zone)
        outcome = self._arrears.handle(
            [Issued(command=opening, command_id=identifier("import", "office", code), actor=ACTOR)]
        )[0]
        if isinstance(outcome, Rejected):
            raise ImportRefused(outcome.detail)
        return office_id(code)


def _office_code(name: str, defaults: OfficeDefaults) -> str:
    return re.sub(r"[^a-z0-9]+", "-", name.casefold()).strip("-")[:40] or defaults.code


def zones_of_offices(arrears: Arrears, defaults: OfficeDefaults) -> ZoneOf:
    """The zone of an office by the name a file has for it: its own where it is open, else that which it will have."""

    @lru_cache(1_000)
    def zone_of(name: str | None) -> ZoneInfo:
        try:
            return arrears.load(Office, office_id(_office_code(name or defaults.code, defaults))).zone
        except AggregateNotFoundError:
            return ZoneInfo(defaults.time_zone)

    return zone_of


def payment_number(staged: Staged) -> str:
    """The file's number, or one made from the natural key, so that the same payment always has the same, and two that
    say the same have two."""
    number = staged.fact.payment_number if isinstance(staged.fact, PaymentFact) else None
    return number or staged.natural_key


def contact_details(fact: CustomerFact, before: ContactDetails) -> ContactDetails:
    """The known details with what the file says in place of them."""
    changes: dict[str, object] = {}
    if fact.address_lines or fact.city or fact.postal_code or fact.region:
        changes["addresses"] = (
            PostalAddress(
                id="address-1",
                lines=fact.address_lines,
                city=fact.city,
                region=fact.region,
                postal_code=fact.postal_code,
                country=fact.country,
            ),
        )
    if fact.phones:
        changes["phones"] = tuple(
            PhoneNumber(
                id=f"phone-{n}",
                number=phone.number,
                kind=phone.kind,
                sms_consent=phone.sms_consent,
                voice_consent=phone.voice_consent,
            )
            for n, phone in enumerate(fact.phones, 1)
        )
    if fact.emails:
        changes["emails"] = tuple(
            EmailAddress(id=f"email-{n}", address=email.address, consent=email.consent)
            for n, email in enumerate(fact.emails, 1)
        )
    for name in ("language", "preferred_channel", "time_zone"):
        if getattr(fact, name) is not None:
            changes[name] = getattr(fact, name)
    return before.model_copy(update=changes)


def _currency(fact: Fact) -> str | None:
    if isinstance(fact, CustomerFact):
        return fact.currency
    return None if isinstance(fact, SubscriptionFact) else fact.amount.currency


def _is_nothing(fact: Fact) -> bool:
    """An invoice of which nothing was ever owed."""
    return isinstance(fact, InvoiceFact) and not fact.amount


def _problem(staged: Staged, expected: str) -> RowProblem:
    return RowProblem(staged.line, f"{staged.fact.kind} number", _number(staged), expected)


def _number(staged: Staged) -> str:
    return staged.natural_key.partition(":")[2]


def _expected(refusal: Rejected) -> str:
    if refusal.reason_code == "unknown-account":
        return "an account that is open; import its customer or an invoice of it first"
    return f"something that can be booked: {refusal.detail}"


def _plain(error: ImportRefused | ValidationError) -> str:
    if isinstance(error, ImportRefused):
        return str(error)
    return "; ".join(e["msg"].removeprefix("Value error, ") for e in error.errors())


def stage(
    arrears: Arrears,
    connection: psycopg.Connection,
    source: ImportSource,
    defaults: OfficeDefaults,
    progress: Progress | None,
    *,
    stop: Stop | None = None,
) -> tuple[Staging, Loaded]:
    """Read the whole file into the staging tables. Raises FileProblem, Stopped."""
    zone_of = zones_of_offices(arrears, defaults)
    staging = Staging(connection, default_office=defaults.code, zone_of=zone_of, stop=stop)
    return staging, staging.load(source, progress)


def dry_run(staging: Staging, loaded: Loaded) -> ImportReport:
    """What an import would do, from the file and from what was imported before; nothing is written."""
    compared: Iterable[Comparison] = staging.compare().values()
    report = ImportReport.of(loaded)
    for each in compared:
        report.brought_in += each.new
        report.corrected += each.changed
        report.unchanged += each.unchanged
    finish(report, staging)
    return report


def run_import(
    arrears: Arrears,
    connection: psycopg.Connection,
    source: ImportSource,
    *,
    defaults: OfficeDefaults,
    strict: bool = False,
    reading: Progress | None = None,
    done: Done | None = None,
    stop: Stop | None = None,
) -> ImportReport:
    """Bring a file in: good rows at once, bad rows into the reject file; `strict` brings in all or nothing.

    Raises FileProblem where the file cannot be read, ImportRefused where `strict` found a bad row, and Stopped between
    chunks: what was brought in stays, and the next import of the file goes on from there.
    """
    staging, loaded = stage(arrears, connection, source, defaults, reading, stop=stop)
    if strict and loaded.refused:
        first = next(staging.problems())
        raise ImportRefused(f"{loaded.refused} of {loaded.rows} rows have problems, the first in {first}")
    report = ImportReport.of(loaded)
    importer = Importer(arrears, connection, staging, defaults)
    total, seen, stop = sum(loaded.facts.values()), 0, stop or Stop()
    for chunk in staging.by_account(CHUNK):
        check(stop)
        importer.bring_in(chunk, report)
        seen += len(chunk)
        if done:
            done(seen, total)
    finish(report, staging)
    if report.refused:
        report.rejects = reject_path(source.path)
        write_rejects(source, staging.problems(), report.rejects, lambda *_: check(stop))
    staging.drop()
    return report


def finish(report: ImportReport, staging: Staging) -> None:
    """Count the refused rows and keep the first problems for showing."""
    report.refused = staging.refused()
    for problem in staging.problems():
        report.problems.append(problem)
        if len(report.problems) == PROBLEMS_SHOWN:
            break
