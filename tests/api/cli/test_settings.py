"""Offices and campaigns at the command line: shown, set, paused, revised; who, when and why is in the audit trail."""

from pathlib import Path

import pytest
from pysequoia import Tsk

from tests.api.cli.conftest import CAMPAIGN, Arrears


def test_there_is_no_office_at_first(arrears: Arrears):
    assert "There is no office yet" in arrears("office", "show").out
    assert arrears("office", "show", "--json").json == []
    assert "there is no office" in arrears("report", "aging", code=1).err


def test_an_office_is_opened_once(arrears: Arrears):
    opening = ("office", "open", "main", "--title", "Main office", "--time-zone", "America/New_York")
    assert arrears(*opening).out == "Office main is open.\n"
    assert arrears(*opening).out == "Office main was open already.\n"
    assert "change those instead" in arrears("office", "open", "main", "--title", "Other", code=1).err


def test_settings_that_are_given_change_and_the_others_stay(arrears: Arrears):
    arrears(
        "office", "set", "main", "--buckets", "30,60", "--window", "8:30-17:00", "--weekdays", "mon-sat", "--holiday",
        "2026-12-25", "--grace-days", "5", "--flag", "sued=In court:blocks", "--max-per-minute", "10",
        "--fee-service-types", "late-fee,nsf-fee", "--reason", "As agreed",
    )  # fmt: skip
    said = arrears("office", "show", "main", "--json").json
    assert [bucket["name"] for bucket in said["scheme"]["buckets"]] == ["current", "1-30", "31-60", "61+"]
    assert said["window"] == {"opens": "08:30:00", "closes": "17:00:00"}
    assert sorted(said["calendar"]["weekdays"]) == [0, 1, 2, 3, 4, 5]
    assert said["calendar"]["holidays"] == ["2026-12-25"]
    assert (said["grace_days"], said["limits"]["max_per_minute"]) == (5, 10)
    assert said["flags"]["sued"] == {"title": "In court", "blocks": True}
    assert "bankruptcy" in said["flags"]
    assert said["fee_service_types"] == ["late-fee", "nsf-fee"]
    assert arrears("office", "set", "main", "--grace-days", "5").out == "Office main was so already.\n"


def test_settings_from_a_file(arrears: Arrears, tmp_path: Path):
    file = tmp_path / "office.toml"
    file.write_text("grace_days = 4\n[limits]\nmax_per_minute = 20\n")
    arrears("office", "set", "main", "--file", file)
    assert arrears("office", "show", "main", "--json").json["grace_days"] == 4
    file.write_text("grace_day = 4\n")
    assert "office.toml: grace_day: unknown key" in arrears("office", "set", "main", "--file", file, code=1).err


@pytest.mark.parametrize(
    ("arguments", "problem"),
    [
        (["--buckets", "60,30"], "expected growing days"),
        (["--buckets", "a"], "expected the last day of each bucket"),
        (["--window", "9-5"], "expected hours such as 09:00-18:00"),
        (["--weekdays", "monday"], "expected days such as mon-fri"),
        (["--flag", "x"], "expected CODE=TITLE"),
        (["--remove-flag", "x"], "expected one of"),
        (["--grace-days", "100"], "less than or equal to 60"),
        ([], "nothing to change"),
    ],
)
def test_a_setting_that_is_not_as_expected(arrears: Arrears, arguments: list[str], problem: str):
    assert problem in arrears("office", "set", "main", *arguments, code=2).err


def test_an_office_that_is_not_there(arrears: Arrears):
    assert "there is no office 'paris'" in arrears("office", "set", "paris", "--grace-days", "3", code=1).err
    assert "there is no such office" in arrears("office", "pause", "paris", code=1).err


def test_an_agency_has_a_key_until_another_or_none_is_said(arrears: Arrears, tmp_path: Path):
    key, file = Tsk.generate("Acme").extract_certificate(), tmp_path / "acme.asc"
    file.write_text(str(key))
    assert "--title: expected" in arrears("agency", "add", "acme", code=2).err
    assert arrears("agency", "add", "acme", "--title", "Acme", "--key", file).out == "Agency acme is set.\n"
    arrears("agency", "set", "acme", "--commission", "25")

    def shown() -> tuple[str | None, str]:
        [agency] = arrears("agency", "list", "--json").json
        return agency["fingerprint"], agency["commission"]

    assert shown() == (key.fingerprint.upper(), "25")
    file.write_text("no key")
    assert "expected one OpenPGP public key" in arrears("agency", "set", "acme", "--key", file, code=1).err
    assert "is no file" in arrears("agency", "set", "acme", "--key", tmp_path / "nowhere", code=2).err
    arrears("agency", "set", "acme", "--key", "none")
    assert shown() == (None, "25")


def test_pausing_an_office_backdated_and_for_a_time(arrears: Arrears):
    arrears("office", "pause", "main", "--from", "2026-03-01T08:00Z", "--until", "2099-01-01", "--reason", "Audit")
    pause = arrears("office", "show", "main", "--json").json["pause"]
    assert (pause["paused_from"], pause["in_force"]) == ("2026-03-01T08:00:00Z", True)
    assert "PAUSED" in arrears("office", "show").out
    assert "sends again" in arrears("office", "resume", "main").out
    assert arrears("office", "show", "main", "--json").json["pause"] is None
    assert "later than" in arrears("office", "pause", "main", "--until", "2020-01-01", code=1).err


