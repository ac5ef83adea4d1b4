"""From staged facts to commands: what is new is brought in, what differs is corrected, the same changes nothing."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field, replace
from functools import lru_cache
from pathlib import Path
from typing import Any, Self, TypeVar
from uuid import UUID
from zoneinfo import ZoneInfo

import psycopg
from pydantic import ValidationError

from adapters.billing.facts import (
    CreditFact,
    CustomerFact,
    Fact,
    InvoiceFact,
    PaymentFact,
    ReversalFact,
    SubscriptionFact,
    account_currency_of,
)
from adapters.billing.imported import Change, Classified, classify, imported, record
from adapters.billing.readers import FileNotice, Progress
from adapters.billing.rejects import place_for_rejects, write_rejects
from adapters.billing.rows import RowNotice, RowProblem, ZoneOf
from adapters.billing.source import ImportSource
from adapters.billing.staging import Key, Loaded, Staged, Staging, office_code
from adapters.eventstore.application import AggregateNotFoundError, Arrears
from adapters.eventstore.trial import Trial
from adapters.stop import Stop, check
from aggregates.account import Account
from aggregates.account.billing import BillInvoice, CorrectInvoice
from aggregates.account.command import account_id, account_name, document_id
from aggregates.account.customer import CustomerKind, OpenAccount, Opening, RecordSubscription, Subscription
from aggregates.account.payments import CorrectCredit, CorrectPayment, NoteCredit, ReceivePayment, ReversePayment
from aggregates.kernel.actor import Actor
from aggregates.kernel.command import Accepted, Command, Issued, Rejected, identifier
from aggregates.office import Office, OpenOffice, office_id
from aggregates.values.contact import (
    Channel,
    Consent,
    ContactDetails,
    EmailAddress,
    PhoneKind,
    PhoneNumber,
    PostalAddress,
)
from aggregates.values.normal_form import normal_form

ACTOR = Actor.service("import")
CHUNK = 1_000
PROBLEMS_SHOWN = 20

ERASED_PERSON = "this person was erased and stays so; what the row says of them is not stored"

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
        self.staging = staging
        self._defaults = defaults
        self._offices: dict[str, UUID] = {}
        self._currencies: dict[UUID, str] = {}
        """In which offices work."""
        self._paid_in: dict[Key, str | None] = {}
        """Of payments that the chunk takes back without saying in which currency: the other one that it was, if any."""
        self._named = staging.offices()
        self._opened: list[RowNotice] = []
        """About offices that were opened, not reported yet."""

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
        chunk, erased = self._without_erased(chunk, report)
        classified = classify(self._connection, chunk)
        self._paid_in = self._currencies_of_payments(chunk)
        todo: list[tuple[Classified, Issued]] = []
        problems: list[RowProblem] = []
        nothing_to_do: list[Classified] = []
        for each in classified:
            if each.change is Change.UNCHANGED:
                report.unchanged += 1
                continue
            if each.staged.key in erased:
                report.unchanged += 1
                nothing_to_do.append(each)
                continue
            if each.change is Change.NEW and _is_nothing(each.staged.fact):
                report.unchanged += 1
                report.notice(RowNotice(each.staged.line, _number(each.staged), "an invoice of 0.00; nothing is owed"))
                continue
            try:
                todo.append((each, self._issued(each)))
            except (ImportRefused, ValidationError) as error:
                problems.append(_problem(each.staged, _plain(error)))
        outcomes = self._arrears.handle([issued for _, issued in todo])
        accepted: list[tuple[Classified, Accepted]] = []
        for (each, _), outcome in zip(todo, outcomes, strict=True):
            if isinstance(outcome, Rejected):
                problems.append(_problem(each.staged, _expected(outcome)))
            else:
                accepted.append((each, outcome))
                self._count(each, outcome, report)
        self._look([(each.staged, outcome) for each, outcome in accepted], report)
        self._remember([*nothing_to_do, *(each for each, _ in accepted)])
        if problems:
            self.staging.refuse(problems)

    def _remember(self, accepted: Sequence[Classified]) -> None:
        record(self._connection, accepted, self._name_of)

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
            bare = impersonal(staged) if is_erased else staged
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

    def _look(self, accepted: Sequence[tuple[Staged, Accepted]], report: ImportReport) -> None:
        """What to know of offices that were opened, and of money that was taken."""
        for notice in self._opened:
            report.notice(notice)
        self._opened.clear()
        waiting = self._waiting([staged for staged, outcome in accepted if outcome.event_ids])
        for staged, outcome in accepted:
            if not isinstance(fact := staged.fact, PaymentFact | CreditFact):
                continue
            if outcome.event_ids and outcome.version == len(outcome.event_ids):
                said = f"no customer and no invoice of account {self._name_of(staged)} is known; the account was opened"
                report.notice(RowNotice(staged.line, _number(staged), said))
            if staged.key in waiting:
                account = self._name_of(staged)
                said = f"account {account} has no invoice {fact.invoice_number} yet; the money waits for it"
                report.notice(RowNotice(staged.line, _number(staged), said))

    def _waiting(self, taken: Sequence[Staged]) -> set[Key]:
        """The money among these that is kept for an invoice which nobody knows.

        The account is asked only where no invoice of that number came with a file.
        """
        named = {
            staged.key: (staged.office, f"invoice:{fact.invoice_number}")
            for staged in taken
            if isinstance(fact := staged.fact, PaymentFact | CreditFact) and fact.invoice_number
        }
        if not named:
            return set()
        came = {key: known.account for key, known in imported(self._connection, named.values()).items()}
        came |= {each.key: self._name_of(each) for each in taken if isinstance(each.fact, InvoiceFact)}
        unknown = [each for each in taken if each.key in named and came.get(named[each.key]) != self._name_of(each)]
        accounts = self._arrears.load_many(Account, list({self._account_of(each) for each in unknown}))
        by_id = {account.id: account for account in accounts}
        return {each.key for each in unknown if _waits(each, by_id[self._account_of(each)])}

    # --- fact to command ---

    def _issued(self, each: Classified) -> Issued:
        staged = each.staged
        office = self._office(staged)
        account = self._account_of(staged)
        if each.account_before not in (None, self._name_of(staged)) and not isinstance(staged.fact, CustomerFact):
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
            reason=staged.fact.reason if isinstance(staged.fact, ReversalFact) else None,
            keeps_refusal=False,  # what a row is refused for may have come with another file by the next time
        )

    def _command(self, staged: Staged, office: UUID, account: UUID, *, corrects: bool) -> Command:
        fact = staged.fact
        opens: dict[str, Any] = {} if corrects else self._opens(staged, office)
        match fact:
            case CustomerFact():
                return self._customer(staged, fact, office, account, known=corrects)
            case SubscriptionFact():
                subscription = Subscription(
                    number=fact.subscription_number,
                    service_type=fact.service_type,
                    started_on=fact.started_on,
                    initial_discount=fact.initial_discount,
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
                    **opens,
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
                )

    def _customer(self, staged: Staged, fact: CustomerFact, office: UUID, account: UUID, *, known: bool) -> OpenAccount:
        """What the file does not say stays as it is known, of this account or of that in the office's currency."""
        before = None
        if known:
            before = self._account(account) or self._account(account_id(office, fact.account_number))
        contact = before.contact.own_details if before else ContactDetails()
        return OpenAccount(
            office_id=office,
            number=fact.account_number,
            customer_name=fact.name or (before.customer.name if before else fact.account_number),
            currency=fact.currency or self._currency_of(office),
            other_currency=True if self._other_currency(staged) else None,
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
        return account_id(self._office(staged), staged.fact.account_number, self._other_currency(staged))

    def _name_of(self, staged: Staged) -> str:
        """What people call the account."""
        return account_name(staged.fact.account_number, self._other_currency(staged))

    def _other_currency(self, staged: Staged) -> str | None:
        """In which the account is that a fact is about, where its office works in another one."""
        currency = account_currency_of(staged.fact)
        if currency is None and isinstance(staged.fact, ReversalFact):
            return self._paid_in.get((staged.office, f"payment:{staged.fact.payment_number}"))
        return None if currency in (None, self._currency_of(self._office(staged))) else currency

    def _currencies_of_payments(self, chunk: Sequence[Staged]) -> dict[Key, str | None]:
        """Of the payments that are taken back without a word of their currency: where it is not their office's."""
        wanted = {
            (staged.office, f"payment:{staged.fact.payment_number}"): staged.fact.account_number
            for staged in chunk
            if isinstance(staged.fact, ReversalFact) and staged.fact.amount is None
        }
        if not wanted:
            return {}
        found: dict[Key, str | None] = {
            key: known.account.removeprefix(f"{wanted[key]}/")
            for key, known in imported(self._connection, wanted).items()
            if known.account.startswith(f"{wanted[key]}/")
        }
        payments = (staged for staged in chunk if staged.key in wanted)
        return found | {staged.key: self._other_currency(staged) for staged in payments}

    def _opens(self, staged: Staged, office: UUID) -> dict[str, Any]:
        """Invoices, and money, open the account that no file has described so far: files come in any order. So does a
        subscription where the customer's row may be about their account in another currency."""
        fact, other = staged.fact, self._other_currency(staged)
        if not isinstance(fact, InvoiceFact | PaymentFact | CreditFact | SubscriptionFact):
            return {}
        currency = account_currency_of(fact)
        if currency is None or (isinstance(fact, SubscriptionFact) and other is None):
            return {}
        opening = Opening(
            office_id=office,
            number=fact.account_number,
            currency=currency,
            other_currency=True if other else None,
        )
        return {"opens": opening}

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

    def __init__(
        self, trial: Trial, connection: psycopg.Connection, staging: Staging, defaults: OfficeDefaults
    ) -> None:
        super().__init__(trial, connection, staging, defaults)
        self._trial = trial

    def bring_in(self, chunk: Sequence[Staged], report: ImportReport) -> None:
        super().bring_in(chunk, report)
        last = chunk[-1]
        is_open = self._known_office(last.office_code) is not None
        self._trial.forget_accounts(but=self._account_of(last) if is_open else None)

    def _remember(self, accepted: Sequence[Classified]) -> None:
        """The log will not hold them."""


def zones_of_offices(arrears: Arrears, defaults: OfficeDefaults) -> ZoneOf:
    """The zone of an office by the name a file has for it: its own where it is open, else that which it will have."""

    @lru_cache(1_000)
    def zone_of(name: str | None) -> ZoneInfo:
        try:
            return arrears.load(Office, office_id(office_code(name or defaults.code) or defaults.code)).zone
        except AggregateNotFoundError:
            return ZoneInfo(defaults.zone)

    return zone_of


def payment_number(staged: Staged) -> str:
    """The file's number, or one made from the natural key, so that the same payment always has the same, and two that
    say the same have two."""
    number = staged.fact.payment_number if isinstance(staged.fact, PaymentFact) else None
    return number or staged.natural_key


def impersonal(staged: Staged) -> Staged:
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
            return replace(staged, fact=bare, digest=bare.digest)
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
    return before.model_copy(update=changes)


def _accounts_of_person(staged: Staged) -> set[UUID]:
    """Ids of accounts of the person that the fact is about: of its own, and of those that have the numbers it names."""
    office, fact = office_id(staged.office_code), staged.fact
    numbers = {fact.account_number, fact.customer_number if isinstance(fact, CustomerFact) else None} - {None}
    currencies = {None, account_currency_of(fact)}
    return {account_id(office, number, currency) for number in numbers if number for currency in currencies}


def _waits(staged: Staged, account: Account) -> bool:
    """Whether a payment or credit is kept for its invoice, and that is not one that waits for its day."""
    match fact := staged.fact:
        case PaymentFact():
            funds = account.receivables.funds.get(document_id(account.id, "payment", payment_number(staged)))
        case CreditFact():
            funds = account.receivables.funds.get(document_id(account.id, "credit", fact.credit_number))
        case _:
            return False
    deferred = document_id(account.id, "deferred-invoice", fact.invoice_number or "")
    return funds is not None and funds.waits and deferred not in account.deferred.facts


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


def dry_run(
    trial: Trial,
    connection: psycopg.Connection,
    source: ImportSource,
    *,
    defaults: OfficeDefaults,
    reading: Progress | None = None,
    done: Done | None = None,
    stop: Stop | None = None,
) -> ImportReport:
    """What `run_import` would do, decided by the same rules; nothing is stored. Raises FileProblem, Stopped."""
    staging, loaded = stage(trial, connection, source, defaults, reading, stop=stop)
    report = _brought_in(TrialImporter(trial, connection, staging, defaults), loaded, done, stop or Stop())
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
) -> ImportReport:
    """Bring a file in: good rows at once, bad rows into the reject file. With a `trial` all of it or nothing: it is
    tried first, and refused where any row would be.

    Raises FileProblem where the file cannot be read, ImportRefused, and Stopped between chunks: what was brought in
    stays, and the next import of the file goes on from there.
    """
    stop = stop or Stop()
    staging, loaded = stage(arrears, connection, source, defaults, reading, stop=stop)
    if trial is not None:
        tried = _brought_in(TrialImporter(trial, connection, staging, defaults), loaded, trying, stop)
        if tried.refused:
            first = tried.problems[0]
            raise ImportRefused(f"{tried.refused} of {tried.rows} rows have problems, the first in {first}")
    report = _brought_in(Importer(arrears, connection, staging, defaults), loaded, done, stop)
    write_refused(report, source, staging, stop)
    staging.drop()
    return report


def _brought_in(importer: Importer, loaded: Loaded, done: Done | None, stop: Stop) -> ImportReport:
    """All staged facts, account by account. Raises Stopped between chunks."""
    report = ImportReport.of(loaded)
    importer.check_offices()
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
