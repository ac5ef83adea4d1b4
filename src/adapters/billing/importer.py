"""From staged facts to commands: what is new is brought in, what differs is corrected, the same changes nothing."""

import re
from collections.abc import Callable, Iterable, Mapping, Sequence, Set
from dataclasses import dataclass, field, replace
from functools import lru_cache
from pathlib import Path
from typing import Any, Protocol, Self, TypeVar
from uuid import UUID
from zoneinfo import ZoneInfo

import psycopg
from pydantic import ValidationError

from adapters.billing.earlier import rewritten, rewritten_copy
from adapters.billing.facts import (
    CreditFact,
    CustomerFact,
    Fact,
    InvoiceFact,
    PaymentFact,
    ReversalFact,
    SubscriptionFact,
    account_currency_of,
    invoices_named,
    payer_of,
)
from adapters.billing.identity import AccountNumber, Digests
from adapters.billing.imported import Change, Classified, Document, ImportedFacts, Referred
from adapters.billing.offices import OfficeCodes
from adapters.billing.readers import FileNotice, Progress
from adapters.billing.rejects import place_for_rejects, write_rejects
from adapters.billing.rows import NUMBER_LIMIT, RowNotice, RowProblem, ZoneOf
from adapters.billing.several_rows import OWN_NUMBERS
from adapters.billing.source import ImportSource
from adapters.billing.staged import Key, Staged
from adapters.billing.staging import Loaded, Staging
from adapters.billing.taking_back import Absent, NoLongerSaid, TakingBack
from adapters.billing.unnumbered import Received, UnnumberedPayments, payment
from adapters.eventstore.application import AggregateNotFoundError, Arrears
from adapters.eventstore.trial import Trial
from adapters.stop import Stop, check
from aggregates.account import Account
from aggregates.account.between_accounts import MovePayment
from aggregates.account.billing import BillInvoice, CorrectInvoice
from aggregates.account.command import account_id, document_id
from aggregates.account.customer import CustomerKind, OpenAccount, Opening, RecordSubscription, Subscription
from aggregates.account.deferred import FactDeferred
from aggregates.account.payments import (
    CorrectCredit,
    CorrectPayment,
    NoteCredit,
    PaymentReceived,
    ReceivePayment,
    ReversePayment,
)
from aggregates.account.receivables import Instruction, day_named
from aggregates.kernel.actor import Actor
from aggregates.kernel.command import Accepted, Command, Issued, Outcome, Rejected, identifier
from aggregates.office import Office, OpenOffice, office_id
from aggregates.values.codes import listed
from aggregates.values.contact import (
    Channel,
    Consent,
    ContactDetails,
    EmailAddress,
    PhoneKind,
    PhoneNumber,
    PostalAddress,
    with_ids_once,
)
from aggregates.values.money import Money
from aggregates.values.normal_form import normal_form

ACTOR = Actor.service("import")
CHUNK = 1_000
PROBLEMS_SHOWN = 20
NOT_THERE = frozenset({"unknown-invoice", "unknown-payment", "unknown-credit", "unknown-account"})
"""What a correction is refused for where nothing is there to be corrected: a fact that waited for its day was taken
back meanwhile, or was one of another account."""
NO_LONGER_SAID = "a later file of the same source does not say it any more"

ERASED_PERSON = "this person was erased and stays so; what the row says of them is not stored"


class Remembered(Protocol):
    """Where to look for what was imported before."""

    def __call__(self, connection: psycopg.Connection, digests: Digests, *, default_office: str) -> ImportedFacts: ...


Seen = Callable[[Iterable[Key]], None]
"""Told what a file says, by the office and natural key that it is known by."""


class FileCame(Protocol):
    """What else is to be done about a file: before its rows come in, and when they have."""

    def begin(self, importer: "Importer") -> None: ...

    def finish(self, importer: "Importer", report: "ImportReport") -> None: ...


Done = Callable[[int, int], None]
"""Told how many facts of how many were dealt with."""


class ImportRefused(Exception):
    """Nothing was brought in; the message says why."""


