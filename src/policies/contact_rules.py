"""What the contact rules say of a contact that an account is about to make: all of the table is asked.

Who the debtor is follows from the account: where addresses and numbers are, what was said of contact, which flags it
carries. Who collects, and what was chosen where a rule leaves a choice, are settings of the office.
"""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import cache, lru_cache
from typing import NamedTuple
from zoneinfo import ZoneInfo

from aggregates.account import Account
from aggregates.account.contact_history import MEDIA, ContactFact, in_one_spelling
from aggregates.account.customer import CustomerKind
from aggregates.kernel.context import Context
from aggregates.office import Office
from aggregates.values.business_time import local_date
from aggregates.values.contact import (
    ALLOWED,
    Channel,
    Consent,
    ContactAttempt,
    ContactDetails,
    Denied,
    PhoneKind,
    PostalAddress,
    RuleRefusal,
    Verdict,
)
from aggregates.values.contact_settings import ContactSettings, RuleChoice
from aggregates.values.countries import country_of
from policies.contact.case import (
    Asked,
    Debtor,
    DebtType,
    Entry,
    Flag,
    Kind,
    Medium,
    Phone,
    Place,
    Purpose,
    Role,
    RuleSetting,
    Settings,
)
from policies.contact.places import (
    STATES,
    TERRITORIES,
    US,
    state_of_zip,
    zones_of_address,
    zones_of_country,
    zones_of_number,
)
from policies.contact.record import Record
from policies.contact.rule import ContactRule, Situation
from policies.contact.table import RULES, Refused, judge, places_of, refusals, setting_fault, zones_of

HOURS = RULES["hours-8-to-21"]
_UNKNOWN_COUNTRY = "ZZ"
"""ISO 3166-1 leaves it to users: no law of a country that is known here binds."""
_UNDATED = datetime(1970, 1, 1, tzinfo=UTC)
"""Consents that are kept without a date are older than anything that has one. Opt-outs without a date are newer than
any consent: they hold until they are taken back as such."""

_LETTERS = {HOURS.id: RuleSetting(figures={"letters": 1})}
"""House policy of accounts: letters keep to the hours too."""
_NOT_ASKED = {
    rule_id: RuleSetting(is_on=False)
    for rule_id in (
        "email-address",
        "email-notice-35-days",
        "email-at-work",
        "text-within-60-days",
        "text-consent-within-60-days",
    )
}
"""Off where they are house policy, until an office turns them on: they ask for records of a third party's (notices,
checks of numbers), and who collects their own debt from customers of theirs has none (ADR 0049)."""

_PLACES = {PhoneKind.HOME: Place.HOME, PhoneKind.MOBILE: Place.MOBILE, PhoneKind.WORK: Place.WORK}
_FLAGS = {flag.value: flag for flag in Flag}


def contact_rules(account: Account, attempt: ContactAttempt, context: Context) -> Verdict:
    """Allowed, or every rule that forbids the contact."""
    others = [context.find(Account, each) for each in account.customer.accounts]
    office = account.customer.office(context)
    return verdict(account, attempt, office, others=[each for each in others if each is not None])


def verdict(account: Account, attempt: ContactAttempt, office: Office, *, others: Iterable[Account] = ()) -> Verdict:
    """The same, without a decision. `others` are the customer's other accounts: contacts about them count too where a
    rule counts all contacts with a person."""
    return _verdict(account, attempt, office, others=others)


def inconvenient_hours(account: Account, attempt: ContactAttempt, office: Office) -> Verdict:
    """The rules about the time of day alone, for no point in particular and as if nothing had happened before.

    What is so judged hangs on where the debtor is, and is the same for many accounts: it is remembered.
    """
    found = _FOUND.of(account.contact.details, account.contact.country, office)
    said = office.contact.rules
    return _at_these_hours(
        _Hours(
            attempt.at,
            MEDIA[attempt.channel],
            found.zones,
            found.places,
            _debt_type(account.customer.kind, office),
            office.contact.role,
            found.house_zone,
            tuple((each, said[each].on, *said[each].figures.items()) for each in _HOURS if each in said),
        )
    )


