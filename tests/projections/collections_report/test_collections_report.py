"""The collections report: one row per account, kept by events."""

from collections.abc import Callable, Iterator
from typing import Any
from uuid import UUID

import pytest
from psycopg.rows import dict_row

from adapters.postgres.database import Database
from adapters.readers.projections import Projections
from aggregates.account.activities import ActivityKind, ActivityRecorded, Direction
from aggregates.account.chase import ReviewScheduled, Stage, StepUnscheduled
from aggregates.account.customer import CustomerKind, CustomerRenamed
from aggregates.account.disputes import DisputedPart, DisputeOpened, DisputeResolved
from aggregates.account.exclusion import Excluded, ExclusionLifted
from aggregates.account.flags import FlagCleared, FlagSet
from aggregates.account.holds import HoldPlaced, HoldReleased
from aggregates.account.promises import PromiseClosed, PromiseRegistered
from aggregates.account.shields import Why
from aggregates.campaign import CampaignPaused, CampaignRetired
from aggregates.kernel.command import identifier
from aggregates.kernel.event import Event
from projections.collections_report import CollectionsReportProjection
from tests.adapters.readers.builders import (
    CAMPAIGN,
    OFFICE,
    a_campaign,
    a_receipt,
    a_step,
    aged,
    allocated,
    an_item,
    billed,
    corrected,
    day,
    moment,
    opened,
    paid,
    queued,
    released,
    reversed_,
    staged,
    usd,
)
from tests.adapters.readers.log import DAY_ONE, Log

ADA = identifier("account", "ada")
OLD, NEW = an_item("I-1", minor=10_000, due_on=day(-40)), an_item("I-2", minor=2_500, due_on=day(10))

Given = Callable[..., dict[str, Any]]


@pytest.fixture
def projections(database: Database, log: Log) -> Iterator[Projections]:
    projections = Projections(database, log.feed, [CollectionsReportProjection])
    projections.start()
    yield projections
    projections.close()


@pytest.fixture
def given(database: Database, log: Log, projections: Projections) -> Given:
    """Ada's row after these events."""

    def happened(*events: Event, account_id: UUID = ADA) -> dict[str, Any]:
        log.append(account_id, opened(), *events)
        return row(account_id)

    def row(account_id: UUID) -> dict[str, Any]:
        projections.catch_up()
        with database.connect("arrears_app") as connection, connection.cursor(row_factory=dict_row) as cursor:
            found = cursor.execute("SELECT * FROM read_model.collections_report WHERE account_id = %s", [account_id])
            return found.fetchone() or {}

    return happened


def items(database: Database) -> dict[str, dict[str, Any]]:
    with database.connect("arrears_app") as connection, connection.cursor(row_factory=dict_row) as cursor:
        return {row["number"]: row for row in cursor.execute("SELECT * FROM read_model.open_items")}


def test_a_new_account_owes_nothing(given: Given):
    row = given()
    assert (row["balance"], row["outstanding"], row["unapplied"], row["past_due"]) == (0, 0, 0, 0)
    assert (row["buckets"], row["bucket"], row["oldest_due_on"], row["open_items"]) == ({}, "current", None, 0)
    assert (row["stage"], row["flags"], row["collections_stage"]) == (None, [], "not set")
    assert (row["number"], row["office_id"]) == ("A-1", OFFICE)


def test_open_items_add_up_by_bucket(given: Given):
    row = given(billed(OLD), billed(NEW), aged(OLD, "31-60"))
    assert (row["outstanding"], row["past_due"]) == (12_500, 10_000)
    assert row["buckets"] == {"31-60": 10_000, "current": 2_500}
    assert (row["bucket"], row["oldest_due_on"], row["open_items"]) == ("31-60", day(-40), 2)


def test_money_counts_as_unapplied_until_it_is_allocated(given: Given, database: Database):
    receipt = a_receipt(minor=6_000)
    row = given(billed(OLD), paid(receipt))
    assert (row["balance"], row["outstanding"], row["unapplied"]) == (4_000, 10_000, 6_000)
    assert items(database)["I-1"]["open"] == 10_000


def test_an_allocation_lowers_the_item_and_settles_it_at_zero(given: Given, database: Database):
    first, second = a_receipt("P-1", minor=6_000), a_receipt("P-2", minor=5_000)
    row = given(
        billed(OLD),
        billed(NEW),
        aged(OLD, "31-60"),
        paid(first),
        allocated(first, OLD, 6_000, open_after=4_000),
        paid(second),
        allocated(second, OLD, 4_000, open_after=0, left=1_000),
    )
    assert (row["balance"], row["outstanding"], row["unapplied"]) == (1_500, 2_500, 1_000)
    assert (row["buckets"], row["bucket"], row["oldest_due_on"]) == ({"current": 2_500}, "current", day(10))
    assert list(items(database)) == ["I-2"]


