"""Rules about electronic messages, recorded voices and notices: consent, addresses, and what has to be in them."""

from collections.abc import Callable, Iterable
from datetime import date, datetime, timedelta
from functools import cache

from aggregates.values.business_time import day_starts, local_date
from policies.contact.case import Entry, Flag, Kind, Medium, Place, Purpose, VoicemailPart
from policies.contact.counting import at_most, prerecorded
from policies.contact.record import is_stop
from policies.contact.rule import No, Situation, is_about
from policies.contact.wishes import gives, opted_out

NEEDED = frozenset(
    {
        VoicemailPart.BUSINESS_NAME,
        VoicemailPart.REPLY_REQUEST,
        VoicemailPart.PERSON_NAME,
        VoicemailPart.TELEPHONE_NUMBER,
    }
)
COLLECTS_NOTHING = frozenset(
    {Purpose.VERIFICATION, Purpose.VALIDATION_NOTICE, Purpose.OPT_OUT_CONFIRMATION, Purpose.EFFORTS_END}
)
OPTIONAL = frozenset({VoicemailPart.GREETING, VoicemailPart.DATE_AND_TIME, VoicemailPart.REPLY_TIMES})

_FRESH = timedelta(days=60)

# --- consent to texts ------------------------------------------------------------------------------------


def text_consent(situation: Situation) -> No | None:
    """The consumer texted from that number, or consented to texts at it, and has not opted out since."""
    if situation.asked.purpose is Purpose.OPT_OUT_CONFIRMATION or _consent(situation) or _own_text(situation):
        return None
    return No(f"no consent to texts at {situation.asked.to or 'a number that is not named'}")


def own_text_within_60_days(situation: Situation) -> No | None:
    """Without other consent, the consumer texted from the number within 60 days, or a reassignment check passed."""
    own = _own_text(situation)
    if own is None or _consent(situation) or situation.asked.purpose is Purpose.OPT_OUT_CONFIRMATION:
        return None
    return _stale(situation, own, [own], "text from the number")


def consent_within_60_days(situation: Situation) -> No | None:
    """Consent was given or renewed within 60 days, or a reassignment check passed, or the consumer texted."""
    given = _consent(situation)
    if given is None or situation.asked.purpose is Purpose.OPT_OUT_CONFIRMATION:
        return None
    own = _own_text(situation)
    return _stale(situation, given, [each for each in (given, own) if each is not None], "consent to texts")


def _stale(situation: Situation, last: Entry, known: list[Entry], what: str) -> No | None:
    asked = situation.asked
    checked = situation.record.standing(
        Kind.REASSIGNMENT_CHECK, lambda each: not each.is_reassigned and each.to in {None, asked.to}
    )
    newest = max(each.at for each in (*known, checked) if each is not None)
    if asked.at - newest <= _FRESH:
        return None
    days = (asked.at - newest).days
    return No(f"the last {what} was on {last.at:%Y-%m-%d} (UTC); nothing renewed it for {days} days: within 60")


def _consent(situation: Situation) -> Entry | None:
    """The consent to this medium here that is in force."""
    given = situation.record.standing(Kind.CONSENT, lambda each: gives(each, situation))
    refused = opted_out(situation)
    return None if given is None or (refused is not None and refused.at >= given.at) else given


def _own_text(situation: Situation) -> Entry | None:
    """The last text that the consumer sent from the number, unless they opted out of texts to it since."""
    if opted_out(situation) is not None:
        return None
    sent = [each for each in _came_from(situation, Medium.SMS) if not is_stop(each)]
    return sent[-1] if sent else None


def _came_from(situation: Situation, medium: Medium) -> list[Entry]:
    """What the person sent from the number or address over a medium, by time."""
    asked = situation.asked
    return [
        each
        for each in situation.record.inbound
        if each.channel is medium and each.person == asked.person and each.to in {None, asked.to}
    ]


# --- e-mail ----------------------------------------------------------------------------------------------


def email_address(situation: Situation) -> No | None:
    """An address that the consumer used with us or consented to, or that creditor or prior collector hand over."""
    if _is_used(situation) or _handed_over(situation, Kind.EMAIL_NOTICE, Kind.PRIOR_COLLECTOR):
        return None
    return No(f"nothing says that {situation.asked.to or 'the address'} may be used")


