"""Contact rules asked by accounts: of calls, messages and what was done outside; edge days, places, other accounts."""

from datetime import UTC, date, datetime, time, timedelta
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

import pytest

from aggregates.account import Account
from aggregates.account.activities import ActivityKind, ActivityRecorded, CorrectActivity, EndCall, RecordActivity
from aggregates.account.calls import CallRefused, CallStarted, StartCall
from aggregates.account.chase import Stage
from aggregates.account.contact import ChangeContactDetails, OptOutOfContact, RecordConsent
from aggregates.account.contact_history import (
    FACTS,
    KEPT_FOR,
    ContactFactRecorded,
    FactKind,
    RecordContactFact,
    RestorePoint,
    RetirePoint,
    WithdrawContactFact,
)
from aggregates.account.messages import ContactRefused, MessageQueued
from aggregates.account.writing import SendMessage
from aggregates.kernel.command import Accepted, Command
from aggregates.office import ChangeOfficeSettings
from aggregates.values.contact import Channel, Consent, EmailAddress, PostalAddress
from aggregates.values.contact_record import Kind, Role
from aggregates.values.contact_settings import ContactSettings, RuleChoice
from policies.contact.record import LONGEST_WINDOW
from tests.builders import (
    ACCOUNT,
    MAR,
    NOV,
    OFFICE,
    a_campaign,
    a_phone,
    a_step,
    an_account,
    an_invoice,
    contact,
)
from tests.given import Given, Scenario, given, given_auto_collection, live

NEW_YORK, HONOLULU = ZoneInfo("America/New_York"), ZoneInfo("Pacific/Honolulu")


def at(day: date, hour: int, minute: int = 0, zone: ZoneInfo = NEW_YORK) -> datetime:
    return datetime.combine(day, time(hour, minute), zone).astimezone(UTC)


def third_party(**rules: RuleChoice) -> ChangeOfficeSettings:
    settings = ContactSettings(
        role=Role.THIRD_PARTY, rules={name.replace("_", "-"): said for name, said in rules.items()}
    )
    return ChangeOfficeSettings(office_id=OFFICE, contact=settings)


def reached(**more: Any) -> ChangeContactDetails:
    return ChangeContactDetails(account_id=ACCOUNT, contact=contact(**more))


def living_in(region: str, postal_code: str, *, phone: str = "+12125550100") -> ChangeContactDetails:
    address = PostalAddress(id="address-1", lines=("1 Main St",), region=region, postal_code=postal_code, country="US")
    return reached(addresses=(address,), phones=(a_phone(number=phone),))


def a_call(**more: Any) -> StartCall:
    return StartCall(account_id=ACCOUNT, **more)


def fact(kind: FactKind, **more: Any) -> RecordContactFact:
    return RecordContactFact.model_validate({"account_id": ACCOUNT, "kind": kind, **more})


def done(kind: ActivityKind = ActivityKind.CALL, **more: Any) -> RecordActivity:
    return RecordActivity.model_validate({"account_id": ACCOUNT, "kind": kind, **more})


def refused_by(scenario: Scenario) -> list[str]:
    """The rules that refused the call which was the last command."""
    assert isinstance(scenario.outcome, Accepted), scenario.outcome
    return [each.rule for event in scenario.new if isinstance(event, CallRefused) for each in event.refusals]


def calls(n: int, day: date) -> list[Given]:
    """That nobody answered, half an hour apart from ten on."""
    found: list[Given] = []
    for nth in range(n):
        found += [at(day, 10) + timedelta(minutes=30 * nth), done(disposition="no-answer")]
    return found


# --- calls ---------------------------------------------------------------------------------------------


def test_a_call_begins_and_its_end_documents_it():
    scenario = given(MAR(10))
    scenario.when(a_call()).then(CallStarted)
    [call] = scenario.account.calls.open.values()
    assert (call.agent, call.point_id, call.number) == ("person:tester", "phone-1", "+12125550100")
    end = EndCall(account_id=ACCOUNT, call_id=call.id, disposition="spoke-to-customer", notes="will pay")
    scenario.when(end).then(ActivityRecorded)
    [recorded] = scenario.world.events(ActivityRecorded)
    assert (recorded.activity_id, recorded.at, recorded.number) == (call.id, call.at, call.number)
    assert recorded.outcome is not None
    assert recorded.outcome.conversation
    assert scenario.account.calls.open == {}
    scenario.when(end).then_refused("unknown-call")


