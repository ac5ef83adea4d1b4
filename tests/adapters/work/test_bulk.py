"""Bulk actions: what was shown is frozen, done account by account, exactly once, and undone exactly."""

import os
import signal
import subprocess
import sys
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from functools import partial
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest

from adapters.bulk.freezing import Selection
from adapters.eventstore.requests import Requests
from adapters.work import worker
from adapters.work.worker import Turn
from aggregates.account import Account
from aggregates.account import bulk as account_bulk
from aggregates.account.billing import BillInvoice
from aggregates.account.bulk import BulkActionApplied, BulkActionUndone, UndoBulkAction
from aggregates.account.collections_stage import CollectionsStage
from aggregates.account.command import account_id
from aggregates.account.contact import ChangeContactDetails
from aggregates.account.customer import OpenAccount, RecordSubscription, Subscription
from aggregates.account.disputes import OpenDispute
from aggregates.account.flags import ClearFlag, Flags, SetFlag
from aggregates.account.freezing import FreezeSubscription
from aggregates.account.messages import MessageWritten
from aggregates.account.payments import ReceivePayment, ReversePayment
from aggregates.account.receivables import ReversalKind
from aggregates.bulk.action import BeginBulkUndo, CancelBulk, bulk_work_id
from aggregates.campaign import Template
from aggregates.kernel.actor import Actor
from aggregates.kernel.event import Recorded
from aggregates.office import ChangeOfficeSettings, DeliveryLimits
from aggregates.template import SaveTemplate
from aggregates.values.contact import Channel, Consent, ContactDetails, PhoneKind, PhoneNumber, PostalAddress
from aggregates.values.contact_record import Role
from aggregates.values.contact_settings import ContactSettings
from aggregates.values.money import Money
from aggregates.work import CancelWork
from api.application import bulk_undo
from api.application.authority import Authority
from api.application.bulk import ChangedSincePreview, bulk_in_full, confirm, preview, text_of
from api.application.bulk_undo import UndoPreview, undo_preview
from api.application.export import ExportFormat, export
from api.application.issuing import Caller, Done, Issuing, Refused
from projections.bulk_actions import BulkActionsProjection
from projections.questions.bulk import (
    TOO_LONG,
    BulkRow,
    BulkView,
    Leaving,
    bulk_action,
    bulk_action_in_full,
    bulk_rows,
    compared,
    leaving,
)
from projections.questions.collections import Filters
from projections.questions.scope import BadQuestion
from projections.questions.work import work
from tests.adapters.work.conftest import NOW, OFFICE, Plant
from tests.waiting import HANG

CARLA = Caller(Actor.person("carla"), Authority.PUBLIC, reason="As agreed")


@dataclass
class Bulk:
    """Bulk actions in a plant whose parts are moved by hand."""

    plant: Plant

    @property
    def issuing(self) -> Issuing:
        return Issuing(self.plant.service, Requests(partial(self.plant.database.connect, "arrears_app")))

    def preview(self, kind: str = "flags", of: Selection | None = None, **said: Any) -> UUID:
        self.plant.service.drain()
        bulk_id = preview(self.plant.service, self.issuing, CARLA, kind=kind, said=said, of=of or Selection()).id
        self.plant.service.drain()
        return bulk_id

    def confirm(self, bulk_id: UUID, *, without_changed: bool = False, drain: bool = True) -> None:
        confirm(self.plant.service, self.issuing, CARLA, bulk_id, without_changed=without_changed)
        if drain:
            self.plant.service.drain()

    def undo(self, bulk_id: UUID) -> None:
        self.issuing.issue(BeginBulkUndo(bulk_id=bulk_id), CARLA)
        self.plant.service.drain()

    def view(self, bulk_id: UUID) -> BulkView:
        with self.plant.database.connect("arrears_app") as connection:
            found = bulk_action(connection, bulk_id)
        assert found is not None
        return found

    def rows(self, bulk_id: UUID) -> Mapping[str, BulkRow]:
        with self.plant.database.connect("arrears_app") as connection:
            return {each.account: each for each in bulk_rows(connection, bulk_id, limit=500).rows}

    def flags(self) -> dict[str, list[str]]:
        accounts = (self.plant.service.arrears.load(Account, each) for each in self.plant.accounts)
        return {each.customer.number: sorted(each.part(Flags).carried) for each in accounts}

    def undo_preview(self, bulk_id: UUID, **page: Any) -> UndoPreview:
        with self.plant.database.connect("arrears_app") as connection:
            return undo_preview(self.plant.service, connection, bulk_id, **page)

    def account(self, number: int) -> UUID:
        return account_id(OFFICE, f"A-{number}")

    def applied(self) -> dict[UUID, int]:
        """How often each account recorded an outcome."""
        return {
            each: sum(
                isinstance(recorded.event, BulkActionApplied)
                for recorded in self.plant.service.arrears.history(Account, each)
            )
            for each in self.plant.accounts
        }

    def tables(self) -> dict[str, list[Any]]:
        """What the read tables say of the accounts now, but for history and for when it was."""
        with self.plant.database.connect("arrears_app") as connection:
            return {
                table: connection.execute(
                    f"SELECT to_jsonb(t) - %s::text[] FROM read_model.{table} AS t ORDER BY t::text",
                    [["last_position", "freeze_position", "position", "updated_at"]],
                ).fetchall()
                for table in ("collections_report", "open_items", "ledger_items", "promises", "agenda", "subscriptions")
            }


