"""A customer with several accounts: what they say on one of them holds for all."""

from typing import Any
from uuid import UUID

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule
from pydantic import ValidationError

from adapters.rules import RULES
from aggregates.account import Account
from aggregates.account.billing import BillInvoice, InvoiceBilled
from aggregates.account.command import account_id, account_name, ids_by_name
from aggregates.account.contact import (
    ChangeContactDetails,
    OptedOut,
    OptInToContact,
    OptOutOfContact,
    RecordConsent,
    WishesShared,
)
from aggregates.account.customer import (
    AccountOpened,
    CustomerNumberChanged,
    CustomerParted,
    CustomerShared,
    OpenAccount,
    Opening,
    OtherAccount,
)
from aggregates.account.flags import ClearFlag, FlagCleared, FlagSet, SetFlag
from aggregates.kernel.actor import Actor
from aggregates.kernel.command import Command, Issued, identifier
from aggregates.kernel.memory import MemoryStore
from aggregates.office import ChangeOfficeSettings, FlagDefinition
from aggregates.values.contact import Channel, Consent, ContactDetails, EmailAddress, PhoneNumber
from aggregates.values.money import Money
from tests.builders import ACCOUNT, JAN, OFFICE, a_phone, an_account, an_office, contact
from tests.examples import examples
from tests.given import BEGINNING, Scenario, given, given_only, like

SECOND = account_id(OFFICE, "A-2")
EUROS = account_id(OFFICE, "A-1", "EUR")
NOBODY = ContactDetails()
OTHER_PHONE = "+12125550199"


def a_second(**more: Any) -> OpenAccount:
    return an_account(**{"number": "A-2", "customer_number": "A-1", "contact": None, **more})


def in_euros(**more: Any) -> OpenAccount:
    return an_account(**{"currency": "EUR", "other_currency": True, "contact": None, **more})


def an_opt_out(account: UUID = ACCOUNT, point_id: str | None = "phone-1") -> OptOutOfContact:
    return OptOutOfContact(account_id=account, channel=Channel.SMS, point_id=point_id)


def get(scenario: Scenario, account: UUID) -> Account:
    return scenario.world.get(Account, account)


def accounts_known_on(scenario: Scenario, account: UUID) -> set[str]:
    return {other.name for other in get(scenario, account).customer.accounts.values()}


# --- who they are ---


def test_an_account_s_customer_has_the_account_s_number_where_nothing_else_is_said():
    assert given().account.customer.customer_number == "A-1"
    stored = given().world.events(AccountOpened)[-1].model_dump(mode="json")
    assert not {"customer_number", "other_currency"} & stored.keys()


def test_accounts_of_one_customer_know_each_other():
    scenario = given().when(a_second())
    scenario.then_among_others(like(AccountOpened, customer_number="A-1"), CustomerShared, CustomerShared)
    assert accounts_known_on(scenario, ACCOUNT) == {"A-2"}
    assert accounts_known_on(scenario, SECOND) == {"A-1"}
    scenario.when(a_second()).then_nothing_happened()


def test_a_customer_may_have_a_number_that_is_no_account_s():
    scenario = given(a_second(customer_number="C-7")).when(an_account(customer_number="C-7"))
    assert accounts_known_on(scenario, ACCOUNT) == {"A-2"}
    assert get(scenario, ACCOUNT).customer.customer_number == "C-7"


def test_the_account_of_a_customer_s_number_joins_those_that_were_opened_for_the_customer_before():
    scenario = given_only(an_office(), a_second()).when(an_account())
    assert accounts_known_on(scenario, ACCOUNT) == {"A-2"}


def test_another_currency_is_another_account_of_the_customer_with_an_id_of_its_own():
    scenario = given().when(in_euros())
    assert get(scenario, EUROS).customer.currency == "EUR"
    assert get(scenario, EUROS).customer.account_name == "A-1/EUR"
    assert accounts_known_on(scenario, ACCOUNT) == {"A-1/EUR"}
    assert EUROS not in (ACCOUNT, account_id(OFFICE, "A-1/EUR"))