def test_the_eighth_call_in_seven_days_is_refused_with_its_counts_and_recorded():
    scenario = given(*calls(7, MAR(10)), at(MAR(12), 12))
    assert refused_by(scenario.when(a_call())) == ["calls-7-in-7"]
    [event] = scenario.world.events(CallRefused)
    [refusal] = event.refusals
    assert (refusal.basis, refusal.may_override) == ("house", True)
    assert "7 calls" in refusal.detail
    assert refusal.allowed_from == at(MAR(17), 0)
    scenario.when(a_call(), at=at(MAR(16), 20)).then(CallRefused)
    scenario.when(a_call(), at=at(MAR(17), 9)).then(CallStarted)


def test_calls_that_did_not_connect_do_not_count():
    scenario = given(*calls(6, MAR(10)), at(MAR(11), 12))
    for nth in range(5):
        scenario.having(at(MAR(11), 12, nth), done(disposition="busy"))
    scenario.when(a_call()).then(CallStarted)
    assert refused_by(scenario.when(a_call(), at=at(MAR(11), 15))) == ["calls-7-in-7"]


@pytest.mark.parametrize(("days", "allowed"), [(1, False), (6, False), (7, True)])
def test_after_a_conversation_the_next_call_is_on_the_seventh_day(days: int, allowed: bool):
    """Its day is day 1."""
    scenario = given(at(MAR(4), 20, 30), done(disposition="spoke-to-customer"))
    scenario.when(a_call(), at=at(MAR(4) + timedelta(days=days), 8, 0))
    assert refused_by(scenario) == ([] if allowed else ["calls-after-conversation"])


def test_a_conversation_that_the_customer_began_counts_too():
    scenario = given(at(MAR(4), 12), done(direction="inbound", disposition="spoke-to-customer"))
    assert refused_by(scenario.when(a_call(), at=at(MAR(10), 12))) == ["calls-after-conversation"]


def test_the_seventh_day_after_clocks_changed_begins_at_the_debtor_s_midnight():
    """They change in New York on the eighth of March and the first of November."""
    scenario = given(at(MAR(5), 12), done(disposition="spoke-to-customer"))
    scenario.when(a_call(), at=at(MAR(10), 12))
    [event] = scenario.world.events(CallRefused)
    assert event.refusals[0].allowed_from == datetime(2026, 3, 12, 4, tzinfo=UTC)
    scenario = given(at(date(2026, 10, 29), 12), done(disposition="spoke-to-customer"))
    scenario.when(a_call(), at=at(NOV(2), 12))
    [event] = scenario.world.events(CallRefused)
    assert event.refusals[0].allowed_from == datetime(2026, 11, 5, 5, tzinfo=UTC)


def test_house_policy_is_lifted_with_a_reason_and_it_is_recorded():
    scenario = given(at(MAR(4), 12), done(disposition="spoke-to-customer"), at(MAR(6), 12))
    scenario.when(a_call(override=True), reason=None).then_refused("reason-required")
    scenario.when(a_call(override=True), reason="They asked to be called today.").then(CallStarted)
    [event] = scenario.world.events(CallStarted)
    assert [each.rule for each in event.overridden or ()] == ["calls-after-conversation"]


def test_nobody_lifts_a_law():
    scenario = given(third_party(), at(MAR(4), 12), done(disposition="spoke-to-customer"), at(MAR(6), 12))
    assert refused_by(scenario.when(a_call(override=True))) == ["calls-after-conversation"]
    assert [each.basis for each in scenario.world.events(CallRefused)[0].refusals] == ["law"]


def test_every_rule_that_refuses_is_named():
    scenario = given(at(MAR(4), 12), done(disposition="spoke-to-customer"), fact(FactKind.DECEASED))
    assert refused_by(scenario.when(a_call(), at=at(MAR(6), 6))) == [
        "deceased",
        "hours-8-to-21",
        "calls-after-conversation",
    ]


