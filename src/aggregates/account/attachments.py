"""Attachments: files that belong to the account, or to one of its cases. The bytes are elsewhere, encrypted."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import date
from enum import StrEnum
from typing import ClassVar
from uuid import UUID

from pydantic import Field

from aggregates.account.command import AccountCommand
from aggregates.account.disputes import Disputes
from aggregates.account.legal import LegalCases
from aggregates.account.messages import MessageWritten
from aggregates.account.part import AccountPart
from aggregates.account.payment_claims import PaymentClaims
from aggregates.kernel.aggregate import Needs, applies, decides
from aggregates.kernel.context import Context
from aggregates.kernel.event import Event
from aggregates.kernel.personal import Personal
from aggregates.kernel.refusals import Refusal
from aggregates.kernel.value import Value
from aggregates.values.attachments import (
    FILE_TYPES,
    MOST_BYTES_OF_MESSAGE,
    MOST_OF_ACCOUNT,
    MOST_OF_MESSAGE,
    PDF,
    AttachedFile,
    FileName,
    Sha256,
    bytes_of,
)
from aggregates.values.contact import Channel

# --- values ------------------------------------------------------------------------------------------


class CaseKind(StrEnum):
    """What of an account an attachment may be about."""

    DISPUTE = "dispute"
    CLAIM = "claim"
    LEGAL = "legal"


class Case(Value):
    """A dispute, a payment claim or a legal case of the account."""

    kind: CaseKind
    id: UUID


class KeptFile(AttachedFile):
    """An attachment that was not removed."""

    about: Case | None
    added_on: date
    added_by: str


class RemovedFile(Value):
    """What is left of an attachment that was removed."""

    sha256: str
    removed_on: date


CARRIED: dict[Channel, frozenset[str]] = {Channel.EMAIL: frozenset(FILE_TYPES), Channel.LETTER: frozenset({PDF})}
"""Which types a message over each channel takes with it: a letter has further pages printed behind it."""

# --- events ------------------------------------------------------------------------------------------


class AttachmentAdded(Event, name="account.attachment-added"):
    """A file is kept with the account. Its bytes are in the store of attachments, encrypted under the account's key."""

    attachment_id: UUID
    file_name: Personal
    media_type: str
    size: int
    """Bytes."""
    sha256: str
    """Of the content."""
    about: Case | None
    """The case that it belongs to; None: the account."""
    added_on: date
    """The office's local date."""
    added_by: str


class AttachmentRemoved(Event, name="account.attachment-removed"):
    """The file is not shown any more, and its bytes are cleared later, unless a message took them with it."""

    attachment_id: UUID
    sha256: str
    removed_on: date
    """The office's local date."""


# --- commands ----------------------------------------------------------------------------------------


class AddAttachment(AccountCommand, name="add-attachment", makes="attachment", internal=True):
    """Keep a file with the account. Issued by whoever has put its bytes into the store, and looked at them."""

    file_name: FileName
    media_type: str
    size: int = Field(gt=0)
    sha256: Sha256
    about: Case | None = None


class RemoveAttachment(AccountCommand, name="remove-attachment"):
    """Take a file off the account. Its bytes are cleared later, unless a message took them with it."""

    attachment_id: UUID


# --- decisions ---------------------------------------------------------------------------------------


