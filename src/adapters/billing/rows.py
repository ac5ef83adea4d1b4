"""A raw row to typed facts, or to every problem it has."""

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import date, datetime
from decimal import Decimal
from functools import cache
from typing import NamedTuple, TypeVar
from zoneinfo import ZoneInfo, available_timezones

from adapters.billing.currencies import CURRENCIES
from adapters.billing.facts import (
    CreditFact,
    CustomerFact,
    Email,
    Fact,
    Information,
    InvoiceFact,
    PaymentFact,
    Phone,
    ReversalFact,
    SubscriptionFact,
)
from adapters.billing.profile import CUSTOMER_FIELDS, Complete, Kind, column_key
from adapters.billing.readers import RawRow, Table
from adapters.billing.spreadsheet import text_of_formula
from adapters.billing.values import Cell, Dates, boolean, cell_text, day_of, readable, without_decimal
from aggregates.account.customer import CustomerKind
from aggregates.account.payments import MOST_INSTRUCTIONS
from aggregates.account.receivables import ReversalKind
from aggregates.values.codes import listed
from aggregates.values.contact import Channel, Consent, PhoneKind
from aggregates.values.countries import A_COUNTRY, country_of
from aggregates.values.money import Money, exponent
from aggregates.values.normal_form import is_email, is_number

NUMBER_LIMIT = 100
TEXT_LIMIT = 300
LONG_TEXT_LIMIT = 1_000
METHOD_LIMIT = 40

_CUSTOMERS_KEPT = 10_000
_OF_SUBSCRIPTION = (
    "service_type", "started_on", "initial_discount", "ends_on", "services_agreed", "services_done", "cancelled_on",
)  # fmt: skip
_MOST_COUNTED = 1_000_000
_DATES_KEPT = 50_000

_WHOSE = CUSTOMER_FIELDS | {"account_number", "office", "currency"}

_LANGUAGE = re.compile(r"[a-z]{2,3}(-[A-Z]{2})?")
_SEPARATED = re.compile(r"[;,\n]")
_QUOTED_NAME = re.compile(r'"[^"]*"\s*(?=<)')
"""In front of an address: `"Doe, Dee" <d@x.example>`; its comma divides nothing."""
_ANGLED = re.compile(r"<([^<>]*)>")
_REMARK = re.compile(r"\([^()0-9]*\)")
"""What somebody wrote beside a number or address: `(office)`."""
_MOST_POINTS = 20
UNCLEAR_AMOUNT = 'decimal = "." or decimal = "," in the profile: the mark before three digits may be either'
EMPTY = frozenset({"NULL", "null", "\\N", "-", "0000-00-00", "0000-00-00 00:00:00"})
"""What databases and people write where there is nothing."""
_NOT_CODE = re.compile(r"[^a-z0-9]+")
_ERRORS = frozenset({"#N/A", "#REF!", "#VALUE!", "#DIV/0!", "#NAME?", "#NULL!", "#NUM!"})

_CONSENTS: Mapping[str, Consent] = {
    **dict.fromkeys(("yes", "y", "true", "1", "x", "given", "opt-in"), Consent.GIVEN),
    **dict.fromkeys(("no", "n", "false", "0", "refused", "opt-out"), Consent.REFUSED),
    "unknown": Consent.UNKNOWN,
}
_PHONE_KINDS: Mapping[str, PhoneKind] = {
    **{kind.value: kind for kind in PhoneKind},
    "cell": PhoneKind.MOBILE,
    "landline": PhoneKind.HOME,
}
T = TypeVar("T")

ZoneOf = Callable[[str | None], ZoneInfo]
"""The time zone of the office that a row names, or of the import's where it names none."""

_CUSTOMER_KINDS = {kind.value: kind for kind in CustomerKind}
WITHDRAWN = frozenset({"void", "voided", "cancelled", "canceled", "withdrawn"})
"""What an invoice's status says where it never was owed; any other says nothing."""
_REVERSALS = {kind.value: kind for kind in ReversalKind}
_CHANNELS = {channel.value: channel for channel in Channel}