def test_the_first_number_that_may_be_called_is():
    phones = (a_phone(), a_phone(id="phone-2", number="+12125550111"))
    scenario = given(reached(phones=phones), RetirePoint(account_id=ACCOUNT, point_id="phone-1"))
    scenario.when(a_call()).then(CallStarted)
    assert [each.point_id for each in scenario.world.events(CallStarted)] == ["phone-2"]
    assert refused_by(scenario.when(a_call(point_id="phone-1"))) == ["wrong-number"]
    scenario.when(RestorePoint(account_id=ACCOUNT, point_id="phone-1"))
    scenario.when(a_call(point_id="phone-1")).then(CallStarted)


def test_whoever_opted_out_of_calls_is_not_called():
    scenario = given(OptOutOfContact(account_id=ACCOUNT, channel=Channel.VOICE))
    assert refused_by(scenario.when(a_call())) == ["opted-out", "medium-refused"]
    [event] = scenario.world.events(CallRefused)
    assert [each.detail for each in event.refusals][1] == "call at phone-1 was refused on a day that is not known"


@pytest.mark.parametrize(
    ("said", "rule"),
    [
        (OptOutOfContact(account_id=ACCOUNT, channel=Channel.VOICE), "opted-out"),
        (
            RecordConsent(account_id=ACCOUNT, channel=Channel.VOICE, point_id="phone-1", consent=Consent.REFUSED),
            "consent-refused",
        ),
    ],
)
def test_nobody_lifts_what_the_customer_does_not_want(said: Command, rule: str):
    """Not a person, not an office that turned the rule off, and not a consent to calls that was recorded besides."""
    scenario = given(said, at(MAR(10), 12))
    assert refused_by(scenario.when(a_call(override=True), reason="They are in a hurry.")) == [rule, "medium-refused"]
    consent = fact(FactKind.CONSENT, channel="voice", number="+12125550100")
    assert refused_by(scenario.having(consent).when(a_call())) == [rule, "medium-refused"]
    off = ContactSettings(rules={"medium-refused": RuleChoice(on=False)})
    scenario.having(ChangeOfficeSettings(office_id=OFFICE, contact=off))
    assert refused_by(scenario.when(a_call(), at=at(MAR(10), 15))) == [rule]


# --- where the debtor is -------------------------------------------------------------------------------


def an_email() -> SendMessage:
    return SendMessage(account_id=ACCOUNT, channel=Channel.EMAIL, text="Please call us.")


@pytest.mark.parametrize(
    ("said", "is_refused"),
    [
        ({"channel": "email"}, True),
        ({"address": "pat@example.com"}, True),
        ({"channel": "email", "address": "other@example.com"}, False),
        ({"address": "other@example.com"}, False),
        ({"channel": "sms"}, False),
    ],
)
def test_a_revocation_that_names_e_mail_is_an_opt_out_of_it(said: dict[str, str], is_refused: bool):
    emails = (EmailAddress(id="email-1", address="pat@example.com"),)
    scenario = given(reached(emails=emails), at(MAR(10), 12), fact(FactKind.REVOCATION, **said), at(MAR(10), 13))
    scenario.when(an_email())
    assert ("medium-refused" in str(scenario.outcome)) is is_refused, scenario.outcome


def test_an_agent_in_new_york_does_not_wake_a_debtor_in_hawaii():
    scenario = given(living_in("HI", "96813", phone="+18085550123"))
    scenario.when(a_call(), at=at(MAR(10), 9))
    [event] = scenario.world.events(CallRefused)
    [refusal] = event.refusals
    assert (refusal.rule, refusal.allowed_from) == ("hours-8-to-21", at(MAR(10), 8, zone=HONOLULU))
    scenario.when(a_call(), at=at(MAR(10), 14)).then(CallStarted)


def test_by_law_the_hours_are_right_in_every_zone_that_address_and_number_indicate():
    scenario = given(living_in("HI", "96813", phone="+12125550100"), third_party())
    assert refused_by(scenario.when(a_call(), at=at(MAR(10), 13, 59))) == ["hours-8-to-21"]
    scenario.when(a_call(), at=at(MAR(10), 14)).then(CallStarted)
    assert refused_by(scenario.when(a_call(), at=at(MAR(10), 21))) == ["hours-8-to-21"]


