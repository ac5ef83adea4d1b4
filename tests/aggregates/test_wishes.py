"""What the customer said is about a number or address, however it is spelled and wherever it stands."""

from collections.abc import Sequence
from typing import Any

import pytest
from hypothesis import given as for_any
from hypothesis import settings
from hypothesis import strategies as st

from aggregates.account import Account
from aggregates.account.contact import (
    ChangeContactDetails,
    ConsentRecorded,
    ContactDetailsChanged,
    OptedIn,
    OptedOut,
    OptInToContact,
    OptOutOfContact,
    RecordConsent,
)
from aggregates.account.customer import AccountOpened, CustomerKind, CustomerRenamed
from aggregates.kernel.event import Event
from aggregates.kernel.personal import ERASED
from aggregates.values.contact import (
    Channel,
    Consent,
    ContactDetails,
    Country,
    EmailAddress,
    OptOut,
    PhoneNumber,
    PostalAddress,
)
from tests.builders import ACCOUNT, OFFICE, an_account
from tests.examples import examples
from tests.given import Scenario, given

SMS, VOICE, EMAIL, LETTER = Channel.SMS, Channel.VOICE, Channel.EMAIL, Channel.LETTER
MOBILE = "+49 171 1234567"
RESPELLED = ("0171/1234567", "0049 171 1234567", "+49 (0)171-1234567", "0171 1234567 (office)")
OTHER = "+49 172 7654321"


def phones(*numbers: str | tuple[str, Consent], country: Country | None = "DE", **more: Any) -> ContactDetails:
    """Of a customer in Germany: what a file says of their numbers, by default nothing besides."""
    said = [(number, Consent.UNKNOWN) if isinstance(number, str) else number for number in numbers]
    return ContactDetails(
        addresses=(PostalAddress(id="address-1", lines=("Hauptstraße 1",), city="Bonn", country=country),),
        phones=tuple(
            PhoneNumber(id=f"phone-{n}", number=number, sms_consent=consent)
            for n, (number, consent) in enumerate(said, 1)
        ),
        **more,
    )


def emails(*addresses: str) -> ContactDetails:
    return ContactDetails(emails=tuple(EmailAddress(id=f"email-{n}", address=a) for n, a in enumerate(addresses, 1)))


def a_file(details: ContactDetails) -> ChangeContactDetails:
    return ChangeContactDetails(account_id=ACCOUNT, contact=details)


def customer_says(consent: Consent, point_id: str = "phone-1", channel: Channel = SMS) -> RecordConsent:
    return RecordConsent(account_id=ACCOUNT, channel=channel, point_id=point_id, consent=consent)


def opting_out(point_id: str | None = "phone-1", channel: Channel = SMS) -> OptOutOfContact:
    return OptOutOfContact(account_id=ACCOUNT, channel=channel, point_id=point_id)


def opting_in(point_id: str | None = "phone-1", channel: Channel = SMS) -> OptInToContact:
    return OptInToContact(account_id=ACCOUNT, channel=channel, point_id=point_id)


def forbidden(scenario: Scenario, point_id: str = "phone-1", channel: Channel = SMS) -> str | None:
    """Which wish of the customer stands against it."""
    denied = scenario.account.contact.wish_against(channel, point_id)
    return None if denied is None else denied.rule_id


# --- refused -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("spelled", [MOBILE, *RESPELLED])
@pytest.mark.parametrize("says", [Consent.UNKNOWN, Consent.GIVEN])
def test_what_was_refused_stays_refused_however_it_is_spelled(spelled: str, says: Consent):
    scenario = given(a_file(phones(MOBILE)), customer_says(Consent.REFUSED), a_file(phones(OTHER, (spelled, says))))
    assert (forbidden(scenario, "phone-1"), forbidden(scenario, "phone-2")) == (None, "consent-refused")
    assert scenario.account.contact.details.phones[1].sms_consent is Consent.REFUSED