class _Hours(NamedTuple):
    """All that the rules about the time of day look at."""

    at: datetime
    medium: Medium
    zones: tuple[ZoneInfo, ...]
    places: frozenset[str]
    debt_type: DebtType
    role: Role
    house_zone: str | None
    choices: tuple[tuple[str, bool | None, *tuple[tuple[str, int], ...]], ...]
    """What the office says of these rules: by id, whether it is on, and its figures."""


@lru_cache(maxsize=4_096)
def _at_these_hours(hours: _Hours) -> Verdict:
    debtor, asked = Debtor(debt_type=hours.debt_type), Asked(hours.at, hours.medium)
    dates = frozenset(local_date(hours.at, zone) for zone in hours.zones)
    chosen = {rule: RuleChoice(on=on, figures=dict(figures)) for rule, on, *figures in hours.choices}
    refused = refusals(
        Situation(debtor, hours.role, Record((), hours.at), asked, hours.zones, hours.places, dates),
        _settings(ContactSettings(role=hours.role, rules=chosen), debtor),
        table=tuple(_HOURS.values()),
        house_zone=hours.house_zone,
    )
    return _denied(tuple(_said(each, None, "", _UNDATED) for each in refused))


def setting_faults(contact: ContactSettings) -> Iterable[str]:
    """What an office cannot say of contact rules."""
    for rule_id, choice in sorted(contact.rules.items()):
        fault = setting_fault(rule_id, RuleSetting(choice.on, choice.figures))
        if fault is not None:
            yield f"contact.rules.{rule_id}: {fault}"


_HOURS: Mapping[str, ContactRule] = {each: RULES[each] for each in ("hours-8-to-21", "wa-hours", "fl-hours")}
"""They look at nothing of the debtor but where that is, and what kind of debt it is."""


def _verdict(
    account: Account,
    attempt: ContactAttempt,
    office: Office,
    *,
    others: Iterable[Account] = (),
) -> Verdict:
    debtor, house_zone = debtor_of(account, office)
    to = attempt.number or account.contact_history.point(attempt.channel, attempt.point_id) or attempt.point_id or None
    debts = (account.customer.account_name,) if account.customer.accounts else ()
    refused = judge(
        debtor,
        office.contact.role,
        _history(account, attempt, to, others),
        Asked(
            attempt.at,
            MEDIA[attempt.channel],
            debts=debts,
            to=to,
            purpose=attempt.purpose,
            is_prerecorded=attempt.channel is Channel.VOICE and not attempt.is_by_hand,
        ),
        _settings(office.contact, debtor),
        house_zone=house_zone,
    )
    if not refused:
        return ALLOWED
    named = attempt.point_id or "the number"
    is_unwanted = account.contact.wish_against(attempt.channel, attempt.point_id) is not None
    undated = {"medium-refused": attempt.at} if is_unwanted else {}
    return _denied(tuple(_said(each, to, named, undated.get(each.rule, _UNDATED)) for each in refused))


def _denied(refused: tuple[RuleRefusal, ...]) -> Verdict:
    if not refused:
        return ALLOWED
    ends = [each.allowed_from for each in refused]
    until = max((each for each in ends if each is not None), default=None) if None not in ends else None
    return Denied(refused[0].rule, refused[0].detail, until=until, refusals=refused)


def _said(refused: Refused, to: str | None, named: str, unknown: datetime) -> RuleRefusal:
    """What is stored in the open: a number or address is named as the account names it. `unknown` stands for a moment
    that is not known."""
    detail = refused.detail.replace(to, named) if to else refused.detail
    if (undated := f"on {unknown:%Y-%m-%d} (UTC)") in detail:
        detail = detail.replace(undated, "on a day that is not known")
        detail = re.sub(r"(nothing renewed it) for \d+ days", r"\1", detail)
    return RuleRefusal(
        rule=refused.rule,
        source=refused.source,
        basis=refused.basis,
        detail=detail,
        allowed_from=refused.allowed_from,
        may_override=refused.may_override,
    )


