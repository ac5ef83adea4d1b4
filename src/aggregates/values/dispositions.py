"""How contacts end: what an office calls it, what it means for the contact rules, and what follows by default."""

from collections.abc import Mapping
from enum import StrEnum
from types import MappingProxyType

from pydantic import Field

from aggregates.kernel.value import Value
from aggregates.values.codes import Code


class ContactResult(StrEnum):
    """What became of an attempt. A call to a number that is busy or not in service did not connect, and counts for no
    limit of calls (12 CFR 1006.14(b)(3)(ii)); one that rang out or met a voicemail did."""

    ANSWERED = "answered"
    RANG_OUT = "rang-out"
    VOICEMAIL_WITH_MESSAGE = "voicemail-with-message"
    VOICEMAIL_WITHOUT_MESSAGE = "voicemail-without-message"
    BUSY = "busy"
    NOT_IN_SERVICE = "not-in-service"
    FAILED = "failed"
    DELIVERED = "delivered"
    UNDELIVERED = "undelivered"


NOT_CONNECTED = frozenset({ContactResult.BUSY, ContactResult.NOT_IN_SERVICE, ContactResult.FAILED})


class DispositionDefinition(Value):
    """What an office means by a disposition."""

    title: str = Field(min_length=1, max_length=100)
    result: ContactResult
    conversation: bool = False
    """The debt was spoken about with the customer."""
    right_party: bool = False
    """The customer was reached, not somebody else."""
    notes_required: bool = False
    retires_number: bool = False
    """The number turned out to be somebody else's or nobody's: it is used no more."""
    follow_up_days: int | None = Field(None, ge=0, le=365)
    """When to come back to it, where nobody says otherwise."""


class Outcome(Value):
    """How one contact ended, by the office's definition of that day."""

    title: str
    result: ContactResult
    conversation: bool
    right_party: bool

    @classmethod
    def of(cls, definition: DispositionDefinition) -> "Outcome":
        return cls(
            title=definition.title,
            result=definition.result,
            conversation=definition.conversation,
            right_party=definition.right_party,
        )

    @property
    def is_connected(self) -> bool:
        return self.result not in NOT_CONNECTED

    @property
    def is_message(self) -> bool:
        return self.result is ContactResult.VOICEMAIL_WITH_MESSAGE


Dispositions = Mapping[Code, DispositionDefinition]


def _defined(title: str, result: ContactResult, **more: bool | int) -> DispositionDefinition:
    return DispositionDefinition.model_validate({"title": title, "result": result, **more})


STANDARD_DISPOSITIONS: Dispositions = MappingProxyType(
    {
        "no-answer": _defined("No Answer", ContactResult.RANG_OUT),
        "left-message": _defined("Left Message", ContactResult.VOICEMAIL_WITH_MESSAGE),
        "voicemail-without-message": _defined("Voicemail without Message", ContactResult.VOICEMAIL_WITHOUT_MESSAGE),
        "spoke-to-customer": _defined("Spoke to Customer", ContactResult.ANSWERED, conversation=True, right_party=True),
        "spoke-to-third-party": _defined("Spoke to Third Party", ContactResult.ANSWERED),
        "refused": _defined(
            "Refused", ContactResult.ANSWERED, conversation=True, right_party=True, notes_required=True
        ),
        "call-back": _defined(
            "Call Back Later", ContactResult.ANSWERED, conversation=True, right_party=True, follow_up_days=7
        ),
        "wrong-number": _defined("Wrong Number", ContactResult.ANSWERED, retires_number=True),
        "busy": _defined("Busy", ContactResult.BUSY),
        "not-in-service": _defined("Not in Service", ContactResult.NOT_IN_SERVICE, retires_number=True),
        "not-connected": _defined("Not Connected", ContactResult.FAILED),
        "delivered": _defined("Delivered", ContactResult.DELIVERED),
        "undelivered": _defined("Undelivered", ContactResult.UNDELIVERED),
    }
)
"""What every office has until it says otherwise."""
