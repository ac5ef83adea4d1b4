"""Who the customers are, and how they are found."""

from datetime import date
from decimal import Decimal
from typing import Any

import pytest

from aggregates.account.billing import BillInvoice
from aggregates.account.contact import ChangeContactDetails
from aggregates.account.customer import OpenAccount
from aggregates.values.aging import STANDARD_BUCKETS
from aggregates.values.contact import ContactDetails, EmailAddress, PhoneNumber
from projections.people.terms import compared, digits_asked, digits_of, terms_asked, terms_of
from projections.questions import Filters, accounts, collections, promises
from projections.questions.names import BEING_FILLED, FILLED
from tests.projections.conftest import ReadModels
from tests.projections.history import MAIN, History, usd

TODAY = date(2026, 1, 1)


def test_the_digits_of_a_number_are_those_that_are_dialled():
    for spelled in ("+1 212-LLM-3218", "\uff0b\uff11 \uff12\uff11\uff12 556 3218", "1 (212) 556-3218"):
        assert digits_of(spelled) == "12125563218"


def contact(email: str, phone: str) -> ContactDetails:
    return ContactDetails(
        emails=(EmailAddress(id="email-1", address=email),), phones=(PhoneNumber(id="phone-1", number=phone),)
    )


@pytest.fixture
def history() -> History:
    """Four customers; the last is known by her number alone."""
    found = History().opened()
    for number, name, email, phone in (
        ("A-1", "Ada Lovelace", "ada@engine.example", "+44 20 7946 0018"),
        ("A-2", "Günther Straße-Ohm", "g.ohm@volt.example", "(0911) 555 12 34"),
        ("B-30", "高木製作所", "takagi@example.jp", "+81 3 5555 0100"),
    ):
        account = found.account(number, name=name)
        found.give(ChangeContactDetails(account_id=account, contact=contact(email, phone)))
        found.give(
            BillInvoice(
                account_id=account, number=f"INV/{number}/7", issued_on=TODAY, due_on=TODAY, amount=usd(1_000)
            )
        )  # fmt: skip
    found.account("C-4", name="C-4")
    return found


def found_by(models: ReadModels, text: str) -> list[str]:
    page = accounts(models.connection, today=TODAY, scheme=STANDARD_BUCKETS, filters=Filters(search=text))
    return [row.number for row in page.rows]


@pytest.mark.parametrize(
    ("text", "numbers"),
    [
        ("lovelace", ["A-1"]),
        ("LOVE", ["A-1"]),
        ("a lov", ["A-1"]),
        ("gunther strasse", ["A-2"]),
        ("Straße", ["A-2"]),
        ("製作所", ["B-30"]),
        ("高", ["B-30"]),
        ("lo", ["A-1"]),
        ("ov", []),  # fewer than three characters begin a word
        ("o", ["A-2"]),
        ("ada@eng", ["A-1"]),
        ("example", ["A-1", "A-2", "B-30"]),
        ("+44 20 7946", ["A-1"]),
        ("02079460018", ["A-1"]),
        ("555-1234", ["A-2"]),
        ("5555 0100", ["B-30"]),
        ("B-3", ["B-30"]),
        ("a-2", ["A-2"]),
        ("inv/b-30/7", ["B-30"]),
        ("INV/B-30", []),  # of an invoice the whole number
        ("lovelace\nada", []),
        ("ada@engine.example +44", []),  # each is looked for by itself
        ("100%", []),
        ("%%", []),
        ("", ["A-1", "A-2", "B-30", "C-4"]),
    ],
)
def test_an_account_is_found_by_what_is_known_of_its_customer(
    history: History, read_models: ReadModels, text: str, numbers: list[str]
):
    read_models.build(history.log)
    assert found_by(read_models, text) == numbers


def test_a_customer_is_found_by_what_is_known_now(history: History, read_models: ReadModels):
    history.give(OpenAccount(office_id=MAIN, number="A-1", customer_name="Ada King", currency="USD"))
    history.give(
        ChangeContactDetails(account_id=history.account("A-2"), contact=contact("new@volt.example", "0911 777 88 99"))
    )
    read_models.build(history.log)
    assert (found_by(read_models, "Lovelace"), found_by(read_models, "Ada King")) == ([], ["A-1"])
    assert (found_by(read_models, "5551234"), found_by(read_models, "7778899")) == ([], ["A-2"])
    assert found_by(read_models, "ada@engine.example") == ["A-1"], "a new name takes nothing else away"