@dataclass(frozen=True, slots=True)
class OfficeDefaults:
    """How an office that a file names and that is not open yet is opened."""

    code: str = "main"
    currency: str | None = None
    """None: that of the file's rows, where they have one alone."""
    time_zone: str | None = None
    """None: UTC."""

    @property
    def zone(self) -> str:
        return self.time_zone or "UTC"


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
    rejects_kept: tuple[Path, ...] = ()
    """Reject files of earlier imports that were edited, and so are not written over."""
    absent: Absent | None = None
    """Of a complete file, what it does not have."""

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

    stores = True

    def __init__(self, arrears: Arrears, staging: Staging, defaults: OfficeDefaults) -> None:
        self._arrears = self.arrears = arrears
        self.staging = staging
        self._imported = staging.imported
        self._unnumbered = UnnumberedPayments(self._imported, self._received, stores=self.stores)
        self._defaults = defaults
        self._offices: dict[str, UUID] = {}
        self._currencies: dict[UUID, str] = {}
        """In which offices work."""
        self._named = staging.offices()
        self._opened: list[RowNotice] = []
        """About offices that were opened, not reported yet."""
        self.taking_back = TakingBack(arrears, self._imported, ACTOR, stores=self.stores)
        self._no_longer_said = NoLongerSaid(staging.connection, staging, self._imported)
        self.seen: Seen | None = None
        """Told where somebody wants to know what the file says."""

    def check_offices(self) -> None:
        """Raises ImportRefused where the file opens an office and its rows are in several currencies."""
        unclear = [
            f"{code}: {', '.join(f'{count:,} in {currency}' for currency, count in rows.currencies.items())}"
            for code, rows in sorted(self._named.items())
            if len(rows.currencies) > 1 and self._defaults.currency is None and self._known_office(code) is None
        ]
        if unclear:
            raise ImportRefused(
                "an office that is not open yet has rows in several currencies; say with --currency in which one it"
                f" works ({'; '.join(unclear)})"
            )

    def bring_in(self, chunk: Sequence[Staged], report: ImportReport) -> None:
        """One chunk of facts, each account's in order; counts into the report, problems into the staging."""
        chunk = self._imported.with_accounts_of_payments(self._imported.with_known_accounts(chunk))
        chunk, erased = self._without_erased(chunk, report)
        news: list[Classified] = []
        problems = self._take_back(chunk, report)
        nothing_to_do: list[Classified] = []
        classified = self.classified(chunk)
        if self.seen is not None:
            self.seen(each.staged.key for each in classified)
        for each in classified:
            if each.change is Change.UNCHANGED or each.staged.key in erased:
                report.unchanged += 1
                nothing_to_do.append(each)
            elif each.change is Change.NEW and _is_nothing(each.staged.fact):
                report.unchanged += 1
                report.notice(RowNotice(each.staged.line, _number(each.staged), "an invoice of 0.00; nothing is owed"))
            else:
                news.append(each)
        referred = self._imported.referred([each.staged for each in news])
        accepted: list[tuple[Classified, Accepted]] = []
        for each, outcome in zip(news, self.carried_out(news, referred), strict=True):
            if isinstance(outcome, str):
                problems.append(_problem(each.staged, outcome))
            else:
                accepted.append((each, outcome))
                self._count(each, outcome, report)
        came = {
            _document(each.staged, each.staged.fact.number)
            for each, _ in accepted
            if isinstance(each.staged.fact, InvoiceFact)
        }
        known = {
            news[place].staged.key for place, named in referred.items() if _are_known(news[place].staged, named, came)
        }
        self._look([(each.staged, outcome) for each, outcome in accepted], known, report)
        self.remember([*nothing_to_do, *(each for each, _ in accepted)])
        if problems:
            self.staging.refuse(problems)

    def carried_out(
        self, news: Sequence[Classified], referred: Mapping[int, Mapping[Document, Referred]]
    ) -> list[Accepted | str]:
        """What came of each: accepted, or what was expected instead. `referred`: what each names, by its place."""
        found = self._handled(dict(enumerate(news)), referred)
        again = {
            place: replace(news[place], change=Change.NEW, account_before=None)
            for place, outcome in found.items()
            if _is_to_come_anew(news[place], outcome)
        }
        found |= self._handled(again, referred)
        outcomes = [found[place] for place in range(len(news))]
        return [_expected(outcome) if isinstance(outcome, Rejected) else outcome for outcome in outcomes]

    def _handled(
        self, some: Mapping[int, Classified], referred: Mapping[int, Mapping[Document, Referred]]
    ) -> dict[int, Outcome | str]:
        """By place the outcome, or why it could not be asked for."""
        found: dict[int, Outcome | str] = {}
        todo: dict[int, Issued] = {}
        for place, each in some.items():
            try:
                named = {document: known.number for document, known in referred.get(place, {}).items()}
                todo[place] = self._issued(each, named)
            except (ImportRefused, ValidationError) as error:
                found[place] = _plain(error)
        return found | dict(zip(todo, self._arrears.handle(list(todo.values())), strict=True))

    def remember(self, accepted: Sequence[Classified]) -> None:
        """That these are as they say."""
        self._imported.record(accepted)

    def _take_back(self, chunk: Sequence[Staged], report: ImportReport) -> list[RowProblem]:
        """Takes back what rows of the chunk say no more; the problems are of those rows."""
        gone, kept = self._no_longer_said.of(chunk)
        for staged, known in kept:
            said = "an earlier release" if known.source is None else f"a file of {known.source}"
            said = f"{said} brought in that it was settled on {known.said_on or 'a day'}; that stays"
            report.notice(RowNotice(staged.line, known.number, said))
        if not gone:
            return []
        outcomes = self.taking_back.take_back([known for _, known in gone], NO_LONGER_SAID)
        taken = [known for (_, known), outcome in zip(gone, outcomes, strict=True) if not isinstance(outcome, Rejected)]
        report.corrected += sum(known.minor != 0 for known in taken)
        self.taking_back.forget(taken, self.staging.connection)
        return [
            RowProblem(staged.line, f"{known.kind} number", known.number, _expected(outcome))
            for (staged, known), outcome in zip(gone, outcomes, strict=True)
            if isinstance(outcome, Rejected)
        ]

    def classified(self, chunk: Sequence[Staged]) -> list[Classified]:
        """The chunk in its order, beside what was imported before."""
        unnumbered = [staged for staged in chunk if is_unnumbered(staged.fact)]
        if not unnumbered:
            return self._imported.classify(chunk)
        numbered = iter(self._imported.classify([staged for staged in chunk if not is_unnumbered(staged.fact)]))
        others = iter(self._unnumbered.classify(unnumbered))
        return [next(others if is_unnumbered(staged.fact) else numbered) for staged in chunk]

    def _received(self, account: UUID) -> Mapping[str, Received]:
        """An account's payments as the log has them, those that wait for their day too; by number, as they are now."""
        found: dict[str, Received] = {}
        for recorded in self._arrears.history(Account, account):
            match event := recorded.event:
                case PaymentReceived():
                    receipt = event.receipt
                    invoice = event.invoice_number or receipt.invoice_number
                    found[receipt.number] = Received(receipt.received_on, receipt.amount, event.method, invoice)
                case FactDeferred() if event.command_name == ReceivePayment.command_name:
                    waits = ReceivePayment.model_validate(event.command)
                    found[waits.number] = Received(waits.received_on, waits.amount, waits.method, waits.invoice_number)
        return found

    def _without_erased(self, chunk: Sequence[Staged], report: ImportReport) -> tuple[list[Staged], set[Key]]:
        """The chunk without personal data of people who were erased, and which of it says nothing else: their money is
        taken, they stay erased."""
        accounts = [_accounts_of_person(staged) for staged in chunk]
        erased = self._arrears.keys.destroyed_among(set().union(*accounts))
        if not erased:
            return list(chunk), set()
        kept, empty = [], set()
        for theirs, staged in zip(accounts, chunk, strict=True):
            is_erased = not erased.isdisjoint(theirs)
            bare = impersonal(staged, self._imported.digests) if is_erased else staged
            if bare is not staged:
                report.notice(RowNotice(staged.line, staged.fact.account_number, ERASED_PERSON))
            if is_erased and isinstance(bare.fact, CustomerFact):
                empty.add(bare.key)
            kept.append(bare)
        return kept, empty

    def _count(self, each: Classified, outcome: Accepted, report: ImportReport) -> None:
        today = self._arrears.clock.now().date()
        if each.change is Change.CHANGED:
            report.corrected += 1
        elif each.staged.effective_on is not None and each.staged.effective_on > today and outcome.event_ids:
            report.deferred += 1
        else:
            report.brought_in += 1

    def _look(self, accepted: Sequence[tuple[Staged, Accepted]], known: set[Key], report: ImportReport) -> None:
        """What to know of offices that were opened, and of money that was taken; `known`: that which names an invoice
        that is known."""
        for notice in self._opened:
            report.notice(notice)
        self._opened.clear()
        waiting = self._waiting([staged for staged, outcome in accepted if outcome.event_ids], known)
        for staged, outcome in accepted:
            if not isinstance(staged.fact, PaymentFact | CreditFact):
                continue
            if outcome.event_ids and outcome.version == len(outcome.event_ids):
                said = f"no customer and no invoice of account {staged.account.name} is known; the account was opened"
                report.notice(RowNotice(staged.line, _number(staged), said))
            if staged.key in waiting:
                names = ", ".join(waiting[staged.key])
                said = f"account {staged.account.name} has no invoice {names} yet; the money waits for it"
                report.notice(RowNotice(staged.line, _number(staged), said))

    def _waiting(self, taken: Sequence[Staged], known: set[Key]) -> dict[Key, list[str]]:
        """The money among these that is kept for invoices which nobody knows, and for which.

        The account is asked only where no invoice of that number came with a file.
        """
        unknown = [
            each
            for each in taken
            if isinstance(each.fact, PaymentFact | CreditFact) and invoices_named(each.fact) and each.key not in known
        ]
        if not unknown:
            return {}
        accounts = self._arrears.load_many(Account, list({self._account_of(each) for each in unknown}))
        by_id = {account.id: account for account in accounts}
        found = {each.key: _waits_for(each, by_id[self._account_of(each)]) for each in unknown}
        return {key: names for key, names in found.items() if names}

    # --- fact to command ---

    def _issued(self, each: Classified, referred: Mapping[Document, str]) -> Issued:
        """`referred`: the documents that the fact names, as their numbers are spelled."""
        staged = each.staged
        office = self._office(staged)
        before = each.account_before
        if before is None or payer_of(staged.fact) is not None or each.lives_again or _is_where(before, staged):
            corrects = each.change is Change.CHANGED and not (
                each.lives_again and isinstance(staged.fact, ReversalFact)
            )
            account = staged.account._replace(number=payer_of(staged.fact) or staged.fact.account_number).id_in(office)
            said = self._whole(staged, account, referred, corrects=corrects)
            command = self._command(said, office, account, corrects=corrects)
        elif isinstance(staged.fact, PaymentFact) and not staged.fact.settlement and _in_same_money(before, staged):
            account = before.id_in(office)
            said = self._whole(staged, account, referred, corrects=True)
            command = _move(said, payment(said), office, account)
        else:
            own = OWN_NUMBERS if "\t" not in staged.natural_key and not isinstance(staged.fact, CustomerFact) else ""
            alike = "" if _in_same_money(before, staged) else ", among accounts in one currency"
            raise ImportRefused(
                f"account {before.name}, where this {staged.fact.kind} was imported before; only payments move{alike}:"
                f" take it out there, and bring it in here under another number{own}"
            )
        natural_key = command.natural_key()
        revision = f"{each.revision}:{staged.digest.hex()}"
        return Issued(
            command=command,
            command_id=identifier("import", staged.office, staged.natural_key, revision, *_anew(each)),
            actor=ACTOR,
            effective_on=staged.effective_on if isinstance(staged.fact, CustomerFact | SubscriptionFact) else None,
            key=natural_key.id if natural_key is not None and not _anew(each) else None,
            reason=staged.fact.reason if isinstance(staged.fact, ReversalFact) else None,
            keeps_refusal=False,  # what a row is refused for may have come with another file by the next time
        )

    def _whole(self, staged: Staged, account: UUID, referred: Mapping[Document, str], *, corrects: bool) -> Staged:
        """The fact that is to be brought in: with what it names spelled as that is known, and, of a payment that is
        corrected and known without a number, with what its profile does not map as it is."""
        fact = staged.fact
        if isinstance(fact, ReversalFact):
            number = fact.payment_number
            fact = replace(fact, payment_number=referred.get(Document("payment", number), number))
        if not isinstance(fact, PaymentFact | CreditFact | ReversalFact):
            return staged
        invoices = {document.number: spelled for document, spelled in referred.items() if document.kind == "invoice"}
        if fact.invoice_number and (cell := as_known(fact.invoice_number, invoices)) != fact.invoice_number:
            fact = replace(fact, invoice_number=cell)
        if isinstance(fact, PaymentFact) and fact.parts:
            fact = replace(fact, parts=tuple((as_known(cell, invoices), minor) for cell, minor in fact.parts))
        if corrects and isinstance(fact, PaymentFact) and is_unnumbered(fact):
            before = self._received(account).get(payment_number(staged))
            if before is not None:
                invoice = fact.invoice_number or before.invoice_number
                fact = replace(fact, method=fact.method or before.method, invoice_number=invoice)
        return staged if fact is staged.fact else replace(staged, fact=fact)

    def _command(self, staged: Staged, office: UUID, account: UUID, *, corrects: bool) -> Command:
        fact = staged.fact
        opens: dict[str, Any] = {} if corrects else _opens(staged, office)
        match fact:
            case CustomerFact():
                return self._customer(staged, fact, office, account, known=corrects)
            case SubscriptionFact():
                subscription = Subscription(
                    number=fact.subscription_number,
                    service_type=fact.service_type,
                    started_on=fact.started_on,
                    initial_discount=fact.initial_discount,
                    ends_on=fact.ends_on,
                    services_agreed=fact.services_agreed,
                    services_done=fact.services_done,
                    cancelled_on=fact.cancelled_on,
                )
                return RecordSubscription(account_id=account, subscription=subscription, **opens)
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
                    instalment=fact.instalment,
                    **opens,
                )
            case PaymentFact():
                received = CorrectPayment if corrects else ReceivePayment
                return received(
                    account_id=account,
                    number=payment_number(staged),
                    amount=fact.amount,
                    received_on=fact.received_on,
                    method=fact.method,
                    **_meant_for(fact),
                    for_account_id=staged.account.id_in(office) if fact.payer_number else None,
                    **opens,
                )
            case CreditFact():
                credit = CorrectCredit if corrects else NoteCredit
                return credit(
                    account_id=account,
                    number=fact.credit_number,
                    amount=fact.amount,
                    issued_on=fact.issued_on,
                    invoice_number=fact.invoice_number,
                    **opens,
                )

            case ReversalFact():
                if corrects:
                    raise ImportRefused("the reversal that was imported before: a payment is taken back once")
                return ReversePayment(
                    account_id=account,
                    number=fact.payment_number,
                    reversal=fact.reversal,
                    reversed_on=fact.reversed_on,
                    amount=fact.amount,
                    invoice_number=fact.invoice_number,
                )

    def _customer(self, staged: Staged, fact: CustomerFact, office: UUID, account: UUID, *, known: bool) -> OpenAccount:
        """What the file does not say stays as it is known, of this account or of that in the office's currency."""
        before = None
        if known:
            before = self._account(account) or self._account(AccountNumber(fact.account_number).id_in(office))
        contact = before.contact.own_details if before else ContactDetails()
        return OpenAccount(
            office_id=office,
            number=fact.account_number,
            customer_name=fact.name or (before.customer.name if before else fact.account_number),
            currency=fact.currency or self._currency_of(office),
            other_currency=True if staged.other_currency else None,
            customer_number=fact.customer_number,
            customer_kind=fact.customer_kind or (before.customer.kind if before else CustomerKind.CONSUMER),
            segment=fact.segment or (before.customer.segment if before else None),
            country=fact.country or (before.customer.country if before else None),
            information={**(before.customer.information if before else {}), **dict(fact.information)},
            contact=contact_details(fact, contact, before.customer.country if before else None),
        )

    def _account(self, account: UUID) -> Account | None:
        try:
            return self._arrears.load(Account, account)
        except AggregateNotFoundError:
            return None

    # --- offices ---

    def _account_of(self, staged: Staged) -> UUID:
        return staged.account.id_in(self._office(staged))

    def _currency_of(self, office: UUID) -> str:
        """In which an office works that is open; it never changes."""
        if office not in self._currencies:
            self._currencies[office] = self._arrears.load(Office, office).currency
        return self._currencies[office]

    def _office(self, staged: Staged) -> UUID:
        """The office a fact belongs to, opened the first time a file names it."""
        return self._known_office(staged.office_code) or self._open_office(staged.office_code, staged.office)

    def _known_office(self, code: str) -> UUID | None:
        """The one that is open under this code."""
        if code not in self._offices:
            try:
                self._offices[code] = self._arrears.load(Office, office_id(code)).id
            except AggregateNotFoundError:
                return None
        return self._offices[code]

    def _open_office(self, code: str, title: str) -> UUID:
        rows = self._named[code]
        currency = self._defaults.currency or next(iter(rows.currencies), None)
        if currency is None:
            raise ImportRefused(f"an office {code!r} that is open (or --currency, to open it in)")
        opening = OpenOffice(code=code, title=title, currency=currency, time_zone=self._defaults.zone)
        outcome = self._arrears.handle(
            [Issued(command=opening, command_id=identifier("import", "office", code), actor=ACTOR)]
        )[0]
        if isinstance(outcome, Rejected):
            raise ImportRefused(outcome.detail)
        chosen = [] if self._defaults.currency else [f"in {currency}, the currency of its rows (else: --currency)"]
        chosen += [] if self._defaults.time_zone else [f"in time zone {self._defaults.zone} (else: --time-zone)"]
        if chosen:
            self._opened.append(RowNotice(rows.line, code, f"the office was opened {' and '.join(chosen)}"))
        self._offices[code] = office_id(code)
        return self._offices[code]


