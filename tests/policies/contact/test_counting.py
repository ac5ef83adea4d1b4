"""Calls and conversations in seven days (12 CFR 1006.14(b)), at their edges."""

from dataclasses import replace
from datetime import timedelta

import pytest

from policies.contact.case import Debtor, Entry, Kind, Medium, Phone, Recipient, RuleSetting
from policies.contact.rule import Basis
from tests.policies.contact.asking import FIRST, HONOLULU, JERSEY, NEW_YORK, asked, call, calls, local, said

SEVEN, AFTER = "calls-7-in-7", "calls-after-conversation"


def test_the_seventh_call_in_seven_days_is_allowed_and_the_eighth_is_refused():
    today = local("2026-03-10 14:00")
    assert SEVEN not in asked(today, history=calls(4, 5, 6, 7, 8, 9))
    refused = asked(today, history=calls(4, 5, 6, 7, 8, 9, 10))[SEVEN]
    assert refused.detail == ("7 calls about D1 since 2026-03-04, by dates in America/New_York: at most 7 in 7 days")
    assert refused.source == "12 CFR 1006.14(b)(2)(i)(A)"
    assert refused.allowed_from == local("2026-03-11 00:00")


def test_the_window_is_today_and_the_six_dates_before():
    history = calls(4, 5, 6, 7, 8, 9, 9)
    assert SEVEN in asked(local("2026-03-10 20:59"), history=history)
    assert SEVEN not in asked(local("2026-03-11 08:00"), history=history)


def test_seven_calls_on_one_date_are_over_seven_dates_later():
    history = calls(4, 4, 4, 4, 4, 4, 4)
    refused = asked(local("2026-03-04 14:00"), history=history)[SEVEN]
    assert refused.allowed_from == local("2026-03-11 00:00")
    assert SEVEN in asked(refused.allowed_from - timedelta(seconds=1), history=history)
    assert SEVEN not in asked(refused.allowed_from, history=history)


def test_with_more_than_seven_the_last_seven_say_when_the_next_may_be():
    """After nine calls three of them have to leave the window."""
    history = calls(4, 4, 5, 6, 7, 8, 9, 9, 10)
    assert asked(local("2026-03-10 14:00"), history=history)[SEVEN].allowed_from == local("2026-03-12 00:00")


def test_dates_are_the_debtors_and_not_the_agents():
    """At 23:30 in Hawaii it is the next day in New York, from where the agent calls."""
    debtor = Debtor(state="HI", zip_code="96813", phones=(Phone("+18085550123"),))
    history = calls(3, 4, 5, 6, 7, 8, 9, hour=20, zone=HONOLULU)
    assert SEVEN in asked(local("2026-03-09 20:30", HONOLULU), debtor=debtor, history=history)
    refused = asked(local("2026-03-09 20:30", HONOLULU), debtor=debtor, history=history)[SEVEN]
    assert refused.allowed_from == local("2026-03-10 00:00", HONOLULU)


def test_a_window_that_holds_a_change_of_clocks_begins_at_local_midnight():
    """Clocks change in New York on 2026-03-08; by hours back from noon the window would begin elsewhere."""
    edge = [call(local("2026-03-04 00:00")), *calls(5, 6, 7, 8, 9, 10)]
    assert SEVEN in asked(local("2026-03-10 14:00"), history=edge)
    before = [call(local("2026-03-03 23:59")), *calls(5, 6, 7, 8, 9, 10)]
    assert SEVEN not in asked(local("2026-03-10 14:00"), history=before)


def test_a_leap_day_is_a_day():
    history = [*calls(26, 27, 28, 29, month=2, year=2028), *calls(1, 2, 3, year=2028)]
    assert SEVEN in asked(local("2028-03-03 14:00"), history=history)
    assert asked(local("2028-03-03 14:00"), history=history)[SEVEN].allowed_from == local("2028-03-04 00:00")


def test_where_the_zone_is_not_known_the_count_is_right_in_every_zone():
    """The call of 23:00 in Hawaii is of the fourth there, and of the fifth in New York."""
    history = [call(local("2026-03-04 23:00", HONOLULU)), *calls(6, 7, 8, 9, 10, 10)]
    moment = local("2026-03-11 12:00")
    assert SEVEN not in asked(moment, debtor=Debtor(state="HI"), history=history)
    assert SEVEN in asked(moment, debtor=Debtor(), history=history)