def test_a_reversal_opens_the_item_at_its_original_due_date_and_forgets_the_payment(given: Given, database: Database):
    before, gone = a_receipt("P-1", minor=1_000, on=day(-5)), a_receipt("P-2", minor=9_000)
    row = given(
        billed(OLD),
        paid(before),
        allocated(before, OLD, 1_000, open_after=9_000),
        paid(gone),
        allocated(gone, OLD, 9_000, open_after=0),
        released(gone, OLD, 9_000, open_after=9_000),
        reversed_(gone),
    )
    assert (row["balance"], row["outstanding"], row["unapplied"]) == (9_000, 9_000, 0)
    assert (row["oldest_due_on"], row["last_payment_on"], row["last_payment_minor"]) == (day(-40), day(-5), 1_000)
    assert items(database)["I-1"]["bucket"] == "current"


def test_a_corrected_invoice_is_what_it_says_now(given: Given, database: Database):
    less = OLD.model_copy(update={"amount": usd(8_000), "charges": usd(8_000), "due_on": day(3)})
    row = given(billed(OLD), corrected(less, OLD, open_after=8_000))
    assert (row["outstanding"], row["oldest_due_on"]) == (8_000, day(3))
    assert items(database)["I-1"]["amount"] == 8_000


def test_the_row_says_in_which_stage_the_account_is_and_why(given: Given, log: Log):
    log.append(CAMPAIGN, a_campaign("Gentle reminders"))
    row = given(staged(Stage.SCHEDULED))
    assert (row["stage"], row["why_code"], row["why_detail"]) == ("scheduled", "meets-rules", "because of meets-rules")
    assert (row["campaign_id"], row["plan_version"]) == (CAMPAIGN, 1)


def test_the_next_action_is_the_planned_step_else_the_review(given: Given):
    review = ReviewScheduled(review_at=moment(9))
    assert given(a_step(due_at=moment(2)), review, account_id=identifier("a"))["next_action"] == "First reminder"
    sent = given(a_step(due_at=moment(2)), review, queued(), account_id=identifier("b"))
    assert (sent["next_action"], sent["next_action_at"], sent["next_step"]) == ("Review", moment(9), None)
    nothing = given(a_step(), StepUnscheduled(step_id="reminder", why=Why(code="paid", detail="paid")))
    assert (nothing["next_action"], nothing["next_action_at"]) == (None, None)


def test_flags_holds_exclusion_and_promises_come_and_go(given: Given):
    hold, promise = identifier("hold"), identifier("promise")
    registered = PromiseRegistered(promise_id=promise, made_on=day(0), due_on=day(9), amount=usd(1), remaining=usd(1))
    row = given(
        FlagSet(flag="vip"),
        FlagSet(flag="legal"),
        HoldPlaced(hold_id=hold, code="complaint", until=None),
        Excluded(actor="person:ann", excluded_on=DAY_ONE),
        registered,
        registered,
        account_id=identifier("a"),
    )
    assert (row["flags"], row["held"], row["excluded"], row["open_promises"]) == (["legal", "vip"], True, True, 1)
    row = given(
        FlagSet(flag="vip"),
        FlagCleared(flag="vip"),
        HoldPlaced(hold_id=hold, code="complaint", until=None),
        HoldReleased(hold_id=hold),
        Excluded(actor="person:ann", excluded_on=DAY_ONE),
        ExclusionLifted(),
        registered,
        PromiseClosed(promise_id=promise, outcome="broken", broken_promises=1),
    )
    assert (row["flags"], row["held"], row["excluded"]) == ([], False, False)
    assert (row["open_promises"], row["broken_promises"]) == (0, 1)


def test_a_disputed_amount_is_counted_until_the_dispute_is_over(given: Given):
    dispute = identifier("dispute")
    dispute_opened = DisputeOpened(dispute_id=dispute, item_ids=(OLD.id,), reason_code="goods", opened_on=DAY_ONE)
    resolved = DisputeResolved(dispute_id=dispute, item_ids=(OLD.id,), resolution="agreed")
    assert given(billed(OLD), billed(NEW), dispute_opened, account_id=identifier("a"))["disputed"] == 10_000
    assert given(billed(OLD), billed(NEW), dispute_opened, resolved)["disputed"] == 0