def test_what_was_refused_stays_refused_while_the_number_is_gone():
    scenario = given(
        a_file(phones(MOBILE)), customer_says(Consent.REFUSED),
        a_file(phones()), a_file(phones(OTHER)), a_file(phones((RESPELLED[0], Consent.GIVEN))),
    )  # fmt: skip
    assert forbidden(scenario) == "consent-refused"
    scenario.having(customer_says(Consent.GIVEN))
    assert forbidden(scenario) is None
    scenario.having(a_file(phones()), a_file(phones(RESPELLED[1])))
    assert scenario.account.contact.details.consent(SMS, "phone-1") is Consent.GIVEN


def test_a_file_that_refuses_speaks_for_the_customer():
    scenario = given(
        a_file(phones(MOBILE)), customer_says(Consent.GIVEN),
        a_file(phones((RESPELLED[0], Consent.REFUSED))), a_file(phones((MOBILE, Consent.GIVEN))),
    )  # fmt: skip
    assert forbidden(scenario) == "consent-refused"


def test_one_refusal_among_two_spellings_refuses_both():
    scenario = given(a_file(phones((MOBILE, Consent.GIVEN), (RESPELLED[0], Consent.REFUSED))))
    assert [phone.sms_consent for phone in scenario.account.contact.details.phones] == [Consent.REFUSED] * 2


BRITISH, OF_NOWHERE = "+44 20 7946 0018", "2079460018"
"""Perhaps one number; in the United States the second is another."""
AMERICAN = an_account(contact=None, country="US")


def test_a_refusal_is_kept_of_a_number_that_only_may_be_one_refused_before():
    """Which of two it is may be known later: what was said of the one is then not said of the other."""
    again = a_file(phones(BRITISH, (OF_NOWHERE, Consent.REFUSED), country=None))
    for says in (customer_says(Consent.REFUSED, "phone-2"), again):
        scenario = given(
            an_account(contact=phones(BRITISH, OF_NOWHERE, country=None)), customer_says(Consent.REFUSED, "phone-1")
        )
        assert forbidden(scenario, "phone-2") == "consent-refused", "it may be the same"
        scenario.having(says, AMERICAN)
        assert (forbidden(scenario, "phone-1"), forbidden(scenario, "phone-2")) == ("consent-refused",) * 2


def test_a_number_of_which_nothing_was_said_is_free_once_it_is_known_to_be_another():
    scenario = given(
        an_account(contact=phones(BRITISH, OF_NOWHERE, country=None)), customer_says(Consent.REFUSED, "phone-1")
    )
    assert forbidden(scenario.having(AMERICAN), "phone-2") is None


def test_a_refusal_that_was_said_again_is_one_fact():
    scenario = given(a_file(phones(MOBILE)), customer_says(Consent.REFUSED), a_file(phones(RESPELLED[0])))
    scenario.when(customer_says(Consent.REFUSED)).then()


def test_consent_given_follows_the_number_and_no_other_number_gets_it():
    scenario = given(a_file(phones(MOBILE)), customer_says(Consent.GIVEN), a_file(phones(OTHER, RESPELLED[0])))
    assert [p.sms_consent for p in scenario.account.contact.details.phones] == [Consent.UNKNOWN, Consent.GIVEN]


def test_a_number_without_country_is_the_refused_one_once_the_customer_s_country_is_known():
    for before, after in ((RESPELLED[0], MOBILE), (MOBILE, RESPELLED[0])):
        scenario = given(an_account(contact=phones(before, country=None)), customer_says(Consent.REFUSED))
        scenario.having(a_file(phones(after, country=None)))
        assert forbidden(scenario) == "consent-refused"
        scenario.having(an_account(contact=None, country="DE"))
        assert forbidden(scenario) == "consent-refused"


def test_consent_given_to_a_number_without_country_is_that_of_the_customer_s_country():
    scenario = given(
        an_account(contact=phones(RESPELLED[0], country=None)), customer_says(Consent.GIVEN),
        an_account(contact=phones(MOBILE, country=None), country="DE"),
    )  # fmt: skip
    assert scenario.account.contact.details.consent(SMS, "phone-1") is Consent.GIVEN


def test_a_customer_s_new_country_says_anew_which_number_it_is():
    austria = phones(RESPELLED[0], country=None)
    scenario = given(an_account(contact=phones(MOBILE, country=None), country="AT"), customer_says(Consent.REFUSED))
    scenario.having(an_account(contact=austria, country="AT"))
    assert forbidden(scenario) is None, "+43 171 1234567 is another number"
    assert forbidden(scenario.having(an_account(contact=None, country="DE"))) == "consent-refused"


