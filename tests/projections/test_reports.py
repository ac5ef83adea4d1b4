"""Reports: what was known when, one currency at a time, filters and pages, and the KPIs of collecting."""

from datetime import date, timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID, uuid4

import pytest

from aggregates.account.activities import ActivityKind, Direction, RecordActivity
from aggregates.account.billing import BillInvoice, CorrectInvoice
from aggregates.account.payments import NoteCredit, ReceivePayment, ReversePayment
from aggregates.account.receivables import ReversalKind
from aggregates.office import OpenOffice, office_id
from aggregates.promise import CountPayment, Instalment, JudgePromise, MakePromise
from aggregates.values.aging import STANDARD_BUCKETS, BucketScheme
from aggregates.values.money import Money
from projections.questions import (
    BadQuestion,
    CollectionsRow,
    Filters,
    NoOffice,
    Order,
    SeveralCurrencies,
    Sort,
    UnknownAccount,
    UnknownOffice,
    aging,
    collections,
    find_account,
    kpi,
    promises,
    statement,
)
from tests.projections.conftest import ReadModels
from tests.projections.history import History, usd

JAN_1 = date(2026, 1, 1)


def day(number: int) -> date:
    return JAN_1 + timedelta(days=number)


@pytest.fixture
def history() -> History:
    return History(JAN_1).opened()


def bill(history: History, account: UUID, number: str, *days: int, of: int, currency: str = "USD") -> None:
    history.give(
        BillInvoice(
            account_id=account, number=number, issued_on=day(days[0]), due_on=day(days[1]), amount=Money(of, currency)
        )
    )


def pay(history: History, account: UUID, number: str, amount: int, on: int | None = None) -> UUID:
    received_on = history.today if on is None else day(on)
    given = history.give(ReceivePayment(account_id=account, number=number, received_on=received_on, amount=usd(amount)))
    return given[0].event.receipt.id  # type: ignore[attr-defined,no-any-return]


# --- as of, and as known on ---


def test_an_item_counts_from_its_issue_date_and_is_past_due_the_day_after_its_due_date(
    history: History, read_models: ReadModels
):
    history.today = day(60)
    bill(history, history.account(), "I-1", 10, 20, of=5_000)
    read_models.build(history.log)

    def buckets(number: int) -> dict[str, str]:
        report = aging(read_models.connection, as_of=day(number), scheme=STANDARD_BUCKETS)
        assert [b.bucket for b in report.buckets] == list(STANDARD_BUCKETS.names)
        return {b.bucket: str(b.amount) for b in report.buckets if b.items}

    assert buckets(9) == {}
    assert buckets(10) == {"current": "50.00"}
    assert buckets(20) == {"current": "50.00"}
    assert buckets(21) == {"1-30": "50.00"}
    assert buckets(50) == {"1-30": "50.00"}
    assert buckets(51) == {"31-60": "50.00"}


def test_a_later_receipt_never_shrinks_an_earlier_balance_unless_it_was_true_then(
    history: History, read_models: ReadModels
):
    account = history.account()
    bill(history, account, "I-1", 0, 5, of=5_000)
    history.today = day(20)
    pay(history, account, "P-1", 2_000, on=10)
    read_models.build(history.log)

    def total(as_of: int, known_on: int | None = None) -> str:
        known = None if known_on is None else day(known_on)
        report = aging(read_models.connection, as_of=day(as_of), scheme=STANDARD_BUCKETS, known_on=known)
        return str(report.total)

    assert [total(9), total(10), total(20)] == ["50.00", "30.00", "30.00"]
    assert [total(10, known_on=19), total(10, known_on=20)] == ["50.00", "30.00"]


def test_a_correction_is_true_from_the_beginning_and_known_from_its_day(history: History, read_models: ReadModels):
    account = history.account()
    bill(history, account, "I-1", 0, 5, of=5_000)
    history.today = day(8)
    history.give(CorrectInvoice(account_id=account, number="I-1", issued_on=day(2), due_on=day(30), amount=usd(4_000)))
    history.today = day(9)
    history.give(CorrectInvoice(account_id=account, number="I-1", issued_on=day(2), due_on=day(3), amount=usd(4_000)))
    read_models.build(history.log)

    def item(as_of: int, known_on: int | None = None) -> tuple[str, date] | None:
        known = None if known_on is None else day(known_on)
        shown = statement(read_models.connection, account, as_of=day(as_of), scheme=STANDARD_BUCKETS, known_on=known)
        return (str(shown.items[0].open), shown.items[0].due_on) if shown.items else None

    assert item(1) is None
    assert item(2) == ("40.00", day(3))
    assert item(2, known_on=7) == ("50.00", day(5))
    assert item(2, known_on=8) == ("40.00", day(30))
    assert item(1, known_on=7) == ("50.00", day(5))
    sales = kpi(read_models.connection, start=day(0), end=day(9)).sales
    assert sales == Decimal("40.00")