def test_of_an_item_that_is_disputed_in_part_at_most_what_is_open_counts(given: Given, database: Database):
    first, second = a_receipt("P-1", minor=9_000), a_receipt("P-2", minor=1_000)
    dispute = DisputeOpened(
        dispute_id=identifier("dispute"), item_ids=(OLD.id, NEW.id), reason_code="goods", opened_on=day(0),
        parts=(DisputedPart(item_id=OLD.id, amount=usd(2_000)),),
    )  # fmt: skip
    history: list[Event] = [billed(OLD), billed(NEW), dispute]
    assert given(*history, account_id=identifier("a"))["disputed"] == 4_500
    assert items(database)["I-1"]["disputed_part"] == 2_000
    history += [paid(first), allocated(first, OLD, 9_000, open_after=1_000)]
    assert given(*history, account_id=identifier("b"))["disputed"] == 3_500
    history += [paid(second), allocated(second, OLD, 1_000, open_after=0)]
    assert given(*history, account_id=identifier("c"))["disputed"] == 2_500
    history += [released(first, OLD, 9_000, open_after=9_000, dispute_id=dispute.dispute_id)]
    assert given(*history, account_id=identifier("d"))["disputed"] == 4_500, "the part is known of a settled item"
    history += [DisputeResolved(dispute_id=dispute.dispute_id, item_ids=dispute.item_ids, resolution="agreed")]
    row = given(*history)
    assert (row["disputed"], sorted(row["memory"])) == (0, ["holds", "payments", "promises"])
    assert items(database)["I-1"]["disputed_part"] is None


def test_the_last_contact_is_a_message_or_a_recorded_one_but_not_a_note(given: Given):
    def activity(kind: ActivityKind) -> ActivityRecorded:
        return ActivityRecorded(activity_id=identifier(kind), kind=kind, direction=Direction.OUTBOUND)

    assert given(activity(ActivityKind.NOTE), account_id=identifier("a"))["last_contact_on"] is None
    assert given(activity(ActivityKind.CALL))["last_contact_on"] == DAY_ONE


def test_a_renamed_customer_keeps_the_row(given: Given):
    renamed = CustomerRenamed(
        customer_name="Ada Lovelace", customer_kind=CustomerKind.CONSUMER, segment="gold", country="GB"
    )
    row = given(renamed)
    assert (row["customer_kind"], row["segment"], row["country"]) == ("consumer", "gold", "GB")


def test_campaigns_are_listed_with_their_pause_and_end(database: Database, log: Log, projections: Projections):
    log.append(
        CAMPAIGN,
        a_campaign(),
        CampaignPaused(office_id=OFFICE, paused_from=moment(0), paused_until=None),
        CampaignRetired(office_id=OFFICE),
    )
    projections.catch_up()
    with database.connect("arrears_app") as connection:
        found = connection.execute("SELECT title, status, paused_from FROM read_model.campaigns").fetchall()
    assert found == [("gentle", "retired", moment(0))]


def test_what_was_remembered_is_read_again_by_the_next_process(database: Database, log: Log, projections: Projections):
    receipt = a_receipt(minor=10_000)
    log.append(ADA, opened(), billed(OLD), billed(NEW), FlagSet(flag="vip"), paid(receipt))
    projections.catch_up()
    projections.close()
    other = Projections(database, log.feed, [CollectionsReportProjection])
    log.append(ADA, allocated(receipt, OLD, 10_000, open_after=0), FlagSet(flag="legal"))
    other.catch_up()
    other.close()
    with database.connect("arrears_app") as connection:
        found = connection.execute(
            "SELECT outstanding, unapplied, flags, last_payment_minor FROM read_model.collections_report"
        )
        assert found.fetchall() == [(2_500, 0, ["legal", "vip"], 10_000)]


def test_poison_on_one_account_leaves_the_others_rows_right(database: Database, log: Log, projections: Projections):
    bob, cid = identifier("account", "bob"), identifier("account", "cid")
    log.append(ADA, opened("A-1"), billed(OLD))
    log.append(bob, opened("A-2"), allocated(a_receipt(minor=1), an_item("never billed"), 1, open_after=5))
    log.append(cid, opened("A-3"), billed(NEW))
    log.append(ADA, paid(a_receipt(minor=1_000)))
    projections.catch_up()
    assert [letter.sequence_id for letter in projections.dead_letters()] == [bob]
    with database.connect("arrears_app") as connection:
        found = connection.execute(
            "SELECT number, balance FROM read_model.collections_report ORDER BY number"
        ).fetchall()
    assert found == [("A-1", 9_000), ("A-2", 0), ("A-3", 2_500)]