def test_a_time_zone_that_was_said_is_house_policy_s_and_one_of_several_for_a_law():
    there = reached(time_zone="Pacific/Honolulu")
    given(there).when(a_call(), at=at(MAR(10), 22)).then(CallStarted)
    assert refused_by(given(there, third_party()).when(a_call(), at=at(MAR(10), 22))) == ["hours-8-to-21"]


def test_of_somebody_who_may_be_anywhere_it_is_the_office_s_zone_and_by_law_every_one_of_the_country():
    nowhere = reached(addresses=(), phones=(a_phone(number="+18005550100"),))
    given(nowhere).when(a_call(), at=at(MAR(10), 9)).then(CallStarted)
    scenario = given(nowhere, third_party())
    assert refused_by(scenario.when(a_call(), at=at(MAR(10), 9))) == ["hours-8-to-21"]
    scenario.when(a_call(), at=at(MAR(10), 15)).then(CallStarted)


@pytest.mark.parametrize("role", list(Role))
def test_massachusetts_binds_creditors_too(role: Role):
    scenario = given(
        living_in("MA", "02108", phone="+16175550100"),
        ChangeOfficeSettings(office_id=OFFICE, contact=ContactSettings(role=role)),
        *calls(2, MAR(10)), at(MAR(11), 12),
    )  # fmt: skip
    assert refused_by(scenario.when(a_call())) == ["ma-2-in-7"]


def test_laws_of_the_united_states_bind_nobody_in_germany():
    berlin = PostalAddress(id="address-1", lines=("Weg 1",), city="Berlin", country="DE")
    scenario = given(reached(addresses=(berlin,), phones=(a_phone(number="+493055501000"),)), third_party())
    assert refused_by(scenario.when(a_call(), at=at(MAR(10), 7, zone=ZoneInfo("Europe/Berlin")))) == ["hours-8-to-21"]
    assert [each.basis for each in scenario.world.events(CallRefused)[0].refusals] == ["house"]


@pytest.mark.parametrize(
    ("territory", "phone", "zone"),
    [
        ("PR", "+17875550100", "America/Puerto_Rico"), ("VI", "+13405550100", "America/St_Thomas"),
        ("GU", "+16715550100", "Pacific/Guam"), ("MP", "+16705550100", "Pacific/Saipan"),
        ("AS", "+16845550100", "Pacific/Pago_Pago"),
    ],
)  # fmt: skip
@pytest.mark.parametrize("region", [None, "the territory"])
def test_territories_with_a_country_code_of_their_own_are_states_to_the_law(
    territory: str, phone: str, zone: str, region: str | None
):
    """15 USC 1692a(8)."""
    address = PostalAddress(id="address-1", lines=("1 Calle",), region=region and territory, country=territory)
    scenario = given(reached(addresses=(address,), phones=(a_phone(number=phone),)), third_party())
    assert refused_by(scenario.when(a_call(), at=at(MAR(10), 7, zone=ZoneInfo(zone)))) == ["hours-8-to-21"]
    assert [each.basis for each in scenario.world.events(CallRefused)[0].refusals] == ["law"]
    scenario.when(a_call(), at=at(MAR(10), 9, zone=ZoneInfo(zone))).then(CallStarted)


def test_a_customer_in_a_territory_whose_address_nobody_knows_is_there():
    phone = a_phone(number="+18005550100")
    scenario = given(an_account(country="PR", contact=contact(addresses=(), phones=(phone,))), third_party())
    there = ZoneInfo("America/Puerto_Rico")
    assert refused_by(scenario.when(a_call(), at=at(MAR(10), 7, 59, zone=there))) == ["hours-8-to-21"]
    scenario.when(a_call(), at=at(MAR(10), 8, zone=there)).then(CallStarted)


def addresses(*said: dict[str, str]) -> ChangeContactDetails:
    """Of somebody whose number says nothing of where they are."""
    return reached(
        addresses=tuple(
            PostalAddress.model_validate({"id": f"address-{n}", "lines": (f"{n} Main St",), **each})
            for n, each in enumerate(said, 1)
        ),
        phones=(a_phone(number="+18005550100"),),
    )


