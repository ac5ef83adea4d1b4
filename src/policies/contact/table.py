"""Every contact rule, in one table, and the verdict that they give together.

What is not certain in a law is a setting with its source (`is_certain=False`, figures), never taken for certain law.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime, time
from decimal import Decimal
from functools import lru_cache
from zoneinfo import ZoneInfo

from aggregates.values.business_time import local_date, local_times
from policies.contact import counting, hours, messages, wishes
from policies.contact.case import Asked, Debtor, DebtType, Entry, Medium, Recipient, Role, RuleSetting, Settings
from policies.contact.places import NEW_YORK_CITY, US, may_be_in_new_york_city, state_of_zip, zone_of, zones
from policies.contact.record import Record
from policies.contact.rule import Basis, ContactRule, Figure, Scope, Situation

CALL, TEXT, EMAIL = frozenset({Medium.CALL}), frozenset({Medium.SMS}), frozenset({Medium.EMAIL})
ELECTRONIC = TEXT | EMAIL
THIRD, FIRST = frozenset({Role.THIRD_PARTY}), frozenset({Role.FIRST_PARTY})
CONSUMER = frozenset({DebtType.CONSUMER})
OF_PERSONS = frozenset({DebtType.COMMERCIAL_NATURAL_PERSON})

# --- whom the laws bind ------------------------------------------------------------------------------------

_COMMERCIAL_SINCE = date(2025, 7, 1)
_COMMERCIAL_UP_TO = Decimal(500_000)


def _is_covered_commercial(debtor: Debtor) -> bool:
    """Cal. Civ. Code 1788.2: up to $500,000, entered, renewed, sold or assigned since 2025-07-01."""
    return (debtor.amount is None or debtor.amount <= _COMMERCIAL_UP_TO) and (
        debtor.entered_on is None or debtor.entered_on >= _COMMERCIAL_SINCE
    )


FDCPA = Scope(roles=THIRD, debt_types=CONSUMER)
"""15 USC 1692: what the statute itself has said since before Regulation F."""
OPENS, CLOSES = time(8), time(21)
"""Where the consumer is (12 CFR 1006.6(b)(1))."""
_REGULATION_F_SINCE = date(2021, 11, 30)
REGULATION_F = Scope(roles=THIRD, debt_types=CONSUMER, first_day=_REGULATION_F_SINCE)
UNCERTAIN_REGULATION_F = replace(REGULATION_F, is_certain=False)


def _rosenthal(*, is_certain: bool, since: date | None = None) -> tuple[Scope, ...]:
    """California binds creditors to the statute; how far Regulation F's own figures go with it is not certain, and they
    do `since` that is in force."""
    california, source = frozenset({"CA"}), "Cal. Civ. Code 1788.17"
    return (
        Scope(california, FIRST, CONSUMER, first_day=since, is_certain=is_certain, source=source),
        Scope(
            california,
            debt_types=OF_PERSONS,
            first_day=_COMMERCIAL_SINCE,
            is_certain=is_certain,
            source=f"{source}, 1788.2",
            covers=_is_covered_commercial,
        ),
    )


TCPA = Scope()
TCPA_REVOCATION = Scope(first_day=date(2025, 4, 11))
NEW_YORK = Scope(frozenset({NEW_YORK_CITY}), debt_types=CONSUMER, first_day=date(2026, 9, 1), is_certain=False)


def _state(state: str, *more: str, roles: frozenset[Role] = frozenset(Role)) -> Scope:
    return Scope(frozenset({state, *more}), roles, CONSUMER)


MASSACHUSETTS = (
    Scope(frozenset({"MA"}), FIRST, CONSUMER),
    Scope(frozenset({"MA"}), THIRD, CONSUMER, source="209 CMR 18.16"),
)
WASHINGTON = (Scope(frozenset({"WA"}), THIRD),)
DISTRICT = (Scope(frozenset({"DC"}), debt_types=CONSUMER, first_day=date(2023, 1, 1)),)
WEST_VIRGINIA = (_state("WV"),)
FLORIDA = (
    Scope(frozenset({"FL"}), debt_types=CONSUMER, media=CALL | TEXT),
    Scope(frozenset({"FL"}), debt_types=CONSUMER, media=EMAIL, last_day=date(2025, 5, 15)),
)

# --- the table ---------------------------------------------------------------------------------------------

TABLE: tuple[ContactRule, ...] = (
    # What stops every contact.
    ContactRule(
        "bankruptcy",
        "None while a bankruptcy stays collection.",
        "11 USC 362(a)(6)",
        wishes.bankruptcy,
        (Scope(),),
    ),
    ContactRule("deceased", "None with somebody who has died.", "12 CFR 1006.6(a)(4)", wishes.deceased),
    ContactRule(
        "cease",
        "After a written cease, only: efforts end; a remedy may be, or is, invoked.",
        "12 CFR 1006.6(c)",
        wishes.cease,
        (FDCPA, *_rosenthal(is_certain=True)),
    ),
    ContactRule(
        "cease-refusal-to-pay",
        "A written refusal to pay ends contact as a cease does.",
        "12 CFR 1006.6(c)(1)",
        wishes.refusal_to_pay,
        (Scope(roles=THIRD, debt_types=CONSUMER, is_certain=False), *_rosenthal(is_certain=False)),
    ),
    ContactRule(
        "cease-verbal",
        "A cease that was only said; no law heeds it, and an office may.",
        "12 CFR 1006.6(c)(1)",
        wishes.verbal_cease,
        is_on=False,
        may_override=True,
    ),
    ContactRule(
        "attorney",
        "Represented: only the attorney.",
        "12 CFR 1006.6(b)(2)",
        wishes.attorney,
        (
            FDCPA,
            *_rosenthal(is_certain=True),
            Scope(frozenset({"FL"}), debt_types=CONSUMER, source="Fla. Stat. 559.72(18)"),
        ),
        figures=(
            Figure(
                "exceptions", 1, "1: lifted where the attorney consents or does not respond (check); 0: never.", 0, 1
            ),
        ),
    ),
    ContactRule(
        "dispute",
        "A written dispute within the validation period stops collection of the disputed part until verified.",
        "12 CFR 1006.38(d)(2)",
        messages.dispute,
        (FDCPA,),
        figures=(
            Figure(
                "receipt_days",
                5,
                "Days from sending a notice to its assumed receipt, without weekends and federal holidays (check).",
                0,
                60,
            ),
        ),
    ),
    ContactRule(
        "dispute-late",
        "A written dispute after the validation period; no law stops collection for it, and an office may.",
        "12 CFR 1006.38(d)(2)",
        messages.late_dispute,
        figures=(Figure("receipt_days", 5, "As of the rule `dispute` (check).", 0, 60),),
        may_override=True,
    ),
    # What the person does not want.
    ContactRule(
        "medium-refused",
        "Never by a medium, or at a number or address, that the person asked not to be used.",
        "12 CFR 1006.14(h)",
        wishes.medium_refused,
        (
            REGULATION_F,
            *_rosenthal(is_certain=False, since=_REGULATION_F_SINCE),
            Scope(
                frozenset({NEW_YORK_CITY}),
                debt_types=CONSUMER,
                first_day=date(2026, 9, 1),
                is_certain=False,
                source="6 RCNY 5-77",
            ),
        ),
        may_override=True,
    ),
    ContactRule(
        "opt-out-confirmation",
        "One confirmation of an opt-out may go out, by the medium that was refused.",
        "12 CFR 1006.14(h)(2); 47 CFR 64.1200(a)(12)",
        wishes.one_confirmation,
        (REGULATION_F, replace(TCPA_REVOCATION, media=ELECTRONIC | CALL)),
    ),
    ContactRule(
        "opt-out-confirmation-in-time",
        "The confirmation goes out within five minutes.",
        "47 CFR 64.1200(a)(12)",
        wishes.confirmation_in_time,
        (Scope(first_day=date(2025, 4, 11), is_certain=False),),
        media=TEXT,
        figures=(Figure("minutes", 5, "Minutes from the opt-out (check).", 1, 1_440),),
    ),
    ContactRule(
        "stop-words",
        "Stop, quit, revoke, opt out, cancel, unsubscribe, end: no text or recorded voice any more, at once "
        "(law: within 10 business days).",
        "47 CFR 64.1200(a)(10)",
        wishes.stop_word,
        (TCPA_REVOCATION,),
        media=TEXT | CALL,
    ),
    ContactRule(
        "revocation",
        "Consent revoked in any reasonable words and over any channel: no text or recorded voice any more.",
        "47 CFR 64.1200(a)(10)",
        wishes.revocation,
        (TCPA_REVOCATION,),
        media=TEXT | CALL,
    ),
    ContactRule(
        "revocation-unclear",
        "A reply that may revoke consent: paused until a person has read it.",
        "47 CFR 64.1200(a)(10)",
        wishes.unclear_revocation,
        media=TEXT | CALL,
    ),
    ContactRule(
        "revocation-all",
        "Consent revoked about one matter is revoked for every other; waived as law until 2027-01-31.",
        "47 CFR 64.1200(a)(10); FCC DA 26-12",
        wishes.revoked_for_another_matter,
        (Scope(first_day=date(2027, 1, 31)),),
        media=TEXT | CALL,
        may_override=True,
    ),
    ContactRule(
        "wrong-number",
        "Not at a number that is somebody else's, as they said or as the last reassignment check says.",
        "12 CFR 1006.6(d)(1)",
        wishes.wrong_number,
        (FDCPA, *_rosenthal(is_certain=True)),
        media=CALL | TEXT,
    ),
    # The time of day.
    ContactRule(
        "hours-8-to-21",
        "Not before 8:00 nor from 21:00 on where the consumer is, in every zone that address and numbers indicate.",
        "12 CFR 1006.6(b)(1)",
        hours.between(OPENS, CLOSES),
        (FDCPA, *_rosenthal(is_certain=True)),
        figures=(
            Figure("letters", 0, "1: letters keep to the hours too (check).", 0, 1),
            Figure("portal", 0, "1: notices in the portal keep to the hours too (check).", 0, 1),
        ),
    ),
    ContactRule(
        "wa-hours",
        "Washington: none from 21:00 to 7:30, by agencies.",
        "RCW 19.16.250",
        hours.between(time(7, 30), time(21), consent_lifts=False),
        WASHINGTON,
        is_house=False,
        media=CALL | ELECTRONIC,
    ),
    ContactRule(
        "fl-hours",
        "Florida: none from 21:00 to 8:00 in the debtor's zone without the debtor's consent; e-mail until 2025-05-15.",
        "Fla. Stat. 559.72(17)",
        hours.between(time(8), time(21)),
        FLORIDA,
        is_house=False,
        media=CALL | ELECTRONIC,
    ),
    # How often.
    ContactRule(
        "calls-7-in-7",
        "At most seven calls to a person about a debt in seven consecutive days.",
        "12 CFR 1006.14(b)(2)(i)(A)",
        counting.seven_calls_in_seven_days,
        (REGULATION_F, *_rosenthal(is_certain=False, since=_REGULATION_F_SINCE)),
        media=CALL,
        may_override=True,
    ),
    ContactRule(
        "calls-after-conversation",
        "No call in the seven consecutive days after a conversation about the debt; its date is day 1.",
        "12 CFR 1006.14(b)(2)(i)(B)",
        counting.seven_days_after_a_conversation,
        (REGULATION_F, *_rosenthal(is_certain=False, since=_REGULATION_F_SINCE)),
        media=CALL,
        may_override=True,
    ),
    ContactRule(
        "ma-2-in-7",
        "Massachusetts: two calls or texts per debt in seven days; a voicemail without message counts.",
        "940 CMR 7.04(1)(f)",
        counting.per_debt(counting.call_or_text, "calls or texts", limit=2, days=7),
        MASSACHUSETTS,
        is_house=False,
        media=CALL | TEXT,
    ),
    ContactRule(
        "ma-2-in-30-elsewhere",
        "Massachusetts: two per debt in 30 days elsewhere than at home or on a mobile number.",
        "940 CMR 7.04",
        counting.two_in_thirty_days_elsewhere,
        MASSACHUSETTS,
        is_house=False,
        media=CALL | TEXT,
    ),
    ContactRule(
        "wa-3-in-7",
        "Washington: three contacts a week, by agencies; a week is any seven days.",
        "RCW 19.16.250",
        counting.in_all(counting.any_outbound, "contacts", limit=3, days=7),
        WASHINGTON,
        is_house=False,
    ),
    ContactRule(
        "wa-1-at-work",
        "Washington: one contact a week at work, by agencies.",
        "RCW 19.16.250",
        counting.one_at_work_in_seven_days,
        WASHINGTON,
        is_house=False,
    ),
    ContactRule(
        "dc-4-calls",
        "District of Columbia: four calls per account in seven days.",
        "DC Code 28-3814",
        counting.per_debt(counting.call, "calls", limit=4, days=7),
        DISTRICT,
        is_house=False,
        media=CALL,
    ),
    ContactRule(
        "dc-5-electronic",
        "District of Columbia: five electronic contacts per account in seven days.",
        "DC Code 28-3814",
        counting.per_debt(counting.electronic, "electronic contacts", limit=5, days=7),
        DISTRICT,
        is_house=False,
        media=ELECTRONIC,
    ),
    ContactRule(
        "dc-electronic-consent",
        "District of Columbia: electronic contacts need consent first; one message in seven days may ask for it.",
        "DC Code 28-3814",
        messages.electronic_consent,
        DISTRICT,
        is_house=False,
        media=ELECTRONIC,
    ),
    ContactRule(
        "nyc-3-in-7",
        "New York City: a cap per account over all media.",
        "6 RCNY 5-77",
        counting.per_debt(counting.any_outbound, "contacts", limit="contacts", days="days"),
        (NEW_YORK,),
        is_house=False,
        figures=(
            Figure("contacts", 3, "Contacts in the window (check).", 1, 100),
            Figure("days", 7, "Days of the window (check).", 1, 60),
        ),
    ),
    ContactRule(
        "wv-30-calls",
        "West Virginia: 30 calls to a person a week (with intent to annoy; the count is taken for it).",
        "W. Va. Code 46A-2-125",
        counting.in_all(counting.call_of_the_person, "calls", limit=30, days=7),
        WEST_VIRGINIA,
        is_house=False,
        media=CALL,
    ),
    ContactRule(
        "wv-10-conversations",
        "West Virginia: ten conversations with a person a week (with intent to annoy; the count is taken for it).",
        "W. Va. Code 46A-2-125",
        counting.in_all(counting.conversation_of_the_person, "conversations", limit=10, days=7),
        WEST_VIRGINIA,
        is_house=False,
        media=CALL,
    ),
    # Texts and e-mail.
    ContactRule(
        "text-consent",
        "A text needs the consumer's own text from that number, or consent, and no opt-out since.",
        "12 CFR 1006.6(d)(5)",
        messages.text_consent,
        (REGULATION_F,),
        media=TEXT,
    ),
    ContactRule(
        "text-within-60-days",
        "Without other consent: the consumer texted within 60 days, or a reassignment check passed within them.",
        "12 CFR 1006.6(d)(5)(i)",
        messages.own_text_within_60_days,
        (REGULATION_F,),
        media=TEXT,
    ),
    ContactRule(
        "text-consent-within-60-days",
        "Direct consent was given or renewed within 60 days, or a reassignment check passed within them.",
        "12 CFR 1006.6(d)(5)(ii)",
        messages.consent_within_60_days,
        (UNCERTAIN_REGULATION_F,),
        media=TEXT,
    ),
    ContactRule(
        "email-address",
        "An address that the consumer used with us, or that the creditor gave notice of, or a prior collector used.",
        "12 CFR 1006.6(d)(4)",
        messages.email_address,
        (REGULATION_F,),
        media=EMAIL,
        may_override=True,
    ),
    ContactRule(
        "email-notice-35-days",
        "An address of the creditor's is used 35 days after the notice of it.",
        "12 CFR 1006.6(d)(4)(ii)",
        messages.email_notice,
        (UNCERTAIN_REGULATION_F,),
        media=EMAIL,
        figures=(Figure("days", 35, "Days in which the consumer can opt out (check).", 0, 365),),
        may_override=True,
    ),
    ContactRule(
        "email-at-work",
        "No work address, unless the consumer used it with us.",
        "12 CFR 1006.22(f)(3)",
        messages.email_at_work,
        (UNCERTAIN_REGULATION_F,),
        media=EMAIL,
        may_override=True,
    ),
    ContactRule(
        "opt-out-line",
        "Every electronic message carries a simple way to opt out of that address or number.",
        "12 CFR 1006.6(e)",
        messages.opt_out_line,
        (REGULATION_F,),
        media=ELECTRONIC,
    ),
    # Voice.
    ContactRule(
        "limited-content-message",
        "A voicemail that is no communication has a business name, a request to reply, a person's name and number; "
        "greeting, date and time, reply times may be in it, and nothing more.",
        "12 CFR 1006.2(j)",
        messages.limited_content,
        (REGULATION_F,),
        media=CALL,
        may_override=True,
    ),
    ContactRule(
        "recorded-voice-wireless",
        "An artificial or prerecorded voice at a wireless number needs prior express consent.",
        "47 CFR 64.1200(a)(1)(iii)",
        messages.recorded_voice_to_wireless,
        (TCPA,),
        media=CALL,
    ),
    ContactRule(
        "recorded-voice-3-in-30",
        "An artificial or prerecorded voice at a residential landline without consent: three calls in 30 days.",
        "47 CFR 64.1200(a)(3)(iii)",
        messages.recorded_voice_at_home,
        (Scope(first_day=date(2023, 7, 20)),),
        media=CALL,
    ),
    ContactRule(
        "recorded-voice-opt-out",
        "A call with an artificial or prerecorded voice has a way to opt out in it.",
        "47 CFR 64.1200(b)(3)",
        messages.recorded_voice_opt_out,
        (TCPA,),
        media=CALL,
    ),
    # Validation.
    ContactRule(
        "validation-notice",
        "A validation notice goes out in or within five days of the first communication.",
        "12 CFR 1006.34(a)(1)",
        messages.validation_notice,
        (FDCPA,),
        may_override=True,
    ),
    ContactRule(
        "validation-esign",
        "A validation notice by electronic means after the first communication needs E-SIGN consent.",
        "12 CFR 1006.42(b)",
        messages.electronic_validation_notice,
        (UNCERTAIN_REGULATION_F,),
        media=ELECTRONIC,
        may_override=True,
    ),
    ContactRule(
        "validation-can-be-kept",
        "A validation notice has a form that can be kept.",
        "12 CFR 1006.42(a)(1)",
        messages.validation_notice_can_be_kept,
        (REGULATION_F,),
    ),
    # Selling.
    ContactRule(
        "no-offer",
        "What collects offers nothing for sale: laws on solicitation (Texas SB 140, Virginia) then have no part in it.",
        "Texas SB 140; Virginia Telephone Privacy Protection Act",
        messages.no_offer,
    ),
)

RULES = {rule.id: rule for rule in TABLE}

# --- the verdict -------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Refused:
    """A rule that refuses the contact: by which law or policy, with its counts, and from when it alone would allow."""

    rule: str
    source: str
    basis: Basis
    detail: str
    allowed_from: datetime | None
    may_override: bool


def judge(
    debtor: Debtor,
    role: Role,
    history: Iterable[Entry],
    asked: Asked,
    settings: Settings | None = None,
    *,
    table: Sequence[ContactRule] = TABLE,
    house_zone: str | None = None,
) -> tuple[Refused, ...]:
    """Every rule that refuses the contact, in the order of the table; none: it is allowed.

    The history needs no order, and what is later than the contact is not looked at. `house_zone` is where the debtor is
    taken to be where a rule is house policy; a law's rule has to be kept in every zone that anything indicates.
    """
    if asked.recipient is not Recipient.CONSUMER:
        return ()  # the law protects the consumer; their attorney and the creditor are free to be asked
    record = Record(history, asked.at)
    return refusals(situation_of(debtor, role, record, asked), settings or {}, table=table, house_zone=house_zone)


def situation_of(debtor: Debtor, role: Role, record: Record, asked: Asked) -> Situation:
    """What the rules look at: with where the debtor may be, and on which dates that is."""
    found_in = zones_of(debtor, asked.to)
    return Situation(
        debtor=debtor,
        role=role,
        record=record,
        asked=asked,
        zones=found_in,
        places=places_of(debtor),
        dates=frozenset(each.date() for each in local_times(asked.at, found_in)),
    )


def refusals(
    situation: Situation, settings: Settings, *, table: Sequence[ContactRule] = TABLE, house_zone: str | None = None
) -> tuple[Refused, ...]:
    """As `judge`, of a situation that is known."""
    asked, in_house = situation.asked, situation
    if house_zone is not None:
        zone = zone_of(house_zone)
        in_house = situation._replace(zones=(zone,), dates=frozenset({local_date(asked.at, zone)}))
    if table is TABLE:
        rules = _within(asked.channel, situation.role, situation.debtor.debt_type, situation.places)
    else:
        rules = tuple(rule for rule in table if asked.channel in rule.media)
    found = [_refusal(rule, situation, in_house, settings) for rule in rules]
    return tuple(each for each in found if each is not None)


@lru_cache(maxsize=1_024)
def _within(medium: Medium, role: Role, debt_type: DebtType, places: frozenset[str]) -> tuple[ContactRule, ...]:
    """What of the table may hold there: most of it is of other places, and millions of contacts are alike in this."""
    found = (rule.within(medium, role, debt_type, places) for rule in TABLE)
    return tuple(rule for rule in found if rule is not None)


def _refusal(rule: ContactRule, situation: Situation, in_house: Situation, settings: Settings) -> Refused | None:
    held = rule.basis(situation)
    if held is None:
        return None
    basis, source = held
    if basis is not Basis.LAW and not rule.is_on_by(settings):
        return None
    situation = in_house if basis is Basis.HOUSE else situation
    if rule.figures:
        situation = situation.with_figures(rule.figures_by(settings))
    no = rule.refuse(situation)
    if no is None:
        return None
    return Refused(
        rule=rule.id,
        source=source,
        basis=basis,
        detail=no.detail,
        allowed_from=no.allowed_from,
        may_override=rule.may_override and basis is Basis.HOUSE,
    )


def _numbers(debtor: Debtor, to: str | None) -> tuple[str, ...]:
    """All numbers of the debtor, and the one that is dialled."""
    numbers = tuple(each.number for each in debtor.phones)
    if to is not None and to.startswith("+") and to not in numbers:
        return (*numbers, to)
    return numbers


def zones_of(debtor: Debtor, to: str | None = None) -> tuple[ZoneInfo, ...]:
    """Every zone in which the debtor may be; never empty. `to` is the number that is dialled, or another address."""
    return zones(
        state=debtor.state,
        zip_code=debtor.zip_code,
        country=debtor.country,
        numbers=_numbers(debtor, to),
        known=debtor.time_zones,
    )


def places_of(debtor: Debtor) -> frozenset[str]:
    """The jurisdictions in which the debtor may be: where state and ZIP do not go together, both."""
    if debtor.country != US:
        return frozenset()
    found = {US, debtor.state, state_of_zip(debtor.zip_code), *debtor.other_states} - {None}
    if may_be_in_new_york_city(debtor.state, debtor.zip_code, debtor.city):
        found.add(NEW_YORK_CITY)
    return frozenset(each for each in found if each is not None)


def setting_fault(rule_id: str, said: RuleSetting) -> str | None:
    """What is wrong with an office's setting of a rule; None where nothing is."""
    rule = RULES.get(rule_id)
    if rule is None:
        return "expected the id of a contact rule"
    if said.is_on is not None and not rule.is_setting:
        return "it is law wherever it holds: nobody turns it on or off"
    known = {each.name: each for each in rule.figures}
    for name, value in said.figures.items():
        figure = known.get(name)
        if figure is None:
            return f"figures: expected some of {', '.join(known) or 'none'}, not {name}"
        if not figure.least <= value <= figure.most:
            return f"figures: {name}: expected {figure.least} to {figure.most}"
    return None