def email_notice(situation: Situation) -> No | None:
    """After the creditor's notice the consumer has time to opt out, before the address is used."""
    if _is_used(situation) or _handed_over(situation, Kind.PRIOR_COLLECTOR):
        return None
    noticed = _handed_over(situation, Kind.EMAIL_NOTICE, is_first=True)
    days = situation.figures["days"]
    found: No | None = None
    for zone in situation.zones if noticed is not None else ():
        assert noticed is not None  # noqa: S101
        day = local_date(noticed.at, zone)
        free_on = day + timedelta(days=days)
        starts = day_starts(free_on, zone)
        if situation.asked.at < starts and (found is None or found.allowed_from is None or starts > found.allowed_from):
            found = No(f"the creditor's notice of the address was sent on {day}: {days} days before it is used", starts)
    return found


def email_at_work(situation: Situation) -> No | None:
    """No work address, unless the consumer used it with us or consented to it."""
    if situation.place_of(situation.asked) is not Place.WORK or _is_used(situation):
        return None
    return No("it is an address at work")


def _is_used(situation: Situation) -> bool:
    if situation.asked.purpose is Purpose.OPT_OUT_CONFIRMATION or _consent(situation) is not None:
        return True
    return bool(_came_from(situation, Medium.EMAIL))


def _handed_over(situation: Situation, *kinds: Kind, is_first: bool = False) -> Entry | None:
    """What says that the address may be used, the last of it or the first."""
    to = situation.asked.to
    found = [each for kind in kinds for each in situation.record.in_force(kind) if each.to in {None, to}]
    return found[-1 if is_first else 0] if found else None


# --- what is in a message --------------------------------------------------------------------------------


def opt_out_line(situation: Situation) -> No | None:
    """Every electronic message carries a simple way to opt out of that address or number."""
    return None if situation.asked.has_opt_out else No("there is no way to opt out in it")


def limited_content(situation: Situation) -> No | None:
    """A voicemail that is meant to be no communication has all that is needed and nothing more than may be."""
    said = situation.asked.voicemail
    if said is None:
        return None
    missing, more = NEEDED - set(said), set(said) - NEEDED - OPTIONAL
    if not missing and not more:
        return None
    parts = [f"without {_named(missing)}"] if missing else []
    parts += [f"with {_named(more)}"] if more else []
    return No(f"the voicemail is {' and '.join(parts)}: it is a communication")


def no_offer(situation: Situation) -> No | None:
    """What collects sells nothing."""
    return No("something is offered for sale in it") if situation.asked.has_offer else None


def _named(parts: Iterable[VoicemailPart]) -> str:
    return ", ".join(sorted(parts))


# --- artificial and prerecorded voice ----------------------------------------------------------------------


def recorded_voice_to_wireless(situation: Situation) -> No | None:
    """Prior express consent, where the number is or may be a wireless one."""
    asked = situation.asked
    if not asked.is_prerecorded or situation.place_of(asked) in {Place.HOME, Place.WORK} or _consent(situation):
        return None
    return No(f"no consent to a recorded voice at {asked.to or 'a number that is not named'}")


def recorded_voice_at_home(situation: Situation) -> No | None:
    """Without consent three in thirty days to a residential landline, whatever they are about."""
    asked = situation.asked
    if not asked.is_prerecorded or situation.place_of(asked) is not Place.HOME or _consent(situation):
        return None
    calls = [
        each
        for each in situation.record.within(30)
        if prerecorded(situation, each) and situation.place_of(each) in {Place.HOME, None}
    ]
    return at_most(situation, calls, 3, 30, "calls with a recorded voice")


def recorded_voice_opt_out(situation: Situation) -> No | None:
    """The call itself has a way to opt out."""
    asked = situation.asked
    return No("there is no way to opt out in the call") if asked.is_prerecorded and not asked.has_opt_out else None


# --- District of Columbia ----------------------------------------------------------------------------------


def electronic_consent(situation: Situation) -> No | None:
    """Consent comes before electronic messages; one in seven days may ask for it."""
    asked = situation.asked
    if asked.purpose is Purpose.OPT_OUT_CONFIRMATION or _consent(situation):
        return None
    if asked.purpose is not Purpose.CONSENT_REQUEST:
        return No(f"no consent to {asked.channel.value}")
    requests = [
        each for each in situation.record.within(7) if each.purpose is Purpose.CONSENT_REQUEST and not each.is_inbound
    ]
    return at_most(situation, requests, 1, 7, "messages that ask for consent")


# --- validation and disputes -------------------------------------------------------------------------------