def test_a_customer_number_is_that_of_all_accounts_of_a_number():
    either = in_euros(), an_account(customer_number="C-7")
    for first, second in (either, either[::-1]):
        scenario = given_only(an_office(), a_second(customer_number="C-7"), first).when(second)
        assert get(scenario, EUROS).customer.customer_number == "C-7"
        assert accounts_known_on(scenario, EUROS) == {"A-1", "A-2"}
        assert accounts_known_on(scenario, SECOND) == {"A-1", "A-1/EUR"}


def test_an_account_may_turn_out_to_be_another_customer_s():
    scenario = given(a_second(), an_opt_out()).when(a_second(customer_number="C-7"))
    scenario.then(CustomerNumberChanged, CustomerParted)
    assert accounts_known_on(scenario, ACCOUNT) == accounts_known_on(scenario, SECOND) == set()
    assert get(scenario, SECOND).contact.has_opted_out(Channel.SMS, "phone-1"), "what was said stays"
    scenario.when(an_opt_out(SECOND, point_id=None)).then(OptedOut(channel=Channel.SMS))
    assert scenario.world.log[-1].aggregate_id == SECOND


def test_accounts_of_one_number_in_two_offices_are_two_customers():
    scenario = given(an_office(code="north", time_zone="UTC"))
    north = identifier("office", "north")
    scenario.when(an_account(office_id=north))
    assert get(scenario, account_id(north, "A-1")).customer.accounts == {}


def test_currency_and_id_belong_together():
    given().when(an_account(currency="EUR")).then_refused("wrong-currency")
    given_only(an_office()).when(an_account(other_currency=True)).then_refused("wrong-currency")
    euros = Opening(office_id=OFFICE, number="A-1", currency="EUR", other_currency=True)
    with pytest.raises(ValidationError, match="opens: expected the office and number of this account"):
        an_invoice_in_euros(account=ACCOUNT, opens=euros)


def test_the_name_of_an_account_is_looked_up_as_both_that_it_may_mean():
    assert account_name("1001") == "1001"
    assert account_name("1001", "EUR") == "1001/EUR"
    assert ids_by_name(OFFICE, "1001") == (account_id(OFFICE, "1001"),)
    assert ids_by_name(OFFICE, "1001/EUR") == (account_id(OFFICE, "1001/EUR"), account_id(OFFICE, "1001", "EUR"))
    assert ids_by_name(OFFICE, "/EUR") == (account_id(OFFICE, "/EUR"),)
    assert ids_by_name(OFFICE, "1001/eur") == (account_id(OFFICE, "1001/eur"),)


# --- documents ---


def an_invoice_in_euros(*, account: UUID = EUROS, opens: Opening | None = None) -> BillInvoice:
    return BillInvoice(
        account_id=account, number="E-1", issued_on=JAN(5), due_on=JAN(20), amount=Money(5_00, "EUR"), opens=opens
    )


OPENS_EUROS = Opening(office_id=OFFICE, number="A-1", currency="EUR", other_currency=True)


def test_an_invoice_in_another_currency_opens_an_account_that_knows_who_the_customer_is():
    scenario = given(an_opt_out()).when(an_invoice_in_euros(opens=OPENS_EUROS), at=JAN(20))
    scenario.then_among_others(
        like(AccountOpened, number="A-1", customer_name="Ada Lovelace", currency="EUR", other_currency=True),
        CustomerShared,
        WishesShared,
        InvoiceBilled,
    )
    euros = get(scenario, EUROS)
    assert euros.contact.details.phones == scenario.account.contact.details.phones
    assert euros.contact.has_opted_out(Channel.SMS, "phone-1")