def test_the_same_text_stays_refused_in_another_country():
    scenario = given(a_file(phones(RESPELLED[0])), customer_says(Consent.REFUSED))
    scenario.having(a_file(phones(RESPELLED[0], country="AT")))
    assert forbidden(scenario) == "consent-refused"


def test_the_customer_takes_back_what_was_said_of_every_spelling():
    scenario = given(
        a_file(phones(MOBILE)), customer_says(Consent.REFUSED),
        a_file(phones((RESPELLED[0], Consent.REFUSED))), a_file(phones(RESPELLED[1], RESPELLED[2])),
        customer_says(Consent.GIVEN, "phone-2"),
    )  # fmt: skip
    assert (forbidden(scenario, "phone-1"), forbidden(scenario, "phone-2")) == (None, None)


@pytest.mark.parametrize("spelled", ["DEE@Bücher.example", "dee@XN--BCHER-KVA.EXAMPLE", "Dee <Dee@bücher.example>"])
def test_an_e_mail_address_stays_refused_in_another_case_and_as_idna(spelled: str):
    scenario = given(a_file(emails("dee@bücher.example")), customer_says(Consent.REFUSED, "email-1", EMAIL))
    scenario.having(a_file(emails()), a_file(emails("eve@bücher.example", spelled)))
    assert (forbidden(scenario, "email-1", EMAIL), forbidden(scenario, "email-2", EMAIL)) == (None, "consent-refused")


# --- opted out ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("spelled", [MOBILE, *RESPELLED])
def test_an_opt_out_follows_the_number_and_leaves_the_place_where_it_stood(spelled: str):
    scenario = given(a_file(phones(MOBILE)), opting_out()).when(a_file(phones(OTHER, spelled)))
    scenario.then(ContactDetailsChanged, OptedOut(channel=SMS, point_id="phone-2"))
    assert (forbidden(scenario, "phone-1"), forbidden(scenario, "phone-2")) == (None, "opted-out")
    assert scenario.account.contact.opt_outs == [OptOut(channel=SMS, point_id="phone-2")]


def test_an_opt_out_is_of_a_channel():
    scenario = given(a_file(phones(MOBILE)), opting_out())
    assert (forbidden(scenario), forbidden(scenario, channel=VOICE)) == ("opted-out", None)


def test_an_opt_out_stays_while_the_number_is_gone_and_comes_back_with_it():
    scenario = given(a_file(phones(MOBILE)), opting_out(), a_file(phones(OTHER)), a_file(phones()))
    assert scenario.account.contact.opt_outs == [OptOut(channel=SMS, point_id="phone-1")]
    scenario.having(a_file(phones(OTHER)))
    assert scenario.account.contact.opt_outs == []
    scenario.having(a_file(phones(OTHER, RESPELLED[0])))
    assert forbidden(scenario, "phone-2") == "opted-out"


def test_an_opt_out_is_taken_back_where_the_number_stands_now_and_nowhere_else():
    scenario = given(a_file(phones(MOBILE)), opting_out(), a_file(phones(OTHER, RESPELLED[0])))
    scenario.when(opting_in("phone-1")).then_nothing_happened()
    scenario.when(opting_in("phone-2")).then(OptedIn)
    assert forbidden(scenario.having(a_file(phones(MOBILE))), "phone-1") is None


def test_an_opt_out_of_a_number_that_is_gone_is_taken_back_where_it_stood():
    scenario = given(a_file(phones(MOBILE)), opting_out(), a_file(phones())).when(opting_in()).then(OptedIn)
    assert forbidden(scenario.having(a_file(phones(MOBILE)))) is None


def test_an_opt_out_of_an_unknown_point_covers_whatever_stands_there():
    scenario = given(a_file(phones()), opting_out(), a_file(phones(MOBILE)))
    assert forbidden(scenario) == "opted-out"
    scenario.having(opting_out(), a_file(phones(OTHER, MOBILE)), opting_in("phone-1"))
    assert (forbidden(scenario, "phone-1"), forbidden(scenario, "phone-2")) == (None, "opted-out")


