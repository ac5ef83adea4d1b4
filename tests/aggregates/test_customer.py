"""Who the customer is, how they can be reached, and what they said of it."""

import pytest
from babel.core import get_global
from pydantic import ValidationError

from aggregates.account.billing import InvoiceBilled
from aggregates.account.contact import (
    ChangeContactDetails,
    ConsentRecorded,
    ContactDetailsChanged,
    OptedIn,
    OptedOut,
    OptInToContact,
    OptOutOfContact,
    PointRefused,
    RecordConsent,
)
from aggregates.account.customer import (
    AccountOpened,
    BookingCommand,
    CustomerKind,
    CustomerRenamed,
    Opening,
    RecordSubscription,
    Subscription,
    SubscriptionRecorded,
)
from aggregates.account.deferred import FactDeferred
from aggregates.account.payments import CreditNoted, PaymentReceived
from aggregates.kernel.event import Event
from aggregates.values.contact import (
    Channel,
    Consent,
    ContactDetails,
    EmailAddress,
    PhoneKind,
    PhoneNumber,
    PostalAddress,
    each_id_once,
    with_ids_once,
)
from aggregates.values.countries import COUNTRIES
from aggregates.values.money import Money
from tests.builders import (
    ACCOUNT,
    APR,
    JUN,
    MAY,
    OFFICE,
    a_credit,
    a_payment,
    a_phone,
    an_account,
    an_invoice,
    an_office,
    contact,
    usd,
)
from tests.given import given, given_only, like


def a_change(**more: object) -> ChangeContactDetails:
    return ChangeContactDetails(account_id=ACCOUNT, contact=contact(**more))


def consent(channel: Channel, point_id: str, answer: Consent) -> RecordConsent:
    return RecordConsent(account_id=ACCOUNT, channel=channel, point_id=point_id, consent=answer)


def an_opt_out(channel: Channel = Channel.SMS, point_id: str | None = None) -> OptOutOfContact:
    return OptOutOfContact(account_id=ACCOUNT, channel=channel, point_id=point_id)


# --- opening ---

OPENS = Opening(office_id=OFFICE, number="A-1", currency="USD")
DOCUMENTS: dict[str, tuple[BookingCommand, type[Event]]] = {
    "an invoice": (an_invoice(due_on=MAY(5), opens=OPENS), InvoiceBilled),
    "a payment": (a_payment(usd(10), on=APR(5), opens=OPENS), PaymentReceived),
    "a credit": (a_credit(usd(10), on=APR(5), opens=OPENS), CreditNoted),
}


@pytest.mark.parametrize("what", DOCUMENTS)
def test_a_document_opens_the_account_that_nothing_described_so_far(what: str):
    document, booked = DOCUMENTS[what]
    scenario = given_only(an_office()).when(document, at=MAY(20))
    scenario.then(like(AccountOpened, number="A-1", customer_name="A-1", currency="USD"), booked)
    assert [event.effective_on for event in scenario.world.log[-2:]] == [APR(5), APR(5)]


@pytest.mark.parametrize("what", DOCUMENTS)
def test_a_document_leaves_an_account_that_is_open_as_it_is(what: str):
    document, _ = DOCUMENTS[what]
    given().when(document, at=MAY(20)).then_no(AccountOpened, CustomerRenamed)


def test_a_document_that_is_refused_opens_nothing():
    for opens, amount in ((OPENS, Money(100, "EUR")), (OPENS.model_copy(update={"currency": "EUR"}), usd(10))):
        payment = a_payment(amount, on=APR(5), opens=opens)
        given_only(an_office()).when(payment, at=MAY(20)).then_refused("wrong-currency")
    given_only(an_office()).when(a_payment(usd(10), on=APR(5)), at=MAY(20)).then_refused("unknown-account")


def test_a_document_of_the_future_opens_the_account_today_and_waits_without_that():
    scenario = given_only(an_office()).when(a_payment(usd(10), on=JUN(5), opens=OPENS), at=MAY(20))
    scenario.then(AccountOpened, FactDeferred)
    assert scenario.world.log[-2].effective_on == MAY(20)
    [deferred] = scenario.account.deferred.facts.values()
    assert "opens" not in deferred.command


def test_a_document_opens_no_other_account_than_its_own():
    with pytest.raises(ValidationError, match="opens: expected the office and number of this account"):
        a_payment(usd(10), on=APR(5), opens=Opening(office_id=OFFICE, number="A-2", currency="USD"))


def test_an_account_is_opened_with_its_contact_details():
    given_only(an_office()).when(an_account()).then(like(AccountOpened, number="A-1"), ContactDetailsChanged)


def test_opening_it_again_with_the_same_data_changes_nothing():
    given().when(an_account()).then_nothing_happened()


