"""A profile is easy to write, and what is wrong with one is said with file, key and expectation."""

import pytest

from adapters.billing.profile import Kind, ProfileError, load_profile, parse_profile, shipped_profiles

GOOD = """kind = "payments"
[columns]
account_number = "A"
received_on = "D"
amount = "X"
[defaults]
currency = "EUR"
"""
PAD = f"{GOOD}[pad]\n"


def test_every_shipped_profile_loads():
    assert shipped_profiles() == ["credits", "customers", "ibm", "invoices", "payments", "reversals"]
    assert [load_profile(name).kind for name in shipped_profiles()] == [
        Kind.CREDITS,
        Kind.CUSTOMERS,
        Kind.INVOICES_WITH_SETTLEMENT,
        Kind.INVOICES,
        Kind.PAYMENTS,
        Kind.REVERSALS,
    ]


def test_a_profile_can_be_any_file(tmp_path):
    path = tmp_path / "mine.toml"
    path.write_text(GOOD, "utf-8")
    assert load_profile(path).name == "mine"
    assert load_profile(str(path)).defaults == {"currency": "EUR"}


def test_an_unknown_name_names_the_shipped_ones():
    with pytest.raises(ProfileError, match=r"nosuch: .*credits, customers, ibm, invoices, payments"):
        load_profile("nosuch")


@pytest.mark.parametrize(
    ("toml", "message"),
    [
        ("kind = \n", "p.toml: not a TOML file: .*line 1"),
        ("[columns]", "p.toml: kind: missing; expected one of customers, invoices"),
        ('encodng = "utf-8"\n' + GOOD, "p.toml: encodng: unknown key; did you mean 'encoding'"),
        ('encoding = "klingon"\n' + GOOD, "p.toml: encoding: expected a text encoding such as"),
        ('encoding = "base64"\n' + GOOD, "p.toml: encoding: expected a text encoding such as"),
        ('dates = ["%m/%Y"]\n' + GOOD, "p.toml: dates.0: '%m/%Y' does not say year, month and day"),
        ('delimiter = ":"\n' + GOOD, "p.toml: delimiter: input should be 'auto', ','"),
        ('decimal = ","\nthousands = ","\n' + GOOD, "p.toml: thousands: expected another mark"),
        (GOOD.replace("amount", "amonut"), "p.toml: columns.amonut: no field of payments; did you mean 'amount'"),
        (GOOD.replace('amount = "X"\n', ""), "p.toml: columns.amount: missing; payments need it in columns"),
        (GOOD.replace('currency = "EUR"', ""), "p.toml: columns.currency: missing; .* columns or defaults"),
        (GOOD.replace('"EUR"', '"Euro"'), "p.toml: defaults.currency: 'EURO' is no ISO 4217 currency"),
        (GOOD + 'amount = "1"\n', "p.toml: defaults.amount: cannot have a default"),
        (GOOD + '[[phones]]\nnumber = "P"\n', "p.toml: phones, emails, subscriptions: payments rows carry no customer"),
        ('name = "x"\n' + GOOD, "p.toml: name: unknown key"),
        (PAD + "account_nmber = 5", "p.toml: pad.account_nmber: no number of payments; did you mean 'account_number'"),
        (PAD + "amount = 5", "p.toml: pad.amount: no number of payments; expected one of account_number"),
        (PAD + "account_number = 1", "p.toml: pad.account_number: input should be greater than or equal to 2"),
        (PAD + "account_number = 101", "p.toml: pad.account_number: input should be less than or equal to 100"),
        (PAD + 'account_number = "5"', "p.toml: pad.account_number: input should be a valid integer, not '5'"),
        (PAD + "subscription_number = 5", "p.toml: pad.subscription_number: no number of payments"),
    ],
)
def test_what_is_wrong_is_said_with_its_key(toml, message):
    with pytest.raises(ProfileError, match=message):
        parse_profile(toml, "p.toml")


def test_a_decimal_comma_makes_the_point_group():
    assert parse_profile('decimal = ","\n' + GOOD).thousands == "."
