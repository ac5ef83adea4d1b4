"""`arrears contact check`: cases as an auditor writes them down."""

import json
from pathlib import Path
from typing import Any

import pytest

from api.cli.contact import KINDS
from policies.contact.case import Kind
from tests.api.cli.conftest import Arrears, Said, process

CALLS = [f"2026-03-02T{hour}:00:00Z" for hour in (18, 19, 20, 21, 22, 23)] + ["2026-03-03T01:00:00Z"]
"""Seven, all of the second of March in Hawaii."""


def case(**more: Any) -> dict[str, Any]:
    return {
        "debtor": {
            "state": "HI",
            "zip": "96813",
            "phone": "+18085550123",
            "debt_type": "consumer",
            "flags": [],
        },
        "role": "third_party",
        "history": [
            {"at": at, "channel": "call", "direction": "out", "connected": True, "conversation": False, "debt": "D1"}
            for at in CALLS
        ],
        "contact": {"at": "2026-03-08T17:59:00Z", "channel": "call", "debt": "D1"},
        **more,
    }


@pytest.fixture
def check(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """Judges cases, each in a file of its own; there is no data folder and no database."""
    monkeypatch.delenv("ARREARS_DATABASE_URL", raising=False)
    monkeypatch.setenv("ARREARS_DATA", str(tmp_path / "nowhere"))

    def run(*cases: Any, code: int = 0, options: tuple[str, ...] = ("--json",)) -> Said:
        arguments = []
        for number, each in enumerate(cases):
            file = tmp_path / f"case-{number}.json"
            file.write_text(each if isinstance(each, str) else json.dumps(each), encoding="utf-8")
            arguments += ["--case", file]
        said = Arrears()("contact", "check", *arguments, *options, code=code)
        assert not (tmp_path / "nowhere").exists()
        return said

    return run


def test_every_rule_that_refuses_is_listed_with_its_source_and_moment(check: Any):
    assert check(case(), code=1).json == {
        "allowed": False,
        "refusals": [
            {
                "rule": "hours-8-to-21",
                "source": "12 CFR 1006.6(b)(1)",
                "basis": "law",
                "detail": "it is 07:59 in Pacific/Honolulu",
                "allowed_from": "2026-03-08T18:00:00Z",
                "may_override": False,
            },
            {
                "rule": "calls-7-in-7",
                "source": "12 CFR 1006.14(b)(2)(i)(A)",
                "basis": "law",
                "detail": "7 calls about D1 since 2026-03-02, by dates in Pacific/Honolulu: at most 7 in 7 days",
                "allowed_from": "2026-03-09T10:00:00Z",
                "may_override": False,
            },
        ],
    }


def test_what_is_allowed_ends_with_0(check: Any):
    contact = {"at": "2026-03-09T18:00:00Z", "channel": "call", "debt": "D1"}
    assert check(case(contact=contact)).json == {"allowed": True, "refusals": []}
    assert check(case(contact=contact), options=()).out == "Allowed: no rule refuses the contact.\n"


def test_a_table_is_for_people_and_fits_80_columns(check: Any, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("COLUMNS", "80")
    said = check(case(), code=1, options=())
    assert said.lines[0] == "Refused by 2 rules."
    assert "2026-03-09 10:00" in said.out
    assert "12 CFR" in said.out
    assert max(map(len, said.lines)) <= 80


def test_several_cases_are_judged_each_by_itself(check: Any):
    later = case(contact={"at": "2026-03-09T18:00:00Z", "channel": "call", "debt": "D1"})
    said = check(later, case(), code=1).json
    assert [(Path(each["case"]).name, each["allowed"]) for each in said] == [
        ("case-0.json", True),
        ("case-1.json", False),
    ]
    lines = check(later, case(), code=1, options=()).out
    assert "case-0.json: Allowed" in lines
    assert "case-1.json: Refused by 2 rules." in lines


def test_a_case_is_read_from_standard_input(tmp_path: Path):
    import subprocess
    import sys

    done = subprocess.run(
        [sys.executable, "-c", "from api.cli import main; main()", "contact", "check", "--case", "-", "--json"],
        input=json.dumps(case()),
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1
    assert json.loads(done.stdout)["allowed"] is False


@pytest.mark.parametrize("debtor", [{"country": "PR"}, {"country": "PR", "zip": "00901"}, {"state": "PR"}])
def test_a_territory_is_a_state_by_its_own_country_code_too(check: Any, debtor: dict[str, str]):
    """15 USC 1692a(8)."""
    at_half_past_seven = {"at": "2026-03-09T11:30:00Z", "channel": "call", "debt": "D1"}
    [refused] = check(case(debtor=debtor, history=[], contact=at_half_past_seven), code=1).json["refusals"]
    assert (refused["rule"], refused["basis"]) == ("hours-8-to-21", "law")
    assert refused["detail"] == "it is 07:30 in America/Puerto_Rico"


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"debtor": {"state": "XX"}}, "debtor.state: expected the code of a state"),
        ({"debtor": {"zip": "9681"}}, "debtor.zip: "),
        ({"debtor": {"phone": "n/a"}}, "debtor.phone: expected a telephone number"),
        ({"debtor": {"phones": [{"number": "+18085550123"}, {"number": "1"}]}}, "debtor.phones.1.number: expected"),
        ({"debtor": {"street": "Main"}}, "debtor.street: unknown key"),
        ({"debtor": {"flags": ["vip"]}}, "debtor.flags.0: input should be"),
        ({"debtor": {"time_zones": ["Mars/Base"]}}, "debtor.time_zones.0: expected an IANA time zone"),
        ({"debtor": {"debt_type": "student"}}, "debtor.debt_type: input should be"),
        ({"role": "creditor"}, "role: input should be 'first_party' or 'third_party'"),
        ({"history": [{"at": "2026-03-02T15:00:00", "channel": "call"}]}, "history.0.at: input should have timezone"),
        ({"history": [{"at": 1772463600, "channel": "call"}]}, "history.0.at: "),
        ({"history": [{"at": "2026-03-02T15:00:00Z"}]}, "history.0.channel: expected, but missing"),
        ({"history": [{"at": "2026-03-02T15:00:00Z", "channel": "fax"}]}, "history.0.channel: input should be"),
        ({"history": [{"at": "2026-03-02T15:00:00Z", "kind": "ceasing"}]}, "history.0.kind: input should be"),
        (
            {"history": [{"at": "2026-03-02T15:00:00Z", "kind": "cease", "connected": True}]},
            "history.0.connected: is not a field of cease",
        ),
        (
            {"history": [{"at": "2026-03-02T15:00:00Z", "channel": "sms", "conversation": True}]},
            "history.0.conversation: only a call has one",
        ),
        (
            {"history": [{"at": "2026-03-02T15:00:00Z", "channel": "call", "connected": "yes"}]},
            "history.0.connected: input should be a valid boolean",
        ),
        ({"history": [{"at": "2026-03-02T15:00:00Z", "kind": "wrong-number", "number": "x"}]}, "history.0.number: "),
        ({"debtor": {"country": "UK"}}, "debtor.country: expected the code of a country"),
        ({"debtor": {"country": "ZZ"}}, "debtor.country: expected the code of a country"),
        ({"debtor": {"country": "GB", "state": "MA"}}, "debtor.state: expected none outside the US"),
        ({"debtor": {"country": "PR", "state": "NY"}}, "debtor.state: expected PR, or none, as it is the country"),
        ({"debtor": {"entered_on": "2999-01-01"}}, "debtor.entered_on: expected a day from"),
        ({"debtor": {"entered_on": "0"}}, "debtor.entered_on: expected a day such as 2026-03-02"),
        ({"debtor": {"entered_on": "2026-02-30"}}, "debtor.entered_on: expected a day such as 2026-03-02"),
        (
            {"history": [{"at": "20260309", "channel": "call"}]},
            "history.0.at: expected a moment with its offset, such as",
        ),
        (
            {"history": [{"at": 1772000000, "channel": "call"}]},
            "history.0.at: expected a moment with its offset, such as",
        ),
        (
            {"history": [{"at": "2026-03-02T15:00:00Z", "kind": "consent", "channel": "sms", "address": "a@b.com"}]},
            "history.0.address: sms has none",
        ),
        (
            {"history": [{"at": "2026-03-02T15:00:00Z", "channel": "email", "number": "+18085550123"}]},
            "history.0.number: email has none",
        ),
        (
            {"history": [{"at": "2026-03-02T15:00:00Z", "kind": "email-notice", "address": "somewhere"}]},
            "history.0.address: expected an e-mail address",
        ),
        (
            {"history": [{"at": "2026-03-02T15:00:00Z", "channel": "sms", "connected": False}]},
            "history.0.connected: only a call is",
        ),
        (
            {"history": [{"at": "2026-03-02T15:00:00Z", "channel": "call", "connected": False, "message": True}]},
            "history.0.message: a call that was not connected has none",
        ),
        (
            {"history": [{"at": "2026-03-02T15:00:00Z", "kind": "withdrawn", "what": "withdrawn"}]},
            "history.0.what: expected the kind of what was said",
        ),
        (
            {"contact": {"at": "2026-03-02T15:00:00Z", "channel": "email", "to": "somewhere"}},
            "contact.to: expected an e-mail address",
        ),
        (
            {"contact": {"at": "2026-03-02T15:00:00Z", "channel": "letter", "voicemail": ["greeting"]}},
            "contact.voicemail: only a call has one",
        ),
        ({"contact": {"at": "2026-03-02T15:00:00Z"}}, "contact.channel: missing"),
        ({"contact": {"at": "2026-03-02T15:00:00Z", "channel": "call", "to": "x"}}, "contact.to: expected a telephone"),
        ({"settings": {"calls-8": {"on": False}}}, "settings.calls-8: expected the id of a contact rule"),
        ({"settings": {"wa-hours": {"on": False}}}, "settings.wa-hours: it is law wherever it holds"),
        ({"settings": {"nyc-3-in-7": {"figures": {"days": 0}}}}, "settings.nyc-3-in-7: figures: days: expected 1"),
    ],
    ids=str,
)
def test_what_is_unknown_is_an_error_that_names_its_place(check: Any, wrong: dict[str, Any], said: str):
    found = check(case(**wrong), code=2)
    assert f"case-0.json: {said}" in found.err
    assert found.out == ""


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("{", "case-0.json is not JSON"),
        ("[]", "case-0.json: "),
        ('{"role": "third_party", "role": "first_party"}', "case-0.json: role: expected once"),
        ("\ufeff{}", "case-0.json: debtor: missing"),
    ],
)
def test_what_is_no_case_is_an_error(check: Any, text: str, said: str):
    assert said in check(text, code=2).err