def test_what_is_no_number_does_not_keep_an_opt_out_from_its_point():
    assert forbidden(given(a_file(phones("n/a")), opting_out(), a_file(phones(MOBILE)))) == "opted-out"


def test_an_opt_out_of_a_letter_follows_the_address():
    def living_at(*lines: str, **more: Any) -> ChangeContactDetails:
        return a_file(ContactDetails(addresses=(PostalAddress(id="address-1", lines=lines, **more),)))

    scenario = given(living_at("1 Main St", city="Albany"), opting_out("address-1", LETTER))
    scenario.having(living_at("1 MAIN  ST", city="albany", region="NY", country="US"))
    assert forbidden(scenario, "address-1", LETTER) == "opted-out"
    assert forbidden(scenario.having(living_at("2 Elm St", city="Albany")), "address-1", LETTER) is None


def test_an_opt_out_of_a_medium_covers_what_comes_later():
    scenario = given(a_file(phones(MOBILE)), opting_out(None), a_file(phones(OTHER)))
    assert forbidden(scenario) == "opted-out"
    assert scenario.account.contact.opt_outs == [OptOut(channel=SMS)]
    assert forbidden(scenario.having(opting_in(None))) is None


# --- whatever comes ----------------------------------------------------------------------------------

NUMBERS = (
    (MOBILE, *RESPELLED),
    (OTHER, "0172 7654321", "(0172) 765-4321", "0049172/7654321"),
    ("+1 212 555 0100", "001 212-555-0100", "+1 (212) 555.0100"),
)
"""Spellings of three numbers of a customer in Germany."""

a_place = st.tuples(
    st.integers(0, 2).flatmap(lambda n: st.tuples(st.just(n), st.sampled_from(NUMBERS[n]))),
    st.sampled_from(Consent),
)
a_new_file = st.lists(a_place, max_size=4)
a_word = st.tuples(st.sampled_from(["refuse", "consent", "opt out", "opt in"]), st.integers(1, 4))


@for_any(st.lists(st.one_of(a_new_file, a_word), max_size=12))
@settings(max_examples=examples(100), deadline=None)
def test_who_refused_or_opted_out_is_not_reached_there_until_they_take_it_back(life: list[Any]):
    scenario = given()
    standing: list[int] = []
    refused: set[int] = set()
    opted_out: set[int] = set()
    for each in life:
        if isinstance(each, list):
            standing = [number for (number, _), _ in each]
            refused |= {number for (number, _), consent in each if consent is Consent.REFUSED}
            scenario.having(a_file(phones(*((spelled, consent) for (_, spelled), consent in each))))
        else:
            word, place = each
            if place > len(standing):
                continue
            number, point_id = standing[place - 1], f"phone-{place}"
            match word:
                case "refuse":
                    refused.add(number)
                    scenario.having(customer_says(Consent.REFUSED, point_id))
                case "consent":
                    refused.discard(number)
                    scenario.having(customer_says(Consent.GIVEN, point_id))
                case "opt out":
                    opted_out.add(number)
                    scenario.having(opting_out(point_id))
                case "opt in":
                    opted_out.discard(number)
                    scenario.having(opting_in(point_id))
        for place, number in enumerate(standing, 1):
            expected = "opted-out" if number in opted_out else "consent-refused" if number in refused else None
            assert forbidden(scenario, f"phone-{place}") == expected
    replayed = Account.blank(ACCOUNT)
    replayed.fold(recorded for recorded in scenario.world.log if recorded.aggregate_id == ACCOUNT)
    assert replayed.contact == scenario.account.contact


# --- what earlier releases stored --------------------------------------------------------------------


def opened(country: Country | None = None) -> AccountOpened:
    return AccountOpened(
        office_id=OFFICE, number="A-1", customer_name="Dee", currency="USD", customer_kind=CustomerKind.CONSUMER,
        country=country,
    )  # fmt: skip


def read(history: Sequence[Event]) -> Account:
    account = Account.blank(ACCOUNT)
    for event in history:
        account.apply(event)
    return account


def details(*numbers: str | tuple[str, Consent]) -> ContactDetailsChanged:
    return ContactDetailsChanged(contact=phones(*numbers))