def test_an_account_that_a_document_opened_learns_who_the_customer_is():
    scenario = given_only(an_office(), JAN(20), an_invoice_in_euros(opens=OPENS_EUROS)).when(an_account())
    assert get(scenario, EUROS).customer.name == "Ada Lovelace"
    assert get(scenario, EUROS).contact.details.emails == scenario.account.contact.details.emails


# --- what they say ---


@pytest.mark.parametrize("point_id", [None, "phone-1"])
def test_an_opt_out_holds_for_all_accounts_of_the_customer_and_is_taken_back_for_all(point_id: str | None):
    scenario = given(a_second(), in_euros()).when(an_opt_out(SECOND, point_id))
    assert all(get(scenario, each).contact.has_opted_out(Channel.SMS, "phone-1") for each in (ACCOUNT, SECOND, EUROS))
    shared = scenario.world.events(WishesShared)
    assert [event.opt_outs for event in shared] == [tuple(scenario.account.contact.opt_outs)] * 2
    scenario.when(OptInToContact(account_id=ACCOUNT, channel=Channel.SMS, point_id=point_id))
    assert not any(get(scenario, each).contact.opt_outs for each in (ACCOUNT, SECOND, EUROS))


def test_a_refusal_holds_for_all_accounts_whether_or_not_they_have_the_number_and_so_does_consent():
    scenario = given(a_second(contact=contact(phones=(a_phone(number=OTHER_PHONE),))))
    refusal = RecordConsent(account_id=SECOND, channel=Channel.VOICE, point_id="phone-1", consent=Consent.REFUSED)
    scenario.when(refusal)
    [there] = [phone for phone in scenario.account.contact.details.phones if phone.number == OTHER_PHONE]
    assert there.voice_consent is Consent.REFUSED
    scenario.when(refusal.model_copy(update={"consent": Consent.GIVEN}))
    [there] = [phone for phone in scenario.account.contact.details.phones if phone.number == OTHER_PHONE]
    assert there.voice_consent is Consent.GIVEN


def test_what_a_new_account_s_row_refuses_is_refused_on_the_others():
    refused = contact(phones=(a_phone(voice_consent=Consent.REFUSED),))
    scenario = given().when(a_second(contact=refused))
    assert scenario.account.contact.details.consent(Channel.VOICE, "phone-1") is Consent.REFUSED


def test_what_details_refuse_later_is_refused_on_the_others():
    refused = contact(phones=(a_phone(voice_consent=Consent.REFUSED),))
    scenario = given(a_second()).when(ChangeContactDetails(account_id=SECOND, contact=refused))
    assert scenario.account.contact.details.consent(Channel.VOICE, "phone-1") is Consent.REFUSED


def test_a_cease_request_holds_for_all_accounts_and_other_flags_for_their_own():
    scenario = (
        given(a_second())
        .when(SetFlag(account_id=ACCOUNT, flag="cease-contact"))
        .then(FlagSet(flag="cease-contact"), FlagSet(flag="cease-contact"))
    )
    scenario.when(in_euros())
    assert get(scenario, EUROS).flags.carried == {"cease-contact"}
    scenario.when(SetFlag(account_id=ACCOUNT, flag="vip")).then(FlagSet(flag="vip"))
    scenario.when(ClearFlag(account_id=SECOND, flag="cease-contact")).then(*[FlagCleared(flag="cease-contact")] * 3)


def test_an_office_says_which_flags_are_about_the_customer():
    flags = {
        "attorney": FlagDefinition(title="Attorney", blocks=True, about_customer=True),
        "cease-contact": FlagDefinition(title="Cease contact", blocks=True, about_customer=False),
    }
    scenario = given(a_second(), ChangeOfficeSettings(office_id=OFFICE, flags=flags))
    scenario.when(SetFlag(account_id=SECOND, flag="attorney")).then(*[FlagSet(flag="attorney")] * 2)
    scenario.when(SetFlag(account_id=SECOND, flag="cease-contact")).then(FlagSet(flag="cease-contact"))


# --- how they are reached ---