def test_a_day_that_was_known_ends_at_midnight_of_the_office(read_models: ReadModels):
    history = History(JAN_1)
    history.give(OpenOffice(code="main", title="Main", time_zone="Pacific/Auckland"))
    bill(history, history.account(), "I-1", 0, 5, of=5_000)  # recorded on day 1 at 01:00 in Auckland, day 0 at noon UTC
    read_models.build(history.log)
    report = aging(read_models.connection, as_of=day(1), scheme=STANDARD_BUCKETS, known_on=day(0))
    assert report.total == 0
    assert aging(read_models.connection, as_of=day(1), scheme=STANDARD_BUCKETS, known_on=day(1)).total == 50


def test_unapplied_funds_are_a_column_of_their_own(history: History, read_models: ReadModels):
    account = history.account()
    pay(history, account, "P-1", 3_000)
    history.give(NoteCredit(account_id=account, number="C-1", amount=usd(500), issued_on=day(0)))
    history.today = day(5)
    bill(history, account, "I-1", 5, 9, of=2_000)
    read_models.build(history.log)
    before = aging(read_models.connection, as_of=day(4), scheme=STANDARD_BUCKETS)
    after = aging(read_models.connection, as_of=day(5), scheme=STANDARD_BUCKETS)
    assert (before.unapplied, before.total, before.accounts) == (Decimal("35.00"), Decimal("-35.00"), 1)
    assert (after.unapplied, after.total) == (Decimal("15.00"), Decimal("-15.00"))
    assert [b.items for b in after.buckets] == [0] * 6


# --- offices and currencies ---


def test_amounts_of_two_currencies_are_never_added_up(history: History, read_models: ReadModels):
    bill(history, history.account(), "I-1", 0, 5, of=5_000)
    history.give(OpenOffice(code="tokyo", title="Tokyo", currency="JPY", time_zone="Asia/Tokyo"))
    tokyo = history.account("T-1", office=office_id("tokyo"), currency="JPY")
    bill(history, tokyo, "I-1", 0, 5, of=7_000, currency="JPY")
    read_models.build(history.log)
    asked: dict[str, Any] = {"as_of": day(1), "scheme": STANDARD_BUCKETS}
    with pytest.raises(SeveralCurrencies, match="JPY, USD"):
        aging(read_models.connection, **asked)
    with pytest.raises(UnknownOffice, match="main, tokyo"):
        aging(read_models.connection, **asked, office="paris")
    by_office = aging(read_models.connection, **asked, office="tokyo")
    by_currency = aging(read_models.connection, **asked, currency="JPY")
    assert (by_office.currency, str(by_office.total), by_office.accounts) == ("JPY", "7000", 1)
    assert by_office == by_currency
    assert str(aging(read_models.connection, **asked, office=str(office_id("main"))).total) == "50.00"
    assert kpi(read_models.connection, start=day(0), end=day(1), office="main").end == 50


def test_an_office_without_accounts_reports_nothing_and_no_office_is_refused(history: History, read_models: ReadModels):
    read_models.build([])
    with pytest.raises(NoOffice):
        aging(read_models.connection, as_of=day(1), scheme=STANDARD_BUCKETS)
    read_models.build(history.log)
    empty = aging(read_models.connection, as_of=day(1), scheme=STANDARD_BUCKETS)
    assert (empty.currency, str(empty.total), empty.accounts, len(empty.buckets)) == ("USD", "0.00", 0, 6)
    nothing = kpi(read_models.connection, start=day(0), end=day(30)).model_dump(mode="json")
    assert {name for name, value in nothing.items() if value is None} == {
        "dso", "best_possible_dso", "average_days_delinquent", "cei", "promise_kept_rate",
        "promise_kept_rate_by_amount", "collection_conversion_rate", "average_days_to_first_payment", "recovery_rate",
    }  # fmt: skip
    assert (nothing["from"], nothing["to"], nothing["days"]) == ("2026-01-01", "2026-01-31", 31)


# --- collections ---


OF_DAY_40: dict[str, Any] = {"today": day(40), "as_of": day(40), "scheme": STANDARD_BUCKETS}
BY_NUMBER = Order(Sort.NUMBER, descending=False)


@pytest.fixture
def portfolio(history: History, read_models: ReadModels) -> ReadModels:
    history.today = day(40)
    for number, (amount, due) in enumerate([(9_000, 30), (500, 39), (2_000, 10), (9_000, 50), (700, 35)], start=1):
        account = history.account(f"A-{number}", name=f"Customer {'XYXYZ'[number - 1]}{number}")
        bill(history, account, "I-1", 0, due, of=amount)
    bill(history, history.account("A-2", name="Customer Y2"), "I-2", 0, 60, of=100)
    pay(history, history.account("A-6", name="Prepaid"), "P-1", 1_234)
    history.account("A-7", name="Nothing owed")
    read_models.build(history.log)
    return read_models