def validation_notice(situation: Situation) -> No | None:
    """In or within five days of the first communication.

    Only of a debt whose placement the history says: an excerpt of a history proves nothing by what is not in it.
    """
    if situation.asked.purpose in COLLECTS_NOTHING:
        return None
    for debt in situation.each_debt():
        placed = situation.record.standing(Kind.PLACEMENT, _about(debt))
        first = _first_communication(situation, debt, placed.at) if placed is not None else None
        if first is None or situation.record.standing(Kind.VALIDATION_NOTICE, _about(debt)) is not None:
            continue
        last_day = max(local_date(first.at, zone) for zone in situation.zones) + timedelta(days=5)
        if min(situation.dates) > last_day:
            what = "" if debt is None else f" about {debt}"
            return No(f"no validation notice{what} was sent, which was due by {last_day}")
    return None


def electronic_validation_notice(situation: Situation) -> No | None:
    """After the first communication, a notice by electronic means needs E-SIGN consent; inside it, none."""
    asked = situation.asked
    if asked.purpose is not Purpose.VALIDATION_NOTICE or situation.record.standing(Kind.ESIGN_CONSENT) is not None:
        return None
    for debt in situation.each_debt():
        placed = situation.record.standing(Kind.PLACEMENT, _about(debt))
        first = _first_communication(situation, debt, placed.at if placed is not None else None)
        if first is not None:
            return No(f"the first communication was on {first.at:%Y-%m-%d} (UTC), and there is no E-SIGN consent")
    return None


def validation_notice_can_be_kept(situation: Situation) -> No | None:
    """In a form that the consumer may keep and use later."""
    asked = situation.asked
    if asked.purpose is Purpose.VALIDATION_NOTICE and not asked.can_be_kept:
        return No("the notice cannot be kept")
    return None


def dispute(situation: Situation) -> No | None:
    """A written dispute within the validation period stops collection of what is disputed until it is verified."""
    if not _may_stop(situation):
        return None
    said = _disputes(situation, in_period=True)
    if said is not None:
        return No(f"a written dispute of {said.at:%Y-%m-%d} (UTC) is not answered")
    return No("a dispute stands on the debtor") if Flag.DISPUTE in situation.debtor.flags else None


def late_dispute(situation: Situation) -> No | None:
    """One after the validation period stops nothing by law."""
    said = _disputes(situation, in_period=False) if _may_stop(situation) else None
    return (
        None
        if said is None
        else No(f"a written dispute of {said.at:%Y-%m-%d} (UTC), after the validation period, is not answered")
    )


def _may_stop(situation: Situation) -> bool:
    """What answers the dispute, what the law asks for all the same, and what only confirms an opt-out collect
    nothing."""
    asked = situation.asked
    return asked.purpose not in COLLECTS_NOTHING and not asked.is_about_undisputed_part


def _disputes(situation: Situation, *, in_period: bool) -> Entry | None:
    """The last written dispute that nothing answered since, in the validation period or after it."""
    record = situation.record
    for debt in situation.each_debt():
        answered = record.standing(Kind.VERIFICATION, _about(debt))
        for said in record.in_force(Kind.DISPUTE):
            if not said.is_written or not is_about(said, debt) or (answered is not None and answered.at >= said.at):
                continue
            if _is_in_period(situation, said, debt) is in_period:
                return said
    return None


def _is_in_period(situation: Situation, said: Entry, debt: str | None) -> bool:
    """Whether it came within 30 days of the assumed receipt of the notice; before a notice it is early, not late."""
    notices = situation.record.in_force(Kind.VALIDATION_NOTICE)
    sent = next((each for each in notices if is_about(each, debt) and each.at <= said.at), None)
    if sent is None:
        return True
    zone = situation.zones[0]
    received = assumed_receipt(local_date(sent.at, zone), situation.figures["receipt_days"])
    return min(local_date(said.at, each) for each in situation.zones) <= received + timedelta(days=30)


def assumed_receipt(sent_on: date, days: int) -> date:
    """So many days after sending, without Saturdays, Sundays and federal holidays (12 CFR 1006.34(b)(5))."""
    day = sent_on
    while days:
        day += timedelta(days=1)
        if day.weekday() < 5 and day not in _federal_holidays(day.year):
            days -= 1
    return day


@cache
def _federal_holidays(year: int) -> frozenset[date]:
    from holidays import country_holidays  # takes a while to load

    return frozenset(country_holidays("US", years=year))


def _first_communication(situation: Situation, debt: str | None, since: datetime | None) -> Entry | None:
    """Of the collector: what the consumer writes conveys nothing to the consumer (12 CFR 1006.34(b)(2))."""
    communications = situation.record.communications(situation.asked.person)
    found = (
        each
        for each in communications
        if is_about(each, debt)
        and (since is None or each.at >= since)
        and (each.is_conversation or not each.is_inbound)
    )
    return min(found, key=lambda each: each.at, default=None)


def _about(debt: str | None) -> Callable[[Entry], bool]:
    return lambda each: is_about(each, debt)
