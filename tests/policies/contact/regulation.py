"""An independent reading of the regulations' words: calendars of dates and a diary that is read from its first day on.

It shares nothing with the table but the values: it marks dates and replays entries, where the table looks back from the
contact. It knows the rules in `KNOWN`, the places in `ZONES`, and agencies that collect consumer debt.
"""

from collections import Counter
from collections.abc import Sequence
from datetime import date, datetime, timedelta
from zoneinfo import ZoneInfo

from policies.contact.case import Asked, Debtor, Entry, Kind, Medium, Recipient

ZONES = {
    "NJ": ["America/New_York"],
    "MA": ["America/New_York"],
    "DC": ["America/New_York"],
    "WA": ["America/Los_Angeles"],
    "HI": ["Pacific/Honolulu"],
    "AZ": ["America/Phoenix", "America/Denver"],
    "IN": ["America/New_York", "America/Chicago"],
    "+12125550123": ["America/New_York"],
    "+13125550123": ["America/Chicago"],
    "+18085550123": ["Pacific/Honolulu"],
}
KNOWN = frozenset(
    {
        "hours-8-to-21",
        "calls-7-in-7",
        "calls-after-conversation",
        "medium-refused",
        "cease",
        "attorney",
        "text-consent",
        "ma-2-in-7",
        "wa-3-in-7",
        "dc-4-calls",
    }
)


def refusing(debtor: Debtor, history: Sequence[Entry], asked: Asked) -> set[str]:
    """The rules of `KNOWN` that refuse the contact."""
    diary = sorted((entry for entry in history if entry.at <= asked.at), key=lambda entry: entry.at)
    names = ZONES[str(debtor.state)] + [name for phone in debtor.phones for name in ZONES[phone.number]]
    refused = set(_by_what_was_said(diary, asked))
    for name in names:
        refused |= set(_by_the_calendar(debtor, diary, asked, ZoneInfo(name)))
    return refused


def _by_the_calendar(debtor: Debtor, diary: list[Entry], asked: Asked, zone: ZoneInfo) -> list[str]:
    """What the dates and the clock of one zone forbid."""
    found = []
    debts: list[str | None] = [*asked.debts] or [None, *(debt for each in diary for debt in each.debts)]
    """It may be about any of them where it names none."""
    clock = asked.at.astimezone(zone)
    today = clock.date()
    minutes = 60 * clock.hour + clock.minute
    is_written = asked.channel in {Medium.LETTER, Medium.PORTAL}
    if not is_written and (minutes < 8 * 60 or minutes >= 21 * 60):
        found.append("hours-8-to-21")
    if asked.channel is Medium.CALL and any(_too_many_calls(diary, asked, debt, today, zone) for debt in debts):
        found.append("calls-7-in-7")
    if asked.channel is Medium.CALL and any(_is_silent_day(diary, asked, debt, today, zone) for debt in debts):
        found.append("calls-after-conversation")
    states = {
        "MA": ("ma-2-in-7", 2, {Medium.CALL, Medium.SMS}, False),
        "WA": ("wa-3-in-7", 3, set(Medium), True),
        "DC": ("dc-4-calls", 4, {Medium.CALL}, False),
    }
    if debtor.state in states:
        rule, most, media, of_all_debts = states[debtor.state]
        for debt in (None,) if of_all_debts else debts:
            made = Counter(
                each.at.astimezone(zone).date()
                for each in diary
                if _reached_out(each) and each.channel in media and _concerns(each, debt)
            )
            if asked.channel in media and sum(made[day] for day in _week_up_to(today)) >= most:
                found.append(rule)
                break
    return found