class TrialImporter(Importer):
    """Finds out what an import would do. Nothing is remembered, and what a chunk was decided about is forgotten once
    the next one is of other accounts."""

    stores = False

    def __init__(self, trial: Trial, staging: Staging, defaults: OfficeDefaults) -> None:
        super().__init__(trial, staging, defaults)
        self._trial = trial

    def bring_in(self, chunk: Sequence[Staged], report: ImportReport) -> None:
        super().bring_in(chunk, report)
        last = chunk[-1]
        is_open = self._known_office(last.office_code) is not None
        number = last.office_code, last.fact.account_number
        same = [each for each in chunk if (each.office_code, each.fact.account_number) == number] if is_open else []
        self._trial.forget_accounts(but={self._account_of(each) for each in same})

    def remember(self, accepted: Sequence[Classified]) -> None:
        """The log will not hold them."""


def zones_of_offices(arrears: Arrears, codes: OfficeCodes, defaults: OfficeDefaults) -> ZoneOf:
    """The zone of an office by the name a file has for it: its own where it is open, else that which it will have."""

    @lru_cache(1_000)
    def zone_of(name: str | None) -> ZoneInfo:
        try:
            return arrears.load(Office, office_id(codes.code_of(name or defaults.code))).zone
        except AggregateNotFoundError:
            return ZoneInfo(defaults.zone)

    return zone_of