def test_where_one_case_cannot_be_read_none_is_judged_and_all_that_is_wrong_is_said(check: Any):
    found = check(case(), case(role="x"), "{", code=2)
    assert found.out == ""
    assert "case-1.json: role" in found.err
    assert "case-2.json is not JSON" in found.err


def test_a_file_that_is_not_there_is_an_error(tmp_path: Path):
    assert "cannot be read" in Arrears()("contact", "check", "--case", tmp_path / "none.json", code=2).err


def test_entries_of_the_history_are_all_that_help_and_docs_say(check: Any):
    """Each kind with the fewest fields: none is misread."""
    required = {"consent": {"channel": "call"}, "contact": {"channel": "call"}, "withdrawn": {"what": "cease"}}
    numbers = {"wrong-number": {"number": "+18085550199"}, "reassignment-check": {"number": "+18085550199"}}
    history = [
        {"at": "2026-03-02T20:00:00Z", "kind": kind.value, **{**required, **numbers}.get(kind.value, {})}
        for kind in Kind
    ]
    refused = check(case(history=history, contact={"at": "2026-03-02T21:00:00Z", "channel": "call"}), code=1).json
    # The cease is withdrawn, the opt-out taken back by no later consent; the dispute is answered in the same moment.
    assert [each["rule"] for each in refused["refusals"]] == ["bankruptcy", "deceased", "medium-refused"]
    said = Arrears()("contact", "check", "--help").out
    assert all(kind.value in " ".join(said.split()) for kind in Kind)


def test_no_running_service_and_no_folder_is_asked(tmp_path: Path):
    file = tmp_path / "case.json"
    file.write_text(json.dumps(case()), encoding="utf-8")
    assert not process("contact", "check", "--case", file, "--json", data=tmp_path / "nowhere", code=1).err
    assert [each.name for each in tmp_path.iterdir()] == ["case.json"]


def test_kinds_in_the_help_are_those_of_cases():
    assert tuple(Kind) == KINDS