class RowProblem(NamedTuple):
    """What is wrong with a row: where it starts, the file's column, what stands there, and what was expected."""

    line: int
    column: str
    value: str
    expected: str

    def __str__(self) -> str:
        where = f"line {self.line}, column {self.column}" if self.column else f"line {self.line}"
        return f"{where}: {self.value!r}; expected {self.expected}"


class RowNotice(NamedTuple):
    """What somebody should know of a row that was taken all the same: where it starts, what stands there, and why."""

    line: int
    value: str
    said: str

    def __str__(self) -> str:
        return f"line {self.line}: {self.value!r}; {self.said}"


class UnreadPart(NamedTuple):
    """A payment of which a row cannot be read, as far as it says whose it is."""

    office: str | None
    account_number: str
    number: str
    currency: str | None


class ParsedRow(NamedTuple):
    """A row, and what it says: facts where nothing is wrong with it, else problems."""

    row: RawRow
    facts: tuple[Fact, ...]
    problems: tuple[RowProblem, ...]
    notices: tuple[RowNotice, ...] = ()
    """Of a row that is taken."""
    part_of: UnreadPart | None = None
    """The payment that a row which cannot be read may be a part of."""
    is_open: bool = False
    """Whether it says of its invoice that it is not settled."""


@dataclass(frozen=True, slots=True)
class _Source:
    """Where a field's cell comes from: a position (-1: nowhere), a default, and what stands for what."""

    index: int
    column: str
    default: str | None
    values: Mapping[str, str]
    pad: int = 0
    """Digits that a number of digits alone has at least."""
    known_dates: dict[str, date] = field(default_factory=dict)
    """What cells of this column were before, as far as they are dates."""


@dataclass(slots=True)
class _Said:
    """A customer as documents' rows have them, and the span of days on which they did."""

    customer: CustomerFact
    first: date | None = None
    last: date | None = None

    def is_news(self, day: date) -> bool:
        """Whether the day is outside the span, which then contains it."""
        if self.first is not None and self.last is not None and self.first <= day <= self.last:
            return False
        self.first = min(self.first or day, day)
        self.last = max(self.last or day, day)
        return True