def _is_to_come_anew(each: Classified, outcome: Outcome | str) -> bool:
    """Whether what was corrected is not there: then it is brought in."""
    if each.change is not Change.CHANGED or not isinstance(outcome, Rejected):
        return False
    if each.lives_again:
        return outcome.reason_code in {*NOT_THERE, "future-correction"}
    fact = each.staged.fact
    is_of_invoice = isinstance(fact, InvoiceFact) or (isinstance(fact, PaymentFact) and bool(fact.settlement))
    return is_of_invoice and each.account_before == each.staged.account and outcome.reason_code in NOT_THERE


def _anew(each: Classified) -> tuple[str, ...]:
    """Of what is brought in although it was known before: the natural key of its command was used then."""
    return ("anew",) if each.change is Change.NEW and each.revision > 1 else ()


def is_unnumbered(fact: Fact) -> bool:
    """Whether it is a payment that its file gives no number."""
    return isinstance(fact, PaymentFact) and not fact.number


def payment_number(staged: Staged) -> str:
    """The file's number, or what the payment is known by, so that the same payment always has the same, and two that
    say the same have two."""
    fact = payment(staged)
    return staged.payment_number or (f"settlement:{fact.number}" if fact.settlement else fact.number)


def impersonal(staged: Staged, digests: Digests) -> Staged:
    """The fact without what it says of a person; the same object where it says nothing of one. A customer's digest is
    then of what is left: one of personal data would be kept of whom nothing is to be kept."""
    match fact := staged.fact:
        case CustomerFact():
            bare = CustomerFact(
                office=fact.office,
                account_number=fact.account_number,
                currency=fact.currency,
                customer_number=fact.customer_number,
            )
            return replace(staged, fact=bare, digest=digests.of(bare.content_digest))
        case InvoiceFact() if fact.information:
            return replace(staged, fact=replace(fact, information=()))
    return staged