@pytest.mark.parametrize("text", ["bücher", "ada@bücher.example", "xn--bcher-kva", "ADA@XN--BCHER-KVA.example"])
def test_a_mail_domain_is_found_in_its_own_script_and_as_idna(history: History, read_models: ReadModels, text: str):
    for number, domain in (("A-1", "Bücher.example"), ("A-2", "xn--bcher-kva.example")):
        said = contact(f"ada@{domain}", "+44 20 7946 0018")
        history.give(ChangeContactDetails(account_id=history.account(number), contact=said))
    read_models.build(history.log)
    assert found_by(read_models, text) == ["A-1", "A-2"]


def test_the_report_of_any_day_is_searched_in_the_same_way(history: History, read_models: ReadModels):
    read_models.build(history.log)
    for as_of in (None, TODAY):
        found = collections(
            read_models.connection, today=TODAY, as_of=as_of, scheme=STANDARD_BUCKETS, filters=Filters(search="volt.ex")
        )
        assert ([row.number for row in found.rows], found.balance) == (["A-2"], Decimal("10.00"))


def test_while_names_are_filled_in_again_numbers_stand_in_their_place(history: History, read_models: ReadModels):
    read_models.build(history.log)
    asked: dict[str, Any] = {"today": TODAY, "scheme": STANDARD_BUCKETS}
    whole = accounts(read_models.connection, **asked)
    assert (whole.names, whole.rows[0].customer_name) == (FILLED, "Ada Lovelace")
    assert "names" not in whole.model_dump(mode="json")
    read_models.connection.execute("TRUNCATE personal_people_1.people, personal_people_1.filling")
    for shown in (
        accounts(read_models.connection, **asked),
        collections(read_models.connection, **asked),
        collections(read_models.connection, **asked, as_of=TODAY),
    ):
        assert shown.names == BEING_FILLED
        assert [row.customer_name for row in shown.rows] == [row.number for row in shown.rows]
        assert shown.model_dump(mode="json")["names"] == "being filled"
    assert promises(read_models.connection, read_models.log, as_of=TODAY).names == BEING_FILLED
    assert (found_by(read_models, "lovelace"), found_by(read_models, "A-1")) == ([], ["A-1"])
    assert found_by(read_models, "inv/a-2/7") == ["A-2"]


# --- what is compared ---


def test_text_is_compared_without_case_accents_and_forms():
    assert compared("  ÉMILE   Zola ") == compared("emile zola") == "emile zola"
    assert compared("Straße") == compared("STRASSE")
    assert compared("ｶﾞ") == compared("ガ")


def test_a_telephone_number_is_its_digits():
    assert digits_of("+1 (793) 555-0105") == digits_of("001 793 555 0105") == "17935550105"
    assert digits_asked("+1 793") == "1793"
    for spelled in ("+1 793 555 0105", "(793) 555-0105", "1-793-555-0105", "793.555.0105", "001 793 5550105",
                    "011 1 793 555 0105", "tel:+17935550105", "793\u2013555\u20110105"):  # fmt: skip
        asked = digits_asked(spelled) or "none"
        assert asked in digits_of("+1 (793) 555-0105"), spelled
        assert asked in digits_of("(793) 555-0105"), spelled
    for spelled in ("+49 30 5550100", "+49 (0)30 5550-100", "0049305550100", "030 / 5550 100"):
        assert digits_asked(spelled) == "305550100" == digits_of("030 5550100"), spelled
    assert digits_asked("+39 06 5550100") == digits_of("06 5550100")
    assert (digits_asked("12"), digits_asked("A-1234")) == (None, None)


@pytest.mark.parametrize("text", ["ada", "a", "ad", "lovelace", "10-4168"])
def test_what_is_asked_for_is_among_what_the_text_is_found_by(text: str):
    assert set(terms_asked(text)) <= set(terms_of(["ada lovelace", "10-4168"]))
    assert all(-(2**31) <= term < 2**31 for term in terms_of([text]))