def test_a_day_that_can_only_be_a_mistake_is_refused_at_the_command_line_too(arrears: Arrears):
    said = arrears("office", "pause", "main", "--from", "2026-01-01", "--until", "2500-01-01", code=1)
    assert said.err == "Error: paused_until: expected a day from 1900-01-01 to 2199-12-31\n"
    assert arrears("office", "show", "main", "--json").json["pause"] is None


def test_a_campaign_from_launch_to_retirement(arrears: Arrears, folder: Path, tmp_path: Path):
    assert "There is no campaign yet" in arrears("campaign", "list").out
    before = arrears("campaign", "forecast", folder / "campaign.toml").out
    assert before.startswith("If nobody pays, it sends 0 messages to 0 accounts until ")
    launched = arrears("campaign", "launch", folder / "campaign.toml").out
    assert launched == f"Reminders runs, with 1 steps.\n{before}"
    assert "revise it" in arrears("campaign", "launch", folder / "campaign.toml", code=1).err
    revised = tmp_path / "revised.toml"
    revised.write_text(CAMPAIGN.replace('"25.00"', '"40.00"'))
    assert "new version" in arrears("campaign", "revise", revised, "--reason", "Too many small ones").out
    assert "already" in arrears("campaign", "revise", revised).out
    arrears("campaign", "pause", "reminders", "--until", "2099-01-01")
    (row,) = arrears("campaign", "list", "--json").json
    assert (row["title"], row["office"], row["plan_version"], row["pause"]["in_force"]) == (
        "Reminders",
        "main",
        2,
        True,
    )
    arrears("campaign", "resume", "Reminders")
    said = arrears("campaign", "show", "Reminders", "--json").json
    assert said["plan"]["rules"]["min_amount"] == {"amount": "40.00", "currency": "USD"}
    assert [(v["plan_version"], v["reason"]) for v in said["versions"]] == [(2, "Too many small ones"), (1, None)]
    assert "min amount: 40.00" in arrears("campaign", "show", "Reminders").out
    assert "existing debt: from-the-start" in arrears("campaign", "show", "Reminders").out
    assert "has ended" in arrears("campaign", "retire", row["id"]).out
    assert "has ended for good" in arrears("campaign", "pause", "Reminders", code=1).err


def test_who_did_it_is_in_the_audit_trail(arrears: Arrears):
    office = arrears("office", "show", "main", "--json").json["id"]
    rows = arrears("audit", office, "--json").json["rows"]
    (paused,) = [row for row in rows if row["event_name"] == "office.automation-paused"]
    assert (paused["actor_kind"], paused["reason"]) == ("person", "Audit")


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        (('channel = "email"', 'channel = "pigeon"'), "steps.0.channel: "),
        (('id = "reminder"', 'id = "The Reminder"'), "steps.0.id: "),
        (('title = "Reminders"', 'name = "Reminders"'), "title: missing"),
        (("min_dpd = 1", "min_age = 1"), "rules.min_age: unknown key"),
        (('"25.00"', '"cheap"'), "rules.min_amount"),
        (("[rules]", "[rules"), "is not a TOML file"),
    ],
)
def test_a_campaign_file_that_is_not_as_expected(
    arrears: Arrears, tmp_path: Path, change: tuple[str, str], problem: str
):
    file = tmp_path / "campaign.toml"
    file.write_text(CAMPAIGN.replace(*change))
    said = arrears("campaign", "launch", file, code=1)
    assert "campaign.toml" in said.err
    assert problem in said.err


def test_a_campaign_is_checked_and_its_texts_are_shown(arrears: Arrears, folder: Path, tmp_path: Path):
    said = arrears("campaign", "check", folder / "campaign.toml").out
    assert "a made-up account" in said
    assert "Subject: Due\nPlease pay 9384.99." in said
    assert said.endswith("Nothing is wrong with it.\n")
    faulty = tmp_path / "faulty.toml"
    faulty.write_text(
        CAMPAIGN.replace("{{ amount_due }}", "{{ amount }}").replace("min_dpd = 1", 'buckets = ["31-61"]')
    )
    bucket = "plan.rules.buckets: the office has no bucket '31-61'; close to it: 31-60"
    text = (
        "plan.steps.0.templates.en.body: step 'reminder', en, body, line 1: there is no placeholder 'amount'; "
        "close to it: amount_due"
    )
    assert arrears("campaign", "check", faulty, code=1).out == f"{bucket}\n{text}\nIt would be refused.\n"
    for verb in (("launch",), ("revise", "--campaign", "Reminders")):
        assert arrears("campaign", verb[0], faulty, *verb[1:], code=1).err == f"Error: {bucket}\n       {text}\n"
    checked = arrears("campaign", "check", faulty, "--json", code=1).json
    assert [each["field"] for each in checked["faults"]] == ["plan.rules.buckets", "plan.steps.0.templates.en.body"]
    assert "no account 'zzz'" in arrears("campaign", "check", faulty, "--account", "zzz", code=1).err


def test_a_campaign_that_is_not_there(arrears: Arrears):
    said = arrears("campaign", "show", "Dunning", code=1)
    assert said.err.splitlines() == ["Error: there is no campaign 'Dunning'", "Hint: Campaigns: 'Reminders'"]