BERLIN = {"city": "Berlin", "postal_code": "10115", "country": "DE"}
BOSTON = {"region": "MA", "postal_code": "02108", "country": "US"}
SAN_JUAN = {"city": "San Juan", "postal_code": "00901", "country": "PR"}


@pytest.mark.parametrize("said", [(BERLIN, BOSTON), (BOSTON, BERLIN)])
def test_of_somebody_with_addresses_in_two_countries_both_zones_and_the_laws_of_either_hold(said: Any):
    """A German postal code looks like a ZIP of New York, and is none."""
    new_york = ZoneInfo("America/New_York")
    scenario = given(addresses(*said), third_party())
    for hour in (7, 16):  # 21:00 in Berlin, where summer time has not begun
        assert refused_by(scenario.when(a_call(), at=at(MAR(10), hour, zone=new_york))) == ["hours-8-to-21"]
        assert [each.basis for each in scenario.world.events(CallRefused)[-1].refusals] == ["law"]
    scenario.when(a_call(), at=at(MAR(11), 15, 59, zone=new_york)).then(CallStarted)
    scenario = given(addresses(*said), third_party(), *calls(2, MAR(10)), at(MAR(11), 12))
    assert refused_by(scenario.when(a_call())) == ["ma-2-in-7"]


@pytest.mark.parametrize("said", [(BERLIN, {"country": "JP"}), ({"country": "JP"}, BERLIN)])
def test_where_no_law_is_known_both_zones_count_too(said: Any):
    scenario = given(addresses(*said))
    tokyo = ZoneInfo("Asia/Tokyo")
    for hour in (15, 21):  # 7:00 in Berlin; 21:00 in Tokyo
        assert refused_by(scenario.when(a_call(), at=at(MAR(10), hour, zone=tokyo))) == ["hours-8-to-21"]
    scenario.when(a_call(), at=at(MAR(11), 16, zone=tokyo)).then(CallStarted)


@pytest.mark.parametrize("said", [(SAN_JUAN, BOSTON), (BOSTON, SAN_JUAN)])
def test_a_territory_is_one_state_of_two(said: Any):
    scenario = given(addresses(*said), third_party())
    chicago = ZoneInfo("America/Chicago")  # 7:00 here is 8:00 in both: summer time has begun in Boston
    assert refused_by(scenario.when(a_call(), at=at(MAR(10), 6, 59, zone=chicago))) == ["hours-8-to-21"]
    scenario.when(a_call(), at=at(MAR(10), 7, zone=chicago)).then(CallStarted)


def test_an_address_in_the_us_that_does_not_say_where_may_be_anywhere_there():
    scenario = given(addresses(BERLIN, {"country": "US"}), third_party())
    for hour in (13, 16):  # 7:00 in Honolulu; 21:00 in Berlin
        assert refused_by(scenario.when(a_call(), at=at(MAR(10), hour))) == ["hours-8-to-21"]


@pytest.mark.parametrize("code", ["XX", "ZZ", "EN"])
def test_what_is_no_country_counts_as_none_that_was_said(code: str, monkeypatch: pytest.MonkeyPatch):
    """Earlier releases took any two letters, and then no law held, and the hours were those of UTC."""
    somewhere = PostalAddress(id="address-1", lines=("1 Main St",), country=code)
    with monkeypatch.context() as earlier:
        earlier.setattr("aggregates.values.countries.is_country", lambda _: True)
        scenario = given(reached(addresses=(somewhere,), phones=(a_phone(number="+18005550100"),)), third_party())
    assert refused_by(scenario.when(a_call(), at=at(MAR(10), 9))) == ["hours-8-to-21"]
    assert [each.basis for each in scenario.world.events(CallRefused)[0].refusals] == ["law"]
    scenario.when(a_call(), at=at(MAR(10), 15)).then(CallStarted)


# --- messages ------------------------------------------------------------------------------------------


def test_a_campaign_s_texts_are_held_to_the_limit_of_the_state_and_wait():
    steps = [a_step(f"text-{n}", n, channel=Channel.SMS) for n in (1, 2, 3)]
    scenario = given_auto_collection(
        living_in("MA", "02108", phone="+16175550100"), a_campaign(*steps), an_invoice(due_on=MAR(2)), live(MAR(20))
    )
    assert [event.queued_on for event in scenario.world.events(MessageQueued)] == [MAR(3), MAR(4), MAR(10)]
    [refused] = scenario.world.events(ContactRefused)
    assert (refused.rule_id, [each.rule for each in refused.refusals or ()]) == ("ma-2-in-7", ["ma-2-in-7"])
    assert refused.until == at(MAR(10), 0)


