"""Contact rules: what law and house policy say of a contact that is about to be made.

Wishes of the customer (opt-outs, consent refused) are kept by the account itself; what blocks every contact
(cease, attorney, bankruptcy) is a blocking flag. Here are the rules about how and when.
"""

from collections.abc import Callable
from datetime import datetime, time, timedelta
from zoneinfo import ZoneInfo

from aggregates.account import Account
from aggregates.kernel.context import Context
from aggregates.office import Office
from aggregates.values.business_time import moment_at
from aggregates.values.contact import ALLOWED, Channel, Consent, ContactAttempt, Denied, Verdict

CONVENIENT_FROM, CONVENIENT_UNTIL = time(8), time(21)

Rule = Callable[[Account, ContactAttempt, Office], Verdict]


def inconvenient_hours(account: Account, attempt: ContactAttempt, office: Office) -> Verdict:
    """12 CFR 1006.6(b)(1): not before 8:00 nor after 21:00 at the consumer's location, whatever the medium."""
    if attempt.channel is Channel.PORTAL:
        return ALLOWED
    known = account.contact.details.time_zone
    zone = ZoneInfo(known) if known else office.zone
    local = attempt.at.astimezone(zone)
    if CONVENIENT_FROM <= local.time() < CONVENIENT_UNTIL:
        return ALLOWED
    return Denied("hours-8-to-21", f"it is {local:%H:%M} in {zone.key}", until=_next_opening(local, zone))


def _next_opening(local: datetime, zone: ZoneInfo) -> datetime:
    day = local.date() if local.time() < CONVENIENT_FROM else local.date() + timedelta(days=1)
    return moment_at(day, CONVENIENT_FROM, zone)


def text_consent(account: Account, attempt: ContactAttempt, office: Office) -> Verdict:
    """12 CFR 1006.6(d)(5): a text needs the consumer's consent; kept for every account as house policy."""
    del office
    if attempt.channel is not Channel.SMS:
        return ALLOWED
    if account.contact.details.consent(Channel.SMS, attempt.point_id) is Consent.GIVEN:
        return ALLOWED
    return Denied("text-consent", f"no consent to texts at {attempt.point_id}")


CONTACT_RULES: tuple[Rule, ...] = (inconvenient_hours, text_consent)


def contact_rules(account: Account, attempt: ContactAttempt, context: Context) -> Verdict:
    """The first rule that forbids the contact, else allowed."""
    office = account.customer.office(context)
    for rule in CONTACT_RULES:
        verdict = rule(account, attempt, office)
        if isinstance(verdict, Denied):
            return verdict
    return ALLOWED
