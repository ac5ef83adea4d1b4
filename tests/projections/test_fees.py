"""Fees of a preview against a second computation: plain fractions over a simple model of invoices and payments."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, timedelta
from decimal import Decimal
from fractions import Fraction
from math import floor
from typing import Any
from uuid import UUID

import orjson
import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from aggregates.account.billing import BillInvoice, InvoiceBilled
from aggregates.account.bulk import ApplyBulkAction, BulkActionUndone, UndoBulkAction
from aggregates.account.bulk_kinds import FeeParameters
from aggregates.account.command import account_id
from aggregates.account.customer import RecordSubscription, Subscription
from aggregates.account.disputes import DisputedInvoice, OpenDispute
from aggregates.account.payments import ReceivePayment
from aggregates.kernel.command import identifier
from aggregates.office import ChangeOfficeSettings
from aggregates.values.fees import FeeBasis, FeeRules
from aggregates.values.money import Money
from projections.account_history import AccountHistoryProjection
from projections.agenda.queries import set_clock
from projections.collections_report import CollectionsReportProjection
from projections.fees import FeesProjection
from projections.ledger import LedgerProjection
from projections.questions import Filters
from projections.questions.bulk import Shown
from projections.questions.fees import FeesAsked, fees_shown
from tests.builders import MAR, OFFICE, an_account, an_office
from tests.given import World
from tests.projections.conftest import ReadModels

FIRST, LAST = MAR(1), 70
"""The portfolio's first day, and after how many today is."""
BUCKETS = ((0, "current"), (30, "1-30"), (60, "31-60"), (90, "61-90"))
BULK = identifier("bulk", 1)
NEEDED = [CollectionsReportProjection, LedgerProjection, AccountHistoryProjection, FeesProjection]


def day(after: int) -> date:
    return FIRST + timedelta(days=after)


# --- the model ---------------------------------------------------------------------------------------