@pytest.fixture
def bulk(plant: Plant, monkeypatch: pytest.MonkeyPatch) -> Bulk:
    monkeypatch.setattr(worker, "CHUNK", 3)
    return Bulk(plant)


def test_what_was_shown_is_done_and_undone_and_the_read_tables_are_as_before(bulk: Bulk):
    bulk.plant.do(SetFlag(account_id=bulk.account(2), flag="legal"))
    bulk.plant.service.drain()
    before = bulk.tables()
    bulk_id = bulk.preview(add=["vip"], remove=["legal"])
    assert bulk.tables() == before
    shown = bulk.view(bulk_id)
    assert (shown.state, shown.accounts, shown.total, shown.currency, shown.asked) == ("previewed", 7, None, "USD", 0)
    bulk.confirm(bulk_id)
    done = bulk.view(bulk_id)
    assert (done.state, done.done, done.asked, done.confirmed_by) == ("finished", 7, 7, "person:carla")
    assert bulk.flags() == {f"A-{n}": ["vip"] for n in range(7)}
    bulk.undo(bulk_id)
    assert (bulk.view(bulk_id).state, bulk.view(bulk_id).undone) == ("undone", 7)
    assert bulk.tables() == before


def test_the_accounts_are_those_of_the_report_with_its_filters(bulk: Bulk):
    bulk.plant.do(SetFlag(account_id=bulk.account(3), flag="legal"))
    of = Selection(filters=Filters(flag="legal"))
    assert set(bulk.rows(bulk.preview(of=of, add=["vip"]))) == {"A-3"}
    named = bulk.preview(of=Selection(accounts=("A-1", str(bulk.account(2)))), add=["vip"])
    assert set(bulk.rows(named)) == {"A-1", "A-2"}
    with pytest.raises(BadQuestion, match="there is no 'B-1'"):
        bulk.preview(of=Selection(accounts=("A-1", "B-1")), add=["vip"])


def test_only_accounts_that_were_named_are_taken_and_one_that_cannot_be_is_refused(bulk: Bulk):
    bulk.plant.do(
        *(OpenAccount(office_id=OFFICE, number=n, customer_name="Ann", currency="USD") for n in ("AB1", "ab1")),
        OpenAccount(office_id=OFFICE, number="E-1", customer_name="Ann", currency="EUR", other_currency=True),
    )
    in_usd = Selection(currency="USD", accounts=("AB1", str(bulk.account(2)).upper()))
    assert set(bulk.rows(bulk.preview(of=in_usd, add=["vip"]))) == {"AB1", "A-2"}
    with pytest.raises(BadQuestion, match="there is no 'Ab1'"):
        bulk.preview(of=Selection(currency="USD", accounts=("Ab1",)), add=["vip"])
    with pytest.raises(BadQuestion, match="'E-1/EUR' is not in the report in USD"):
        bulk.preview(of=Selection(currency="USD", accounts=("AB1", "E-1/EUR")), add=["vip"])


def test_what_changed_since_the_preview_is_named_and_nothing_is_done_or_only_the_rest(bulk: Bulk):
    bulk_id = bulk.preview(add=["vip"])
    bulk.plant.do(SetFlag(account_id=bulk.account(4), flag="legal"))
    with pytest.raises(ChangedSincePreview) as refused:
        bulk.confirm(bulk_id)
    assert (refused.value.accounts, refused.value.total) == (("A-4",), 1)
    assert set(bulk.applied().values()) == {0}
    bulk.confirm(bulk_id, without_changed=True)
    done = bulk.view(bulk_id)
    assert (done.state, done.done, done.changed) == ("finished", 6, 1)
    assert bulk.rows(bulk_id)["A-4"].reason == "flags is legal, and was none"
    assert bulk.flags()["A-4"] == ["legal"]


def test_what_changes_between_the_confirmation_and_its_chunk_is_left_by_the_account_itself(bulk: Bulk):
    bulk_id = bulk.preview(add=["vip"])
    bulk.confirm(bulk_id, drain=False)
    bulk.plant.do(SetFlag(account_id=bulk.account(4), flag="legal"))
    bulk.plant.service.drain()
    assert (bulk.view(bulk_id).done, bulk.view(bulk_id).changed) == (6, 1)


def test_to_confirm_again_does_nothing_more(bulk: Bulk):
    bulk_id = bulk.preview(add=["vip"])
    bulk.confirm(bulk_id)
    head = bulk.plant.service.feed.head()
    bulk.plant.do(ClearFlag(account_id=bulk.account(1), flag="vip"))
    bulk.confirm(bulk_id)
    assert set(bulk.applied().values()) == {1}
    assert bulk.flags()["A-1"] == []
    assert [each.name for each in bulk.plant.service.feed.read(head, 100) if each.name.startswith("bulk")] == []


