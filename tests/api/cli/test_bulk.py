"""`arrears bulk`: previewed, confirmed exactly as shown, undone, exported; and the single commands of its kinds."""

import re
from decimal import Decimal
from pathlib import Path

import pytest
from openpyxl import load_workbook

from api.cli import bulk, calls
from tests.api.cli.conftest import Arrears


def test_what_was_shown_is_done_and_undone_and_what_changed_is_named(portfolio: Arrears):
    shown = portfolio("bulk", "preview", "stage", "--to", "pending", "--min-balance", "1", "--json").json
    assert list(shown) == ["id", "kind", "state", "accounts", "total", "currency"]
    assert (shown["kind"], shown["state"], shown["accounts"]) == ("stage", "previewed", 1)
    said = portfolio("bulk", "show", shown["id"], "--json").json
    assert said | shown == said
    [row] = said["rows"]
    assert [row[name] for name in ("account", "amount", "outcome", "reason")] == ["A-1", None, None, None]
    assert portfolio("collections-stage", "A-1", "sent").out == "Collections stage of A-1: sent.\n"
    refused = portfolio("bulk", "confirm", shown["id"], code=1).err
    assert "1 account changed since the preview; nothing was done" in refused
    assert "A-1" in refused
    assert "--without-changed" in refused
    assert "collections stage: sent\n" in portfolio("account", "show", "A-1").out
    portfolio("collections-stage", "A-1", "not set")
    assert "is finished: 1 done." in portfolio("bulk", "confirm", shown["id"]).out
    told = portfolio("bulk", "show", shown["id"]).out
    assert re.search(rf"^office +main$\n^as of +{said['as_of']}$", told, re.MULTILINE)
    assert portfolio("bulk", "confirm", shown["id"], "--json").json["state"] == "finished"
    assert portfolio("account", "show", "A-1", "--json").json["collections_stage"] == "pending"
    assert (
        "An undo would reverse all of it on 1 of 1 account.\n" in portfolio("bulk", "undo", shown["id"], "--show").out
    )
    assert "reversed on 1 account." in portfolio("bulk", "undo", shown["id"]).out
    assert "collections_stage" not in portfolio("account", "show", "A-1", "--json").json
    assert [each["state"] for each in portfolio("bulk", "list", "--json").json][:1] == ["undone"]
    again = portfolio("bulk", "undo", shown["id"])
    assert ("reversed on 1 account." in again.out, again.err) == (True, "")


def test_an_amount_that_changed_is_named_as_one(portfolio: Arrears):
    shown = portfolio("bulk", "preview", "write-off", "--code", "other", "--json").json["id"]
    [row] = portfolio("bulk", "show", shown, "--json").json["rows"]
    assert row["expected"] == {"balance": row["amount"]}
    portfolio("write-off", "add", "A-1", "--code", "other", "--amount", "10.00", "--reason", "agreed")
    portfolio("bulk", "confirm", shown, "--without-changed")
    [changed] = portfolio("bulk", "show", shown, "--json").json["rows"]
    owed = Decimal(row["amount"])
    assert changed["reason"] == f"balance is {owed - 10} USD, and was {owed} USD"


def test_what_is_given_several_times_is_looked_for_together(portfolio: Arrears):
    portfolio("flag", "add", "A-1", "--flag", "vip", "--reason", "a board member")
    preview = ("bulk", "preview", "stage", "--to", "sent", "--json", "--flag")
    assert portfolio(*preview, "vip", "--flag", "bankruptcy").json["accounts"] == 1
    assert portfolio(*preview, "bankruptcy").json["accounts"] == 0
    shown = portfolio("report", "collections", "--number", "A-1", "--json").json["rows"][0]
    another = next(each for each in ("1-30", "31-60") if each != shown["bucket"])
    for values, found in (((another,), 0), ((another, shown["bucket"]), 1)):
        given = [part for value in values for part in ("--bucket", value)]
        assert portfolio(*preview[:-1], "--account", "A-1", *given).json["accounts"] == found


