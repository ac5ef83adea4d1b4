"""The table of policies and the agenda: what is asked for, by whom, under which id."""

from dataclasses import replace
from datetime import UTC, datetime
from uuid import UUID

import pytest

from aggregates import promise
from aggregates.account.activities import ActivityRecorded, FollowUpCompleted, FollowUpFellDue, RecordActivity
from aggregates.account.aging import AgeAccount
from aggregates.account.allocation import AllocationDecided, AllocationDue
from aggregates.account.attachments import AttachmentAdded, AttachmentRemoved
from aggregates.account.bulk import BulkActionApplied, BulkActionUndone
from aggregates.account.calls import CallRefused, CallStarted
from aggregates.account.chase import (
    JudgeCollection,
    ReviewScheduled,
    StageChanged,
    StepScheduled,
    StepsPassedOver,
    StepUnscheduled,
)
from aggregates.account.collections_stage import CollectionsStageChanged
from aggregates.account.complaints import ComplaintOverdue
from aggregates.account.contact import ConsentRecorded, OptedIn, OptedOut, PointRefused, WishesShared
from aggregates.account.customer import (
    AccountOpened,
    CustomerNumberChanged,
    CustomerParted,
    CustomerShared,
    SubscriptionRecorded,
)
from aggregates.account.deferred import FactArrived, FactDeferred, FactWithdrawn
from aggregates.account.dialling import CallDialled, CallNotPlaced, CallOver, CallPlaced
from aggregates.account.disputes import DisputeOverdue
from aggregates.account.exclusion import Excluded, ExclusionLifted
from aggregates.account.fees import FeeGroundRecorded
from aggregates.account.freezing import SubscriptionsFrozen, SubscriptionsUnfrozen
from aggregates.account.inbound import ReceiptRecorded
from aggregates.account.legal import LegalCaseNoted
from aggregates.account.messages import (
    ContactRefused,
    MessageDispatched,
    MessageFailed,
    MessageQueued,
    MessageResolved,
    MessageSent,
    MessageUncertain,
    MessageWithdrawn,
    MessageWritten,
)
from aggregates.account.placement import AgencyPaymentPosted, PlacementAcknowledged, PlacementAdjusted, PlacementSent
from aggregates.account.worklist import WorklistItemReassigned, WorklistItemSnoozed
from aggregates.account.write_offs import WriteOffReversed
from aggregates.kernel.command import COMMANDS, identifier
from aggregates.kernel.event import REGISTRY, Meta, Recorded
from policies.agenda import AGENDA
from policies.policy import EveryAccount, PolicyName
from policies.table import POLICIES, task_after
from tests.builders import ACCOUNT, MAR, a_campaign, a_payment, a_promise, an_invoice, usd
from tests.given import given_auto_collection, live

CAUSE = identifier("cause")

# Nothing that the rules look at: bookkeeping of auto-collection itself, or facts that are followed by others.
NOT_JUDGED = {
    AgencyPaymentPosted,
    PlacementAcknowledged,
    PlacementAdjusted,
    PlacementSent,
    AccountOpened,
    ActivityRecorded,
    AllocationDecided,
    AllocationDue,
    AttachmentAdded,
    AttachmentRemoved,
    CallDialled,
    CallNotPlaced,
    CallOver,
    CallPlaced,
    CallRefused,
    CallStarted,
    FeeGroundRecorded,
    WorklistItemReassigned,
    WorklistItemSnoozed,
    WriteOffReversed,
    BulkActionApplied,
    BulkActionUndone,
    CollectionsStageChanged,
    ConsentRecorded,
    ContactRefused,
    ComplaintOverdue,
    CustomerNumberChanged,
    CustomerParted,
    CustomerShared,
    DisputeOverdue,
    FactArrived,
    FactDeferred,
    FactWithdrawn,
    FollowUpCompleted,
    FollowUpFellDue,
    LegalCaseNoted,
    MessageWritten,
    OptedIn,
    OptedOut,
    PointRefused,
    SubscriptionRecorded,
    SubscriptionsFrozen,
    SubscriptionsUnfrozen,
    WishesShared,
    ReceiptRecorded,
}
# Decided together with a judgement.
JUDGED_AT_ONCE = {
    Excluded,
    ExclusionLifted,
    MessageDispatched,
    MessageFailed,
    MessageQueued,
    MessageResolved,
    MessageSent,
    MessageUncertain,
    MessageWithdrawn,
    ReviewScheduled,
    StageChanged,
    StepScheduled,
    StepUnscheduled,
    StepsPassedOver,
}