# --- who the debtor is -------------------------------------------------------------------------------------


def debtor_of(account: Account, office: Office) -> tuple[Debtor, str | None]:
    """The debtor, and the time zone in which they are taken to be where a rule is house policy: the one that was said;
    where nothing was, and neither address nor number indicates any, the office's. None: every one that is indicated."""
    customer = account.customer
    found = _FOUND.of(account.contact.details, account.contact.country, office)
    debtor = replace(
        found.debtor,
        debt_type=_debt_type(customer.kind, office),
        flags=frozenset(_FLAGS[each] for each in account.flags.carried if each in _FLAGS),
        amount=account.receivables.outstanding.decimal() if customer.currency == "USD" else None,
    )
    return debtor, found.house_zone


@dataclass(frozen=True, slots=True)
class _Found:
    """What addresses and numbers say of where a customer is."""

    debtor: Debtor
    """Without what the account says of the debt."""
    zones: tuple[ZoneInfo, ...]
    """As far as they say it of a contact at none of them in particular."""
    places: frozenset[str]
    house_zone: str | None


class _FoundBefore:
    """Of the contact details that were looked at lately: each decision about an account asks several times."""

    _MOST = 1_024

    def __init__(self) -> None:
        self._known: dict[tuple[int, str | None, str], tuple[ContactDetails, _Found]] = {}
        """By the identity of the details, which no others have while they are kept here."""

    def of(self, details: ContactDetails, country: str | None, office: Office) -> _Found:
        key = id(details), country, office.time_zone
        known = self._known.get(key)
        if known is None:
            known = details, _found(details, country, office)
            if len(self._known) >= self._MOST:  # another thread may ask meanwhile, and finds less
                self._known = {}
            self._known[key] = known
        return known[1]


_FOUND = _FoundBefore()


def _found(details: ContactDetails, home: str | None, office: Office) -> _Found:
    """`home` is the country in which numbers without country code are dialled, where it is known."""
    at_home = _country(home) or _country_of(office)
    numbers = [(in_one_spelling(Channel.VOICE, each.number, home), _PLACES.get(each.kind)) for each in details.phones]
    known = [(_country(each.country) or at_home, each) for each in details.addresses if not each.is_erased]
    addresses = [each for where, each in known if _is_us(where)]
    is_us = bool(addresses) or _is_us(at_home)  # one of several countries is enough for its laws
    country = US if is_us else at_home
    territory = at_home if at_home in TERRITORIES else None
    states = [_state(each) for each in addresses]
    zips = [_zip(each) for each in addresses]
    zones = {zone for state, code in zip(states[1:], zips[1:], strict=True) for zone in zones_of_address(state, code)}
    if elsewhere := {where for where, _ in known if where != country and not (is_us and _is_us(where))}:
        here = zones_of_address(states[0], zips[0]) if states else frozenset()
        zones |= here or {*zones_of_country(country)}
        zones |= {zone for each in elsewhere for zone in zones_of_country(each)}
    zone = details.time_zone
    debtor = Debtor(
        state=states[0] if states and states[0] is not None else territory,
        zip_code=zips[0] if zips else None,
        city=addresses[0].city if addresses else None,
        country=country,
        phones=tuple(Phone(number, place) for number, place in numbers),
        other_states=frozenset(
            state for each, code in zip(states[1:], zips[1:], strict=True) if (state := each or state_of_zip(code))
        ),
        time_zones=tuple(sorted({*zones, *([zone] if zone else ())})),
    )
    is_indicated = bool(zones or debtor.state or debtor.zip_code) or any(zones_of_number(each) for each, _ in numbers)
    is_abroad = country not in (US, _UNKNOWN_COUNTRY)
    house_zone = zone or (None if is_indicated or is_abroad else office.time_zone)
    return _Found(debtor, zones_of(debtor), places_of(debtor), house_zone)


