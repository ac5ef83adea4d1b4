"""The table and an independent reading of the regulations (`regulation.py`) agree on any history."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

from hypothesis import given, settings
from hypothesis import strategies as st

from policies.contact.case import Asked, Debtor, Entry, Kind, Medium, Phone, Recipient, Role
from policies.contact.table import judge
from tests.examples import examples
from tests.policies.contact.regulation import KNOWN, ZONES, refusing

HALF_HOUR = timedelta(minutes=30)
CHANGES = st.sampled_from([
    datetime(2026, 3, 8, tzinfo=UTC),  # clocks go forward
    datetime(2026, 11, 1, tzinfo=UTC),  # and back
    datetime(2028, 2, 29, tzinfo=UTC),
    datetime(2026, 1, 1, tzinfo=UTC),
])  # fmt: skip
BACK = st.one_of(st.integers(0, 2 * 24 * 10), st.integers(2 * 24 * 5, 2 * 24 * 8))
"""Half hours before the contact; many of them near the edge of seven days."""
MEDIA = st.sampled_from(list(Medium))
DEBTS = st.sampled_from([(), ("D1",), ("D2",), ("D1", "D2")])
PERSONS = st.sampled_from([None, None, None, "spouse"])
OTHERS = st.sampled_from([Kind.OPT_OUT, Kind.CONSENT, Kind.CEASE, Kind.ATTORNEY, Kind.WITHDRAWN, Kind.CALL_CONSENT])


@st.composite
def entries(draw: st.DrawFn, now: datetime) -> Entry:
    at = now - draw(BACK) * HALF_HOUR
    if draw(st.integers(0, 5)) == 0:
        kind = draw(OTHERS)
        channel = draw(st.one_of(st.none(), MEDIA)) if kind is Kind.OPT_OUT else None
        return Entry(
            at,
            kind,
            channel=draw(MEDIA) if kind is Kind.CONSENT else channel,
            debts=draw(DEBTS) if kind is Kind.CALL_CONSENT else (),
            person=draw(PERSONS) if kind is Kind.CALL_CONSENT else None,
            is_written=draw(st.booleans()),
            withdraws=draw(st.sampled_from([Kind.CEASE, Kind.ATTORNEY, Kind.CALL_CONSENT]))
            if kind is Kind.WITHDRAWN
            else None,
        )
    channel = draw(st.one_of(st.just(Medium.CALL), MEDIA))
    return Entry(
        at,
        channel=channel,
        is_inbound=draw(st.integers(0, 5)) == 0,
        is_connected=draw(st.integers(0, 5)) > 0,
        is_conversation=channel is Medium.CALL and draw(st.integers(0, 7)) == 0,
        debts=draw(DEBTS),
        person=draw(PERSONS),
        recipient=draw(st.sampled_from([Recipient.CONSUMER] * 5 + [Recipient.ATTORNEY])),
    )


@st.composite
def cases(draw: st.DrawFn) -> tuple[Debtor, list[Entry], Asked]:
    now = draw(CHANGES) + draw(st.integers(-2 * 24 * 4, 2 * 24 * 9)) * HALF_HOUR
    numbers = draw(st.lists(st.sampled_from([key for key in ZONES if key.startswith("+")]), max_size=2, unique=True))
    states = st.sampled_from([key for key in ZONES if not key.startswith("+")])
    debtor = Debtor(state=draw(states), phones=tuple(Phone(number) for number in numbers))
    history = draw(st.lists(entries(now), max_size=25, unique_by=lambda each: each.at))
    return debtor, history, Asked(now, draw(st.one_of(st.just(Medium.CALL), MEDIA)), draw(DEBTS), draw(PERSONS))


@settings(max_examples=examples(600), deadline=None)
@given(cases())
def test_from_the_moment_that_a_refusal_names_its_rule_allows_and_not_before(case: tuple[Debtor, list[Entry], Asked]):
    debtor, history, asked = case
    known = [each for each in history if each.at <= asked.at]
    for refused in judge(debtor, Role.THIRD_PARTY, known, asked):
        if refused.allowed_from is not None:
            at, before = refused.allowed_from, refused.allowed_from - timedelta(microseconds=1)
            then = judge(debtor, Role.THIRD_PARTY, known, replace(asked, at=at))
            assert refused.rule not in {each.rule for each in then}
            if before > asked.at:
                still = judge(debtor, Role.THIRD_PARTY, known, replace(asked, at=before))
                assert refused.rule in {each.rule for each in still}


@settings(max_examples=examples(600), deadline=None)
@given(cases())
def test_the_table_refuses_what_the_regulation_refuses_and_nothing_else(case: tuple[Debtor, list[Entry], Asked]):
    debtor, history, asked = case
    refused = {each.rule for each in judge(debtor, Role.THIRD_PARTY, history, asked)}
    assert refused & KNOWN == refusing(debtor, history, asked)


@settings(max_examples=examples(100), deadline=None)
@given(cases())
def test_a_rule_allows_from_the_first_half_hour_at_which_the_regulation_does(case: tuple[Debtor, list[Entry], Asked]):
    """Nothing of these rules changes but on a full or half hour of these places."""
    debtor, history, asked = case
    for refused in judge(debtor, Role.THIRD_PARTY, history, asked):
        if refused.rule not in KNOWN:
            continue
        moments = (asked.at + n * HALF_HOUR for n in range(1, 2 * 24 * 8 + 4))
        first = next(
            (
                moment
                for moment in moments
                if refused.rule
                not in refusing(debtor, history, Asked(moment, asked.channel, asked.debts, asked.person))
            ),
            None,
        )
        assert refused.allowed_from == first, refused