def test_a_recorded_voice_needs_consent_that_names_the_number():
    phone = a_phone(voice_consent=Consent.GIVEN)
    steps = (a_campaign(a_step("voice", 3, channel=Channel.VOICE)), an_invoice(due_on=MAR(2)), live(MAR(6)))
    scenario = given_auto_collection(*steps)
    assert [event.rule_id for event in scenario.world.events(ContactRefused)] == ["recorded-voice-wireless"]
    scenario = given_auto_collection(reached(phones=(phone,)), *steps)
    assert len(scenario.world.events(MessageQueued)) == 1


def test_no_refusal_says_the_number_or_address():
    phones = (a_phone(number="+12125550199", sms_consent=Consent.UNKNOWN),)
    steps = (a_campaign(a_step("text", 3, channel=Channel.SMS)), an_invoice(due_on=MAR(2)), live(MAR(6)))
    scenario = given_auto_collection(reached(phones=phones), third_party(), *steps)
    [refused] = scenario.world.events(ContactRefused)
    assert "5550199" not in refused.model_dump_json()
    assert refused.detail == "no consent to texts at phone-1"


def test_a_message_that_is_under_way_does_not_count_against_itself():
    scenario = given_auto_collection(
        living_in("MA", "02108", phone="+16175550100"),
        a_campaign(a_step("a", 1, channel=Channel.SMS), a_step("b", 2, channel=Channel.SMS)),
        an_invoice(due_on=MAR(2)), live(MAR(6)),
    )  # fmt: skip
    assert [step for _, step in scenario.world.sent()] == ["a", "b"]


# --- what was done outside -----------------------------------------------------------------------------


def test_a_contact_made_outside_is_recorded_with_the_rules_that_it_broke():
    scenario = given(at(MAR(10), 12))
    scenario.when(done(at=at(MAR(10), 7, 30), disposition="no-answer")).then(ActivityRecorded)
    [recorded] = scenario.world.events(ActivityRecorded)
    assert [each.rule for each in recorded.violations or ()] == ["hours-8-to-21"]
    scenario.when(done(at=at(MAR(10), 12, 1))).then_refused("future-contact")


def test_a_contact_without_outcome_is_undocumented_until_it_is_corrected():
    scenario = given(at(MAR(10), 12), done(notes="called"))
    [undocumented] = scenario.account.activities.undocumented.values()
    assert (undocumented.agent, undocumented.kind) == ("person:tester", "call")
    scenario.when(CorrectActivity(account_id=ACCOUNT, activity_id=undocumented.id, disposition="busy"))
    scenario.then(ActivityRecorded)
    correction = scenario.world.events(ActivityRecorded)[-1]
    assert (correction.corrects, correction.at) == (undocumented.id, undocumented.at)
    assert scenario.account.activities.undocumented == {}
    [entry] = scenario.account.contact_history.contacts.values()
    assert not entry.is_connected


def test_a_correction_of_something_else_is_refused():
    unknown = CorrectActivity(account_id=ACCOUNT, activity_id=OFFICE, disposition="busy")
    given().when(unknown).then_refused("unknown-activity")


def test_what_was_corrected_is_corrected_by_its_last_correction_alone():
    scenario = given(at(MAR(10), 12), done(disposition="no-answer"))
    ids = [scenario.world.events(ActivityRecorded)[0].activity_id]
    for disposition in ("busy", "no-answer"):
        scenario.when(CorrectActivity(account_id=ACCOUNT, activity_id=ids[-1], disposition=disposition))
        ids.append(scenario.then(ActivityRecorded).world.events(ActivityRecorded)[-1].activity_id)
    for corrected in ids[:-1]:
        scenario.when(CorrectActivity(account_id=ACCOUNT, activity_id=corrected, disposition="busy"))
        assert str(ids[-1]) in str(scenario.then_refused("corrected-already").outcome)
    assert list(scenario.account.contact_history.contacts) == ids[-1:]