def _country(code: str | None) -> str | None:
    """None where nothing is said, or what is no country: earlier releases took any two letters."""
    return None if code is None else country_of(code)


def _is_us(country: str) -> bool:
    return country == US or country in TERRITORIES


def _debt_type(kind: CustomerKind, office: Office) -> DebtType:
    if office.contact.debt_type is not None:
        return office.contact.debt_type
    return DebtType.COMMERCIAL if kind is CustomerKind.COMMERCIAL else DebtType.CONSUMER


def _country_of(office: Office) -> str:
    """Where a customer is of whom nothing says it: where the office is."""
    return US if _is_zone_of_the_us(office.time_zone) else _UNKNOWN_COUNTRY


@cache
def _is_zone_of_the_us(name: str) -> bool:
    """UTC is the zone of an office that never said where it is; the law of the US is the stricter guess."""
    if name == "UTC" or name in zones_of_country(US) or name.startswith("US/"):
        return True
    from babel.core import get_global  # CLDR; takes a while to load

    return name in get_global("territory_zones").get(US, ())


def _state(address: PostalAddress) -> str | None:
    region = (address.region or "").strip().upper().removeprefix("US-")
    if region in STATES:
        return region
    return address.country if address.country in TERRITORIES else None


def _zip(address: PostalAddress) -> str | None:
    code = (address.postal_code or "").strip()
    return code if code[:5].isdigit() and len(code) in (5, 10) else None


# --- what happened before ----------------------------------------------------------------------------------


def _history(account: Account, attempt: ContactAttempt, to: str | None, others: Iterable[Account]) -> Iterable[Entry]:
    history = account.contact_history
    found = [
        *history.entries,
        *account.messages.contacts(but=attempt.but),
        *map(_of_fact, history.facts.values()),
    ]
    for other in others:
        debts = (other.customer.account_name,)
        theirs = (*other.contact_history.entries, *other.messages.contacts(but=None))
        found += [replace(each, debts=debts) for each in theirs]
    details, channel = account.contact.details, attempt.channel
    medium = MEDIA[channel]
    if attempt.point_id:
        consent = details.consent(channel, attempt.point_id)
        if consent is Consent.GIVEN:
            found.append(Entry(_UNDATED, Kind.CONSENT, medium, to=to))
        is_unwanted = consent is Consent.REFUSED or account.contact.has_opted_out(channel, attempt.point_id)
        if is_unwanted and attempt.purpose is not Purpose.OPT_OUT_CONFIRMATION:  # what it confirms is dated
            found.append(Entry(attempt.at, Kind.OPT_OUT, medium, to=to))
    return found


def _of_fact(fact: ContactFact) -> Entry:
    return Entry(
        fact.at or _UNDATED,
        Kind(fact.kind.value),
        MEDIA[fact.channel] if fact.channel is not None else None,
        to=fact.number or fact.address,
        is_written=fact.is_written,
        is_refusal_to_pay=bool(fact.refusal_to_pay),
        is_clear=fact.clear is not False,
        is_reassigned=bool(fact.reassigned),
    )


def _settings(said: ContactSettings, debtor: Debtor) -> Settings:
    """The office's choices over what accounts have by default."""
    is_bound = said.role is Role.THIRD_PARTY and debtor.debt_type is DebtType.CONSUMER
    found: dict[str, RuleSetting] = dict(_BOUND if is_bound else _HOUSE)
    for rule_id, choice in said.rules.items():
        before = found.get(rule_id, RuleSetting())
        is_on = before.is_on if choice.on is None else choice.on
        found[rule_id] = RuleSetting(is_on, {**before.figures, **choice.figures})
    return found


_HOUSE: Mapping[str, RuleSetting] = {**_LETTERS, **_NOT_ASKED}
_BOUND: Mapping[str, RuleSetting] = _LETTERS