def test_every_event_of_an_account_is_judged_or_known_to_need_no_judgement():
    """A new event has to be put into one of the three sets."""
    of_account = {event for event in map(REGISTRY.current, REGISTRY.names()) if event.event_name.startswith("account.")}
    judged = {e for policy in POLICIES if policy.id == "auto-collection" for e in policy.listens} & of_account
    assert not judged & NOT_JUDGED
    assert of_account == judged | NOT_JUDGED | JUDGED_AT_ONCE


@pytest.mark.parametrize(
    ("said", "assignee"),
    [(None, None), ("", None), (" \u200b", None), (" kim ", "kim"), ("k\u202eim", "kim"), ("x" * 120, "x" * 100)],
)
def test_a_task_goes_to_whoever_was_named_before_names_had_to_be_readable(said: str | None, assignee: str | None):
    recorded = Recorded(
        aggregate_id=ACCOUNT,
        version=1,
        event_id=CAUSE,
        account_id=ACCOUNT,
        effective_on=MAR(10),
        recorded_at=datetime(2026, 3, 10, 12, tzinfo=UTC),
        event=ComplaintOverdue(complaint_id=CAUSE, answer_by=MAR(9), assignee=said),
        meta=Meta(actor="service:clock", command_id=CAUSE, correlation_id=CAUSE),
    )
    [task] = task_after(recorded)
    assert isinstance(task, RecordActivity)
    assert task.assignee == assignee


def test_reactions_to_one_event_have_ids_of_their_own():
    """Two policies, or two reactions of one, never share a command id: the second would be taken for a repeat."""
    scenario = given_auto_collection(
        a_campaign(), an_invoice(due_on=MAR(2)), live(MAR(6)),
        a_promise(usd(40), due_on=MAR(9)), a_promise(usd(60), due_on=MAR(9), promise_id=identifier("two")),
        a_payment(usd(100), on=MAR(7)),
    )  # fmt: skip
    ids: dict[UUID, object] = {}
    for recorded in scenario.world.log:
        for policy in POLICIES:
            if type(recorded.event) in policy.listens:
                for ordinal, reaction in enumerate(policy.reactions(recorded)):
                    if not isinstance(reaction, EveryAccount):
                        command_id = policy.command_id(recorded.event_id, ordinal)
                        assert command_id not in ids, (reaction, ids[command_id])
                        ids[command_id] = reaction


def test_a_newer_version_of_a_policy_repeats_nothing():
    [first, *_] = POLICIES
    newer = replace(first, name=PolicyName(first.name.id, first.name.version + 1))
    assert newer.command_id(CAUSE, 0) == first.command_id(CAUSE, 0)
    assert newer.actor != first.actor


def test_what_a_policy_causes_names_it_and_its_version():
    scenario = given_auto_collection(a_campaign(), an_invoice(due_on=MAR(2)), live(MAR(3)))
    actors = {r.meta.actor for r in scenario.world.log if isinstance(r.event, StageChanged)}
    assert actors == {"policy:auto-collection@1"}


def test_settings_fan_out_to_every_account():
    reactions = [
        r for p in POLICIES for e in p.listens if e.event_name.startswith(("office.", "campaign.")) for r in [p]
    ]
    assert {p.id for p in reactions} == {"aging", "auto-collection"}


def test_a_policy_has_one_version():
    """Whether it answers for events, for the agenda or for both."""
    names = {policy.name for policy in POLICIES} | {kind.policy for kind in AGENDA}
    assert len({name.id for name in names}) == len(names)


def test_what_policies_ask_for_are_commands():
    for command in (AgeAccount, JudgeCollection, promise.CountPayment, promise.TakePaymentBack):
        assert COMMANDS[command.command_name] is command