@pytest.mark.parametrize(
    "other",
    [
        {"is_connected": False},
        {"is_inbound": True},
        {"recipient": Recipient.ATTORNEY},
        {"recipient": Recipient.CREDITOR},
        {"debts": ("D2",)},
        {"person": "spouse"},
        {"channel": Medium.SMS},
        {"channel": Medium.LETTER},
    ],
    ids=str,
)
def test_what_is_not_counted_towards_seven(other: dict[str, object]):
    seven = calls(4, 5, 6, 7, 8, 9, 10)
    assert SEVEN in asked(history=seven)
    assert SEVEN not in asked(history=[*seven[:6], replace(seven[6], **other)])  # type: ignore[arg-type]


def test_calls_are_counted_for_each_person_and_each_debt():
    seven = [replace(each, person="spouse") for each in calls(4, 5, 6, 7, 8, 9, 10)]
    assert SEVEN not in asked(history=seven)
    assert SEVEN in asked(history=seven, person="spouse")
    assert SEVEN not in asked(history=seven, person="spouse", debts=("D2",))
    assert SEVEN in asked(history=seven, person="spouse", debts=("D2", "D1"))


def test_a_call_that_names_no_debt_is_about_every_one():
    seven = [replace(each, debts=()) for each in calls(4, 5, 6, 7, 8, 9, 10)]
    assert SEVEN in asked(history=seven)
    assert SEVEN in asked(history=calls(4, 5, 6, 7, 8, 9, 10), debts=())


def test_what_happens_later_is_not_known_yet():
    assert SEVEN not in asked(local("2026-03-09 14:00"), history=calls(4, 5, 6, 7, 8, 9, 10))


# --- conversations ---------------------------------------------------------------------------------------


def test_the_day_of_a_conversation_is_day_one_and_the_next_call_may_be_seven_dates_later():
    history = [call(local("2026-03-04 20:59"), is_conversation=True)]
    refused = asked(local("2026-03-10 20:59"), history=history)[AFTER]
    assert refused.detail == (
        "a conversation about D1 on 2026-03-04, by dates in America/New_York: the next call may be on 2026-03-11"
    )
    assert refused.allowed_from == local("2026-03-11 00:00")
    assert AFTER in asked(refused.allowed_from - timedelta(microseconds=1), history=history)
    assert AFTER not in asked(refused.allowed_from, history=history)


def test_seven_days_after_a_conversation_may_hold_a_change_of_clocks_and_a_leap_day():
    assert asked(local("2026-11-01 14:00"), history=[call(local("2026-10-31 20:00"), is_conversation=True)])[
        AFTER
    ].allowed_from == local("2026-11-07 00:00")
    assert asked(local("2028-02-28 14:00"), history=[call(local("2028-02-27 20:00"), is_conversation=True)])[
        AFTER
    ].allowed_from == local("2028-03-05 00:00")


def test_a_conversation_that_the_debtor_began_starts_the_seven_days():
    history = [call(local("2026-03-04 12:00"), is_conversation=True, is_inbound=True)]
    assert asked(history=history)[AFTER].detail.startswith("the debtor called about D1")
    assert SEVEN not in asked(history=history * 7)


def test_a_conversation_about_several_debts_counts_for_each_and_for_no_other():
    history = [call(local("2026-03-08 12:00"), is_conversation=True, debts=("D1", "D2"))]
    assert AFTER in asked(history=history, debts=("D2",))
    assert AFTER not in asked(history=history, debts=("D3",))
    assert AFTER not in asked(history=history, person="spouse")


def test_of_several_conversations_the_last_counts():
    history = [call(local(f"2026-03-0{day} 12:00"), is_conversation=True) for day in (9, 5)]
    assert asked(history=history)[AFTER].allowed_from == local("2026-03-16 00:00")


def test_a_conversation_keeps_nobody_from_writing():
    history = [call(local("2026-03-09 12:00"), is_conversation=True)]
    assert not asked(channel=Medium.LETTER, history=history)


# --- direct prior consent ----------------------------------------------------------------------------------


def consent(text: str, **more: object) -> Entry:
    return said(local(text), Kind.CALL_CONSENT, debts=("D1",), **more)


def test_a_call_with_consent_of_at_most_seven_days_is_not_refused_for_its_number():
    history = [call(local("2026-03-03 22:00"), is_conversation=True), *calls(4, 5, 6, 7, 8, 9)]
    today, tomorrow = [call(local("2026-03-09 13:00"))], local("2026-03-10 14:00")
    assert {SEVEN, AFTER} <= asked(local("2026-03-09 14:00"), history=[*history, *today]).keys()
    assert not {SEVEN, AFTER} & asked(tomorrow, history=[*history, *today, consent("2026-03-04 08:00")]).keys()
    given = consent("2026-03-03 23:59")
    assert not {SEVEN, AFTER} & asked(local("2026-03-09 14:00"), history=[*history, *today, given]).keys()
    assert not asked(tomorrow, history=[*history, *today, given])  # those calls had consent


