"""Rules that count: calls, messages and conversations in windows of the debtor's local dates.

A window of seven days is today and the six dates before. Where the debtor may be in several zones, the count has to be
within the limit in each of them.
"""

from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from aggregates.values.business_time import day_starts, local_date
from policies.contact.case import Entry, Kind, Medium, Place, Purpose, Recipient
from policies.contact.record import since_moment
from policies.contact.rule import No, Situation, is_about, later

ELECTRONIC = frozenset({Medium.SMS, Medium.EMAIL})

Counted = Callable[[Situation, Entry], bool]

# --- what is counted -----------------------------------------------------------------------------------


def is_outbound(entry: Entry) -> bool:
    """To the consumer, and not a call that reached nothing."""
    if entry.is_inbound or entry.recipient is not Recipient.CONSUMER:
        return False
    return entry.channel is not Medium.CALL or entry.is_connected


def is_call(entry: Entry) -> bool:
    return entry.channel is Medium.CALL and is_outbound(entry)


def is_conversation(entry: Entry) -> bool:
    """Either way."""
    return entry.channel is Medium.CALL and entry.is_conversation and entry.recipient is Recipient.CONSUMER


def consented(situation: Situation, at: datetime, person: str | None, debt: str | None, zone: ZoneInfo) -> bool:
    """Whether a call at that moment has the person's direct prior consent.

    It lasts at most seven consecutive days, of which the day of consent is the first: until it is revoked, or until the
    next conversation with the person about the debt (12 CFR 1006.14(b)(3)(i), interpretation).
    """
    given = [
        each
        for each in situation.record.in_force(Kind.CALL_CONSENT, at)
        if each.person == person
        and is_about(each, debt)
        and local_date(at, zone) < local_date(each.at, zone) + timedelta(days=7)
    ]
    if not given:
        return False
    since = given[0].at
    return not any(
        since < each.at < at and is_conversation(each) and each.person == person and is_about(each, debt)
        for each in situation.record.contacts
    )


# --- limits --------------------------------------------------------------------------------------------


def at_most(situation: Situation, counted: Sequence[Entry], limit: int, days: int, what: str) -> No | None:
    """Refuses where `counted`, by time, has `limit` or more in the window: until one of them has left it."""
    found: No | None = None
    for zone in situation.zones:
        found = later(found, at_most_in(zone, situation, counted, limit=limit, days=days, what=what))
    return found


def at_most_in(
    zone: ZoneInfo, situation: Situation, counted: Sequence[Entry], *, limit: int, days: int, what: str
) -> No | None:
    """The same by the dates of one zone."""
    first_day = local_date(situation.asked.at, zone) - timedelta(days=days - 1)
    inside = since_moment(counted, day_starts(first_day, zone))
    if len(inside) < limit:
        return None
    free_on = local_date(inside[-limit].at, zone) + timedelta(days=days)
    detail = f"{len(inside)} {what} since {first_day}, by dates in {zone.key}: at most {limit} in {days} days"
    return No(detail, day_starts(free_on, zone))


def seven_calls_in_seven_days(situation: Situation) -> No | None:
    """At most seven calls to a person about a debt in seven consecutive days."""
    asked, found = situation.asked, None
    made = [each for each in situation.record.within(7) if is_call(each) and each.person == asked.person]
    for debt in situation.each_debt():
        calls = [each for each in made if is_about(each, debt)]
        for zone in situation.zones if len(calls) >= 7 else ():
            if consented(situation, asked.at, asked.person, debt, zone):
                continue
            counted = calls
            if situation.record.facts(Kind.CALL_CONSENT):
                counted = [each for each in calls if not consented(situation, each.at, each.person, debt, zone)]
            found = later(found, at_most_in(zone, situation, counted, limit=7, days=7, what=f"calls{_about(debt)}"))
    return found


def seven_days_after_a_conversation(situation: Situation) -> No | None:
    """None within seven consecutive days of a conversation about the debt; its date is the first of them."""
    asked, found = situation.asked, None
    talked = [each for each in situation.record.within(7) if is_conversation(each) and each.person == asked.person]
    for debt in situation.each_debt():
        last = next((each for each in reversed(talked) if is_about(each, debt)), None)
        for zone in situation.zones if last is not None else ():
            if last is not None and not consented(situation, asked.at, asked.person, debt, zone):
                found = later(found, _after(situation, last, debt, zone))
    return found