def test_one_row_per_account_that_owes_or_has_funds(portfolio: ReadModels):
    report = collections(portfolio.connection, **OF_DAY_40, order=BY_NUMBER)
    assert [row.number for row in report.rows] == [f"A-{n}" for n in range(1, 7)]
    second = report.rows[1]
    assert (second.outstanding, second.items, second.days_past_due) == (Decimal("6.00"), 2, 1)
    assert (second.bucket, second.oldest_due_on, second.office) == ("1-30", day(39), "main")
    assert {b: str(a) for b, a in second.buckets.items() if a} == {"current": "1.00", "1-30": "5.00"}
    prepaid = report.rows[5]
    assert (str(prepaid.balance), prepaid.bucket, prepaid.oldest_due_on) == ("-12.34", "current", None)
    assert (report.accounts, str(report.outstanding), str(report.unapplied)) == (6, "213.00", "12.34")
    aged = aging(portfolio.connection, as_of=day(40), scheme=STANDARD_BUCKETS)
    assert (aged.total, aged.accounts) == (report.balance, report.accounts)
    assert report.next_cursor is None


@pytest.mark.parametrize("sort", list(Sort))
@pytest.mark.parametrize("descending", [False, True])
def test_pages_have_every_account_once_in_order(portfolio: ReadModels, sort: Sort, descending: bool):
    asked: dict[str, Any] = {**OF_DAY_40, "order": Order(sort, descending)}
    whole = collections(portfolio.connection, **asked)
    paged: list[CollectionsRow] = []
    cursor = None
    while True:
        page = collections(portfolio.connection, **asked, limit=2, cursor=cursor)
        assert (page.accounts, page.balance) == (whole.accounts, whole.balance)
        paged += page.rows
        cursor = page.next_cursor
        if cursor is None:
            break
    assert tuple(paged) == whole.rows
    if sort in {Sort.BALANCE, Sort.OUTSTANDING, Sort.PAST_DUE, Sort.DAYS_PAST_DUE, Sort.NUMBER, Sort.CUSTOMER_NAME}:
        values = [getattr(row, sort) for row in paged]
        assert values == sorted(values, reverse=descending)


def test_filters(portfolio: ReadModels):
    def numbers(**filters: object) -> list[str]:
        report = collections(
            portfolio.connection,
            **OF_DAY_40,
            filters=Filters.model_validate(filters),
            order=BY_NUMBER,
        )
        assert report.accounts == len(report.rows)
        return [row.number for row in report.rows]

    assert numbers(min_balance="20") == ["A-1", "A-3", "A-4"]
    assert numbers(min_balance="5", max_balance="7") == ["A-2", "A-5"]
    assert numbers(min_dpd=1) == ["A-1", "A-2", "A-3", "A-5"]
    assert numbers(max_dpd=0) == ["A-4", "A-6"]
    assert numbers(bucket="1-30", min_dpd=6) == ["A-1", "A-3"]
    assert numbers(search="customer x") == ["A-1", "A-3"]
    assert numbers(search="a-6") == ["A-6"]
    assert numbers(search="100%") == []


def test_questions_that_cannot_be_answered_are_refused_with_what_was_expected(portfolio: ReadModels):
    asked = OF_DAY_40
    with pytest.raises(BadQuestion, match="bucket: expected one of current, 1-30"):
        collections(portfolio.connection, **asked, filters=Filters(bucket="old"))
    with pytest.raises(BadQuestion, match="limit"):
        collections(portfolio.connection, **asked, limit=0)
    for cursor in ("?", "e30", "bm8", "WyJhIl0"):
        with pytest.raises(BadQuestion, match="cursor"):
            collections(portfolio.connection, **asked, cursor=cursor)
    of_balance = collections(portfolio.connection, **asked, limit=1).next_cursor
    with pytest.raises(BadQuestion, match="another order"):
        collections(portfolio.connection, **asked, cursor=of_balance, order=BY_NUMBER)
    with pytest.raises(BadQuestion, match="to: expected 2026-01-02 or later"):
        kpi(portfolio.connection, start=day(1), end=day(0))


