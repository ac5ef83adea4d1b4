"""A message of somebody whose number or address is no account's: kept until a person says whose it is, or nobody's.

Its text is encrypted under a key of its own, which is destroyed once the message is on an account or is discarded.
"""

from enum import StrEnum
from typing import Annotated, ClassVar
from uuid import UUID

from pydantic import AwareDatetime

from aggregates.account.inbound import Incoming
from aggregates.kernel.aggregate import Aggregate, applies, decides
from aggregates.kernel.command import Command, Target
from aggregates.kernel.context import Context
from aggregates.kernel.event import Event
from aggregates.kernel.personal import Personal
from aggregates.kernel.refusals import Refusal
from aggregates.kernel.value import LATER
from aggregates.values.codes import Code

# --- events ------------------------------------------------------------------------------------------


class UnmatchedReceived(Event, name="unmatched.received"):
    """A message came from a number or address that no account has."""

    channel: Incoming
    sender: Personal
    subject: Personal | None
    body: Personal
    received_at: AwareDatetime
    is_automatic: bool
    source: Code
    source_id: Personal
    names_missing: Annotated[bool | None, LATER] = None
    """True: names and numbers were being filled in, so that nobody knew whose it is. It is looked up again then."""


class UnmatchedAssigned(Event, name="unmatched.assigned"):
    """A person said which account a message is about; it stands there now."""

    account_id: UUID


class UnmatchedDiscarded(Event, name="unmatched.discarded"):
    """A person said that a message is about no account; its text is destroyed."""


# --- commands ----------------------------------------------------------------------------------------


class UnmatchedCommand(Command):
    """A command about a message that no account has."""

    inbound_id: UUID

    def targets(self) -> tuple[Target, ...]:
        return (Target("unmatched", self.inbound_id),)


class KeepUnmatched(UnmatchedCommand, name="keep-unmatched", internal=True):
    """A message came from a number or address that no account has."""

    channel: Incoming
    sender: Personal
    subject: Personal | None = None
    text: Personal
    received_at: AwareDatetime
    is_automatic: bool = False
    source: Code
    source_id: Personal
    names_missing: bool | None = None


class SettleUnmatched(UnmatchedCommand, name="settle-unmatched", internal=True):
    """A message is on an account now, or (None) is about no account."""

    account_id: UUID | None


# --- decisions ---------------------------------------------------------------------------------------


class UnmatchedState(StrEnum):
    UNMATCHED = "unmatched"
    ASSIGNED = "assigned"
    DISCARDED = "discarded"


class UnmatchedMessage(Aggregate):
    """A message of somebody who is not known."""

    kind: ClassVar[str] = "unmatched"

    received: UnmatchedReceived | None = None
    state: UnmatchedState = UnmatchedState.UNMATCHED
    account_id: UUID | None = None

    @property
    def about_account(self) -> UUID:
        """Its own: nobody knows whose account it is about, and its key is destroyed by itself."""
        return self.id

    @decides(KeepUnmatched)
    def keep(self, command: KeepUnmatched, context: Context) -> None:
        del context
        if not self.exists:
            said = command.model_dump(exclude={"inbound_id", "text"})
            self.emit(UnmatchedReceived.model_validate({**said, "body": command.text}))

    @decides(SettleUnmatched)
    def settle(self, command: SettleUnmatched, context: Context) -> None:
        del context
        if not self.exists:
            raise Refusal("unknown-unmatched-message", "there is no such message")
        if self.state is UnmatchedState.UNMATCHED:
            self.emit(
                UnmatchedDiscarded() if command.account_id is None else UnmatchedAssigned(account_id=command.account_id)
            )
        elif self.account_id != command.account_id:
            raise Refusal("settled-already", f"the message is {self.state}")

    @applies(UnmatchedReceived)
    def _received(self, event: UnmatchedReceived) -> None:
        self.received = event

    @applies(UnmatchedAssigned)
    def _assigned(self, event: UnmatchedAssigned) -> None:
        self.state, self.account_id = UnmatchedState.ASSIGNED, event.account_id

    @applies(UnmatchedDiscarded)
    def _discarded(self, event: UnmatchedDiscarded) -> None:
        self.state = UnmatchedState.DISCARDED
