"""The hours that are remembered for many accounts are those that the table gives of each."""

from datetime import UTC, datetime, timedelta

from hypothesis import given as hypothesis_given
from hypothesis import strategies as st

from aggregates.account import Account
from aggregates.account.contact import ContactDetailsChanged
from aggregates.account.contact_history import MEDIA
from aggregates.account.customer import AccountOpened, CustomerKind
from aggregates.account.flags import FlagSet
from aggregates.office import ContactRulesSet, Office, OfficeOpened
from aggregates.values.contact import Channel, ContactAttempt, ContactDetails, Denied, PostalAddress
from aggregates.values.contact_record import Role
from aggregates.values.contact_settings import ContactSettings, RuleChoice
from policies.contact.case import Asked
from policies.contact.table import RULES, judge
from policies.contact_rules import _HOURS, _settings, debtor_of, inconvenient_hours
from tests.builders import ACCOUNT, OFFICE, a_phone

PLACES = [
    ("NY", "10001"),
    ("HI", "96813"),
    ("FL", "32501"),
    ("FL", "33101"),
    ("WA", "98101"),
    ("TX", None),
    (None, None),
]
HAWAII = PostalAddress(id="address-1", lines=("1 Main St",), region="HI", postal_code="96813", country="US")
NUMBERS = ["+12125550100", "+18085550123", "+18505550100", "+12065550100", "+4930123456", "+18005550100"]
ZONES = ["UTC", "America/New_York", "Europe/Berlin", "Pacific/Honolulu"]
DETAILS = st.builds(
    ContactDetails,
    phones=st.lists(st.sampled_from(NUMBERS), max_size=2).map(
        lambda numbers: tuple(a_phone(id=f"phone-{n}", number=each) for n, each in enumerate(numbers))
    ),
    addresses=st.lists(st.sampled_from(PLACES), max_size=2).map(
        lambda places: tuple(
            PostalAddress(id=f"address-{n}", lines=("1 Main St",), region=state, postal_code=code, country="US")
            for n, (state, code) in enumerate(places)
        )
    ),
    time_zone=st.sampled_from([None, *ZONES]),
)
CHOICES = st.dictionaries(
    st.sampled_from([*_HOURS, "calls-7-in-7"]),
    st.builds(RuleChoice, on=st.sampled_from([None, True, False])),
    max_size=2,
)


BEGIN = datetime(2019, 1, 1, tzinfo=UTC)
MOMENTS = st.integers(0, 8 * 365 * 48).map(lambda each: BEGIN + each * timedelta(minutes=30))


@hypothesis_given(
    DETAILS, CHOICES, MOMENTS, st.sampled_from(Channel), st.sampled_from(Role), st.sampled_from(CustomerKind), st.data()
)
def test_they_are_what_the_table_says(details, rules, at, channel, role, kind, data):  # noqa: PLR0917
    zone, letters, flagged = data.draw(st.sampled_from(ZONES)), data.draw(st.booleans()), data.draw(st.booleans())
    office, account = Office.blank(OFFICE), Account.blank(ACCOUNT)
    if letters:
        rules = {**rules, "hours-8-to-21": RuleChoice(figures={"letters": 0, "portal": 1})}
    office.apply(OfficeOpened(code="main", title="Main", currency="USD", time_zone=zone))
    office.apply(ContactRulesSet(contact=ContactSettings(role=role, rules=rules)))
    account.apply(
        AccountOpened(office_id=OFFICE, number="A-1", customer_name="Ada", currency="USD", customer_kind=kind)
    )
    account.apply(ContactDetailsChanged(contact=details))
    if flagged:
        account.apply(FlagSet(flag="bankruptcy"))
    debtor, house_zone = debtor_of(account, office)
    refused = judge(
        debtor,
        role,
        (),
        Asked(at, MEDIA[channel]),
        _settings(office.contact, debtor),
        table=[RULES[each] for each in _HOURS],
        house_zone=house_zone,
    )
    found = inconvenient_hours(account, ContactAttempt(channel, "", at), office)
    said = [(each.rule, each.basis, each.detail, each.allowed_from) for each in refused]
    assert said == (
        [(each.rule, each.basis, each.detail, each.allowed_from) for each in found.refusals]
        if isinstance(found, Denied)
        else []
    )


def test_where_a_customer_is_hangs_on_the_office_that_asks_and_on_what_is_known_by_then():
    offices = []
    for zone in ("America/New_York", "Europe/Berlin"):
        office = Office.blank(OFFICE)
        office.apply(OfficeOpened(code="main", title="Main", currency="USD", time_zone=zone))
        offices.append(office)
    account = Account.blank(ACCOUNT)
    account.apply(
        AccountOpened(
            office_id=OFFICE,
            number="A-1",
            customer_name="Ada",
            currency="USD",
            customer_kind=CustomerKind.CONSUMER,
        )
    )
    nothing_is_known = [debtor_of(account, office)[0].country for office in offices]
    account.apply(ContactDetailsChanged(contact=ContactDetails(addresses=(HAWAII,))))
    assert len(set(nothing_is_known)) == 2
    assert [debtor_of(account, office)[0].state for office in offices] == ["HI", "HI"]