def test_an_account_is_found_by_id_and_by_number(history: History, read_models: ReadModels):
    first = history.account("A-1")
    history.give(OpenOffice(code="north", title="North"))
    second = history.account("A-1", office=office_id("north"))
    only = history.account("B-1")
    read_models.build(history.log)
    assert find_account(read_models.connection, "B-1") == only
    assert find_account(read_models.connection, str(first).upper()) == first
    assert find_account(read_models.connection, "A-1", office="north") == second
    with pytest.raises(UnknownAccount, match="main, north"):
        find_account(read_models.connection, "A-1")
    with pytest.raises(UnknownAccount, match="no 'C-1'"):
        find_account(read_models.connection, "C-1")
    with pytest.raises(UnknownAccount):
        statement(read_models.connection, uuid4(), as_of=day(0), scheme=STANDARD_BUCKETS)


def test_a_scheme_of_the_offices_own(history: History, read_models: ReadModels):
    bill(history, history.account(), "I-1", 0, 0, of=5_000)
    read_models.build(history.log)
    report = aging(read_models.connection, as_of=day(8), scheme=BucketScheme.of([7, 14]))
    assert [(b.bucket, b.items) for b in report.buckets] == [("current", 0), ("1-7", 0), ("8-14", 1), ("15+", 0)]


# --- KPIs of collecting ---


def test_conversion_counts_accounts_that_paid_within_two_weeks_of_the_first_contact(
    history: History, read_models: ReadModels
):
    accounts = [history.account(f"A-{n}") for n in range(4)]
    for account in accounts:
        bill(history, account, "I-1", 0, 1, of=10_000)
    history.today = day(10)
    for account in accounts[:3]:
        history.give(RecordActivity(account_id=account, kind=ActivityKind.CALL, direction=Direction.OUTBOUND))
    history.give(RecordActivity(account_id=accounts[3], kind=ActivityKind.CALL, direction=Direction.INBOUND))
    history.today = day(40)
    history.give(RecordActivity(account_id=accounts[0], kind=ActivityKind.CALL, direction=Direction.OUTBOUND))
    pay(history, accounts[0], "P-0", 1_000, on=5)
    pay(history, accounts[0], "P-1", 1_000, on=24)
    pay(history, accounts[1], "P-1", 1_000, on=25)
    read_models.build(history.log)
    report = kpi(read_models.connection, start=day(6), end=day(40))
    assert (report.accounts_contacted, report.accounts_converted) == (3, 1)
    assert str(report.collection_conversion_rate) == "33.333"
    assert str(report.average_days_to_first_payment) == "14.500"
    assert str(report.recovery_rate) == "5.128"  # 20 of the 390 that were past due
    later = kpi(read_models.connection, start=day(30), end=day(40))
    assert later.accounts_contacted == 0
    assert later.collection_conversion_rate is None


def test_promises_kept_of_those_that_came_due(history: History, read_models: ReadModels):
    kept_id, broken_id, later_id = uuid4(), uuid4(), uuid4()
    account = history.account()
    bill(history, account, "I-1", 0, 1, of=10_000)
    for promise_id, amount, due in ((kept_id, 1_000, 5), (broken_id, 3_000, 6), (later_id, 500, 60)):
        parts = (Instalment(due_on=day(due), amount=usd(amount)),)
        history.give(MakePromise(promise_id=promise_id, account_id=account, instalments=parts))
    history.today = day(4)
    payment = pay(history, account, "P-1", 1_000)
    history.give(CountPayment(promise_id=kept_id, account_id=account, payment_id=payment, amount=usd(1_000)))
    history.today = day(30)
    history.give(JudgePromise(promise_id=broken_id, account_id=account))
    read_models.build(history.log)
    report = kpi(read_models.connection, start=day(0), end=day(30))
    assert (report.promises_due, report.promises_kept) == (2, 1)
    assert str(report.promise_kept_rate) == "50.000"
    assert str(report.promise_kept_rate_by_amount) == "25.000"
    assert len(promises(read_models.connection, read_models.log, as_of=day(30)).rows) == 3


def test_what_was_once_overpaid_by_a_reversed_payment_was_unapplied(history: History, read_models: ReadModels):
    account = history.account()
    bill(history, account, "I-1", 0, 20, of=10_000)
    history.today = day(5)
    pay(history, account, "P-1", 10_000)
    history.today = day(10)
    history.give(ReversePayment(account_id=account, number="P-1", reversal=ReversalKind.NSF, reversed_on=day(10)))
    history.give(CorrectInvoice(account_id=account, number="I-1", issued_on=day(0), due_on=day(20), amount=usd(6_000)))
    read_models.build(history.log)

    def shown(number: int) -> tuple[int, str, str]:
        report = aging(read_models.connection, as_of=day(number), scheme=STANDARD_BUCKETS)
        return report.buckets[0].items, str(report.unapplied), str(report.total)

    assert [shown(4), shown(5), shown(10)] == [(1, "0.00", "60.00"), (0, "40.00", "-40.00"), (1, "0.00", "60.00")]
    assert kpi(read_models.connection, start=day(6), end=day(10)).begin == 0
