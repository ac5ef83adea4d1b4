"""Which spellings are one number or address."""

import time

import pytest
from email_validator import EmailNotValidError, validate_email
from hypothesis import given
from hypothesis import strategies as st

from aggregates.kernel.personal import ERASED
from aggregates.values.contact import Channel
from aggregates.values.normal_form import is_email, is_number, may_be_same, names_one, normal_form


@pytest.mark.parametrize(
    ("text", "country", "form"),
    [
        ("+49 171 1234567", None, "+491711234567"),
        ("+49 (0)171 1234567", None, "+491711234567"),
        ("0171/1234567", "DE", "+491711234567"),
        ("0171/1234567 (office)", "DE", "+491711234567"),
        ("Mobil: 0171-1234567 Dee", "DE", "+491711234567"),
        ("０１７１ １２３４５６７", "DE", "+491711234567"),
        ("0049 171 1234567", "DE", "+491711234567"),
        ("0049 171 1234567", "US", "+491711234567"),
        ("0049 171 1234567", None, "+491711234567"),
        ("011 49 171 1234567", "US", "+491711234567"),
        ("(212) 555-0100", "US", "+12125550100"),
        ("tel:+1-212-555-0100", None, "+12125550100"),
        ("+1 212 555 0100 x12", None, "+12125550100;ext=12"),
        ("+1 212 555 0100 ext. 12", None, "+12125550100;ext=12"),
        ("0171/1234567", None, "01711234567"),
        ("+1212", None, "+1212"),
        ("212-LLM-3218", "US", "+12125563218"),
        ("+1 212 llm 3218", None, "+12125563218"),
        ("1-800-FLOWERS", "US", "+18003569377"),
        ("212 556 3218 home", "US", "+12125563218"),
        ("212 556 3218 ext 5", "US", "+12125563218;ext=5"),
        ("\u0662\u0661\u0662\u0665\u0665\u0666\u0663\u0662\u0661\u0668", "US", "+12125563218"),
        ("12 a", "US", "12"),
        ("n/a", "US", "n/a"),
    ],
)
def test_a_number_is_e164_or_its_digits_where_its_country_is_not_known(text: str, country: str | None, form: str):
    assert normal_form(Channel.SMS, text, country) == normal_form(Channel.VOICE, text, country) == form


@pytest.mark.parametrize(
    ("text", "form"),
    [
        ("Dee@X.org", "dee@x.org"),
        (" dee@x.org ", "dee@x.org"),
        ("Dee <dee@x.org>", "dee@x.org"),
        ("dee@Bücher.example", "dee@xn--bcher-kva.example"),
        ("DEE@XN--BCHER-KVA.example", "dee@xn--bcher-kva.example"),
        ("dee@x.test", "dee@x.test"),
        ("At  Home", "at home"),
    ],
)
def test_an_e_mail_address_is_one_in_any_case_and_as_idna(text: str, form: str):
    assert normal_form(Channel.EMAIL, text, None) == form


@given(st.from_regex(r"[A-Za-z0-9._%+'-]{1,8}@([A-Za-z0-9-]{0,6}\.)?(xn--)?[A-Za-z0-9.-]{1,8}", fullmatch=True))
def test_a_plain_e_mail_address_reads_as_its_validator_has_it_whether_or_not_it_is_valid(text: str):
    try:
        found = validate_email(text, check_deliverability=False, globally_deliverable=False, test_environment=True)
        form = f"{found.local_part.casefold()}@{found.ascii_domain}"
    except EmailNotValidError:
        form = text.casefold()
    assert normal_form(Channel.EMAIL, text, None) == form


def test_a_postal_address_is_one_in_any_case_and_white_space():
    forms = {
        normal_form(Channel.LETTER, text, None) for text in ("1 Main St\n10001 New York", "1  MAIN ST 10001 new york")
    }
    assert forms == {"1 main st 10001 new york"}
    assert may_be_same(Channel.LETTER, "1 Main St., 10001 New York", None, "1 Main St 10001 New York", None)
    assert not may_be_same(Channel.LETTER, "1 Main St", None, "2 Main St", None)


@pytest.mark.parametrize(
    ("one", "in_one", "other", "in_other"),
    [
        ("+49 171 1234567", None, "0171 1234567", None),
        ("+49 171 1234567", None, "0171 1234567", "DE"),
        ("+49 171 1234567", "US", "49 171 1234567", "DE"),
        ("0171 1234567", "DE", "0171/1234567", "AT"),
        ("0171 1234567", None, "0171/1234567", "AT"),
        ("+1 212 555 0100", None, "(212) 555-0100 x12", "US"),
    ],
)
def test_what_cannot_be_told_apart_may_be_the_same(one: str, in_one: str | None, other: str, in_other: str | None):
    assert may_be_same(Channel.SMS, one, in_one, other, in_other)
    assert may_be_same(Channel.SMS, other, in_other, one, in_one)


@pytest.mark.parametrize(
    ("one", "in_one", "other", "in_other"),
    [
        ("+49 171 1234567", None, "0171 1234567", "AT"),
        ("+49 171 1234567", None, "+49 171 1234568", None),
        ("0171 1234567", "DE", "0172 1234567", "DE"),
        ("n/a", None, "none", None),
        ("n/a", None, "0171 1234567", None),
    ],
)
def test_another_number_is_another(one: str, in_one: str | None, other: str, in_other: str | None):
    assert not may_be_same(Channel.SMS, one, in_one, other, in_other)


@pytest.mark.parametrize("channel", Channel)
def test_what_was_erased_has_no_form_and_is_equal_to_nothing(channel: Channel):
    assert normal_form(channel, ERASED, "US") is None
    assert normal_form(channel, " ", "US") is None
    assert not may_be_same(channel, ERASED, None, ERASED, None)
    assert not names_one(channel, ERASED)


@pytest.mark.parametrize(
    ("text", "country"),
    [("+1 212 555 0100", None), ("0171/1234567", None), ("0171/1234567", "US"), ("(212) 555-0100 ext 12", "US")],
)
def test_these_are_numbers(text: str, country: str | None):
    assert is_number(text, country)


@pytest.mark.parametrize(
    "text",
    [
        "n/a",
        "none",
        ERASED,
        "",
        "-",
        "12",
        "0000000000",
        "+999 123456",
        "0171 1234567 / 0172 7654321",
        "0171 1234567 Dee",
    ],
)
def test_these_are_no_numbers(text: str):
    assert not is_number(text, "DE")


@pytest.mark.parametrize("text", ["d@x.org", "D@BÜCHER.example", "o'hara+bills@x.org"])
def test_these_are_e_mail_addresses(text: str):
    assert is_email(text)


@pytest.mark.parametrize("text", ["n/a", "none", ERASED, "", "d@", "@x.org", "d@x..org", "a@x.org b@x.org", "d@x.org."])
def test_these_are_no_e_mail_addresses(text: str):
    assert not is_email(text)


@pytest.mark.parametrize("channel", [Channel.SMS, Channel.LETTER, Channel.EMAIL])
@pytest.mark.parametrize("text", ["(" * 40_000, "+" * 40_000 + "x1", "1 " * 20_000, "(1" * 20_000])
def test_a_long_text_is_read_in_a_time_that_grows_with_its_length(channel: Channel, text: str):
    """Whoever stored one would stop everybody for minutes, at every reading of the account."""
    started = time.process_time()
    normal_form(channel, text, "DE")
    assert time.process_time() - started < 5