def _after(situation: Situation, conversation: Entry, debt: str | None, zone: ZoneInfo) -> No | None:
    day = local_date(conversation.at, zone)
    free_on = day + timedelta(days=7)
    if local_date(situation.asked.at, zone) >= free_on:
        return None
    who = "the debtor called" if conversation.is_inbound else "a conversation"
    detail = f"{who}{_about(debt)} on {day}, by dates in {zone.key}: the next call may be on {free_on}"
    return No(detail, day_starts(free_on, zone))


def per_debt(counts: Counted, what: str, *, limit: int | str, days: int | str) -> Callable[[Situation], No | None]:
    """A rule: at most so many about a debt in so many days. A text names the row's figure."""

    def refuse(situation: Situation) -> No | None:
        found, most, window = None, _number(situation, limit), _number(situation, days)
        inside = [each for each in situation.record.within(window) if counts(situation, each)]
        for debt in situation.each_debt():
            counted = [each for each in inside if is_about(each, debt)]
            found = later(found, at_most(situation, counted, most, window, what + _about(debt)))
        return found

    return refuse


def in_all(counts: Counted, what: str, *, limit: int, days: int) -> Callable[[Situation], No | None]:
    """A rule: at most so many in so many days, whatever they are about."""

    def refuse(situation: Situation) -> No | None:
        counted = [each for each in situation.record.within(days) if counts(situation, each)]
        return at_most(situation, counted, limit, days, what)

    return refuse


# --- what the states count -----------------------------------------------------------------------------


def any_outbound(situation: Situation, entry: Entry) -> bool:
    return is_outbound(entry)


def call(situation: Situation, entry: Entry) -> bool:
    return is_call(entry)


def call_of_the_person(situation: Situation, entry: Entry) -> bool:
    return is_call(entry) and entry.person == situation.asked.person


def conversation_of_the_person(situation: Situation, entry: Entry) -> bool:
    return is_conversation(entry) and not entry.is_inbound and entry.person == situation.asked.person


def call_or_text(situation: Situation, entry: Entry) -> bool:
    return entry.channel in {Medium.CALL, Medium.SMS} and is_outbound(entry)


def call_or_text_elsewhere(situation: Situation, entry: Entry) -> bool:
    return call_or_text(situation, entry) and situation.place_of(entry) in ELSEWHERE


def electronic(situation: Situation, entry: Entry) -> bool:
    return entry.channel in ELECTRONIC and is_outbound(entry) and entry.purpose is not Purpose.OPT_OUT_CONFIRMATION


def at_work(situation: Situation, entry: Entry) -> bool:
    return is_outbound(entry) and situation.place_of(entry) is Place.WORK


def prerecorded(situation: Situation, entry: Entry) -> bool:
    return is_call(entry) and entry.is_prerecorded


ELSEWHERE = frozenset({Place.WORK, Place.OTHER})
"""Neither at home nor on a mobile number; where it rings has to be known."""


def two_in_thirty_days_elsewhere(situation: Situation) -> No | None:
    """Massachusetts: at places other than home and mobile numbers."""
    if situation.place_of(situation.asked) not in ELSEWHERE:
        return None
    return _TWO_ELSEWHERE(situation)


def one_at_work_in_seven_days(situation: Situation) -> No | None:
    """Washington: at the place of work."""
    return _ONE_AT_WORK(situation) if situation.place_of(situation.asked) is Place.WORK else None


_TWO_ELSEWHERE = per_debt(call_or_text_elsewhere, "calls or texts elsewhere than home or mobile", limit=2, days=30)
_ONE_AT_WORK = in_all(at_work, "contacts at work", limit=1, days=7)


def _number(situation: Situation, said: int | str) -> int:
    return situation.figures[said] if isinstance(said, str) else said


def _about(debt: str | None) -> str:
    return "" if debt is None else f" about {debt}"