@dataclass
class Invoice:
    amount: int
    issued: int
    due: int
    is_fee: bool
    subscription: str | None
    service: str
    payments: list[tuple[int, int]] = field(default_factory=list)
    """Day, and how many hundredths of the amount; never more than all."""
    disputed: tuple[int, int] | None = None
    """Day, and how many hundredths of what is open then; 100: all of it."""

    def paid(self, until: int) -> int:
        return sum(self.amount * share // 100 for on, share in self.payments if on <= until)

    def open(self, on: int) -> int:
        return self.amount - self.paid(on) if self.issued <= on else 0

    def part(self) -> int | None:
        """Of what is disputed; None: all of it."""
        assert self.disputed is not None
        on, share = self.disputed
        return None if share == 100 else max(1, self.open(on) * share // 100)

    def disputed_on(self, on: int) -> int:
        if self.disputed is None or self.disputed[0] > on:
            return 0
        part = self.part()
        return self.open(on) if part is None else min(self.open(on), part)


@dataclass
class Customer:
    invoices: list[Invoice]
    loose: tuple[int, int] | None
    """A payment for an invoice that nobody knows: day and amount."""
    discounts: dict[str, tuple[int, int | None, int]]
    """By subscription: its initial discount, the last day of its term, and how many of three services are done."""


@st.composite
def invoices(draw: Any) -> Invoice:
    issued = draw(st.integers(0, 40))
    found = Invoice(
        amount=draw(st.integers(1, 99_999)),
        issued=issued,
        due=issued + draw(st.integers(0, 40)),
        is_fee=draw(st.integers(0, 4)) == 0,
        subscription=draw(st.sampled_from([None, "S-1", "S-2"])),
        service=draw(st.sampled_from(["net", "tv"])),
    )
    left = 100
    for _ in range(draw(st.integers(0, 2))):
        share = draw(st.integers(1, left))
        if found.amount * share // 100:
            found.payments.append((draw(st.integers(issued, LAST)), share))
        left -= share
        if not left:
            break
    on = draw(st.integers(issued, LAST))
    if draw(st.integers(0, 3)) == 0 and found.open(on):
        found.disputed = on, draw(st.sampled_from([30, 100]))
    return found


CUSTOMERS = st.builds(
    Customer,
    invoices=st.lists(invoices(), min_size=1, max_size=3),
    loose=st.none() | st.tuples(st.integers(0, LAST), st.integers(1, 20_000)),
    discounts=st.dictionaries(
        st.sampled_from(["S-1", "S-2"]),
        st.tuples(st.integers(1, 9_999), st.none() | st.integers(0, LAST), st.integers(0, 4)),
    ),
)
FILTERS: list[dict[str, Any]] = [
    {}, {"min_dpd": 10}, {"max_dpd": 20}, {"bucket": "1-30"}, {"service": "net"}, {"subscription": "S-1"},
]  # fmt: skip


@dataclass(frozen=True)
class Wanted:
    """What is asked for."""

    basis: FeeBasis
    amount: int
    percent: Decimal
    with_fees: bool
    with_disputed: bool
    with_unfulfilled: bool
    without_paid_since: bool
    filters: Mapping[str, Any]

    def parameters(self, currency: str) -> FeeParameters:
        much = (
            {"amount": str(Money(self.amount, currency).decimal())}
            if self.basis.is_fixed
            else {"percent": str(self.percent)}
        )
        return FeeParameters(
            basis=self.basis,
            service_type="late-fee",
            include_fees=self.with_fees,
            include_disputed=self.with_disputed,
            include_unfulfilled=self.with_unfulfilled,
            without_paid_since=self.without_paid_since,
            **much,
        )


def wanted_of(basis: FeeBasis, filters: Mapping[str, Any]) -> st.SearchStrategy[tuple[Wanted, int]]:
    """With the day that it is as of."""
    wanted = st.builds(
        Wanted,
        basis=st.just(basis),
        amount=st.integers(1, 5_000),
        percent=st.decimals("0.01", "250", places=2),
        with_fees=st.booleans(),
        with_disputed=st.booleans(),
        with_unfulfilled=st.booleans(),
        without_paid_since=st.booleans(),
        filters=st.just(filters),
    )
    return st.tuples(wanted, st.integers(20, LAST))


ASKS = st.tuples(*(wanted_of(basis, filters) for basis in FeeBasis for filters in FILTERS))


def seldom(most: int) -> st.SearchStrategy[int | None]:
    """A limit, and mostly none, which would hide what else is wrong."""
    return st.one_of(st.none(), st.none(), st.none(), st.integers(1, most))


RULES = st.fixed_dictionaries(
    {
        "minimum": seldom(2_000),
        "minimum_balance": seldom(50_000),
        "most_per_item": seldom(3_000),
        "most_per_account": seldom(3_000),
        "most_per_period": seldom(100_000),
    }
)


# --- the second computation --------------------------------------------------------------------------


def oracle(customer: Customer, wanted: Wanted, rules: Mapping[str, int | None], on: int) -> int | None:
    """The fee in minor units; None where the account is not among those that are shown."""
    owed = [each for each in customer.invoices if each.open(on)]
    unapplied = customer.loose[1] if customer.loose is not None and customer.loose[0] <= on else 0
    if not owed and not unapplied:
        return None
    if not _is_shown(owed, wanted.filters, on) or (wanted.without_paid_since and _paid_since(customer, on)):
        return None
    parts = _parts(customer, owed, unapplied, wanted, on)
    if parts is None:
        return None
    if sum(each.open(on) for each in owed) - unapplied < (rules["minimum_balance"] or 0):
        return 0
    rate = None if wanted.basis.is_fixed else Fraction(wanted.percent) / 100
    lines = [wanted.amount if rate is None else floor(part * rate + Fraction(1, 2)) for part in parts]
    if (most := rules["most_per_item"]) is not None:
        lines = [min(line, most) for line in lines]
    whole = sum(lines)
    if (most := rules["most_per_account"]) is not None:
        whole = min(whole, most)
    if (most := rules["most_per_period"]) is not None:
        lately = sum(each.amount for each in customer.invoices if each.is_fee and LAST - 30 < each.issued <= LAST)
        whole = min(whole, max(0, most - lately))
    return 0 if whole < (rules["minimum"] or 0) else whole


def _paid_since(customer: Customer, on: int) -> bool:
    loose = customer.loose is not None and customer.loose[0] > on
    return loose or any(paid > on for each in customer.invoices for paid, _ in each.payments)


def _is_shown(owed: list[Invoice], filters: Mapping[str, Any], on: int) -> bool:
    late = max([0, *(on - each.due for each in owed)])
    match dict(filters):
        case {"min_dpd": least}:
            return bool(late >= least)
        case {"max_dpd": most}:
            return bool(late <= most)
        case {"bucket": _}:
            return 1 <= late <= 30
        case {}:
            return all(any(getattr(each, name) == value for each in owed) for name, value in filters.items())
    raise AssertionError


def _is_chosen(invoice: Invoice, filters: Mapping[str, Any], on: int) -> bool:
    late = on - invoice.due
    return (
        late >= filters.get("min_dpd", -1_000)
        and late <= filters.get("max_dpd", 1_000)
        and ("bucket" not in filters or 1 <= late <= 30)
        and filters.get("service") in {None, invoice.service}
        and filters.get("subscription") in {None, invoice.subscription}
    )


def _parts(customer: Customer, owed: list[Invoice], unapplied: int, wanted: Wanted, on: int) -> list[int] | None:
    """What each line is taken of; None where there is nothing to say."""

    def counted(each: Invoice) -> int:
        return 0 if each.is_fee and not wanted.with_fees else each.open(on) - left_out(each)

    def left_out(each: Invoice) -> int:
        return 0 if wanted.with_disputed else each.disputed_on(on)

    if wanted.basis in {FeeBasis.FIXED, FeeBasis.BALANCE_PERCENT}:
        base = sum(counted(each) for each in owed) - unapplied
        return [base] if base > 0 else None
    chosen = [each for each in owed if _is_chosen(each, wanted.filters, on) and counted(each) > 0]
    if not chosen:
        return None
    match wanted.basis:
        case FeeBasis.FIXED_PER_CUSTOMER:
            return [sum(counted(each) for each in chosen)]
        case FeeBasis.INVOICE_BALANCE_PERCENT:
            return [counted(each) for each in _in_order(chosen)]
        case FeeBasis.INVOICE_TOTAL_PERCENT:
            return [each.amount - left_out(each) for each in _in_order(chosen)]
        case _:
            attached = {
                name for each in chosen if (name := each.subscription) is not None and name in customer.discounts
            }
            done = {name for name in attached if _is_fulfilled(customer.discounts[name], on)}
            found = attached if wanted.with_unfulfilled else done
            return [customer.discounts[name][0] for name in sorted(found)] if attached else None


def _in_order(chosen: list[Invoice]) -> list[Invoice]:
    return sorted(chosen, key=lambda each: (each.due, each.issued))


def _is_fulfilled(discount: tuple[int, int | None, int], on: int) -> bool:
    return (discount[1] is not None and discount[1] <= on) or discount[2] >= 3


# --- the portfolio as it is decided ------------------------------------------------------------------


def lived(customers: list[Customer], rules: Mapping[str, int | None], currency: str) -> World:
    world = World(reacts=True)
    world.move_to(FIRST)
    world.do(an_office(currency=currency, time_zone="UTC"))
    said = {name: None if minor is None else str(Money(minor, currency).decimal()) for name, minor in rules.items()}
    world.do(ChangeOfficeSettings(office_id=OFFICE, fees=FeeRules.model_validate(said)))
    facts: list[tuple[int, int, Any]] = []
    for number, customer in enumerate(customers):
        facts += [(on, rank, command) for on, rank, command in _facts(number, customer, currency)]
    for on, _, command in sorted(facts, key=lambda each: each[:2]):
        world.move_to(day(on))
        world.do(command)
    world.move_to(day(LAST))
    return world


def an_id(number: int) -> UUID:
    return account_id(OFFICE, f"N-{number:02}")


def _facts(number: int, customer: Customer, currency: str) -> list[tuple[int, int, Any]]:
    account = an_id(number)
    found: list[tuple[int, int, Any]] = [(0, 0, an_account(number=f"N-{number:02}", currency=currency, contact=None))]
    for name, (discount, ends, done) in customer.discounts.items():
        subscription = Subscription(
            number=name,
            initial_discount=Money(discount, currency),
            ends_on=None if ends is None else day(ends),
            services_agreed=3,
            services_done=done,
        )
        found.append((0, 1, RecordSubscription(account_id=account, subscription=subscription)))
    for at, each in enumerate(customer.invoices):
        told: dict[str, Any] = {"account_id": account, "number": f"I-{at}", "kind": "fee" if each.is_fee else "invoice"}
        billed = BillInvoice(
            **told, issued_on=day(each.issued), due_on=day(each.due), amount=Money(each.amount, currency),
            service_type=each.service, subscription=each.subscription,
        )  # fmt: skip
        found.append((each.issued, 2, billed))
        for nth, (on, share) in enumerate(each.payments):
            paid = ReceivePayment(
                account_id=account, number=f"P-{at}-{nth}", amount=Money(each.amount * share // 100, currency),
                received_on=day(on), invoice_number=f"I-{at}",
            )  # fmt: skip
            found.append((on, 3, paid))
        if each.disputed is not None:
            part = each.part()
            disputed = DisputedInvoice(number=f"I-{at}", amount=None if part is None else Money(part, currency))
            found.append((each.disputed[0], 4, OpenDispute(account_id=account, invoices=(disputed,), reason_code="x")))
    if customer.loose is not None:
        on, amount = customer.loose
        loose = ReceivePayment(
            account_id=account, number="P-X", amount=Money(amount, currency), received_on=day(on), invoice_number="X"
        )
        found.append((on, 3, loose))
    return found


def asked(models: ReadModels, world: World, wanted: Wanted, on: int, currency: str) -> list[Shown]:
    parameters = wanted.parameters(currency)
    question = FeesAsked(parameters, world.office, currency, as_of=day(on), today=day(LAST))
    return list(fees_shown(models.connection, question, filters=Filters(**wanted.filters), among=None))


# --- the tests ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("currency", ["JPY", "USD", "KWD"])
@settings(max_examples=3, deadline=None, phases=(Phase.generate,), suppress_health_check=list(HealthCheck))
@given(
    customers=st.lists(CUSTOMERS, min_size=25, max_size=25),
    rules=RULES,
    asks=ASKS,
)
def test_fees_are_what_a_second_computation_says_and_what_is_confirmed_is_what_was_shown(
    read_models: ReadModels, customers: list[Customer], rules: Mapping[str, int | None], asks: Any, currency: str
):
    world = lived(customers, rules, currency)
    read_models.build(world.log, projections=NEEDED)
    set_clock(read_models.connection, world.now)
    for wanted, on in asks:
        found = {each.account_id: each.amount for each in asked(read_models, world, wanted, on, currency)}
        expected = {an_id(n): oracle(customer, wanted, rules, on) for n, customer in enumerate(customers)}
        assert found == {of: amount for of, amount in expected.items() if amount is not None}, (wanted, on)
    wanted, on = asks[0]
    shown = asked(read_models, world, wanted, on, currency)
    balances = {each.account_id: world.aggregates[each.account_id].receivables.balance for each in shown}  # type: ignore[attr-defined]
    fees = _confirmed(world, shown, wanted.parameters(currency))
    assert sum(fee.item.amount.minor for fee in fees) == sum(each.amount for each in shown)
    for fee in fees:
        assert fee.fee is not None
        assert Money.total((each.amount for each in fee.fee.lines), currency) == fee.item.amount
    for each in shown:
        world.do(UndoBulkAction(account_id=each.account_id, bulk_id=BULK))
    assert len(world.events(BulkActionUndone)) == len(fees)
    assert balances == {of: world.aggregates[of].receivables.balance for of in balances}  # type: ignore[attr-defined]


def _confirmed(world: World, shown: list[Shown], parameters: FeeParameters) -> list[InvoiceBilled]:
    before = len(world.events(InvoiceBilled))
    for each in shown:
        command = ApplyBulkAction(
            account_id=each.account_id,
            bulk_id=BULK,
            kind="fees",
            parameters=parameters.model_dump(mode="json"),
            expected=orjson.loads(each.expected),
        )
        world.do(command)
        world.do(command)  # a second time it is as the fee left it, and nothing is done
    return world.events(InvoiceBilled)[before:]
