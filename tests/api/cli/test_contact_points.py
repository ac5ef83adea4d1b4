"""`arrears contact points`, `change`, `opt-out`, `opt-in` and `consent`."""

import pytest

from aggregates.values.contact import Consent, ContactDetails, PhoneNumber
from api.application.contact_details import DetailsChange, changed
from api.application.issuing import Refused
from tests.api.cli.conftest import Arrears


def wishes(arrears: Arrears, account: str) -> list[str]:
    """By point, what the table says of it."""
    return [" ".join(line.split()) for line in arrears("contact", "points", account).lines[1:]]


def test_a_customer_s_numbers_change_and_what_they_wish_of_each_is_heeded(portfolio: Arrears):
    change = ("contact", "change", "A-1")
    before = portfolio("contact", "points", "A-1", "--json").json["contact"]
    said = portfolio(*change, "--phone", "+1 646 555 0142", "--kind", "mobile", "--email", "ann@example.org")
    assert said.out == "It is changed.\n"
    portfolio(*change, "--language", "es", "--preferred-channel", "sms", "--time-zone", "America/Denver")
    after = portfolio("contact", "points", "A-1", "--json").json["contact"]
    phone, email = after["phones"][-1], after["emails"][-1]
    assert (phone["number"], phone["kind"], email["address"]) == ("+1 646 555 0142", "mobile", "ann@example.org")
    assert (after["language"], after["preferred_channel"], after["time_zone"]) == ("es", "sms", "America/Denver")
    assert after["addresses"] == before["addresses"]

    at = ("--channel", "sms", "--to", phone["id"])
    assert portfolio("contact", "consent", "A-1", *at, "--given").out == f"Consent to sms at {phone['id']} is given.\n"
    assert f"{phone['id']} mobile phone +1 646 555 0142 texts allowed" in wishes(portfolio, "A-1")
    assert portfolio("contact", "opt-out", "A-1", *at, "--reason", "On the phone.").out == (
        f"No sms at {phone['id']} any more.\n"
    )
    assert portfolio("contact", "opt-out", "A-1", *at).out == "It was so already.\n"
    assert f"{phone['id']} mobile phone +1 646 555 0142 opted out of sms; texts allowed" in wishes(portfolio, "A-1")
    assert "opted-out" in portfolio("message", "send", "A-1", *at, "--text", "x", code=1).err
    portfolio("contact", "opt-in", "A-1", *at)
    portfolio("contact", "opt-out", "A-1", "--channel", "letter")
    assert wishes(portfolio, "A-1")[-2:] == ["Not by letter at all.", "Language es, preferably by sms."]
    portfolio(*change, "--remove", phone["id"], "--remove", email["id"])
    gone = portfolio("contact", "points", "A-1", "--json").json["contact"]
    assert (gone["phones"], gone["emails"]) == (before["phones"], before["emails"])


def test_an_opt_out_of_one_customer_is_told_to_the_other_who_has_the_number(portfolio: Arrears):
    for account in ("A-1", "A-2"):
        portfolio("contact", "change", account, "--phone", "+12125550177", "--kind", "mobile")
    point = portfolio("contact", "points", "A-1", "--json").json["contact"]["phones"][-1]["id"]
    portfolio("contact", "consent", "A-1", "--channel", "sms", "--to", point, "--refused")
    other = portfolio("contact", "points", "A-2", "--json").json
    assert {(each["channel"], each["point_id"]) for each in other["opt_outs"]} == {
        ("sms", other["contact"]["phones"][-1]["id"])
    }
    assert "policy:inbound@1" in portfolio("audit", "A-2", "--wide").out


def test_a_list_opts_out_and_has_an_outcome_for_each(portfolio: Arrears):
    opt_out = ("contact", "opt-out", "--accounts", "-", "--channel", "email", "--json")
    first = portfolio(*opt_out, given="A-1\nX-9\nA-2\n", code=3).json
    assert [(each["account"], each["outcome"]) for each in first] == [
        ("A-1", "done"), ("X-9", "refused"), ("A-2", "done"),
    ]  # fmt: skip
    again = portfolio(*opt_out, given="A-1\n").json
    assert [each["outcome"] for each in again] == ["same"]