@pytest.mark.parametrize(
    "change",
    [
        {"customer_name": "Ada King"},
        {"customer_kind": CustomerKind.COMMERCIAL},
        {"segment": "gold"},
        {"country": "US"},
        {"information": {"Region": "North"}},
    ],
)
def test_opening_it_again_with_other_data_updates_it(change: dict[str, object]):
    given().when(an_account(**change)).then(like(CustomerRenamed, **change))


def test_opening_it_again_without_contact_details_keeps_them():
    given().when(an_account(contact=None)).then_nothing_happened()


def test_an_account_has_its_office_s_currency():
    given_only(an_office(currency="EUR")).when(an_account()).then_refused("wrong-currency")
    given().when(an_account(currency="EUR")).then_refused("wrong-currency")


def test_an_account_needs_an_office():
    given_only().when(an_account()).then_refused("unknown-office")


# --- contact details ---


def test_of_two_points_with_one_id_the_later_one_is_given_another():
    """Details were taken so before ids had to differ; a file that describes the customer keeps them."""
    details = ContactDetails(
        addresses=(PostalAddress(id="portal", city="Rome"),),
        phones=(PhoneNumber(id="1", number="+12125550100"), PhoneNumber(id="1-2", number="+12125550101")),
        emails=(EmailAddress(id="1", address="a@b.com"), EmailAddress(id="1", address="c@d.com")),
    )
    with pytest.raises(ValueError, match=r"addresses.0.id: expected another than 'portal'"):
        each_id_once(details)
    found = with_ids_once(details)
    assert each_id_once(found) == found
    assert [each.id for each in found.addresses] == ["portal-2"]
    assert [each.id for each in found.phones] == ["1", "1-2"]
    assert [each.id for each in found.emails] == ["1-3", "1-4"]
    assert with_ids_once(found) == found


def test_the_same_contact_details_change_nothing():
    given().when(a_change()).then_nothing_happened()


def test_contact_details_are_replaced_as_a_whole():
    scenario = given().when(a_change(emails=())).then(ContactDetailsChanged)
    assert scenario.account.contact.details.points(Channel.EMAIL) == ()


@pytest.mark.parametrize("said", [Consent.UNKNOWN, Consent.GIVEN])
def test_a_refusal_stays_whatever_a_billing_file_says_later(said: Consent):
    scenario = given(
        consent(Channel.SMS, "phone-1", Consent.REFUSED), consent(Channel.EMAIL, "email-1", Consent.REFUSED)
    )
    emails = (EmailAddress(id="email-1", address="ada@example.org", consent=said),)
    scenario.when(a_change(phones=(a_phone(sms_consent=said),), emails=emails, language="de"))
    assert scenario.account.contact.details.language == "de"
    assert scenario.account.contact.details.consent(Channel.SMS, "phone-1") is Consent.REFUSED
    assert scenario.account.contact.details.consent(Channel.EMAIL, "email-1") is Consent.REFUSED


def test_a_consent_stays_where_the_new_details_say_nothing_of_it():
    scenario = given().when(a_change(phones=(a_phone(sms_consent=Consent.UNKNOWN),)))
    scenario.then_nothing_happened()


def test_a_consent_belongs_to_its_number_not_to_its_place():
    scenario = given(consent(Channel.SMS, "phone-1", Consent.REFUSED))
    other = a_phone(number="+12125550199", sms_consent=Consent.UNKNOWN)
    scenario.when(a_change(phones=(other, a_phone(id="phone-2"))))
    assert scenario.account.contact.details.consent(Channel.SMS, "phone-1") is Consent.UNKNOWN
    assert scenario.account.contact.details.consent(Channel.SMS, "phone-2") is Consent.REFUSED


def test_an_opt_out_follows_its_number_to_another_place():
    scenario = given(an_opt_out(point_id="phone-1"))
    scenario.when(a_change(phones=(a_phone(number="+12125550199"), a_phone(id="phone-2"))))
    scenario.then(ContactDetailsChanged, OptedOut(channel=Channel.SMS, point_id="phone-2"))


# --- consent and opt-outs ---


def test_consent_is_recorded_once():
    scenario = given().when(consent(Channel.SMS, "phone-1", Consent.REFUSED)).then(ConsentRecorded, PointRefused)
    scenario.when(consent(Channel.SMS, "phone-1", Consent.REFUSED)).then_nothing_happened()


def test_consent_to_texts_is_not_consent_to_calls():
    scenario = given(consent(Channel.VOICE, "phone-1", Consent.REFUSED))
    assert scenario.account.contact.details.consent(Channel.SMS, "phone-1") is Consent.GIVEN
    assert scenario.account.contact.details.consent(Channel.VOICE, "phone-1") is Consent.REFUSED


@pytest.mark.parametrize(
    ("channel", "point_id", "code"),
    [
        (Channel.SMS, "phone-9", "unknown-contact-point"),
        (Channel.SMS, "email-1", "unknown-contact-point"),
        (Channel.LETTER, "address-1", "no-consent-kept"),
        (Channel.PORTAL, "portal", "no-consent-kept"),
    ],
)
def test_consent_is_about_a_number_or_address_that_the_channel_can_use(channel: Channel, point_id: str, code: str):
    given().when(consent(channel, point_id, Consent.REFUSED)).then_refused(code)