def test_an_undo_asks_those_again_that_did_not_reverse_it(portfolio: Arrears):
    bulk_id = portfolio("bulk", "preview", "stage", "--to", "pending", "--min-balance", "1", "--json").json["id"]
    portfolio("bulk", "confirm", bulk_id)
    portfolio("collections-stage", "A-1", "sent")
    begun = set()
    for _ in range(2):
        undone = portfolio("bulk", "undo", bulk_id)
        assert "is undone: reversed on 0 accounts." in undone.out
        told = portfolio("bulk", "show", bulk_id).out
        assert "undone by" in told
        assert "changed since: collections stage" in " ".join(told.split())
        assert "On 1 account it stays, or some of it." in undone.err
        begun.add(portfolio("bulk", "show", bulk_id, "--json").json["undo_begun_at"])
    assert len(begun) == 2


def test_messages_are_counted_by_rule_shown_on_request_and_sent(portfolio: Arrears):
    preview = ("bulk", "preview", "message", "--channel", "portal", "--text", "Dear {{ customer_name }}")
    shown = portfolio(*preview, "--json").json
    would = {"may_leave": 1, "refused_by": {}, "too_long": 0, "too_long_accounts": []}
    assert {name: shown[name] for name in would} == would
    leaving = {"per_minute": 60, "in_first_minute": 1, "in_time": 1}
    assert {name: shown["leaving"][name] for name in leaving} == leaving
    said = portfolio(*preview)
    assert "A message cannot be undone." in said.err
    assert "1 leave in the first minute, at 60 a minute, the last by " in said.out
    assert "all leave at once" in portfolio(*preview, "--ignore-max-per-minute").out
    [row] = portfolio("bulk", "show", shown["id"], "--json").json["rows"]
    assert (row["account"], row["outcome"], row["refused_by"], row["too_long"]) == ("A-1", None, [], False)
    assert portfolio("bulk", "show", shown["id"], "--rule", "sms-too-long", "--json").json["rows"] == []
    assert "Dear " in portfolio("bulk", "show", shown["id"], "--text", "A-1").out
    assert "not about 'A-9'" in portfolio("bulk", "show", shown["id"], "--text", "A-9", code=1).err
    assert "is finished: 1 done." in portfolio("bulk", "confirm", shown["id"]).out
    assert "cannot be undone" in portfolio("bulk", "undo", shown["id"], code=1).err
    assert "cannot be undone" in portfolio("bulk", "undo", shown["id"], "--show", code=1).err


def test_an_account_is_frozen_for_a_reason_of_its_office_and_active_again(portfolio: Arrears):
    portfolio("office", "set", "main", "--freeze-reason", "closed=Closed down")
    assert "closed" in portfolio("office", "show").out
    portfolio("freeze", "A-1", "--code", "closed", "--reason", "As their lawyer wrote")
    assert portfolio("account", "show", "A-1", "--json").json["why"]["code"] == "frozen"
    frozen = portfolio("report", "collections", "--where", "frozen=closed", "--format", "json").json["rows"]
    assert [each["number"] for each in frozen] == ["A-1"]
    portfolio("unfreeze", "A-1")
    assert "frozen" not in portfolio("account", "show", "A-1", "--json").json