@pytest.mark.parametrize("number", ["(212) 555-0100", "+44 20 7946 0958", "0171/1234567", "212.555.0100 x12"])
def test_numbers_are_taken_as_people_write_them(number: str):
    assert DetailsChange(phone=number).phone == number


@pytest.mark.parametrize("address", ["a@b.example", "dee@bücher.example", "a+b@x.example.org"])
def test_addresses_are_taken_as_people_write_them(address: str):
    assert DetailsChange(email=address).email == address


def test_of_a_kind_there_are_as_many_as_can_be_kept():
    full = ContactDetails(phones=tuple(PhoneNumber(id=f"p-{n}", number=f"+1212555{n:04}") for n in range(20)))
    with pytest.raises(Refused, match="at most 20 phones"):
        changed(full, None, DetailsChange(phone="+12125559999"))
    assert len(changed(full, None, DetailsChange(phone="+12125559999", remove=("p-3",)))["phones"]) == 20


def test_what_is_there_already_is_not_added_again(portfolio: Arrears):
    change = ("contact", "change", "A-1")
    number = ("--phone", "+1 646 555 0143", "--kind", "mobile", "--email", "ann2@example.org")
    assert portfolio(*change, *number).out == "It is changed.\n"
    assert portfolio(*change, *number).out == "It was so already.\n"
    portfolio(*change, "--phone", "+16465550143", "--kind", "home", "--email", "ANN2@example.org")
    contact = portfolio("contact", "points", "A-1", "--json").json["contact"]
    assert [each["kind"] for each in contact["phones"] if "0143" in each["number"]] == ["home"]
    assert [each["address"] for each in contact["emails"] if "ann2" in each["address"].lower()] == ["ann2@example.org"]


def test_what_is_shown_of_consent_is_not_said_by_a_change_of_something_else():
    """A number that only may be one that was refused is shown as refused."""
    shown = ContactDetails(phones=(PhoneNumber(id="phone-1", number="555 0100", sms_consent=Consent.REFUSED),))
    [phone] = changed(shown, None, DetailsChange(language="es"))["phones"]
    assert phone["sms_consent"] == "unknown"


@pytest.mark.parametrize(
    ("asked", "code", "said"),
    [
        (("change", "A-1"), 2, "expected what is to change"),
        (("change", "A-1", "--kind", "home"), 2, "--kind: expected with --phone"),
        (("change", "A-1", "--phone", "2125550100", "--kind", "pager"), 2, "--kind: input should be 'mobile', 'home'"),
        (("change", "A-1", "--language", "English"), 2, "--language: expected a language such as en"),
        (("change", "A-1", "--time-zone", "Mars"), 2, "--time-zone"),
        (("change", "A-1", "--preferred-channel", "fax"), 2, "--preferred-channel: input should be 'sms'"),
        (("change", "A-1", "--remove", "phone-77"), 1, "remove: expected one of"),
        (("change", "--email", "a@b.example"), 2, "expected an account, or --accounts FILE"),
        (("change", "A-1", "--phone", "<b>\u202e1"), 2, "--phone: expected a telephone number"),
        (("change", "A-1", "--phone", "call 212 555 0100"), 2, "--phone: expected a telephone number"),
        (("change", "A-1", "--email", "<b>"), 2, "--email: expected an e-mail address"),
        (("change", "A-1", "--email", "Ann <ann@example.org>"), 2, "--email: expected an e-mail address"),
        (("opt-out", "A-1", "--channel", "sms", "--to", "phone-77"), 1, "not 'phone-77'"),
        (("opt-out", "A-1", "--channel", "fax"), 2, "--channel: input should be 'sms'"),
        (("consent", "A-1", "--channel", "sms", "--to", "phone-77", "--given"), 1, "sms cannot use 'phone-77'"),
        (("consent", "A-1", "--channel", "portal", "--to", "portal", "--given"), 1, "opt out of portal"),
    ],
)
def test_what_cannot_be_is_said_by_its_name(portfolio: Arrears, asked: tuple[str, ...], code: int, said: str):
    assert said in portfolio("contact", *asked, code=code).err