def contact_details(fact: CustomerFact, before: ContactDetails, customer_country: str | None = None) -> ContactDetails:
    """The known details with what the file says in place of them. Two spellings of a number are one point."""
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
    details = before.model_copy(update=changes)
    country = details.country(fact.country or customer_country)
    if fact.phones:
        changes["phones"] = tuple(
            PhoneNumber(
                id=f"phone-{n}",
                number=same[0].number,
                kind=next((each.kind for each in same if each.kind is not PhoneKind.OTHER), PhoneKind.OTHER),
                sms_consent=_strictest(each.sms_consent for each in same),
                voice_consent=_strictest(each.voice_consent for each in same),
            )
            for n, same in enumerate(_alike(fact.phones, lambda p: normal_form(Channel.VOICE, p.number, country)), 1)
        )
    if fact.emails:
        changes["emails"] = tuple(
            EmailAddress(id=f"email-{n}", address=same[0].address, consent=_strictest(each.consent for each in same))
            for n, same in enumerate(_alike(fact.emails, lambda e: normal_form(Channel.EMAIL, e.address, None)), 1)
        )
    for name in ("language", "preferred_channel", "time_zone"):
        if getattr(fact, name) is not None:
            changes[name] = getattr(fact, name)
    return with_ids_once(before.model_copy(update=changes))


