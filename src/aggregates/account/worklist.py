"""What people do with the worklist: put an item off for a while, or give it to somebody else.

An item is a follow-up, a contact that nobody documented, a case or an uncertain message of the account, and has its id.
It ends with what it is about; nobody takes it off the list by itself.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar
from uuid import UUID

from pydantic import AwareDatetime

from aggregates.account.activities import Activities
from aggregates.account.calls import Calls
from aggregates.account.command import AccountCommand
from aggregates.account.complaints import Complaints
from aggregates.account.disputes import Disputes
from aggregates.account.inbound import Inbound
from aggregates.account.messages import Messages, MessageState
from aggregates.account.part import AccountPart
from aggregates.account.payment_claims import PaymentClaims
from aggregates.kernel.aggregate import Needs, applies, decides
from aggregates.kernel.context import Context
from aggregates.kernel.event import Event
from aggregates.kernel.refusals import Refusal
from aggregates.values.names import Assignee

# --- events ------------------------------------------------------------------------------------------


class WorklistItemSnoozed(Event, name="account.worklist-item-snoozed"):
    """A person put off something that has to be done: the worklist does not show it until then."""

    item_id: UUID
    until: AwareDatetime


class WorklistItemReassigned(Event, name="account.worklist-item-reassigned"):
    """Something that has to be done was given to somebody else, or to nobody: then everybody sees it."""

    item_id: UUID
    previous: str | None = None
    assignee: str | None = None


# --- commands ----------------------------------------------------------------------------------------


class SnoozeWorklistItem(AccountCommand, name="snooze-worklist-item"):
    """Put something on the worklist off until a moment, with a reason."""

    item_id: UUID
    until: AwareDatetime


class ReassignWorklistItem(AccountCommand, name="reassign-worklist-item"):
    """Give something on the worklist to somebody else. Whoever made a contact says themselves how it ended."""

    item_id: UUID
    assignee: Assignee | None = None
    """None: nobody, and everybody sees it."""


# --- decisions ---------------------------------------------------------------------------------------


@dataclass(slots=True)
class Worklist(AccountPart):
    """It keeps nothing itself: items are what other subjects of the account have open."""

    activities: ClassVar = Needs(Activities)
    calls: ClassVar = Needs(Calls)
    complaints: ClassVar = Needs(Complaints)
    disputes: ClassVar = Needs(Disputes)
    inbound: ClassVar = Needs(Inbound)
    messages: ClassVar = Needs(Messages)
    payment_claims: ClassVar = Needs(PaymentClaims)

    @decides(SnoozeWorklistItem)
    def snooze(self, command: SnoozeWorklistItem, context: Context) -> None:
        self._require_item(command.item_id)
        context.require_reason()
        if command.until <= context.now:
            raise Refusal("snooze-past", "until: expected a later moment than now")
        self.emit(WorklistItemSnoozed(item_id=command.item_id, until=command.until))

    @decides(ReassignWorklistItem)
    def reassign(self, command: ReassignWorklistItem, context: Context) -> None:
        self._require_item(command.item_id)
        held = next((held[command.item_id] for held in self._assigned() if command.item_id in held), None)
        if held is None and command.item_id in {*self.activities.undocumented, *self.calls.open}:
            raise Refusal("contact-of-another", "whoever made the contact says how it ended, and nobody else")
        previous = held.assignee if held is not None else None
        if held is None or previous != command.assignee:
            self.emit(WorklistItemReassigned(item_id=command.item_id, previous=previous, assignee=command.assignee))

    def _assigned(self) -> tuple[dict[UUID, Any], ...]:
        """What has an assignee."""
        return (
            self.activities.follow_ups,
            self.complaints.open,
            self.disputes.open,
            self.payment_claims.open,
        )

    def _require_item(self, item_id: UUID) -> None:
        self.require_account()
        others: tuple[Mapping[UUID, Any], ...] = (self.activities.undocumented, self.calls.open, self.inbound.to_read)
        message = self.messages.under_way.get(item_id)
        is_uncertain = message is not None and message.state is MessageState.UNCERTAIN
        if not is_uncertain and not any(item_id in held for held in (*self._assigned(), *others)):
            raise Refusal("unknown-worklist-item", "nothing with this id has to be done about the account")

    # --- apply ---

    @applies(WorklistItemSnoozed)
    def _snoozed(self, event: WorklistItemSnoozed) -> None:
        """Only the worklist goes by it."""

    @applies(WorklistItemReassigned)
    def _reassigned(self, event: WorklistItemReassigned) -> None:
        for held in self._assigned():
            if event.item_id in held:
                held[event.item_id] = held[event.item_id].model_copy(update={"assignee": event.assignee})