def test_new_details_of_one_account_reach_the_others_which_keep_their_own():
    own = contact(phones=(a_phone(number=OTHER_PHONE),), emails=(), addresses=())
    scenario = given(a_second(contact=own))
    assert [phone.number for phone in scenario.account.contact.details.phones] == ["+12125550100", OTHER_PHONE]
    third = a_phone(number="+12125550177")
    scenario.when(ChangeContactDetails(account_id=ACCOUNT, contact=contact(phones=(third,), language="de")))
    details = get(scenario, SECOND).contact.details
    assert [phone.number for phone in details.phones] == [OTHER_PHONE, "+12125550177"]
    assert len({phone.id for phone in details.phones}) == 2
    assert details.language == "de"
    assert get(scenario, SECOND).contact.own_details.phones == own.phones


def test_a_number_stays_known_from_other_accounts_as_long_as_any_of_them_has_it():
    scenario = given(a_second(contact=contact()), in_euros())
    nothing = ChangeContactDetails(account_id=ACCOUNT, contact=NOBODY)
    scenario.when(nothing)
    assert [phone.number for phone in get(scenario, EUROS).contact.details.phones] == ["+12125550100"]
    scenario.when(nothing.model_copy(update={"account_id": SECOND}))
    assert get(scenario, EUROS).contact.details.phones == ()


def test_a_number_that_the_account_s_own_records_have_too_is_its_own():
    scenario = given(in_euros(), in_euros(contact=contact()))
    scenario.when(ChangeContactDetails(account_id=ACCOUNT, contact=NOBODY))
    assert [phone.number for phone in get(scenario, EUROS).contact.details.phones] == ["+12125550100"]


# --- never, whatever is said in which order ---

NUMBERS = ("1", "2", "3")
CUSTOMERS = (None, "1", "C-7")
CURRENCIES = ("USD", "EUR")
PHONES = ("+12125550100", "(212) 555-0100", "0171/1234567", "+491711234567", "212 555 0111")
COUNTRIES = (None, "US", "DE")

phones = st.builds(
    lambda number, sms, voice: PhoneNumber(id="phone-1", number=number, sms_consent=sms, voice_consent=voice),
    st.sampled_from(PHONES),
    st.sampled_from(Consent),
    st.sampled_from(Consent),
)
details = st.builds(
    lambda phones, email, consent: ContactDetails(
        phones=tuple(each.model_copy(update={"id": f"phone-{n}"}) for n, each in enumerate(phones, 1)),
        emails=(EmailAddress(id="email-1", address=email, consent=consent),) if email else (),
    ),
    st.lists(phones, max_size=2),
    st.sampled_from([None, "ada@example.org", "Ada@Example.org"]),
    st.sampled_from(Consent),
)
channels = st.sampled_from([Channel.SMS, Channel.VOICE, Channel.EMAIL, Channel.LETTER])
points = st.sampled_from([None, "phone-1", "phone-2", "email-1"])
some_account = st.tuples(st.sampled_from(NUMBERS), st.sampled_from(CURRENCIES))