def test_subscriptions_are_frozen_with_their_account_or_by_themselves(portfolio: Arrears):
    def statuses() -> dict[str, str]:
        return {each["number"]: each["status"] for each in portfolio("subscription", "list", "A-1", "--json").json}

    for number in ("S-1", "S-2", "S-3"):
        portfolio("subscription", "record", "A-1", number)
    assert "Account A-1 is frozen." in portfolio("freeze", "A-1", "--code", "moved").out
    assert statuses() == dict.fromkeys(("S-1", "S-2", "S-3"), "frozen")
    assert "Subscription S-1 is active." in portfolio("unfreeze", "A-1", "--subscription", "S-1").out
    assert "Subscription S-1 was active already." in portfolio("unfreeze", "A-1", "--subscription", "S-1").out
    portfolio("subscription", "record", "A-1", "S-2", "--cancelled", "2026-03-01")
    shown = portfolio("account", "show", "A-1").out
    assert "subscriptions: S-1 (active); S-2 (cancelled); S-3 (frozen for moved)" in shown
    said = portfolio("unfreeze", "A-1").out
    assert "Subscription S-1 is left as it is: active already." in said
    assert "Subscription S-2 is left as it is: cancelled." in said
    assert statuses() == {"S-1": "active", "S-2": "cancelled", "S-3": "active"}
    portfolio("subscription", "record", "A-1", "S-2", "--reinstated")
    assert "Subscription S-2 is frozen." in portfolio("freeze", "A-1", "--subscription", "S-2", "--code", "other").out
    table = portfolio("subscription", "list", "A-1").out
    assert re.search(r"S-2 +frozen +other", table)
    both = portfolio("subscription", "record", "A-1", "S-2", "--reinstated", "--cancelled", "2026-03-02", code=2)
    assert "cancelled_on: expected nothing of a subscription that is reinstated" in both.err
    assert "no subscription 'S-9'" in portfolio("unfreeze", "A-1", "--subscription", "S-9", code=1).err
    found = portfolio("report", "collections", "--frozen-subscription", "yes", "--format", "json").json["rows"]
    assert [(each["number"], each["frozen_subscriptions"]) for each in found] == [("A-1", ["S-2"])]


def test_the_report_is_exported_and_stands_in_the_list(portfolio: Arrears, tmp_path: Path):
    assert portfolio("bulk", "export", tmp_path / "report.xlsx").out.endswith("report.xlsx: 1 account.\n")
    sheet = load_workbook(tmp_path / "report.xlsx").active
    assert sheet is not None
    assert sheet.max_row == 3
    assert "is there already" in portfolio("bulk", "export", tmp_path / "report.xlsx", code=1).err
    portfolio("bulk", "export", tmp_path / "report.xlsx", "--force")
    portfolio("bulk", "export", tmp_path / "report.csv", "--bucket", "121+", "--bom")
    assert (tmp_path / "report.csv").read_bytes().startswith(b"\xef\xbb\xbfaccount_id,")
    assert sorted(each.name for each in tmp_path.glob("*report*")) == ["report.csv", "report.xlsx"]
    assert [each["kind"] for each in portfolio("bulk", "list", "--json").json][:2] == ["export", "export"]


def test_a_list_that_is_cut_off_says_so(portfolio: Arrears, monkeypatch: pytest.MonkeyPatch):
    for _ in range(2):
        portfolio("bulk", "preview", "rollback")
        portfolio("activity", "add", "A-1", "--kind", "call")
    assert "There are more" not in portfolio("bulk", "list").err
    monkeypatch.setattr(bulk, "_MOST", 1)
    monkeypatch.setattr(calls, "_MOST", 1)
    for command in ("bulk", "call"):
        for options in ((), ("--json",)):
            said = portfolio(command, "list", *options)
            assert "There are more: these are the newest 1." in said.err
            assert "There are more" not in said.out