@dataclass(slots=True)
class Attachments(AccountPart):
    """Files of the account."""

    kept: dict[UUID, KeptFile] = field(default_factory=dict)
    removed: dict[UUID, RemovedFile] = field(default_factory=dict)
    sent: list[str] = field(default_factory=list)
    """Digests of what messages took with them: what somebody was sent is kept, whatever is removed."""

    disputes: ClassVar = Needs(Disputes)
    payment_claims: ClassVar = Needs(PaymentClaims)
    legal_cases: ClassVar = Needs(LegalCases)

    @decides(AddAttachment)
    def add(self, command: AddAttachment, context: Context) -> None:
        self.require_account()
        if command.media_type not in FILE_TYPES:
            raise Refusal("attachment-type", f"media_type: expected one of {', '.join(FILE_TYPES)}")
        if command.about is not None:
            self._require_open(command.about)
        if len(self.kept) + len(self.removed) >= MOST_OF_ACCOUNT:
            raise Refusal("too-many-attachments", f"an account has at most {MOST_OF_ACCOUNT:,} attachments")
        self.emit(
            AttachmentAdded(
                attachment_id=command.made_id(context.command_id),
                file_name=command.file_name,
                media_type=command.media_type,
                size=command.size,
                sha256=command.sha256,
                about=command.about,
                added_on=context.today,
                added_by=str(context.actor),
            )
        )

    def _require_open(self, case: Case) -> None:
        match case.kind:
            case CaseKind.DISPUTE if case.id not in self.disputes.open:
                raise Refusal("unknown-dispute", "about: no such dispute is open")
            case CaseKind.CLAIM if case.id not in self.payment_claims.open:
                raise Refusal("unknown-payment-claim", "about: no such payment claim is open")
            case CaseKind.LEGAL if case.id not in self.legal_cases.open:
                raise Refusal("unknown-legal-case", "about: no such legal case is open")

    @decides(RemoveAttachment)
    def remove(self, command: RemoveAttachment, context: Context) -> None:
        self.require_account()
        if command.attachment_id in self.removed:
            return
        file = self.find(command.attachment_id)
        self.emit(AttachmentRemoved(attachment_id=file.id, sha256=file.sha256, removed_on=context.today))

    def find(self, attachment_id: UUID) -> KeptFile:
        """Refuses what is not kept."""
        if attachment_id not in self.kept:
            raise Refusal("unknown-attachment", "the account has no such attachment")
        return self.kept[attachment_id]

    def for_message(self, channel: Channel, attachment_ids: Iterable[UUID]) -> tuple[AttachedFile, ...]:
        """What a message takes with it. Refuses what its channel does not carry, and more than it takes."""
        files = [self.find(each) for each in dict.fromkeys(attachment_ids)]
        require_carried(channel, files)
        return tuple(AttachedFile.model_validate(each.model_dump(include=_FIELDS)) for each in files)

    def needed(self, since: date) -> frozenset[str]:
        """Digests of the bytes that are kept: of attachments that were not removed, or not before a day, and of what
        messages took with them."""
        removed = (each.sha256 for each in self.removed.values() if each.removed_on >= since)
        return frozenset({*(each.sha256 for each in self.kept.values()), *removed, *self.sent})

    # --- apply ---

    @applies(AttachmentAdded)
    def _added(self, event: AttachmentAdded) -> None:
        self.kept[event.attachment_id] = KeptFile(
            id=event.attachment_id,
            name=event.file_name,
            media_type=event.media_type,
            size=event.size,
            sha256=event.sha256,
            about=event.about,
            added_on=event.added_on,
            added_by=event.added_by,
        )

    @applies(AttachmentRemoved)
    def _removed(self, event: AttachmentRemoved) -> None:
        self.kept.pop(event.attachment_id)
        self.removed[event.attachment_id] = RemovedFile(sha256=event.sha256, removed_on=event.removed_on)

    @applies(MessageWritten)
    def _written(self, event: MessageWritten) -> None:
        self.sent += [each.sha256 for each in event.attachments or () if each.sha256 not in self.sent]


_FIELDS = set(AttachedFile.model_fields)


def require_carried(channel: Channel, files: Iterable[AttachedFile]) -> None:
    """Refuses what a message over the channel does not take with it."""
    files = list(files)
    if not files:
        return
    types = CARRIED.get(channel)
    if types is None:
        raise Refusal(
            "attachments-not-carried", f"attachments: expected none; only e-mails and letters take files, not {channel}"
        )
    if other := next((each for each in files if each.media_type not in types), None):
        raise Refusal(
            "attachments-not-carried", f"attachments: a letter takes PDF files only, and {other.id} is another"
        )
    if len(files) > MOST_OF_MESSAGE or bytes_of(files) > MOST_BYTES_OF_MESSAGE:
        raise Refusal(
            "too-many-attachments",
            f"attachments: expected at most {MOST_OF_MESSAGE}, of {MOST_BYTES_OF_MESSAGE // 1_000_000} MB in all",
        )