def test_an_old_log_in_which_a_respelled_number_was_revived_refuses_it_again():
    account = read([
        opened(), details(MOBILE), ConsentRecorded(channel=SMS, point_id="phone-1", consent=Consent.REFUSED),
        details((RESPELLED[0], Consent.GIVEN)),
    ])  # fmt: skip
    assert account.contact.details.consent(SMS, "phone-1") is Consent.REFUSED


def test_of_two_refusals_in_an_old_log_the_later_does_not_take_the_first_back():
    refused = [ConsentRecorded(channel=SMS, point_id=each, consent=Consent.REFUSED) for each in ("phone-1", "phone-2")]
    nowhere = ContactDetailsChanged(contact=phones(OF_NOWHERE, BRITISH, country=None))
    renamed = CustomerRenamed(customer_name="Dee", customer_kind=CustomerKind.CONSUMER, country="US")
    contact = read([opened(None), nowhere, *refused, renamed]).contact
    assert [phone.sms_consent for phone in contact.details.phones] == [Consent.REFUSED] * 2


MOVED = OptedOut(channel=SMS, point_id="phone-2")
"""As it was stored where the number of an opt-out was found at another point."""


@pytest.mark.parametrize(
    ("later", "covered"),
    [
        ([], ["phone-1"]),
        ([details(RESPELLED[0])], ["phone-1"]),
        ([details(OTHER, MOBILE), MOVED], ["phone-2"]),
        ([details(OTHER, RESPELLED[0])], ["phone-2"]),
        ([details(), details(MOBILE)], ["phone-1"]),
        ([details(OTHER, MOBILE), MOVED, OptedIn(channel=SMS, point_id="phone-1")], ["phone-2"]),
        ([OptedIn(channel=SMS, point_id="phone-1")], []),
        ([details(), OptedIn(channel=SMS, point_id="phone-1"), details(MOBILE)], []),
    ],
)  # fmt: skip
def test_an_old_opt_out_covers_the_number_that_stood_there(later: list[Event], covered: list[str]):
    contact = read([opened(), details(MOBILE), OptedOut(channel=SMS, point_id="phone-1"), *later]).contact
    assert [p.id for p in contact.details.phones if contact.has_opted_out(SMS, p.id)] == covered


def test_an_old_opt_out_of_a_point_that_was_not_there_still_covers_the_point():
    contact = read([opened(), OptedOut(channel=SMS, point_id="phone-1"), details(MOBILE), details(OTHER)]).contact
    assert contact.has_opted_out(SMS, "phone-1")


def test_an_old_opt_out_of_a_medium_still_covers_it():
    contact = read([opened(), details(MOBILE), OptedOut(channel=SMS), details(OTHER)]).contact
    assert contact.has_opted_out(SMS, "phone-1")


def test_an_old_country_comes_after_old_details():
    renamed = CustomerRenamed(customer_name="Dee", customer_kind=CustomerKind.CONSUMER, country="DE")
    nowhere = phones((MOBILE, Consent.REFUSED), country=None)
    contact = read([
        opened("US"), ContactDetailsChanged(contact=nowhere),
        ContactDetailsChanged(contact=phones(RESPELLED[0], country=None)), renamed,
    ]).contact  # fmt: skip
    assert contact.details.consent(SMS, "phone-1") is Consent.REFUSED


# --- erased ------------------------------------------------------------------------------------------


def test_of_an_erased_person_nothing_is_remembered():
    """Two numbers that both read erased are not one number."""
    erased = phones(
        (ERASED, Consent.REFUSED), (ERASED, Consent.GIVEN), emails=(EmailAddress(id="email-1", address=ERASED),)
    )
    contact = read([
        opened(), ContactDetailsChanged(contact=erased), OptedOut(channel=SMS, point_id="phone-1"),
        ConsentRecorded(channel=EMAIL, point_id="email-1", consent=Consent.REFUSED),
    ]).contact  # fmt: skip
    assert ERASED not in contact.wishes.__repr__()
    assert contact.has_opted_out(SMS, "phone-1")
    assert not contact.has_opted_out(SMS, "phone-2")
    assert [phone.sms_consent for phone in contact.details.phones] == [Consent.REFUSED, Consent.GIVEN]
    assert contact.details.points(SMS) == contact.details.points(EMAIL) == ()
