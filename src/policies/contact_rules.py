"""What the contact rules say of a contact that an account is about to make.

Wishes of the customer (opt-outs, consent refused) are kept by the account itself; what blocks every contact
(cease, attorney, bankruptcy) is a blocking flag. Of the table's rules (`policies.contact.table`) those are asked here
that need no history of contacts.
"""

from aggregates.account import Account
from aggregates.kernel.context import Context
from aggregates.office import Office
from aggregates.values.contact import ALLOWED, Channel, Consent, ContactAttempt, Denied, Verdict
from policies.contact.case import Asked, Debtor, Entry, Kind, Medium, Role, RuleSetting
from policies.contact.rule import ContactRule
from policies.contact.table import RULES, judge

HOURS, TEXT_CONSENT = RULES["hours-8-to-21"], RULES["text-consent"]

_MEDIA = {
    Channel.SMS: Medium.SMS,
    Channel.VOICE: Medium.CALL,
    Channel.EMAIL: Medium.EMAIL,
    Channel.LETTER: Medium.LETTER,
    Channel.PORTAL: Medium.PORTAL,
}
_SETTINGS = {HOURS.id: RuleSetting(figures={"letters": 1})}
"""House policy of accounts: letters keep to the hours too."""


def inconvenient_hours(account: Account, attempt: ContactAttempt, office: Office) -> Verdict:
    """The rule of the hours alone."""
    return _verdict(account, attempt, office, HOURS)


def contact_rules(account: Account, attempt: ContactAttempt, context: Context) -> Verdict:
    """The first rule that forbids the contact, else allowed."""
    return _verdict(account, attempt, account.customer.office(context), HOURS, TEXT_CONSENT)


def _verdict(account: Account, attempt: ContactAttempt, office: Office, *rules: ContactRule) -> Verdict:
    details = account.contact.details
    channel, point_id, at = _MEDIA[attempt.channel], attempt.point_id, attempt.at
    consents = details.consent(attempt.channel, point_id) is Consent.GIVEN
    refused = judge(
        Debtor(time_zones=(details.time_zone or office.time_zone,)),
        Role.FIRST_PARTY,
        [Entry(at, Kind.CONSENT, channel, to=point_id)] if consents else (),
        Asked(at, channel, to=point_id),
        _SETTINGS,
        table=rules,
    )
    if not refused:
        return ALLOWED
    first = refused[0]
    return Denied(first.rule, first.detail, until=first.allowed_from)