def test_a_correction_keeps_the_number_and_the_rules_that_were_broken():
    scenario = given(at(MAR(10), 6), done(disposition="no-answer", point_id="phone-1"))
    [recorded] = scenario.world.events(ActivityRecorded)
    assert [each.rule for each in recorded.violations or ()] == ["hours-8-to-21"]
    scenario.having(at(MAR(10), 12), reached(phones=(a_phone(number="+12125550199"),)))
    scenario.when(CorrectActivity(account_id=ACCOUNT, activity_id=recorded.activity_id, disposition="busy"))
    correction = scenario.world.events(ActivityRecorded)[-1]
    assert (correction.number, correction.violations) == ("+12125550100", recorded.violations)


def test_a_number_that_was_somebody_else_s_by_mistake_is_used_again():
    scenario = given(at(MAR(10), 12), done(disposition="wrong-number", point_id="phone-1"))
    for disposition, is_retired in (("not-in-service", True), ("busy", False)):
        last = scenario.world.events(ActivityRecorded)[-1].activity_id
        scenario.when(CorrectActivity(account_id=ACCOUNT, activity_id=last, disposition=disposition))
        assert scenario.account.contact_history.is_retired(Channel.VOICE, "phone-1") is is_retired


def test_an_earlier_activity_than_the_last_ones_is_corrected_too():
    scenario = given(*calls(60, MAR(10)))
    first = scenario.world.events(ActivityRecorded)[0]
    scenario.when(CorrectActivity(account_id=ACCOUNT, activity_id=first.activity_id, disposition="busy"))
    scenario.then(ActivityRecorded)


def test_a_disposition_is_the_office_s_and_says_what_follows():
    scenario = given(MAR(10))
    scenario.when(done(disposition="fine")).then_refused("unknown-disposition")
    scenario.when(done(disposition="refused")).then_refused("notes-required")
    scenario.when(done(disposition="call-back"))
    assert [each.due_on for each in scenario.account.activities.follow_ups.values()] == [MAR(17)]
    wrong = done(disposition="wrong-number", point_id="phone-1")
    scenario.when(wrong).then(ActivityRecorded, ContactFactRecorded)
    assert scenario.account.contact_history.is_retired(Channel.VOICE, "phone-1")


# --- what was said -------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", [FactKind.CEASE, FactKind.ATTORNEY, FactKind.BANKRUPTCY, FactKind.DECEASED])
def test_what_ends_contact_holds_back_the_chase_until_it_is_withdrawn(kind: FactKind):
    scenario = given_auto_collection(a_campaign(), an_invoice(due_on=MAR(2)), MAR(3), fact(kind), live(MAR(20)))
    assert scenario.world.sent() == []
    assert scenario.account.chase.stage is Stage.BLOCKED
    [fact_id] = scenario.account.contact_history.facts
    scenario.having(WithdrawContactFact(account_id=ACCOUNT, fact_id=fact_id), live(MAR(24)))
    assert scenario.world.sent()[0] == (MAR(20), "firm")


def test_a_cease_that_was_only_said_holds_back_nothing_until_an_office_heeds_it():
    said = fact(FactKind.CEASE, form="verbal")
    given(MAR(10), said).when(a_call()).then(CallStarted)
    heeds = ContactSettings(rules={"cease-verbal": RuleChoice(on=True)})
    scenario = given(ChangeOfficeSettings(office_id=OFFICE, contact=heeds), MAR(10), said)
    assert refused_by(scenario.when(a_call())) == ["cease-verbal"]


def test_a_fact_has_the_fields_of_its_kind():
    with pytest.raises(ValueError, match="chapter: is not a field of cease"):
        fact(FactKind.CEASE, chapter="7")
    with pytest.raises(ValueError, match="number: expected, but missing"):
        fact(FactKind.WRONG_NUMBER)