def test_a_filter_that_can_show_nothing_is_not_kept(portfolio: Arrears):
    assert "not 'zzz'" in portfolio("filter", "save", "bad", "--bucket", "zzz", code=1).err


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (("preview", "flags"), 2, "--add"),
        (("preview", "flags", "--add", "unheard-of"), 1, "expected one of"),
        (
            ("preview", "freeze", "--code", "moved", "--placed-with", "nobody"),
            1,
            "placed_with: expected one of none yet",
        ),
        (("preview", "stage"), 2, "--to"),
        (("preview", "message", "--channel", "portal"), 2, "--text"),
        (("preview", "message", "--channel", "portal", "--template", "no-such"), 1, "no 'no-such'"),
        (("preview", "message", "--channel", "portal", "--text", "{{ nmae }}"), 1, "there is no placeholder"),
        (("preview", "stage", "--to", "lost"), 2, "--to"),
        (("preview", "stage", "--to", "sent", "--account", "A-9"), 1, "there is no 'A-9'"),
        (("preview", "freeze", "--code", "bored"), 1, "expected one of"),
        (("export", "report.pdf"), 2, ".xlsx or .csv"),
        (("export", "report.xlsx", "--bom"), 2, "--bom: expected for a .csv file only"),
        (("export", "none/report.csv"), 1, "none/report.csv cannot be written: No such file or directory"),
        (("export", "none/report.xlsx"), 1, "none/report.xlsx cannot be written: No such file or directory"),
        (("preview", "stage", "--to", "sent", "--min-dpd", "1", "--min-dpd", "2"), 2, "it is given 2 times"),
        (("preview", "stage", "--to", "sent", "--stage", "engaged", "--stage", "lost"), 2, "one or several of"),
        (("preview", "stage", "--to", "sent", "--bucket", "121+", "--bucket", "zzz"), 1, "not 'zzz'"),
        (("confirm", "00000000-0000-0000-0000-000000000001"), 1, "there is no such bulk action"),
        (("show", "00000000-0000-0000-0000-000000000001"), 1, "there is no such bulk action"),
    ],
)
def test_what_is_wrong_is_said(portfolio: Arrears, arguments: tuple[str, ...], code: int, said: str):
    assert said in portfolio("bulk", *arguments, code=code).err


def test_a_bulk_action_is_scheduled_on_a_saved_filter_listed_and_ended(portfolio: Arrears):
    portfolio("filter", "save", "owing", "--min-balance", "1")
    said = ("bulk", "schedule", "stage", "--to", "sent", "--filter", "owing", "--most-accounts", "0")
    made = portfolio(*said, "--every", "month", "--on", "31", "--json").json["id"]
    [listed] = portfolio("bulk", "schedule", "list", "--json").json
    assert (listed["id"], listed["on"], listed["last_outcome"]) == (made, 31, None)
    assert "owing" in portfolio("bulk", "schedule", "show", made).out
    assert "is ended" in portfolio("bulk", "schedule", "cancel", made).out
    assert portfolio("bulk", "schedule", "show", made, "--json").json["cancelled_at"] is not None
    assert "--on: expected a day of the month" in portfolio(*said, "--every", "month", "--on", "x", code=2).err
    assert (
        "expected one of owing"
        in portfolio(
            "bulk", "schedule", "rollback", "--filter", "x", "--every", "day", "--most-accounts", "1", code=1
        ).err
    )
    letters = ("bulk", "schedule", "message", "--channel", "letter", "--text", "Please call us.", "--filter", "owing")
    assert "is made" in portfolio(*letters, "--every", "week", "--most-accounts", "5", "--reason", "as agreed").out
    daily = portfolio(*said, "--every", "day", "--json").json["id"]
    portfolio("filter", "remove", "owing")
    portfolio("tick")
    waits = f"Could not be made: schedule {daily} (stage on owing): "
    assert waits in portfolio("worklist").out
    assert daily in [each["id"] for each in portfolio("worklist", "--json").json["failed"]]
    portfolio("bulk", "schedule", "cancel", daily)
    assert waits not in portfolio("worklist").out


def test_a_file_of_customers_cancels_a_subscription_and_a_later_one_does_not_bring_it_back(
    portfolio: Arrears, tmp_path: Path
):
    def imported(cancelled_on: str, service: str) -> str:
        file = tmp_path / f"{service}.csv"
        heading = "account_number,name,subscription_1,subscription_1_service_type,subscription_1_cancelled_on"
        file.write_text(f"{heading}\nZ-1,Ann Ash,F-1,{service},{cancelled_on}\n")
        portfolio("import", file, "--profile", "customers")
        [found] = portfolio("subscription", "list", "Z-1", "--json").json
        return f"{found['status']} {found['service_type']}"

    assert imported("", "fibre") == "active fibre"
    portfolio("freeze", "Z-1", "--subscription", "F-1", "--code", "moved")
    assert imported("2026-03-01", "copper") == "cancelled copper"
    assert imported("", "mobile") == "cancelled mobile"
