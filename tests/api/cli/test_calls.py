"""`arrears call`, `arrears activity` and what `arrears contact` knows of accounts."""

import pytest

from tests.api.cli.conftest import Arrears


def test_a_number_that_is_not_there_is_not_called(portfolio: Arrears):
    assert "phone-9" not in portfolio("call", "start", "A-1", "--to", "phone-9", code=1).out
    portfolio("call", "end", "A-1", "not an id", "--disposition", "busy", code=1)


def test_what_was_said_of_contact_is_recorded_shown_judged_and_withdrawn(portfolio: Arrears):
    portfolio(
        "contact", "record", "A-1", "bankruptcy", "--chapter", "13", "--case-number", "26-1", "--notes", "A letter."
    )
    [fact] = portfolio("contact", "facts", "A-1", "--json").json
    assert (fact["kind"], fact["chapter"], fact["case_number"]) == ("bankruptcy", "13", "26-1")
    assert "said about contact: The customer is in bankruptcy" in portfolio("account", "show", "A-1").out
    verdict = portfolio("contact", "check", "A-1", "--channel", "portal", "--json", code=1).json
    assert [each["rule"] for each in verdict["refusals"]] == ["bankruptcy"]
    assert "by 1 rule." in portfolio("contact", "check", "A-1", "--channel", "portal", code=1).out
    portfolio("contact", "withdraw", "A-1", fact["id"])
    assert portfolio("contact", "check", "A-1", "--channel", "portal").out.startswith("Allowed")


def test_what_was_done_outside_is_undocumented_until_it_is_corrected(portfolio: Arrears):
    made = portfolio("activity", "add", "A-1", "--kind", "letter", "--json").json["id"]
    assert [each["id"] for each in portfolio("call", "list", "--undocumented", "--json").json["rows"]] == [made]
    assert f"({made})" in portfolio("account", "show", "A-1").out
    portfolio("activity", "correct", "A-1", made, "--disposition", "delivered")
    assert portfolio("call", "list", "--undocumented").out == "Every contact is documented.\n"
    rows = portfolio("report", "activity", "--account", "A-1", "--type", "letter", "--json").json["rows"]
    assert [row.get("corrects") for row in rows] == [made, None]


def test_a_list_has_an_outcome_for_each_and_an_account_once(portfolio: Arrears):
    add = ("activity", "add", "--accounts", "-", "--kind", "letter", "--disposition", "delivered")
    done = portfolio(*add, "--json", given="A-1\nX-9\nA-2\nA-1\n", code=3).json
    assert [(each["account"], each["outcome"], each["reason_code"]) for each in done] == [
        ("A-1", "done", None),
        ("X-9", "refused", "unknown-account"),
        ("A-2", "done", None),
        ("A-1", "same", None),
    ]
    letters = portfolio("report", "activity", "--account", "A-2", "--type", "letter", "--json").json["rows"]
    assert [(each["ref_id"], "violations" in done[2]) for each in letters] == [(done[2]["id"], True)]
    called = portfolio("call", "start", "--accounts", "-", given="A-2\n", code=1)
    assert called.out == "A-2  refused: the account has no number to call\n"
    assert "--accounts FILE" in portfolio("call", "start", code=2).err


@pytest.mark.parametrize(
    ("said", "code", "wrong"),
    [
        (("contact", "record", "A-1", "cease", "--chapter", "7"), 2, "chapter"),
        (("contact", "record", "A-1", "tired"), 2, "KIND"),
        (("contact", "check", "A-1"), 2, "--channel"),
        (("contact", "check"), 2, "--case"),
        (("activity", "add", "A-1", "--kind", "fax"), 2, "--kind"),
        (("activity", "add", "A-1", "--kind", "call", "--disposition", "fine"), 1, "no-answer"),
        (("report", "activity", "--type", "fax"), 1, "type: expected one of call, sms"),
        (("report", "activity", "--text", "dog"), 1, "text: expected together with the account"),
        (("call", "list", "--undocumented", "--agent", "nobody"), 1, "agent: expected one of"),
        (("call", "start", "A-1", "--agent-phone", "extension 12"), 1, "country code"),
        (("call", "start", "A-1", "--agent-phone", "+12125552301"), 1, "no carrier places calls here"),
        (("call", "show", "A-1", "00000000-0000-0000-0000-000000000001"), 1, "no such call"),
    ],
)
def test_what_is_wrong_is_said(portfolio: Arrears, said: tuple[str, ...], code: int, wrong: str):
    assert wrong in portfolio(*said, code=code).err
