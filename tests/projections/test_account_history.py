"""Random lives of an account: what was recorded of it on any day, told by the account itself, and by the report."""

import json
from collections.abc import Iterator
from datetime import date, datetime, timedelta
from itertools import pairwise
from typing import Any
from uuid import UUID

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from adapters.postgres.database import Database
from aggregates.account import Account
from aggregates.account.messages import MessageSent
from aggregates.account.payments import PaymentReceived, PaymentReversed, PaymentReversedInPart, ReversalWithdrawn
from aggregates.kernel.event import Recorded
from aggregates.values.aging import STANDARD_BUCKETS
from projections.account_history import AccountHistoryProjection
from projections.agenda.queries import set_clock
from projections.collections_report import CollectionsReportProjection
from projections.ledger import LedgerProjection
from projections.questions import CollectionsRow, collections, statement
from tests.builders import ACCOUNT, DAY, MAR
from tests.given import World
from tests.policies.test_nobody_is_chased_who import LIVES, DayOfLife, Life
from tests.projections.conftest import ReadModels

PROJECTIONS = (CollectionsReportProjection, LedgerProjection, AccountHistoryProjection)
_IN_ORDER = "SELECT row_to_json(history)::text FROM read_model.account_history AS history ORDER BY position"
MOST_PAYMENTS = 5
"""So many are remembered for the day on which the latest one is taken back."""


class Told:
    """What was recorded of the account up to an event: the account's own state, and a few days noted beside it."""

    def __init__(self) -> None:
        self.account = Account.blank(ACCOUNT, whole=True)
        self.sent: list[date] = []
        self.payments: dict[UUID, date] = {}

    def hear(self, recorded: Recorded) -> None:
        self.account.fold([recorded])
        match recorded.event:
            case MessageSent(sent_on=day):
                self.sent.append(day)
            case PaymentReceived(receipt=receipt):
                self.payments[receipt.id] = receipt.received_on
            case PaymentReversed(receipt=receipt):
                self.payments.pop(receipt.id)
            case PaymentReversedInPart(receipt=receipt, remaining=remaining) if not remaining:
                self.payments.pop(receipt.id)
            case ReversalWithdrawn(receipt=receipt):
                self.payments[receipt.id] = receipt.received_on

    def said(self) -> dict[str, Any]:
        account, chase = self.account, self.account.chase
        step, review_at = chase.scheduled, chase.review_at
        return {
            "stage": chase.stage,
            "why": chase.why,
            "flags": sorted(account.flags.carried),
            "next_action": step.title if step else "Review" if review_at else None,
            "next_action_at": step.due_at if step else review_at,
            "last_payment_on": max(self.payments.values(), default=None),
            "last_contact_on": max(self.sent, default=None),
            "open_promises": len(account.promises.open),
            "broken_promises": account.promises.broken,
        }

    def shows(self) -> tuple[object, ...]:
        """Everything that the history keeps."""
        account = self.account
        disputed = sorted(
            (item_id, part.minor if part else 0)
            for dispute in account.receivables.disputes.values()
            for item_id in dispute.item_ids
            for part in (dispute.amounts.get(item_id),)
        )
        more = (account.chase.campaign_id, account.chase.plan_version, account.exclusion.current is not None,
                any(each.item_ids is None for each in account.holds.in_force.values()), disputed)  # fmt: skip
        return (*map(str, self.said().values()), *map(str, more))


def lived(life: list[DayOfLife]) -> World:
    """The last day has a tick: ages are of that day."""
    customer = Life()
    for day in [*life, DayOfLife()]:
        customer.spend(day)
    return customer.world


@pytest.fixture(scope="module")
def shared(postgres, migrated_template) -> Iterator[ReadModels]:
    name = postgres.create(template=migrated_template)
    with Database(postgres.dsn_of(name)) as database, database.connect() as connection:
        models = ReadModels(connection)
        models.build([], projections=PROJECTIONS)
        yield models
    postgres.drop(name)