def test_an_undo_says_before_and_after_what_it_cannot_reverse(bulk: Bulk):
    bulk_id = bulk.preview(add=["vip"])
    bulk.confirm(bulk_id)
    bulk.plant.do(ClearFlag(account_id=bulk.account(1), flag="vip"), SetFlag(account_id=bulk.account(1), flag="vip"))
    bulk.plant.service.drain()
    told = bulk.undo_preview(bulk_id)
    assert {each.account: each.reason for each in told.rows} == {
        **dict.fromkeys([f"A-{n}" for n in range(7)]),
        "A-1": "changed since: vip",
    }
    assert (told.accounts, told.can_be_undone, told.amount, told.reasons) == (7, 6, None, {"changed since": 1})
    bulk.undo(bulk_id)
    assert (bulk.view(bulk_id).undone, bulk.view(bulk_id).kept) == (6, 1)
    assert bulk.flags() == {**{f"A-{n}": [] for n in range(7)}, "A-1": ["vip"]}
    assert bulk.rows(bulk_id)["A-1"].undone_reason == "changed since: vip"


def test_what_an_undo_would_do_comes_in_pages_that_look_at_so_many_accounts_at_most(
    bulk: Bulk, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(bulk_undo, "MOST_LOOKED_AT", 4)
    monkeypatch.setattr(bulk_undo, "_ACCOUNTS_AT_ONCE", 3)
    bulk_id = bulk.preview(add=["vip"])
    bulk.confirm(bulk_id)
    bulk.plant.do(*(ClearFlag(account_id=bulk.account(n), flag="vip") for n in (1, 2, 6)))
    bulk.plant.service.drain()
    whole = bulk.undo_preview(bulk_id)
    assert (whole.counted, whole.can_be_undone, whole.next_cursor) == (7, 4, None)
    for only_kept, limit in ((False, 3), (True, 1), (True, 50)):
        pages = [bulk.undo_preview(bulk_id, only_kept=only_kept, limit=limit)]
        while (cursor := pages[-1].next_cursor) is not None:
            pages.append(bulk.undo_preview(bulk_id, only_kept=only_kept, limit=limit, cursor=cursor))
        assert len(pages) > 1
        assert [(each.accounts, each.counted) for each in pages] == [(7, 4), *[(7, None)] * (len(pages) - 1)]
        found = [row for each in pages for row in each.rows]
        assert found == [row for row in whole.rows if row.reason or not only_kept]


def test_what_was_undone_is_said_to_be_so_whatever_the_accounts_have_forgotten_since(
    bulk: Bulk, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(account_bulk, "MOST_STANDING", 1)
    bulk_id = bulk.preview(add=["vip"])
    bulk.confirm(bulk_id)
    bulk.undo(bulk_id)
    for stage in ("sent", "pending"):
        bulk.confirm(bulk.preview("stage", to=stage))
    assert bulk.undo_preview(bulk_id).reasons == {"it was undone already": 7}


def test_stopped_in_its_course_it_asks_nobody_more_and_what_was_done_is_undone(bulk: Bulk):
    bulk_id = bulk.preview(add=["vip"])
    bulk.confirm(bulk_id, drain=False)
    bulk.plant.catch_up()
    with bulk.plant.worker() as one:
        assert one.turn() is Turn.CHUNK
    bulk.issuing.issue(CancelBulk(bulk_id=bulk_id), CARLA)
    bulk.plant.service.drain()
    stopped = bulk.view(bulk_id)
    assert (stopped.state, stopped.done, stopped.asked) == ("cancelled", 3, 3)
    bulk.undo(bulk_id)
    assert (bulk.view(bulk_id).state, bulk.view(bulk_id).undone) == ("undone", 3)
    assert set(map(tuple, bulk.flags().values())) == {()}


def test_no_third_chunk_is_asked_before_the_first_one_is_shown(bulk: Bulk):
    """What is shown of it is what is counted, and undone."""
    bulk_id = bulk.preview(add=["vip"])
    bulk.confirm(bulk_id, drain=False)
    bulk.plant.catch_up()
    with bulk.plant.worker() as one:
        for _ in range(2):
            assert one.turn() is Turn.CHUNK
            bulk.plant.react()
        assert one.turn() is Turn.WAITING
        bulk.plant.project()
        assert one.turn() is Turn.CHUNK
    bulk.plant.service.drain()
    assert (bulk.view(bulk_id).state, bulk.view(bulk_id).done) == ("finished", 7)


def test_its_work_ends_with_it_and_not_alone(bulk: Bulk):
    bulk.confirm(bulk.preview(add=["vip"]), drain=False)
    bulk.plant.catch_up()
    (work,) = bulk.plant.open_work
    with pytest.raises(Refused, match="bulk cancel"):
        bulk.issuing.issue(CancelWork(work_id=work.id), CARLA)


def test_killed_between_a_chunk_and_its_progress_no_account_is_changed_twice(bulk: Bulk):
    bulk_id = bulk.preview(add=["vip"])
    bulk.confirm(bulk_id, drain=False)
    bulk.plant.catch_up()
    dies = [sys.executable, "-m", "tests.adapters.work.dies"]
    died = subprocess.run(dies, check=False, env={**os.environ, **bulk.plant.env}, timeout=HANG)
    assert died.returncode == -signal.SIGKILL
    bulk.plant.service.drain()
    assert (bulk.view(bulk_id).state, bulk.view(bulk_id).done) == ("finished", 7)
    assert set(bulk.applied().values()) == {1}


def test_rows_that_are_not_those_that_were_frozen_are_not_confirmed(bulk: Bulk):
    bulk_id = bulk.preview(add=["vip"])
    with bulk.plant.database.connect("arrears_app") as connection:
        connection.execute("DELETE FROM read_model.bulk_rows WHERE place = 2")
    with pytest.raises(Refused) as refused:
        bulk.confirm(bulk_id)
    assert refused.value.reason_code == "rows-not-as-frozen"
    assert set(bulk.applied().values()) == {0}


def test_a_flag_about_the_customer_comes_to_all_their_accounts_and_goes_with_the_undo(bulk: Bulk):
    """The second has it already when it is asked, because the first was: that is no change of somebody's."""
    other = OpenAccount(office_id=OFFICE, number="A-1", customer_name="Ann", currency="EUR", other_currency=True)
    bulk.plant.do(other)
    bulk_id = bulk.preview(of=Selection(currency="USD"), add=["cease-contact"])
    bulk.confirm(bulk_id)
    second = bulk.plant.service.arrears.load(Account, account_id(OFFICE, "A-1", "EUR"))
    assert (bulk.view(bulk_id).done, sorted(second.flags.carried)) == (7, ["cease-contact"])
    bulk.undo(bulk_id)
    second = bulk.plant.service.arrears.load(Account, account_id(OFFICE, "A-1", "EUR"))
    assert (bulk.view(bulk_id).undone, sorted(second.flags.carried)) == (7, [])


def test_an_undo_takes_a_flag_about_the_customer_off_an_account_that_became_theirs_since(bulk: Bulk):
    bulk_id = bulk.preview(of=Selection(accounts=("A-1",)), add=["cease-contact"])
    bulk.confirm(bulk_id)
    joined = OpenAccount(office_id=OFFICE, number="A-1", customer_name="Ann", currency="EUR", other_currency=True)
    bulk.plant.do(joined)
    bulk.plant.service.drain()
    theirs = [account_id(OFFICE, "A-1"), account_id(OFFICE, "A-1", "EUR")]
    arrears = bulk.plant.service.arrears
    assert [set(arrears.load(Account, each).part(Flags).carried) for each in theirs] == [{"cease-contact"}] * 2
    bulk.undo(bulk_id)
    assert [set(arrears.load(Account, each).part(Flags).carried) for each in theirs] == [set(), set()]


def test_the_collections_stage_is_a_column_and_a_filter_of_the_report(bulk: Bulk):
    bulk.plant.service.drain()
    before = bulk.tables()
    bulk_id = bulk.preview("stage", of=Selection(accounts=("A-1", "A-2")), to="sent")
    bulk.confirm(bulk_id)
    sent = Selection(filters=Filters(collections_stage=CollectionsStage.SENT))
    assert set(bulk.rows(bulk.preview("stage", of=sent, to="pending"))) == {"A-1", "A-2"}
    bulk.undo(bulk_id)
    assert bulk.tables() == before


def test_accounts_are_frozen_rolled_back_and_the_rollback_is_undone(bulk: Bulk):
    for number in ("S-1", "S-2"):
        subscription = Subscription(number=number)
        bulk.plant.do(RecordSubscription(account_id=account_id(OFFICE, "A-1"), subscription=subscription))
    bulk.plant.service.drain()
    before = bulk.tables()
    frozen = bulk.preview("freeze", of=Selection(accounts=("A-1", "A-2")), code="moved")
    bulk.confirm(frozen)
    with_freeze = bulk.tables()
    found = bulk.plant.service.arrears.load(Account, account_id(OFFICE, "A-1"))
    assert found.freezing.statuses() == {"S-1": "frozen", "S-2": "frozen"}
    back = bulk.preview("rollback", of=Selection(filters=Filters(frozen="moved")))
    assert set(bulk.rows(back)) == {"A-1", "A-2"}
    bulk.confirm(back)
    assert bulk.tables() == before
    bulk.undo(back)
    assert bulk.tables() == with_freeze


def test_what_became_of_a_subscription_since_the_preview_is_named(bulk: Bulk):
    first = bulk.account(1)
    bulk.plant.do(RecordSubscription(account_id=first, subscription=Subscription(number="S-1")))
    bulk.plant.service.drain()
    frozen = bulk.preview("freeze", of=Selection(accounts=("A-1", "A-2")), code="moved")
    assert bulk.rows(frozen)["A-1"].expected == {"frozen": None, "subscriptions": {"S-1": "active"}}
    bulk.plant.do(FreezeSubscription(account_id=first, number="S-1", code="other"))
    bulk.plant.service.drain()
    with pytest.raises(ChangedSincePreview) as refused:
        bulk.confirm(frozen)
    assert refused.value.accounts == ("A-1",)
    bulk.confirm(frozen, without_changed=True)
    assert {number: row.outcome for number, row in bulk.rows(frozen).items()} == {"A-1": "changed", "A-2": "done"}


def test_rows_that_an_earlier_version_froze_are_compared_by_what_it_showed(bulk: Bulk):
    """It did not know of subscriptions; that they are there now is no change."""
    bulk.plant.service.drain()
    frozen = bulk.preview("freeze", of=Selection(accounts=("A-1", "A-2")), code="moved")
    with bulk.plant.database.connect("arrears_app") as connection:
        rows = list(compared(connection, frozen, ["frozen", "subscriptions", "flags"]))
        assert [each.has_changed for each in rows] == [False, False]
        assert [each.has_changed for each in compared(connection, frozen, ["frozen"])] == [True, True]


def test_an_exported_file_has_its_name_once_it_is_recorded(bulk: Bulk, tmp_path: Path):
    file = tmp_path / "report.csv"
    there: list[bool] = []

    class Looking(Issuing):
        def issue(self, *said: Any, **more: Any) -> Done:
            there.append(file.exists())
            return super().issue(*said, **more)

    bulk.plant.service.drain()
    issuing = Looking(bulk.plant.service, bulk.issuing.requests)
    _, accounts = export(bulk.plant.service, issuing, CARLA, Selection(), format=ExportFormat.CSV, to=file)
    assert there == [False]
    assert len(file.read_text().splitlines()) == accounts + 1
    assert [*tmp_path.glob("*report*")] == [file]


def test_a_rebuild_has_the_same_rows(bulk: Bulk):
    bulk.plant.do(SetFlag(account_id=bulk.account(4), flag="legal"))
    bulk_id = bulk.preview(add=["vip"])
    bulk.plant.do(ClearFlag(account_id=bulk.account(4), flag="legal"))
    bulk.confirm(bulk_id, without_changed=True)
    bulk.plant.do(ClearFlag(account_id=bulk.account(1), flag="vip"), SetFlag(account_id=bulk.account(1), flag="vip"))
    bulk.undo(bulk_id)
    lived = bulk.view(bulk_id), bulk.rows(bulk_id)
    assert (lived[0].state, lived[0].undone, lived[0].kept, lived[0].changed) == ("undone", 5, 1, 1)
    bulk.plant.service.rebuild("bulk_actions")
    assert (bulk.view(bulk_id), bulk.rows(bulk_id)) == lived


def counted(bulk: Bulk, bulk_id: UUID) -> dict[str, int]:
    """What the action says came of its accounts, which is what its rows say."""
    names = ("asked", "done", "changed", "refused", "skipped", "undone", "kept")
    rows = bulk.rows(bulk_id).values()
    came = Counter(each.outcome for each in rows if each.outcome is not None)
    back = Counter(each.undone for each in rows)
    shown = {name: getattr(bulk.view(bulk_id), name) for name in names}
    assert shown == {
        **{name: came[name] for name in ("done", "changed", "refused", "skipped")},
        "asked": came.total(), "undone": back["done"], "kept": back["changed"],
    }  # fmt: skip
    return shown


def told(bulk: Bulk, schema: str, *batches: Sequence[Recorded]) -> list[Any]:
    """What the read tables of bulk actions say after these batches, in a schema of their own."""
    with bulk.plant.database.connect() as connection:
        connection.execute(f"CREATE SCHEMA {schema}")
        connection.execute("SELECT set_config('search_path', %s, false)", [f"{schema}, pg_temp"])
        projection = BulkActionsProjection()
        projection.create(connection)
        for batch in batches:
            projection.handle(batch, connection)
        query = "SELECT to_jsonb(t) - 'position' FROM {} AS t ORDER BY 1"
        return [connection.execute(query.format(table)).fetchall() for table in ("bulk_actions", "bulk_rows")]


def repeats_change_nothing(bulk: Bulk) -> None:
    """However what happened is cut into batches, and however often it is told."""
    log = bulk.plant.service.feed.read(0, 10_000)
    half = log[: len(log) // 2]
    once = told(bulk, "once", *([each] for each in log))
    assert told(bulk, "often", half, half, log, log) == once
    assert told(bulk, "at_once", log) == once


def test_counts_are_moved_as_outcomes_come_and_no_rows_are_counted(bulk: Bulk):
    """Whatever the mix, after every chunk, an undo and a rebuild."""
    plant = bulk.plant
    plant.do(SetFlag(account_id=bulk.account(3), flag="vip"))
    bulk_id = bulk.preview(add=["vip"])
    plant.do(ClearFlag(account_id=bulk.account(3), flag="vip"), SetFlag(account_id=bulk.account(4), flag="vip"))
    bulk.confirm(bulk_id, without_changed=True, drain=False)
    plant.catch_up()
    said = [counted(bulk, bulk_id)]
    with plant.worker() as one:
        while one.turn() is Turn.CHUNK:
            plant.catch_up()
            said.append(counted(bulk, bulk_id))
    assert [each["asked"] for each in said] == [0, 3, 6, 7, 7, 7]  # the last two: that nobody is left, and the end
    assert (said[-1]["done"], said[-1]["changed"]) == (5, 2)
    plant.do(ClearFlag(account_id=bulk.account(1), flag="vip"))
    bulk.undo(bulk_id)
    lived = counted(bulk, bulk_id)
    assert (lived["undone"], lived["kept"]) == (4, 1)
    plant.service.rebuild("bulk_actions")
    assert counted(bulk, bulk_id) == lived
    repeats_change_nothing(bulk)
    view = bulk.view(bulk_id)
    with plant.database.connect("arrears_app") as connection:
        connection.execute("DELETE FROM read_model.bulk_rows")
    assert bulk.view(bulk_id) == view


# --- fees --------------------------------------------------------------------------------------------


def test_a_fee_is_not_made_where_what_it_is_taken_of_changed_though_as_much_is_due(bulk: Bulk):
    """What the account compares, which is what is due today, is as it was."""
    fee = {"basis": "balance-percent", "percent": "10", "service_type": "late-fee"}
    bulk_id = bulk.preview("fees", of=Selection(accounts=("A-1", "A-2")), **fee)
    bulk.plant.do(OpenDispute(account_id=bulk.account(1), reason_code="quality"))
    with pytest.raises(ChangedSincePreview) as refused:
        bulk.confirm(bulk_id)
    assert refused.value.accounts == ("A-1",)
    bulk.confirm(bulk_id, without_changed=True)
    done = bulk.view(bulk_id)
    assert (done.state, done.done, done.changed) == ("finished", 1, 1)
    rows = bulk.rows(bulk_id)
    assert {number: row.outcome for number, row in rows.items()} == {"A-1": "changed", "A-2": "done"}
    assert rows["A-1"].reason == "it was not as it was shown when the rest was confirmed"
    with bulk.plant.database.connect("arrears_app") as connection:
        made = connection.execute("SELECT account_id FROM read_model.fees").fetchall()
    assert made == [(bulk.account(2),)]


def test_fees_are_made_as_shown_of_the_balance_of_a_day_and_taken_back_unless_they_were_paid(bulk: Bulk):
    plant = bulk.plant
    paid = [
        ReceivePayment(
            account_id=bulk.account(n), number="P", amount=Money(4_000, "USD"), received_on=date(2026, 2, 20)
        )
        for n in (0, 1)
    ]
    plant.do(*paid)
    said: dict[str, Any] = {"kind": "fees", "basis": "balance-percent", "percent": "5", "service_type": "late-fee"}
    bulk_id = bulk.preview(of=Selection(as_of=date(2026, 2, 10)), **said)
    shown = bulk.view(bulk_id)
    assert (shown.accounts, str(shown.total), shown.currency) == (7, "35.00", "USD")
    assert bulk.rows(bulk_id)["A-0"].reason == "40.00 was paid since"
    assert str(bulk.view(bulk.preview(**said)).total) == "31.00"  # as of today those two owe less
    left = bulk.preview(of=Selection(as_of=date(2026, 2, 10)), without_paid_since=True, **said)
    assert bulk.rows(left).keys() == {f"A-{n}" for n in range(2, 7)}
    plant.do(
        ReceivePayment(account_id=bulk.account(2), number="P", amount=Money(1, "USD"), received_on=date(2026, 2, 1))
    )
    with pytest.raises(ChangedSincePreview) as changed:
        bulk.confirm(bulk_id)
    assert changed.value.accounts == ("A-2",)
    bulk.confirm(bulk_id, without_changed=True)
    done = bulk.rows(bulk_id)
    assert {number: row.outcome for number, row in done.items()} == {
        **dict.fromkeys(done, "done"), "A-2": "changed",
    }  # fmt: skip
    with plant.database.connect("arrears_app") as connection:
        made = connection.execute(
            "SELECT count(*), sum(f.amount_minor), sum(l.amount_minor), min(f.due_on - f.issued_on)"
            " FROM read_model.fees AS f JOIN read_model.fee_lines AS l USING (item_id) WHERE NOT f.is_withdrawn"
        ).fetchone()
        number = connection.execute(
            "SELECT number FROM read_model.fees WHERE account_id = %s", [bulk.account(3)]
        ).fetchone()
    assert made == (6, 3_000, 3_000, 14)
    assert number is not None
    fee = number[0]
    plant.do(
        ReceivePayment(
            account_id=bulk.account(3), number="P", amount=Money(500, "USD"), received_on=date(2026, 3, 2),
            invoice_number=fee,
        )
    )  # fmt: skip
    plant.service.drain()
    would = bulk.undo_preview(bulk_id)
    assert (would.accounts, would.can_be_undone) == (6, 5)
    assert (would.total, would.amount) == (Decimal(30), Decimal(25))
    assert {each.account: each.reason for each in would.rows} == {
        **dict.fromkeys(["A-0", "A-1", "A-4", "A-5", "A-6"]),
        "A-3": f"it was paid, credited or withdrawn, in part or whole: {fee}",
    }
    bulk.undo(bulk_id)
    assert (bulk.view(bulk_id).undone, bulk.view(bulk_id).kept) == (5, 1)
    assert {item["kind"] for (item,) in bulk.tables()["open_items"]} == {"invoice"}

    plant.do(ReversePayment(account_id=bulk.account(3), number="P", reversal=ReversalKind.NSF, reversed_on=NOW.date()))
    undone_before = {each: undone_events(bulk, each) for each in plant.accounts}
    bulk.undo(bulk_id)
    again = bulk.view(bulk_id)
    assert (again.state, again.undone, again.kept) == ("undone", 6, 0)
    asked = {each for each in plant.accounts if undone_events(bulk, each) != undone_before[each]}
    assert asked == {bulk.account(3)}
    with plant.database.connect("arrears_app") as connection:
        second = work(connection, bulk_work_id(bulk_id, UndoBulkAction.command_name, attempt=2))
    assert second is not None
    assert second.accounts == 1
    bulk.undo(bulk_id)  # nothing is left
    assert bulk.view(bulk_id) == again
    plant.service.rebuild("bulk_actions")
    assert bulk.view(bulk_id) == again
    repeats_change_nothing(bulk)


def undone_events(bulk: Bulk, account: UUID) -> int:
    history = bulk.plant.service.arrears.history(Account, account)
    return sum(isinstance(each.event, BulkActionUndone) for each in history)


# --- messages ----------------------------------------------------------------------------------------

CALL: dict[str, Any] = {"channel": "portal", "text": "Dear {{ customer_name }}, please call us about {{ amount_due }}."}


def queued(bulk: Bulk) -> dict[str, int]:
    """How many messages each account wrote."""
    arrears = bulk.plant.service.arrears
    return {
        f"A-{n}": sum(isinstance(each.event, MessageWritten) for each in arrears.history(Account, bulk.account(n)))
        for n in range(bulk.plant.most_accounts)
    }


def would(bulk: Bulk, bulk_id: UUID) -> tuple[int | None, dict[str, int] | None, int | None]:
    with bulk.plant.database.connect("arrears_app") as connection:
        found = bulk_action_in_full(connection, bulk_id)
    assert found is not None
    return found.may_leave, found.refused_by, found.too_long


def test_messages_are_queued_as_shown_and_who_is_refused_is_counted_by_rule(bulk: Bulk):
    bulk.plant.do(SetFlag(account_id=bulk.account(3), flag="cease-contact"))
    bulk_id = bulk.preview("message", ignore_preferences=True, reason="The numbers are dead", **CALL)
    assert would(bulk, bulk_id) == (6, {"cease": 1}, 0)
    row = bulk.rows(bulk_id)["A-3"]
    assert (row.outcome, str(row.amount), row.refused_by, row.too_long) == (None, "100.00", ("cease",), False)
    assert str(row.reason).startswith("cease: ")
    shown = text_of(bulk.plant.service, bulk_id, "A-1")
    assert (shown.body, shown.may_leave) == ("Dear Ann, please call us about 100.00.", True)
    assert sum(queued(bulk).values()) == 0
    bulk.confirm(bulk_id)
    done = bulk.view(bulk_id)
    assert (done.state, done.done, done.refused, done.changed) == ("finished", 6, 1, 0)
    assert queued(bulk) == {**{f"A-{n}": 1 for n in range(7)}, "A-3": 0}
    history = bulk.plant.service.arrears.history(Account, bulk.account(1))
    assert [each.meta.reason for each in history if isinstance(each.event, MessageWritten)] == ["The numbers are dead"]
    assert would(bulk, bulk_id) == (6, {"cease": 1}, 0)
    with pytest.raises(Refused, match="cannot be undone"):
        bulk.undo_preview(bulk_id)


@pytest.mark.parametrize(
    ("count", "per_minute", "minutes", "first", "in_time", "last"),
    [
        (600, 60, 60, 60, 600, 599),
        (601, 60, 10, 60, 600, None),
        (600, 60, 10, 60, 600, 599),
        (5, 7, 60, 5, 5, 4 * 60 / 7),
        (0, 60, 10, 0, 0, 0),
        (600, None, 10, 600, 600, 0),
    ],
)
def test_the_pace_of_the_office_says_when_the_last_message_has_left(  # noqa: PLR0917
    count: int, per_minute: int | None, minutes: int, first: int, in_time: int, last: float | None
):
    until = NOW + timedelta(minutes=minutes)
    found = leaving(count, per_minute=per_minute, now=NOW, until=until)
    took = None if found.all_left_at is None else (found.all_left_at - NOW).total_seconds()
    assert (found.in_first_minute, found.in_time) == (first, in_time)
    assert took == (None if last is None else pytest.approx(last, abs=0.001))


def test_messages_that_would_not_leave_in_their_hours_are_counted_until_they_are_confirmed(bulk: Bulk):
    bulk.plant.do(ChangeOfficeSettings(office_id=OFFICE, limits=DeliveryLimits(max_per_minute=1)))
    email: dict[str, Any] = {"channel": "email", "subject": "Your account", "text": "Please call us."}
    by_portal, by_email = bulk.preview("message", **CALL), bulk.preview("message", **email)

    def would_leave(bulk_id: UUID) -> Leaving | None:
        with bulk.plant.database.connect("arrears_app") as connection:
            found = bulk_in_full(bulk.plant.service, connection, bulk_id)
        assert found is not None
        return found.leaving

    today = datetime(2026, 3, 2, tzinfo=UTC)
    assert would_leave(by_portal) == leaving(7, per_minute=1, now=NOW, until=today + timedelta(days=1))
    assert would_leave(by_email) == leaving(0, per_minute=1, now=NOW, until=today + timedelta(hours=21))
    bulk.confirm(by_portal)
    assert would_leave(by_portal) is None


def test_a_text_that_would_be_another_now_keeps_every_message_from_leaving(bulk: Bulk):
    def save(body: str) -> None:
        texts = {"en": Template(body=body)}
        bulk.plant.do(SaveTemplate(office_id=OFFICE, name="call", channel=Channel.PORTAL, texts=texts))

    save("Please call us.")
    with pytest.raises(Refused, match="no 'cal'"):
        bulk.preview("message", channel="portal", template="cal")
    bulk_id = bulk.preview("message", channel="portal", template="call")
    save("Please call us today.")
    with pytest.raises(ChangedSincePreview) as refused:
        bulk.confirm(bulk_id)
    assert refused.value.total == 7
    owing_less = bulk.preview("message", **CALL)
    paid = ReceivePayment(account_id=bulk.account(4), number="P", amount=Money(1, "USD"), received_on=date(2026, 3, 1))
    bulk.plant.do(paid)
    with pytest.raises(ChangedSincePreview) as refused:
        bulk.confirm(owing_less)
    assert refused.value.accounts == ("A-4",)
    bulk.confirm(owing_less, without_changed=True)
    assert queued(bulk) == {**{f"A-{n}": 1 for n in range(7)}, "A-4": 0}


def test_who_would_get_an_sms_that_is_too_long_is_named(bulk: Bulk):
    phone = PhoneNumber(id="phone-1", number="+4930123456", kind=PhoneKind.MOBILE, sms_consent=Consent.GIVEN)
    bulk.plant.do(
        *(ChangeContactDetails(account_id=bulk.account(n), contact=ContactDetails(phones=(phone,))) for n in (1, 2)),
        BillInvoice(
            account_id=bulk.account(2), number="I" * 100, issued_on=date(2026, 1, 1), due_on=date(2026, 1, 31),
            amount=Money(100, "USD"),
        ),
    )  # fmt: skip
    text = "Please pay today: {% for invoice in invoices %}{{ invoice.number }} {% endfor %}"
    bulk_id = bulk.preview("message", of=Selection(accounts=("A-1", "A-2", "A-3")), channel="sms", text=text)
    rows = bulk.rows(bulk_id)
    assert {number: row.too_long for number, row in rows.items()} == {"A-1": False, "A-2": True, "A-3": False}
    assert rows["A-3"].refused_by == ("no-contact-point",)
    with bulk.plant.database.connect("arrears_app") as connection:
        assert [each.account for each in bulk_rows(connection, bulk_id, rule=TOO_LONG).rows] == ["A-2"]


def test_accounts_of_one_customer_are_shown_as_if_those_before_them_had_been_sent_theirs(bulk: Bulk):
    """Washington: three contacts with a person in seven days, whatever they are about."""
    names = [f"W-{n}" for n in range(4)]
    seattle = PostalAddress(id="address-1", lines=("1 Pine St",), city="Seattle", region="WA", country="US")
    said: dict[str, Any] = {"customer_name": "Wilma", "customer_number": "W", "currency": "USD"}
    bulk.plant.service.clock.set(NOW.replace(hour=20))
    bulk.plant.do(
        ChangeOfficeSettings(office_id=OFFICE, contact=ContactSettings(role=Role.THIRD_PARTY)),
        *(
            OpenAccount(office_id=OFFICE, number=each, contact=ContactDetails(addresses=(seattle,)), **said)
            for each in names
        ),
    )
    bulk_id = bulk.preview("message", of=Selection(accounts=tuple(names)), **CALL)
    refused = [number for number, row in bulk.rows(bulk_id).items() if row.refused_by]
    assert refused == [max(names, key=lambda each: account_id(OFFICE, each))]
    assert would(bulk, bulk_id) == (3, {"wa-3-in-7": 1}, 0)
    bulk.confirm(bulk_id)
    assert (bulk.view(bulk_id).done, bulk.view(bulk_id).refused, bulk.view(bulk_id).changed) == (3, 1, 0)


def test_killed_in_its_course_nobody_gets_a_message_twice(bulk: Bulk):
    bulk_id = bulk.preview("message", **CALL)
    bulk.confirm(bulk_id, drain=False)
    bulk.plant.catch_up()
    dies = [sys.executable, "-m", "tests.adapters.work.dies"]
    died = subprocess.run(dies, check=False, env={**os.environ, **bulk.plant.env}, timeout=HANG)
    assert died.returncode == -signal.SIGKILL
    bulk.plant.service.drain()
    assert (bulk.view(bulk_id).state, bulk.view(bulk_id).done) == ("finished", 7)
    assert set(queued(bulk).values()) == {1}