def _move(staged: Staged, fact: PaymentFact, office: UUID, before: UUID) -> MovePayment:
    """A corrected file has the payment under another account: there it always was."""
    return MovePayment(
        account_id=before,
        number=payment_number(staged),
        to_account_id=staged.account.id_in(office),
        amount=fact.amount,
        received_on=fact.received_on,
        method=fact.method,
        **_meant_for(fact),
        **_opens(staged, office),
    )


def _opens(staged: Staged, office: UUID) -> dict[str, Any]:
    """Invoices, and money, open the account that no file has described so far: files come in any order. So does a
    subscription where the customer's row may be about their account in another currency."""
    fact, currency = staged.fact, account_currency_of(staged.fact)
    opens = isinstance(fact, InvoiceFact | PaymentFact | CreditFact) or (
        isinstance(fact, SubscriptionFact) and staged.other_currency is not None
    )
    if not opens or currency is None:
        return {}
    opening = Opening(
        office_id=office,
        number=payer_of(fact) or fact.account_number,
        currency=currency,
        other_currency=True if staged.other_currency else None,
    )
    return {"opens": opening}


def _is_where(before: AccountNumber, staged: Staged) -> bool:
    """Whether that is the fact's account, where it was imported before. A customer is the same in all currencies."""
    if isinstance(staged.fact, CustomerFact):
        return before.number == staged.account.number
    return before == staged.account