def tell(models: ReadModels, log: list[Recorded], batch: int = 1_000) -> None:
    for make in PROJECTIONS:
        projection = make()
        models.empty(projection)
        models.connection.execute("SELECT set_config('search_path', %s, true)", [f"read_{make.name}_1"])
        for start in range(0, len(log), batch):
            models.write(projection, log[start : start + batch])


def in_report(models: ReadModels, today: date, **asked: Any) -> CollectionsRow | None:
    rows = collections(models.connection, today=today, scheme=STANDARD_BUCKETS, **asked).rows
    assert len(rows) <= 1
    return rows[0] if rows else None


def local_day(world: World, moment: datetime) -> date:
    return moment.astimezone(world.zone).date()


@settings(max_examples=20, deadline=None, suppress_health_check=list(HealthCheck))
@given(life=LIVES, batch=st.integers(1, 60))
def test_a_past_day_is_as_it_was_recorded_and_today_is_the_same_either_way(
    shared: ReadModels, life: list[DayOfLife], batch: int
):
    world = lived(life)
    last = world.today - DAY
    tell(shared, world.log, batch)
    set_clock(shared.connection, world.at(last, 22))
    told, waiting, day = Told(), list(world.log), MAR(2)
    while day <= last:
        while waiting and local_day(world, waiting[0].recorded_at) <= day:
            recorded = waiting.pop(0)
            if recorded.aggregate_id == ACCOUNT:
                told.hear(recorded)
        expected = told.said()
        then = statement(shared.connection, ACCOUNT, as_of=day, scheme=STANDARD_BUCKETS)
        if len(told.payments) > MOST_PAYMENTS:
            expected["last_payment_on"] = then.row.last_payment_on
        assert {name: getattr(then.row, name) for name in expected} == expected, day
        opened = told.account.disputes.open.values()
        disputed = {item for dispute in opened for item in dispute.item_ids}
        parts = {part.item_id: part.amount.decimal() for dispute in opened for part in dispute.parts or ()}
        assert {item.item_id for item in then.items if item.disputed} == disputed & {i.item_id for i in then.items}
        for item in then.items:
            whole = item.open if item.disputed else 0
            assert item.disputed_amount == min(whole, parts.get(item.item_id, whole))
        assert then.row.disputed == sum(item.disputed_amount for item in then.items)
        assert then.row.past_due == sum(item.open for item in then.items if item.days_past_due > 0)
        assert (then.row.outstanding, then.row.items) == (sum(item.open for item in then.items), len(then.items))
        row = in_report(shared, last + DAY, as_of=day)
        assert row == (then.row if then.row.outstanding or then.row.unapplied else None)
        day += timedelta(days=1)
    assert in_report(shared, last) == in_report(shared, last, known_on=last)


@settings(max_examples=20, deadline=None, suppress_health_check=list(HealthCheck))
@given(life=LIVES, batch=st.integers(1, 60), back=st.integers(0, 40))
def test_the_history_has_a_row_for_each_event_that_changed_something_and_none_for_others(
    shared: ReadModels, life: list[DayOfLife], batch: int, back: int
):
    world = lived(life)
    log = world.log
    tell(shared, log, batch)
    told, changed = Told(), []
    before = told.shows()
    for recorded in log:
        if recorded.aggregate_id == ACCOUNT:
            told.hear(recorded)
            if told.shows() != before:
                before = told.shows()
                changed.append(recorded.position)
    rows = shared.rows("account_history")
    if sum(isinstance(recorded.event, PaymentReceived) for recorded in log) <= MOST_PAYMENTS:
        written = shared.column("SELECT position FROM read_model.account_history ORDER BY position")
        assert set(changed) <= set(written)
    states = [{**json.loads(row), "position": None, "recorded_at": None} for row in shared.column(_IN_ORDER)]
    assert all(state != before for before, state in pairwise(states))
    tell(shared, [])
    for start in range(0, len(log), batch):
        again = max(0, start - back)
        for chunk in (log[start : start + batch], log[again : again + batch // 2 + 1]):
            shared.write(AccountHistoryProjection(), chunk)
    assert shared.rows("account_history") == rows