def test_what_is_said_of_the_customer_holds_for_all_of_their_accounts():
    other = an_account(number="B-1", customer_number="A-1")
    scenario = given(fact(FactKind.BANKRUPTCY, chapter="13"), fact(FactKind.PLACEMENT), other)
    [theirs] = scenario.account.customer.accounts

    def known_of(account: UUID) -> list[str]:
        return [each.kind for each in scenario.world.get(Account, account).contact_history.facts.values()]

    assert known_of(theirs) == ["bankruptcy"]
    scenario.when(fact(FactKind.ATTORNEY))
    assert known_of(theirs) == ["bankruptcy", "attorney"]
    [bankruptcy, _] = scenario.world.get(Account, theirs).contact_history.facts
    scenario.when(WithdrawContactFact(account_id=theirs, fact_id=bankruptcy))
    assert known_of(ACCOUNT) == ["placement", "attorney"]


def test_a_rule_about_a_person_counts_contacts_about_their_other_accounts():
    there = living_in("WA", "98101", phone="+12065550100")
    scenario = given(there, third_party(), an_account(number="B-1", customer_number="A-1"), *calls(2, MAR(10)))
    [theirs] = scenario.account.customer.accounts
    scenario.having(at(MAR(11), 14), done().model_copy(update={"account_id": theirs, "disposition": "no-answer"}))
    scenario.when(a_call(), at=at(MAR(12), 14))
    assert refused_by(scenario) == ["wa-3-in-7"]


def test_a_recorded_consent_of_last_week_lets_a_third_party_text():
    phones = (a_phone(number="+12125550199", sms_consent=Consent.UNKNOWN),)
    steps = (a_campaign(a_step("text", 3, channel=Channel.SMS)), an_invoice(due_on=MAR(2)), live(MAR(6)))
    consent = fact(FactKind.CONSENT, channel="sms", number="(212) 555-0199")
    scenario = given_auto_collection(reached(phones=phones), third_party(), MAR(1), consent, *steps)
    assert len(scenario.world.events(MessageQueued)) == 1


def test_a_consent_without_a_day_is_none_of_the_last_sixty_days():
    steps = (a_campaign(a_step("text", 3, channel=Channel.SMS)), an_invoice(due_on=MAR(2)), live(MAR(6)))
    scenario = given_auto_collection(third_party(), *steps)
    [refused] = scenario.world.events(ContactRefused)
    assert refused.rule_id == "text-consent-within-60-days"
    assert refused.detail == "the last consent to texts was on a day that is not known; nothing renewed it: within 60"


# --- settings ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("rule", "choice"),
    [
        ("bankruptcy", RuleChoice(figures={"days": 3})),
        ("ma-2-in-7", RuleChoice(on=False)),
        ("no-such-rule", RuleChoice(on=False)),
        ("nyc-3-in-7", RuleChoice(figures={"contacts": 0})),
    ],
)
def test_what_is_law_is_not_set(rule: str, choice: RuleChoice):
    wanted: Command = ChangeOfficeSettings(office_id=OFFICE, contact=ContactSettings(rules={rule: choice}))
    given().when(wanted).then_refused("faulty-contact-settings")


def test_house_policy_is_turned_off_and_the_law_stays():
    off = {"calls_after_conversation": RuleChoice(on=False)}
    talked: list[Given] = [at(MAR(4), 12), done(disposition="spoke-to-customer"), at(MAR(6), 12)]
    settings = ContactSettings(rules={"calls-after-conversation": RuleChoice(on=False)})
    given(ChangeOfficeSettings(office_id=OFFICE, contact=settings), *talked).when(a_call()).then(CallStarted)
    assert refused_by(given(third_party(**off), *talked).when(a_call())) == ["calls-after-conversation"]


# --- the history ---------------------------------------------------------------------------------------


def test_accounts_keep_contacts_for_as_long_as_rules_look_back():
    assert LONGEST_WINDOW <= KEPT_FOR


def test_what_is_older_than_any_rule_is_let_go_and_what_came_in_stays():
    scenario = given(at(MAR(1), 12), done(direction="inbound", disposition="no-answer"), *calls(3, MAR(2)))
    scenario.having(at(MAR(2) + KEPT_FOR + timedelta(days=1), 12), done(disposition="no-answer"))
    history = scenario.account.contact_history
    assert len(history.contacts) == 1
    assert [each.is_inbound for each in history.earlier.values()] == [True]


def test_every_fact_is_a_kind_of_entry_of_the_rules():
    assert set(FACTS) == set(FactKind) <= {Kind(each.value) for each in FactKind}