def _in_same_money(before: AccountNumber, staged: Staged) -> bool:
    return before.other_currency == staged.other_currency


def _accounts_of_person(staged: Staged) -> set[UUID]:
    """Ids of accounts of the person that the fact is about: of its own, and of those that have the numbers it names."""
    office, fact = office_id(staged.office_code), staged.fact
    numbers = {fact.account_number, fact.customer_number if isinstance(fact, CustomerFact) else None} - {None}
    currencies = {None, staged.other_currency}
    return {account_id(office, number, currency) for number in numbers if number for currency in currencies}


def _meant_for(fact: PaymentFact) -> dict[str, Any]:
    """What the payment is for: one invoice, several numbers in one cell, or a row for each. A cell is its number first,
    if an invoice has it; several rows say how much is for each, but not where a cell has several numbers again."""
    cell = fact.invoice_number
    if fact.parts:
        said = {
            number: None if len(numbers) > 1 else Money(minor, fact.amount.currency)
            for invoice, minor in fact.parts
            for numbers in (listed(invoice),)
            for number in numbers
        }
        instructions = tuple(Instruction(invoice_number=number, amount=amount) for number, amount in said.items())
        return {"instructions": instructions or None}
    if fact.settled_due is not None:
        return {"invoice_number": f"{cell}/{fact.settled_due}"}
    if cell is None or fact.settlement or len(numbers := listed(cell)) < 2:
        return {"invoice_number": cell}
    return {
        "invoice_number": cell if len(cell) <= NUMBER_LIMIT else None,
        "instructions": tuple(Instruction(invoice_number=number) for number in numbers),
    }


def as_known(cell: str, spelled: Mapping[str, str]) -> str:
    """What a cell names, as that is spelled where it is known: the whole cell, else each number in its place."""
    if cell in spelled:
        return spelled[cell]

    def of_number(part: re.Match[str]) -> str:
        number = part[0].strip()
        meant = spelled.get(number)
        if meant is None and (named := day_named(number)) is not None and named[0] in spelled:
            meant = f"{spelled[named[0]]}/{named[1]}"
        return part[0] if meant is None else part[0].replace(number, meant)

    return re.sub(r"[^;,\n]+", of_number, cell)


_Invoice = tuple[str, AccountNumber, str]
"""An office's code, the account and the invoice's number."""


def _are_known(staged: Staged, named: Mapping[Document, Referred], came: Set[_Invoice]) -> bool:
    """Whether all that money names is known, as far as files tell: the cell as it stands, or each number in it."""
    if not isinstance(fact := staged.fact, PaymentFact | CreditFact):
        return False

    def is_known(number: str) -> bool:
        document = named.get(Document("invoice", number))
        return document is not None and (document.is_stored or _document(staged, document.number) in came)

    parts = fact.parts if isinstance(fact, PaymentFact) else ()
    cells = [fact.invoice_number] if fact.invoice_number else [cell for cell, _ in parts if cell]
    return all(is_known(cell) or all(map(is_known, listed(cell))) for cell in cells)


def _waits_for(staged: Staged, account: Account) -> list[str]:
    """The invoices that a payment or credit is kept for, but for those that wait for their day."""
    match fact := staged.fact:
        case PaymentFact():
            funds = account.receivables.funds.get(document_id(account.id, "payment", payment_number(staged)))
        case CreditFact():
            funds = account.receivables.funds.get(document_id(account.id, "credit", fact.credit_number))
        case _:
            return []
    if funds is None:
        return []
    names = [*([funds.receipt.waits_for] if funds.waits and funds.receipt.waits_for else []), *funds.unknown]
    return [name for name in names if not account.billing.waits_for_its_day(name)]


T = TypeVar("T")


def _alike(points: Sequence[T], form: Callable[[T], str | None]) -> list[list[T]]:
    """Those of one form together, in the order in which the forms came first."""
    if len(points) == 1:
        return [[points[0]]]
    found: dict[str | None, list[T]] = {}
    for point in points:
        found.setdefault(form(point), []).append(point)
    return list(found.values())


def _strictest(said: Iterable[Consent]) -> Consent:
    """Of several cells about one number or address: one refusal refuses."""
    all_said = set(said)
    return next(each for each in (Consent.REFUSED, Consent.GIVEN, Consent.UNKNOWN) if each in all_said)


def _is_nothing(fact: Fact) -> bool:
    """An invoice of which nothing was ever owed."""
    return isinstance(fact, InvoiceFact) and not fact.amount


def _problem(staged: Staged, expected: str) -> RowProblem:
    return RowProblem(staged.line, f"{staged.fact.kind} number", _number(staged), expected)


def _document(staged: Staged, number: str) -> _Invoice:
    """An invoice of the account that a fact is about."""
    return staged.office_code, staged.account, number