class Customers(RuleBasedStateMachine):
    """Accounts of a few customers, opened, described, moved and spoken of in any order."""

    def __init__(self) -> None:
        super().__init__()
        self.store = MemoryStore(RULES)
        self.issued = 0
        self.do(an_office())

    def do(self, *commands: Command) -> None:
        issued = []
        for command in commands:
            self.issued += 1
            command_id = identifier("machine", self.issued)
            issued.append(Issued(command=command, command_id=command_id, actor=Actor.person("tester"), reason="a test"))
        self.store.handle(issued, now=BEGINNING)

    def accounts(self) -> list[Account]:
        return [each for each in self.store.aggregates.values() if isinstance(each, Account)]

    @rule(
        which=some_account,
        customer=st.sampled_from(CUSTOMERS),
        contact=st.none() | details,
        country=st.sampled_from(COUNTRIES),
    )
    def open(
        self, which: tuple[str, str], customer: str | None, contact: ContactDetails | None, country: str | None
    ) -> None:
        number, currency = which
        other = True if currency == "EUR" else None
        self.do(
            an_account(
                number=number, currency=currency, other_currency=other, customer_number=customer, contact=contact,
                country=country,
            )
        )  # fmt: skip

    @rule(which=some_account)
    def bill(self, which: tuple[str, str]) -> None:
        number, currency = which
        opens = Opening(
            office_id=OFFICE, number=number, currency=currency, other_currency=True if currency == "EUR" else None
        )
        self.do(
            BillInvoice(
                account_id=opens.account_id, number="I-1", issued_on=JAN(5), due_on=JAN(5),
                amount=Money(1, currency), opens=opens,
            )
        )  # fmt: skip

    @rule(which=some_account, contact=details)
    def describe(self, which: tuple[str, str], contact: ContactDetails) -> None:
        self.do(ChangeContactDetails(account_id=self.id_of(which), contact=contact))

    @rule(which=some_account, channel=channels, point=points)
    def opt_out(self, which: tuple[str, str], channel: Channel, point: str | None) -> None:
        self.do(OptOutOfContact(account_id=self.id_of(which), channel=channel, point_id=point))

    @rule(which=some_account, channel=channels, point=points)
    def opt_in(self, which: tuple[str, str], channel: Channel, point: str | None) -> None:
        self.do(OptInToContact(account_id=self.id_of(which), channel=channel, point_id=point))

    @rule(which=some_account, channel=channels, point=points, consent=st.sampled_from(Consent))
    def consent(self, which: tuple[str, str], channel: Channel, point: str | None, consent: Consent) -> None:
        self.do(
            RecordConsent(account_id=self.id_of(which), channel=channel, point_id=point or "phone-1", consent=consent)
        )

    @rule(which=some_account, sets=st.booleans(), flag=st.sampled_from(["cease-contact", "vip"]))
    def flag(self, which: tuple[str, str], sets: bool, flag: str) -> None:
        self.do((SetFlag if sets else ClearFlag)(account_id=self.id_of(which), flag=flag))

    def id_of(self, which: tuple[str, str]) -> UUID:
        number, currency = which
        return account_id(OFFICE, number, None if currency == "USD" else currency)

    @invariant()
    def accounts_of_a_customer_know_each_other_and_no_others(self) -> None:
        for each in self.accounts():
            mine = {
                other.id: OtherAccount(
                    account_id=other.id, number=other.customer.number, currency=other.customer.currency,
                    other_currency=other.customer.other_currency,
                )
                for other in self.accounts()
                if other is not each and other.customer.customer_number == each.customer.customer_number
            }  # fmt: skip
            assert each.customer.accounts == mine
            same_number = [other for other in self.accounts() if other.customer.number == each.customer.number]
            assert {other.customer.customer_number for other in same_number} == {each.customer.customer_number}

    @invariant()
    def no_account_allows_what_another_s_wishes_refuse(self) -> None:
        for one in self.accounts():
            for other in (self.store.get(Account, i) for i in one.customer.accounts):
                assert ("cease-contact" in one.flags.carried) == ("cease-contact" in other.flags.carried)
                for channel in Channel:
                    for point_id in other.contact.details.ids(channel):
                        point = other.contact.point(channel, point_id)
                        refuses = one.contact.wishes.has_opted_out(channel, point_id, point)
                        assert refuses == (other.contact.has_opted_out(channel, point_id))
                        if point is not None:
                            assert one.contact.wishes.consent(point) == other.contact.wishes.consent(point)

    def teardown(self) -> None:
        for each in self.accounts():
            assert self.store.replayed(Account, each.id).model_dump() == each.model_dump()


Customers.TestCase.settings = settings(
    max_examples=examples(40), stateful_step_count=20, deadline=None, suppress_health_check=list(HealthCheck)
)
TestCustomers = Customers.TestCase
