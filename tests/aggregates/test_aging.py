"""Aging buckets: by due date, the day due is current, schemes without overlap or gap."""

from datetime import date
from typing import Any

import pytest
from hypothesis import given as over
from hypothesis import strategies as st
from pydantic import ValidationError

from aggregates.account.aging import AgeAccount, Aged
from aggregates.office import AgingBucketsSet, ChangeOfficeSettings
from aggregates.values.aging import STANDARD_BUCKETS, Bucket, BucketScheme
from tests.builders import ACCOUNT, APR, DAY, JAN, MAR, OFFICE, a_payment, a_reversal, an_invoice, invoice_id, usd
from tests.given import given, given_auto_collection, like

AGE = AgeAccount(account_id=ACCOUNT)


@pytest.mark.parametrize(
    ("dpd", "bucket"),
    [
        (-30, "current"), (0, "current"), (1, "1-30"), (30, "1-30"), (31, "31-60"), (60, "31-60"), (61, "61-90"),
        (90, "61-90"), (91, "91-120"), (120, "91-120"), (121, "121+"), (4000, "121+"),
    ],
)  # fmt: skip
def test_each_bucket_ends_on_its_last_day(dpd: int, bucket: str):
    assert STANDARD_BUCKETS.bucket_of(dpd) == bucket


def test_an_item_looked_at_on_its_due_date_is_current():
    given(an_invoice(due_on=MAR(2))).when(AGE, at=MAR(2)).then_nothing_happened()


def test_the_day_after_it_is_in_the_first_bucket():
    given(an_invoice(due_on=MAR(2))).when(AGE, at=MAR(3)).then(
        like(Aged, as_of=MAR(3), bucket="1-30", previous_bucket="current", days_past_due=1)
    )


def test_aging_twice_on_a_day_is_aging_once():
    given(an_invoice(due_on=MAR(2)), MAR(3), AGE).when(AGE).then_nothing_happened()


def test_an_item_moves_when_the_boundary_is_passed_and_not_before():
    scenario = given(an_invoice(due_on=JAN(30)), JAN(31), AGE)
    assert scenario.account.receivables.items[invoice_id()].next_on == MAR(2)
    scenario.when(AGE, at=MAR(1)).then_nothing_happened()
    scenario.when(AGE, at=MAR(2)).then(like(Aged, bucket="31-60", previous_bucket="1-30", days_past_due=31))


def test_after_an_outage_an_item_goes_straight_to_its_bucket():
    given(an_invoice(due_on=JAN(30))).when(AGE, at=JAN(30) + 121 * DAY).then(like(Aged, bucket="121+"))


def test_an_account_is_in_the_bucket_of_its_oldest_item():
    scenario = given(an_invoice("A", due_on=MAR(2)), an_invoice("B", due_on=MAR(30))).when(AGE, at=APR(15))
    assert scenario.account.aging.bucket == "31-60"
    assert {i.item.number: i.bucket for i in scenario.account.receivables.items.values()} == {"A": "31-60", "B": "1-30"}


def test_days_are_those_of_the_office_s_zone():
    """At three in the morning UTC it is still the evening before in New York."""
    scenario = given(an_invoice(due_on=MAR(2)))
    scenario.when(AGE, at=scenario.world.at(MAR(2), 22)).then_nothing_happened()


def test_a_reversed_payment_reopens_the_item_at_its_original_age():
    scenario = given(an_invoice(due_on=MAR(2)), a_payment(usd(100), on=MAR(1)), a_reversal(on=APR(15)))
    scenario.when(AGE, at=APR(15)).then(like(Aged, bucket="31-60", days_past_due=44))


def test_new_buckets_put_every_account_where_it_now_belongs():
    scenario = given_auto_collection(an_invoice(due_on=MAR(2)), MAR(20), AGE)
    scenario.when(ChangeOfficeSettings(office_id=OFFICE, scheme=BucketScheme.of([7, 14])), at=MAR(20))
    scenario.then_among_others(AgingBucketsSet, like(Aged, bucket="15+", previous_bucket="1-30"))
    assert scenario.account.receivables.items[invoice_id()].next_on is None


def test_a_bucket_of_an_earlier_scheme_counts_as_the_oldest():
    assert STANDARD_BUCKETS.rank("361+") == STANDARD_BUCKETS.rank("121+") > STANDARD_BUCKETS.rank("91-120")


BOUNDS = st.lists(st.integers(1, 400), unique=True, max_size=18).map(sorted)


@over(BOUNDS, st.integers(-500, 1000))
def test_every_age_is_in_exactly_one_bucket_of_any_scheme(bounds: list[int], dpd: int):
    scheme = BucketScheme.of(bounds)
    holding = [
        b.name
        for b in scheme.buckets
        if (b.from_dpd is None or b.from_dpd <= dpd) and (b.to_dpd is None or dpd <= b.to_dpd)
    ]
    assert holding == [scheme.bucket_of(dpd)]


@over(BOUNDS, st.dates(date(2020, 1, 1), date(2030, 1, 1)), st.integers(-60, 500))
def test_the_next_boundary_is_the_first_day_on_which_the_bucket_differs(bounds: list[int], due_on: date, dpd: int):
    scheme, today = BucketScheme.of(bounds), due_on + dpd * DAY
    boundary = scheme.next_boundary(due_on, today)
    now = scheme.bucket_of(dpd)
    if boundary is None:
        assert now == scheme.names[-1]
    else:
        assert boundary > today
        assert scheme.bucket_of((boundary - due_on).days) != now == scheme.bucket_of((boundary - due_on).days - 1)


def _buckets(*ranges: tuple[str, int | None, int | None]) -> dict[str, Any]:
    return {"buckets": [{"name": name, "from_dpd": low, "to_dpd": high} for name, low, high in ranges]}


@pytest.mark.parametrize(
    ("buckets", "expected"),
    [
        (_buckets(("current", None, 0)), "at least 2"),
        (_buckets(("current", 0, 0), ("late", 1, None)), "the first bucket"),
        (_buckets(("current", None, 5), ("late", 6, None)), "the first bucket"),
        (_buckets(("not due", None, 0), ("late", 1, None)), "named 'current'"),
        (_buckets(("current", None, 0), ("late", 1, 30)), "the last bucket is open"),
        (_buckets(("current", None, 0), ("late", 2, None)), "the day after 'current' ends"),
        (_buckets(("current", None, 0), ("late", 0, None)), "the day after 'current' ends"),
        (_buckets(("current", None, 0), ("a", 1, None), ("b", 31, None)), "the day after 'a' ends"),
        (_buckets(("current", None, 0), ("a", 1, 0), ("b", 1, None)), "ends before it starts"),
        (_buckets(("current", None, 0), ("current", 1, None)), "the same name"),
        (_buckets(("current", None, 0), ("", 1, None)), "at least 1 character"),
    ],
)
def test_a_scheme_with_a_gap_an_overlap_or_a_closed_end_is_refused(buckets: dict[str, Any], expected: str):
    with pytest.raises(ValidationError, match=expected):
        BucketScheme.model_validate(buckets)


def test_a_scheme_equals_one_that_says_the_same():
    """What a scheme remembers of itself does not make it another one."""
    known = BucketScheme.of([30])
    assert known.names == ("current", "1-30", "31+")
    assert known == BucketScheme.of([30])
    assert known.buckets[0] == Bucket(name="current", from_dpd=None, to_dpd=0)