class RowParser:
    """Reads the rows of one table, in order: a customer who stands on many documents is a fact again only where a
    row is earlier or later than those before. Holds the row at hand, so it serves one reader at a time.
    """

    def __init__(self, table: Table, zone_of: ZoneOf) -> None:
        profile = table.profile
        self._zone_of = zone_of
        self._office_name: str | None = None
        """Of the row at hand."""
        self._profile = profile
        self._width = len(table.header)
        self._positions = table.positions
        self._dates = Dates(profile.dates, strip_decimal=profile.numbers == "strip-decimal")
        self._numbers = profile.numbers_reader()
        self._strip_decimal = profile.numbers == "strip-decimal"
        self._decimal = profile.decimal
        sources = {name: self._source(name) for name in profile.columns.keys() | profile.defaults.keys()}
        self._sources = {name: source for name, source in sources.items() if source.index >= 0 or source.default}
        self._currency_column = profile.columns.get("currency", "currency")
        self._phones = [
            (
                self._at(group.number),
                self._at(group.type, group.default_type),
                self._at(group.sms_consent, group.default_consent),
                self._at(group.voice_consent, group.default_consent),
            )
            for group in profile.phones
        ]
        self._emails = [
            (self._at(group.address), self._at(group.consent, group.default_consent)) for group in profile.emails
        ]
        self._subscriptions = [
            (
                replace(self._at(group.number), pad=profile.pad.get("subscription_number", 0)),
                *(self._at(getattr(group, each)) for each in _OF_SUBSCRIPTION),
            )
            for group in profile.subscriptions
        ]
        self._information = [(name, self._at(column)) for name, column in profile.information.items()]
        self._customer_information = [(name, self._at(c)) for name, c in profile.customer_information.items()]
        self._says_customer = profile.says_customer
        self._customer_indexes = self._indexes_about_customer()
        """Of the cells that a customer is made of."""
        self._customers: dict[tuple[Cell, ...], _Said] = {}
        self._facts: Callable[[], tuple[Fact, ...]] = {
            Kind.CUSTOMERS: self._customer_row,
            Kind.INVOICES: self._invoice_row,
            Kind.INVOICES_WITH_SETTLEMENT: self._invoice_row,
            Kind.PAYMENTS: self._payment_row,
            Kind.CREDITS: self._credit_row,
            Kind.REVERSALS: self._reversal_row,
        }[profile.kind]
        self._row = RawRow(0, ())
        self._problems: list[RowProblem] = []
        self._notices: list[RowNotice] = []
        self._part_of: UnreadPart | None = None
        self._says_open = "settled_on" in self._sources or profile.complete is Complete.SETTLED
        """Whether an invoice without a day of settlement is one that is not settled."""
        self._is_open = False

    def _source(self, name: str) -> _Source:
        column = self._profile.columns.get(name, "")
        values = {key.strip().casefold(): value for key, value in self._profile.values.get(name, {}).items()}
        return _Source(
            self._positions.get(column_key(column), -1) if column else -1,
            column or name,
            self._profile.defaults.get(name),
            values,
            self._profile.pad.get(name, 0),
        )

    def _indexes_about_customer(self) -> list[int]:
        sources = [source for name, source in self._sources.items() if name in _WHOSE]
        sources += [source for _, source in self._customer_information]
        sources += [source for group in (*self._phones, *self._emails) for source in group]
        return sorted({source.index for source in sources if source.index >= 0})

    def _at(self, column: str | None, default: str | None = None) -> _Source:
        index = self._positions.get(column_key(column), -1) if column else -1
        return _Source(index, column or "", default, {})

    def parse(self, row: RawRow) -> ParsedRow:
        """The row's facts, or all its problems."""
        self._row = row
        self._problems = problems = []
        self._notices = []
        self._part_of = None
        self._is_open = False
        if row.broken:
            problems.append(RowProblem(row.line, "", row.broken, "quotation marks in pairs, doubled inside a cell"))
            return ParsedRow(row, (), tuple(problems))
        cells = row.cells
        for cell in cells:  # a loop, since this runs for every row
            if type(cell) is str and '="' in cell:
                cells = [text_of_formula(each) for each in cells]
                self._row = row._replace(cells=cells)
                break
        if len(cells) < self._width:  # what is missing is empty; where it has to be there, its field says so
            self._row = row._replace(cells=(*cells, *[None] * (self._width - len(cells))))
        elif len(cells) > self._width and any(cells[self._width :]):
            problems.append(RowProblem(row.line, "", f"{len(cells)} cells", f"{self._width} cells, as the header has"))
            return ParsedRow(row, (), tuple(problems))
        facts = self._facts()
        if problems:
            return ParsedRow(row, (), tuple(problems), part_of=self._part_of)
        return ParsedRow(row, facts, (), tuple(self._notices), is_open=self._is_open)

    # --- rows ----------------------------------------------------------------------------------------

    def _customer_row(self) -> tuple[Fact, ...]:
        account = self._number("account_number", required=True)
        office = self._office()
        currency = self._currency()
        customer = self._customer(account, office, currency, None, self._information)
        return (customer, *self._subscribed(account, office, currency))

    def _invoice_row(self) -> tuple[Fact, ...]:
        account = self._number("account_number", required=True)
        office = self._office()
        number = self._number("invoice_number", required=True)
        issued = self._date("issued_on", required=True)
        due = self._date("due_on")
        currency = self._currency(required=True)
        amount = self._money("amount", currency, required=True)
        charges = self._money("original_charges", currency)
        settled = self._date("settled_on") if "settled_on" in self._sources else None
        self._is_open = self._says_open and settled is None
        service_type = self._code("service_type")
        subscription = self._number("subscription_number")
        disputed = self._boolean("disputed")
        if (self._text("status") or "").casefold() in WITHDRAWN and amount is not None:
            if amount.minor < 0:
                self._refuse("status", "that of an invoice; a credit is withdrawn by a command")
            amount, charges, settled = Money(0, amount.currency), None, None
        information = self._informed(self._information)
        customer: tuple[Fact, ...] = ()
        said = None
        if self._says_customer:
            said = self._document_customer(account, office, currency)
        if self._subscriptions:
            customer = self._subscribed(account, office, currency)
        is_credit = amount is not None and amount.minor < 0
        if issued and due and due < issued and not is_credit:
            self._notice(number, f"due on {due}, before it was issued on {issued}; it is owed from its issue day on")
        if issued and settled and settled < issued and not is_credit:
            self._notice(number, f"settled on {settled}, before it was issued on {issued}; applied on its issue day")
        if amount and charges is not None and not is_credit and charges < amount:
            self._refuse("original_charges", f"charges before discount, so at least the amount {amount}")
        if self._problems or issued is None or amount is None:
            return ()
        if said is not None and said.is_news(issued):
            customer = (replace(said.customer, seen_on=issued), *customer)
        if is_credit:
            credit = CreditFact(
                office=office,
                account_number=account,
                credit_number=number,
                issued_on=issued,
                amount=-amount,
                information=information,
            )
            return (*customer, credit)
        invoice = InvoiceFact(
            office=office,
            account_number=account,
            invoice_number=number,
            issued_on=issued,
            amount=amount,
            due_on=due,
            original_charges=charges,
            service_type=service_type,
            subscription_number=subscription or None,
            disputed=disputed,
            information=information,
        )
        if settled is None or not amount:
            return (*customer, invoice)
        payment = PaymentFact(
            office=office,
            account_number=account,
            received_on=settled,
            amount=amount,
            invoice_number=number,
            settlement=True,
        )
        return (*customer, invoice, payment)

    def _payment_row(self) -> tuple[Fact, ...]:
        account = self._number("account_number", required=True)
        office = self._office()
        number = self._number("payment_number")
        received = self._date("received_on", required=True)
        currency = self._currency(required=True)
        amount = self._money("amount", currency, required=True)
        if amount is not None and amount.minor < 0 and self._profile.negative == "reversals":
            return self._reversal(account, office, number, received, -amount)
        method = self._text("method", METHOD_LIMIT)
        invoice = self._invoices()
        self._part_of = UnreadPart(office, account, number, currency) if number else None
        reference = self._text("reference", LONG_TEXT_LIMIT)
        payer = self._payer(account)
        information = self._informed(self._information)
        if amount is not None and amount.minor <= 0:
            self._refuse("amount", "an amount above zero (money given back is a reversal, not a payment)")
        if self._problems or received is None or amount is None:
            return ()
        payment = PaymentFact(
            office=office,
            account_number=account,
            received_on=received,
            amount=amount,
            payment_number=number or None,
            method=method,
            invoice_number=invoice or None,
            reference=reference,
            payer_number=payer,
            information=information,
        )
        return (payment,)

    def _invoices(self) -> str:
        """The number of the invoice that a payment is for, or several as they stand there, each as it is read alone."""
        source = self._sources.get("invoice_number")
        cell = None if source is None else self._cell(source)
        if source is None or type(cell) is not str or len(listed(cell)) < 2:
            return self._number("invoice_number")
        parts = [part.strip() for part in listed(cell)]
        if any(len(part) > NUMBER_LIMIT or not part.isprintable() or part in _ERRORS for part in parts):
            self._wrong(
                source, cell, f"numbers of at most {NUMBER_LIMIT} characters, divided by ';', ',' or a line break"
            )
            return ""
        if len(parts) > MOST_INSTRUCTIONS:
            self._wrong(source, cell, f"at most {MOST_INSTRUCTIONS} numbers, not {len(parts)}")
            return ""
        if not source.pad and not self._strip_decimal and "\n" not in cell:
            return cell  # also an invoice's number may hold a comma
        return "; ".join(_padded(without_decimal(part) if self._strip_decimal else part, source.pad) for part in parts)

    def _payer(self, account: str) -> str | None:
        """None where it is the account itself."""
        payer = self._number("payer")
        return payer if payer and payer != account else None

    def _credit_row(self) -> tuple[Fact, ...]:
        account = self._number("account_number", required=True)
        office = self._office()
        number = self._number("credit_number", required=True)
        issued = self._date("issued_on", required=True)
        amount = self._money("amount", self._currency(required=True), required=True)
        invoice = self._number("invoice_number")
        information = self._informed(self._information)
        if amount is not None and amount.minor == 0:
            self._refuse("amount", "an amount other than zero (a credit's sign does not count)")
        if self._problems or issued is None or amount is None:
            return ()
        credit = CreditFact(
            office=office,
            account_number=account,
            credit_number=number,
            issued_on=issued,
            amount=amount if amount.minor > 0 else -amount,
            invoice_number=invoice or None,
            information=information,
        )
        return (credit,)

    def _reversal_row(self) -> tuple[Fact, ...]:
        account = self._number("account_number", required=True)
        office = self._office()
        number = self._number("payment_number", required=True)
        reversed_on = self._date("reversed_on", required=True)
        amount = self._money("amount", self._currency())
        if amount is not None and amount.minor == 0:
            self._refuse("amount", "an amount other than zero (a reversal's sign does not count)")
        return self._reversal(account, office, number, reversed_on, -amount if amount and amount.minor < 0 else amount)

    def _reversal(
        self, account: str, office: str | None, number: str, reversed_on: date | None, amount: Money | None
    ) -> tuple[Fact, ...]:
        """`number` is the payment's."""
        kind = self._choice("reversal", _REVERSALS)
        reason = self._text("reason", LONG_TEXT_LIMIT)
        invoice = self._number("invoice_number")
        payer = self._payer(account)
        if not number and not self._problems:
            self._refuse("payment_number", "the number of the payment that was taken back")
        if kind is None and not self._problems:
            self._refuse("reversal", f"one of {', '.join(_REVERSALS)}")
        if self._problems or reversed_on is None or kind is None:
            return ()
        reversal = ReversalFact(
            office=office,
            account_number=account,
            payment_number=number,
            reversed_on=reversed_on,
            reversal=kind,
            amount=amount,
            reason=reason,
            invoice_number=invoice or None,
            payer_number=payer,
        )
        return (reversal,)

    def _office(self) -> str | None:
        self._office_name = self._text("office")
        return self._office_name

    # --- the customer --------------------------------------------------------------------------------

    def _document_customer(self, account: str, office: str | None, currency: str | None) -> "_Said | None":
        """What a document's row says about its customer; the next row mostly says the same again."""
        cells = self._row.cells
        key = tuple([cells[index] for index in self._customer_indexes])
        said = self._customers.get(key)
        if said is None:
            before = len(self._problems)
            said = _Said(self._customer(account, office, currency, None, self._customer_information))
            if len(self._problems) > before:
                return None
            if len(self._customers) >= _CUSTOMERS_KEPT:
                self._customers.clear()
            self._customers[key] = said
        return said

    def _customer(
        self,
        account: str,
        office: str | None,
        currency: str | None,
        seen_on: date | None,
        information: list[tuple[str, _Source]],
    ) -> CustomerFact:
        lines = (self._text("address_1"), self._text("address_2"), self._text("address_3"))
        language = self._language()
        country = self._country()
        return CustomerFact(
            office=office,
            account_number=account,
            name=self._text("name"),
            customer_kind=self._choice("customer_kind", _CUSTOMER_KINDS),
            currency=currency,
            segment=self._text("segment", NUMBER_LIMIT),
            language=language,
            country=country,
            address_lines=tuple(line for line in lines if line),
            city=self._text("city"),
            region=self._text("region"),
            postal_code=self._text("postal_code", NUMBER_LIMIT),
            preferred_channel=self._choice("preferred_channel", _CHANNELS),
            time_zone=self._time_zone(),
            since=self._date("since"),
            customer_number=self._number("customer_number") or None,
            phones=tuple(phone for group in self._phones for phone in self._phone(group, country))[:_MOST_POINTS],
            emails=tuple(email for group in self._emails for email in self._email(group))[:_MOST_POINTS],
            information=self._informed(information),
            seen_on=seen_on,
        )

    def _phone(self, sources: tuple[_Source, ...], country: str | None) -> Iterator[Phone]:
        """The numbers of a cell; what is none is left out, and said to be."""
        number, kind, sms, voice = sources
        found = []
        for text in self._point_texts(number):
            if is_number(text, country):
                found.append(text)
            else:
                self._left_out(number, text, "a phone number such as +1 212 555 0100")
        if not found:
            return
        is_of = self._of_point(kind, _PHONE_KINDS, PhoneKind.OTHER)
        to_sms, to_voice = (self._of_point(each, _CONSENTS, Consent.UNKNOWN) for each in (sms, voice))
        if is_of is not None and to_sms is not None and to_voice is not None:
            for text in found:
                yield Phone(number=text, kind=is_of, sms_consent=to_sms, voice_consent=to_voice)

    def _email(self, sources: tuple[_Source, ...]) -> Iterator[Email]:
        """The addresses of a cell, also as `Name <address>`; what is none is left out, and said to be."""
        address, consent = sources
        found = []
        for text in self._point_texts(address):
            inner = _ANGLED.search(text)
            bare = (inner[1] if inner is not None else text).strip()
            if is_email(bare):
                found.append(bare)
            else:
                self._left_out(address, text, "an e-mail address such as name@example.com")
        if found and (said := self._of_point(consent, _CONSENTS, Consent.UNKNOWN)) is not None:
            for text in found:
                yield Email(address=text, consent=said)

    def _point_texts(self, source: _Source) -> list[str]:
        """What stands in a cell of numbers or addresses, one by one; no debt is refused over what cannot be read."""
        cell = self._cell(source)
        if cell is None:
            return []
        text = cell if isinstance(cell, str) else cell_text(cell, self._decimal)
        parts = [readable(part) for part in _SEPARATED.split(_QUOTED_NAME.sub("", _REMARK.sub("", text)))]
        if None in parts or len(text) > LONG_TEXT_LIMIT or text in _ERRORS:
            self._left_out(source, text, "numbers or addresses as text")
            return []
        return [part.strip() for part in parts if part is not None and part.strip()]

    def _of_point(self, source: _Source, choices: Mapping[str, T], default: T) -> T | None:
        """What is said of a cell's numbers or addresses; None where it cannot be read.

        Nobody may be reached there before it is known whether they refused: a customer's row is refused, and on a
        document's row, whose debt is not refused over it, the numbers or addresses are left out.
        """
        if self._profile.kind is Kind.CUSTOMERS:
            return self._choice_of(source, choices) or default
        cell = self._cell(source)
        if cell is None:
            return default
        found = choices.get(cell_text(cell).casefold())
        if found is None:
            self._left_out(source, cell_text(cell), f"one of {', '.join(choices)}; nor is what it is about taken")
        return found

    def _subscribed(self, account: str, office: str | None, currency: str | None) -> tuple[Fact, ...]:
        """The row's subscriptions, each number once. Two that differ are refused on a customer's row; on a document's,
        whose debt is not refused over it, the first counts."""
        found: dict[str, SubscriptionFact] = {}
        for number, service_type, started_on, discount, ends_on, agreed, done, cancelled_on in self._subscriptions:
            text = self._number_of(number)
            if not text:
                continue
            subscription = SubscriptionFact(
                office=office,
                account_number=account,
                subscription_number=text,
                service_type=self._code_of(service_type),
                started_on=self._date_of(started_on),
                initial_discount=self._money_of(discount, currency, required=False),
                ends_on=self._date_of(ends_on),
                services_agreed=self._count_of(agreed, least=1),
                services_done=self._count_of(done, least=0),
                cancelled_on=self._date_of(cancelled_on),
                currency=currency,
            )
            if found.setdefault(text, subscription) == subscription:
                continue
            expected = f"another number: subscription {text} stands in this row with other content"
            if self._profile.kind is Kind.CUSTOMERS:
                self._wrong(number, text, expected)
            else:
                self._left_out(number, text, expected)
        return tuple(found.values())

    def _count_of(self, source: _Source, *, least: int) -> int | None:
        text = self._number_of(source)
        if not text:
            return None
        if not (text.isascii() and text.isdigit()) or not least <= int(text[:9]) <= _MOST_COUNTED or len(text) > 9:
            self._wrong(source, text, f"a whole number from {least} to {_MOST_COUNTED:,}")
            return None
        return int(text)

    def _time_zone(self) -> str | None:
        text = self._text("time_zone")
        if text is not None and text not in _zones():
            self._left_out(self._sources["time_zone"], text, "an IANA time zone such as America/New_York")
            return None
        return text

    # --- fields --------------------------------------------------------------------------------------

    def _cell(self, source: _Source) -> Cell:
        """The cell, trimmed and translated; None where it is empty and has no default."""
        cell = self._row.cells[source.index] if source.index >= 0 else None
        if type(cell) is str:
            cell = cell.strip()
        if cell is None or cell == "" or (type(cell) is str and cell in EMPTY):
            return source.default
        if source.values:
            cell = source.values.get(cell_text(cell, self._decimal).strip().casefold(), cell)
            return source.default if cell == "" else cell
        return cell

    def _wrong(self, source: _Source, value: Cell, expected: str) -> None:
        text = cell_text(value, self._decimal)
        self._problems.append(RowProblem(self._row.line, source.column, text[:200], expected))

    def _notice(self, value: str, said: str) -> None:
        self._notices.append(RowNotice(self._row.line, value[:200], said))

    def _left_out(self, source: _Source, value: str, expected: str) -> None:
        """A detail of which no debt depends: the row is taken without it."""
        self._notice(value, f"left out of column {source.column}; expected {expected}")

    def _refuse(self, field: str, expected: str) -> None:
        source = self._sources.get(field) or _Source(-1, field, None, {})
        self._wrong(source, self._cell(source), expected)

    def _text(self, field: str, limit: int = TEXT_LIMIT) -> str | None:
        source = self._sources.get(field)
        return None if source is None else self._text_of(source, limit)

    def _text_of(self, source: _Source, limit: int) -> str | None:
        cell = self._cell(source)
        if cell is None:
            return None
        text = readable(cell if isinstance(cell, str) else cell_text(cell, self._decimal))
        if text is None:
            self._wrong(source, cell, "text without control characters")
        elif len(text) > limit:
            self._wrong(source, cell, f"at most {limit} characters, not {len(text)}")
        elif text in _ERRORS:
            self._wrong(source, cell, "a value, not a spreadsheet's error")
        else:
            return _padded(text, source.pad) or None
        return None

    def _number(self, field: str, *, required: bool = False) -> str:
        """A document's or account's number; empty where there is none."""
        source = self._sources.get(field)
        if source is None:
            return ""
        text = self._number_of(source)
        if not text and required and not any(problem.column == source.column for problem in self._problems):
            self._wrong(source, None, f"a value: {_said(field)}")
        return text

    def _number_of(self, source: _Source) -> str:
        if source.index >= 0 and type(cell := self._row.cells[source.index]) is str and not self._strip_decimal:
            text = cell.strip()  # the common case first: this runs for every row
            if text and len(text) <= NUMBER_LIMIT and text.isprintable() and text[0] != "#" and not source.values:
                return "" if text in EMPTY else _padded(text, source.pad)
        cell = self._cell(source)
        if cell is None:
            return ""
        text = cell if isinstance(cell, str) else cell_text(cell, ".")
        if self._strip_decimal:
            text = without_decimal(text)
        if isinstance(cell, int | float) and abs(cell) >= 1e15:
            self._wrong(source, cell, "a number kept as text: as a spreadsheet number it lost its last digits")
        elif len(text) > NUMBER_LIMIT:
            self._wrong(source, cell, f"at most {NUMBER_LIMIT} characters, not {len(text)}")
        elif not text.isprintable():
            self._wrong(source, cell, "one line without control or invisible characters")
        elif text in _ERRORS:
            self._wrong(source, cell, "a value, not a spreadsheet's error")
        else:
            return _padded(text, source.pad)
        return ""

    def _date(self, field: str, *, required: bool = False) -> date | None:
        source = self._sources.get(field)
        return None if source is None else self._date_of(source, required=required)

    def _date_of(self, source: _Source, *, required: bool = False) -> date | None:
        raw = self._row.cells[source.index] if source.index >= 0 else None
        if type(raw) is str and (known := source.known_dates.get(raw)) is not None:
            return known
        cell = self._cell(source)
        if cell is None and not required:
            return None
        day = None if cell is None else self._dates.parse(cell)
        if isinstance(day, datetime):  # not known for the next row, whose office may be in another zone
            day = day_of(day, self._zone_of(self._office_name))
            if day is not None:
                return day
        if day is None:
            self._wrong(source, cell, self._dates.expected_of(cell))
        elif type(raw) is str and len(source.known_dates) < _DATES_KEPT:
            source.known_dates[raw] = day
        return day

    def _currency(self, *, required: bool = False) -> str | None:
        source = self._sources.get("currency")
        if source is None:
            return None
        raw = self._row.cells[source.index] if source.index >= 0 else None
        if type(raw) is str and raw in CURRENCIES and not source.values:
            return raw
        cell = self._cell(source)
        if cell is None and not required:
            return None
        text = cell_text(cell).upper()
        if text in CURRENCIES:
            return text
        self._wrong(source, cell, "an ISO 4217 currency such as USD")
        return None

    def _money(self, field: str, currency: str | None, *, required: bool = False) -> Money | None:
        source = self._sources.get(field)
        return None if source is None else self._money_of(source, currency, required=required)

    def _money_of(self, source: _Source, currency: str | None, *, required: bool) -> Money | None:
        cell = self._cell(source)
        if cell is None and not required:
            return None
        if type(cell) is str and currency is not None and exponent(currency) == 2:
            minor = self._numbers.plain_hundredths(cell)
            if minor is not None:
                return Money(minor, currency)
        if currency is not None and exponent(currency) != 3 and self._numbers.is_unclear(cell):
            self._wrong(source, cell, UNCLEAR_AMOUNT)
            return None
        number: Decimal | None = None if cell is None else self._numbers.parse(cell)
        if number is None:
            self._wrong(source, cell, self._numbers.expected)
        elif currency is not None:
            return Money.rounded(number, currency)
        elif not any(problem.column == self._currency_column for problem in self._problems):
            self._wrong(source, cell, "a currency for this amount, in a column or in the profile's defaults")
        return None

    def _boolean(self, field: str) -> bool | None:
        source = self._sources.get(field)
        cell = None if source is None else self._cell(source)
        if source is None or cell is None:
            return None
        answer = boolean(cell)
        if answer is None:
            self._wrong(source, cell, "yes or no")
        return answer

    def _choice(self, field: str, choices: Mapping[str, T]) -> T | None:
        source = self._sources.get(field)
        return None if source is None else self._choice_of(source, choices)

    def _choice_of(self, source: _Source, choices: Mapping[str, T]) -> T | None:
        cell = self._cell(source)
        if cell is None:
            return None
        found = choices.get(cell_text(cell).casefold())
        if found is None:
            self._wrong(source, cell, f"one of {', '.join(choices)}")
        return found

    def _language(self) -> str | None:
        text = self._text("language", NUMBER_LIMIT)
        if text is not None and not _LANGUAGE.fullmatch(text):
            self._left_out(self._sources["language"], text, "a language such as en or en-US")
            return None
        return text

    def _country(self) -> str | None:
        text = self._text("country", NUMBER_LIMIT)
        country = None if text is None else country_of(text)
        if text is not None and country is None:
            self._left_out(self._sources["country"], text, A_COUNTRY)
        return country

    def _code(self, field: str) -> str | None:
        source = self._sources.get(field)
        return None if source is None else self._code_of(source)

    def _code_of(self, source: _Source) -> str | None:
        """A service type as a code: `Fixed Line` is `fixed-line`."""
        text = self._text_of(source, NUMBER_LIMIT)
        if text is None:
            return None
        code = _NOT_CODE.sub("-", text.casefold()).strip("-")
        if not code or len(code) > 40:
            self._wrong(source, text, "1 to 40 letters a to z, digits and hyphens")
        return code

    def _informed(self, sources: list[tuple[str, _Source]]) -> Information:
        if not sources:
            return ()
        found = ((name, self._text_of(source, LONG_TEXT_LIMIT)) for name, source in sources)
        return tuple((name, text) for name, text in found if text is not None)


def _padded(text: str, digits: int) -> str:
    """The zeros that something took off a number of digits alone."""
    return text.zfill(digits) if digits and text.isascii() and text.isdigit() else text


def _said(field: str) -> str:
    words = field.replace("_", " ")
    return f"an {words}" if words[0] in "aeiou" else f"a {words}"


@cache
def _zones() -> frozenset[str]:
    return frozenset(available_timezones())