def _too_many_calls(diary: list[Entry], asked: Asked, debt: str | None, today: date, zone: ZoneInfo) -> bool:
    """More than seven times within seven consecutive days, with this one; calls with consent do not count."""
    if _has_consent(diary, asked.at, asked.person, debt, zone):
        return False
    made: Counter[date] = Counter()
    for each in diary:
        is_one = each.channel is Medium.CALL and _reached_out(each)
        if not is_one or each.person != asked.person or not _concerns(each, debt):
            continue
        if not _has_consent(diary, each.at, each.person, debt, zone):
            made[each.at.astimezone(zone).date()] += 1
    return sum(made[day] for day in _week_up_to(today)) + 1 > 7


def _is_silent_day(diary: list[Entry], asked: Asked, debt: str | None, today: date, zone: ZoneInfo) -> bool:
    """Whether today is one of the seven consecutive days of which the date of a conversation is the first."""
    if _has_consent(diary, asked.at, asked.person, debt, zone):
        return False
    silent: set[date] = set()
    for each in diary:
        is_conversation = each.kind is Kind.CONTACT and each.channel is Medium.CALL and each.is_conversation
        if not is_conversation or each.recipient is not Recipient.CONSUMER:
            continue
        if each.person == asked.person and _concerns(each, debt):
            first = each.at.astimezone(zone).date()
            silent |= {first + timedelta(days=n) for n in range(7)}
    return today in silent


def _has_consent(diary: list[Entry], at: datetime, person: str | None, debt: str | None, zone: ZoneInfo) -> bool:
    """Given before the call, which is on one of seven dates of which that of the consent is the first, and used up by
    no conversation."""
    good_for: set[date] = set()
    for each in diary:
        if each.at > at:
            break
        if each.withdraws is Kind.CALL_CONSENT:
            good_for = set()
        if each.person != person or not _concerns(each, debt):
            continue
        if each.kind is Kind.CALL_CONSENT:
            first = each.at.astimezone(zone).date()
            good_for |= {first + timedelta(days=n) for n in range(7)}
        elif each.at < at and each.is_conversation and each.recipient is Recipient.CONSUMER:
            good_for = set()
    return at.astimezone(zone).date() in good_for


def _reached_out(entry: Entry) -> bool:
    if entry.kind is not Kind.CONTACT or entry.is_inbound or entry.recipient is not Recipient.CONSUMER:
        return False
    return entry.is_connected or entry.channel is not Medium.CALL


def _concerns(entry: Entry, debt: str | None) -> bool:
    return debt is None or entry.debts == () or debt in entry.debts


def _week_up_to(day: date) -> list[date]:
    return [day - timedelta(days=n) for n in range(7)]


def _by_what_was_said(diary: list[Entry], asked: Asked) -> list[str]:
    """What stands at the end of the diary, read entry by entry. Nothing in it names a number."""
    refused: set[Medium] = set()
    consented: set[Medium] = set()
    has_texted = is_over = has_attorney = False
    for entry in diary:
        match entry.kind:
            case Kind.OPT_OUT:
                refused |= set(Medium) if entry.channel is None else {entry.channel}
                if Medium.SMS in refused:
                    has_texted = False
                consented -= refused
            case Kind.CONSENT if entry.channel is not None:
                consented.add(entry.channel)
                refused.discard(entry.channel)
            case Kind.CONTACT if entry.is_inbound and entry.channel is Medium.SMS and entry.person == asked.person:
                has_texted = has_texted or Medium.SMS not in refused
            case Kind.CEASE if entry.is_written:
                is_over = True
            case Kind.ATTORNEY:
                has_attorney = True
            case Kind.WITHDRAWN if entry.withdraws is Kind.CEASE:
                is_over = False
            case Kind.WITHDRAWN if entry.withdraws is Kind.ATTORNEY:
                has_attorney = False
            case _:
                pass
    found = []
    if asked.channel in refused:
        found.append("medium-refused")
    if is_over:
        found.append("cease")
    if has_attorney:
        found.append("attorney")
    if asked.channel is Medium.SMS and not has_texted and Medium.SMS not in consented:
        found.append("text-consent")
    return found