def test_a_text_cannot_go_to_a_landline():
    scenario = given(a_change(phones=(a_phone(kind=PhoneKind.HOME),)))
    assert scenario.account.contact.details.points(Channel.SMS) == ()
    assert scenario.account.contact.details.points(Channel.VOICE) == ("phone-1",)


def test_an_opt_out_is_recorded_once_and_taken_back_once():
    scenario = given().when(an_opt_out()).then(OptedOut(channel=Channel.SMS))
    scenario.when(an_opt_out()).then_nothing_happened()
    back = OptInToContact(account_id=ACCOUNT, channel=Channel.SMS)
    scenario.when(back).then(OptedIn(channel=Channel.SMS)).when(back).then_nothing_happened()


def test_an_opt_out_of_a_medium_covers_every_number():
    account = given(an_opt_out()).account
    assert account.contact.has_opted_out(Channel.SMS, "phone-1")
    assert account.contact.has_opted_out(Channel.SMS, "phone-2")
    assert not account.contact.has_opted_out(Channel.VOICE, "phone-1")


def test_an_opt_out_of_a_number_covers_only_it():
    account = given(an_opt_out(point_id="phone-1")).account
    assert account.contact.has_opted_out(Channel.SMS, "phone-1")
    assert not account.contact.has_opted_out(Channel.SMS, "phone-2")


def test_every_point_has_an_address_to_send_to():
    details = contact(
        addresses=(PostalAddress(id="a", lines=("1 Main St",), city="New York", region="NY", postal_code="10001"),)
    )
    assert details.address_of("a") == "1 Main St\n10001 New York NY"
    assert details.address_of("phone-1") == "+12125550100"
    assert details.address_of("email-1") == "ada@example.org"
    assert details.address_of("portal") == "portal"
    assert details.address_of("gone") is None
    assert ContactDetails().points(Channel.PORTAL) == ("portal",)


# --- subscriptions ---


def test_a_subscription_is_recorded_and_updated():
    first = Subscription(number="S-1", service_type="fibre")
    scenario = given().when(RecordSubscription(account_id=ACCOUNT, subscription=first)).then(SubscriptionRecorded)
    scenario.when(RecordSubscription(account_id=ACCOUNT, subscription=first)).then_nothing_happened()
    more = first.model_copy(update={"initial_discount": usd(10)})
    scenario.when(RecordSubscription(account_id=ACCOUNT, subscription=more)).then(SubscriptionRecorded)
    assert scenario.account.customer.subscriptions == {"S-1": more}


def test_a_discount_is_in_the_account_s_currency():
    subscription = Subscription(number="S-1", initial_discount=Money(1, "EUR"))
    given().when(RecordSubscription(account_id=ACCOUNT, subscription=subscription)).then_refused("wrong-currency")


# --- countries ---------------------------------------------------------------------------------------


def living_in(country: str) -> ContactDetails:
    return contact(addresses=(PostalAddress(id="address-1", lines=("1 Main St",), country=country),))


@pytest.mark.parametrize("code", ["UK", "XX", "EN"])
def test_what_is_no_country_is_refused_wherever_it_is_said(code: str):
    given_only(an_office()).when(an_account(country=code)).then_refused("not-a-country")
    given_only(an_office()).when(an_account(contact=living_in(code))).then_refused("not-a-country")
    given().when(an_account(country=code)).then_refused("not-a-country")
    changed = ChangeContactDetails(account_id=ACCOUNT, contact=living_in(code))
    given().when(changed).then_refused("not-a-country")


@pytest.mark.parametrize("code", ["GB", "PR", "XK"])
def test_a_country_is_taken(code: str):
    given_only(an_office()).when(an_account(country=code, contact=living_in(code))).then_among_others(
        like(AccountOpened, country=code)
    )


def test_what_an_earlier_release_took_for_a_country_may_stay_and_be_mended(monkeypatch: pytest.MonkeyPatch):
    with monkeypatch.context() as earlier:
        earlier.setattr("aggregates.values.countries.is_country", lambda _: True)
        scenario = given(an_account(country="UK", contact=living_in("UK")))
    scenario.when(an_account(customer_name="Ada King", country="UK", contact=living_in("UK"))).then(CustomerRenamed)
    scenario.when(an_account(country="UK", contact=living_in("XX"))).then_refused("not-a-country")
    scenario.when(ChangeContactDetails(account_id=ACCOUNT, contact=living_in("GB"))).then(ContactDetailsChanged)


def test_the_countries_are_those_of_the_common_locale_data():
    """And Kosovo. Bouvet Island and the Heard Islands have no time zone, as nobody lives there."""
    with_zones = {code for code in get_global("territory_zones") if len(code) == 2} - {"ZZ"}
    assert with_zones | {"BV", "HM", "XK"} == COUNTRIES