def test_consent_ends_with_the_next_conversation_about_the_debt():
    given, talked = consent("2026-03-08 08:00"), call(local("2026-03-09 12:00"), is_conversation=True)
    assert AFTER in asked(history=[given, talked])
    assert AFTER not in asked(history=[given, talked, consent("2026-03-09 13:00")])
    elsewhere = call(local("2026-03-09 12:00"), is_conversation=True, debts=("D2",))
    assert SEVEN not in asked(history=[*calls(4, 5, 6, 7, 8, 9, 10), given, elsewhere])


def test_consent_that_was_withdrawn_frees_the_calls_before_that_and_none_after():
    history = [consent("2026-03-04 08:00"), *calls(4, 5, 6, 7, 8, 9, 10)]
    withdrawn = said(local("2026-03-10 13:00"), Kind.WITHDRAWN, withdraws=Kind.CALL_CONSENT)
    assert not asked(history=[*history, withdrawn])
    at_once = said(local("2026-03-04 09:00"), Kind.WITHDRAWN, withdraws=Kind.CALL_CONSENT)
    assert SEVEN in asked(history=[*history, at_once])


def test_calls_with_consent_are_not_counted_and_those_before_it_are():
    before, after = calls(4, 5, 6), calls(7, 8, 9, 10)
    given = consent("2026-03-07 08:00")
    later = local("2026-03-14 08:00")  # consent of the seventh is good until the thirteenth
    more = calls(14, 14, 14, 14, 14, 14, hour=7)
    assert SEVEN not in asked(later, history=[*after, given, *more])
    assert SEVEN in asked(later, history=[*after, *more])
    assert SEVEN in asked(local("2026-03-10 14:00"), history=[*before, *after])
    assert len(asked(local("2026-03-10 14:00"), history=[*before, *after, consent("2026-03-10 15:00")])) == 1


def test_consent_is_of_the_person_and_about_the_debt():
    history = calls(4, 5, 6, 7, 8, 9, 10)
    assert SEVEN in asked(history=[*history, consent("2026-03-09 08:00", person="spouse")])
    other = said(local("2026-03-09 08:00"), Kind.CALL_CONSENT, debts=("D2",))
    assert SEVEN in asked(history=[*history, other])


def test_a_conversation_starts_the_seven_days_even_where_there_was_consent_to_the_call():
    history = [consent("2026-03-02 08:00"), call(local("2026-03-08 12:00"), is_conversation=True)]
    assert AFTER in asked(local("2026-03-09 12:00"), history=history)


# --- whom they bind ------------------------------------------------------------------------------------------


def test_they_are_law_for_agencies_and_house_policy_for_creditors_who_may_turn_them_off():
    history = [*calls(4, 5, 6, 7, 8, 9, 10), call(local("2026-03-10 13:00"), is_conversation=True)]
    off = {SEVEN: RuleSetting(is_on=False), AFTER: RuleSetting(is_on=False)}
    assert asked(history=history)[SEVEN].basis is Basis.LAW
    assert not asked(history=history)[SEVEN].may_override
    assert asked(history=history, settings=off).keys() == {SEVEN, AFTER}
    assert asked(history=history, role=FIRST)[AFTER].basis is Basis.HOUSE
    assert asked(history=history, role=FIRST)[AFTER].may_override
    assert not asked(history=history, role=FIRST, settings=off)


def test_before_regulation_f_they_were_no_law():
    history = calls(23, 24, 25, 26, 27, 28, 29, month=11, year=2021)
    assert asked(local("2021-11-29 14:00"), history=history)[SEVEN].basis is Basis.HOUSE
    history = [*history[1:], *calls(30, month=11, year=2021)]
    assert asked(local("2021-11-30 14:00"), history=history)[SEVEN].basis is Basis.LAW


def test_in_california_they_bind_creditors_since_they_are_in_force():
    los_angeles = Debtor(state="CA", zip_code="90001")
    for year, basis in ((2019, Basis.HOUSE), (2022, Basis.CHECK)):
        history = calls(1, 2, 3, 4, 5, 6, 7, year=year)
        at = local(f"{year}-03-07 16:00")
        assert asked(at, debtor=los_angeles, role=FIRST, history=history)[SEVEN].basis is basis


def test_of_two_zones_the_later_one_says_when():
    debtor = replace(JERSEY, phones=(Phone("+13125550123"),))
    assert asked(debtor=debtor, history=calls(4, 5, 6, 7, 8, 9, 10))[SEVEN].allowed_from == local(
        "2026-03-11 00:00", "America/Chicago"
    )
    assert NEW_YORK in asked(history=calls(4, 5, 6, 7, 8, 9, 10))[SEVEN].detail