def _number(staged: Staged) -> str:
    """What to call it: a payment without a number by what it is known by."""
    if isinstance(staged.fact, ReversalFact):
        return staged.fact.payment_number
    return staged.fact.number or staged.natural_key.partition(":")[2]


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
    remembered: Remembered = rewritten,
) -> tuple[Staging, Loaded]:
    """Read the whole file into the staging tables. Raises FileProblem, Stopped."""
    imported = remembered(connection, Digests(arrears.import_key()), default_office=defaults.code)
    codes = OfficeCodes(imported, lambda code: _title_of(arrears, code))
    imported.origin = source.origin
    staging = Staging(
        connection,
        default_office=defaults.code,
        imported=imported,
        code_of=codes.code_of,
        currency_of_office=lambda code: _currency_of(arrears, code) or defaults.currency,
        zone_of=zones_of_offices(arrears, codes, defaults),
        stop=stop,
    )
    return staging, staging.load(source, progress)


def _title_of(arrears: Arrears, code: str) -> str | None:
    office = _office_of(arrears, code)
    return None if office is None else office.title


def _currency_of(arrears: Arrears, code: str) -> str | None:
    office = _office_of(arrears, code)
    return None if office is None else office.currency


def _office_of(arrears: Arrears, code: str) -> Office | None:
    """The one that is open under this code."""
    try:
        return arrears.load(Office, office_id(code))
    except AggregateNotFoundError:
        return None


def dry_run(
    trial: Trial,
    connection: psycopg.Connection,
    source: ImportSource,
    *,
    defaults: OfficeDefaults,
    reading: Progress | None = None,
    done: Done | None = None,
    stop: Stop | None = None,
    besides: FileCame | None = None,
) -> ImportReport:
    """What `run_import` would do, decided by the same rules; nothing is stored. Raises FileProblem, Stopped."""
    staging, loaded = stage(trial, connection, source, defaults, reading, stop=stop, remembered=rewritten_copy)
    importer = TrialImporter(trial, staging, defaults)
    report = _brought_in(importer, loaded, done, stop or Stop(), besides)
    if besides is not None:
        besides.finish(importer, report)
    staging.drop()
    return report


def run_import(
    arrears: Arrears,
    connection: psycopg.Connection,
    source: ImportSource,
    *,
    defaults: OfficeDefaults,
    trial: Trial | None = None,
    reading: Progress | None = None,
    trying: Done | None = None,
    done: Done | None = None,
    stop: Stop | None = None,
    besides: FileCame | None = None,
) -> ImportReport:
    """Bring a file in: good rows at once, bad rows into the reject file. With a `trial` all of it or nothing: it is
    tried first, and refused where any row would be.

    Raises FileProblem where the file cannot be read, ImportRefused, and Stopped between chunks: what was brought in
    stays, and the next import of the file goes on from there.
    """
    stop = stop or Stop()
    staging, loaded = stage(arrears, connection, source, defaults, reading, stop=stop)
    if trial is not None:
        tried = _brought_in(TrialImporter(trial, staging, defaults), loaded, trying, stop)
        if tried.refused:
            first = tried.problems[0]
            raise ImportRefused(f"{tried.refused} of {tried.rows} rows have problems, the first in {first}")
    importer = Importer(arrears, staging, defaults)
    report = _brought_in(importer, loaded, done, stop, besides)
    write_refused(report, source, staging, stop)
    if besides is not None:
        besides.finish(importer, report)
    staging.drop()
    return report


def _brought_in(
    importer: Importer, loaded: Loaded, done: Done | None, stop: Stop, besides: FileCame | None = None
) -> ImportReport:
    """All staged facts, account by account. Raises Stopped between chunks."""
    report = ImportReport.of(loaded)
    importer.check_offices()
    if besides is not None:
        besides.begin(importer)
    total, seen = sum(loaded.facts.values()), 0
    for chunk in importer.staging.by_account(CHUNK):
        check(stop)
        importer.bring_in(chunk, report)
        seen += len(chunk)
        if done:
            done(seen, total)
    finish(report, importer.staging)
    return report


def write_refused(report: ImportReport, source: ImportSource, staging: Staging, stop: Stop) -> None:
    """The refused rows into a file beside the source, if there are any. Raises FileProblem, Stopped."""
    if report.refused:
        report.rejects, report.rejects_kept = place_for_rejects(source.path)
        write_rejects(source, staging.problems(), report.rejects, lambda *_: check(stop))


def finish(report: ImportReport, staging: Staging) -> None:
    """Count the refused rows and keep the first problems for showing."""
    report.refused = staging.refused()
    for problem in staging.problems():
        report.problems.append(problem)
        if len(report.problems) == PROBLEMS_SHOWN:
            break
