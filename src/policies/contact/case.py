"""What a contact is judged by: the debtor, who collects, what happened before, and the contact that is asked about.

Plain values without an account behind them: from an account's history, from a case that an auditor wrote down, or from
a test. Numbers are in E.164 and addresses in one spelling; times are UTC.
"""

from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from enum import StrEnum

from aggregates.values.contact_record import (
    DebtType,
    Entry,
    Kind,
    Medium,
    Place,
    Purpose,
    Recipient,
    Role,
    RuleSetting,
)
from aggregates.values.contact_record import RuleSettings as Settings
from policies.contact.places import STATES, US

__all__ = [
    "Asked",
    "DebtType",
    "Debtor",
    "Entry",
    "Flag",
    "Kind",
    "Medium",
    "Phone",
    "Place",
    "Purpose",
    "Recipient",
    "Role",
    "RuleSetting",
    "Settings",
    "VoicemailPart",
]


class Flag(StrEnum):
    """What stands on the debtor without a date: in force at every moment."""

    CEASE = "cease"
    CEASE_CONTACT = "cease-contact"
    ATTORNEY = "attorney"
    BANKRUPTCY = "bankruptcy"
    DECEASED = "deceased"
    DISPUTE = "dispute"


class VoicemailPart(StrEnum):
    """What a voicemail says (12 CFR 1006.2(j))."""

    BUSINESS_NAME = "business-name"
    REPLY_REQUEST = "reply-request"
    PERSON_NAME = "person-name"
    TELEPHONE_NUMBER = "telephone-number"
    GREETING = "greeting"
    DATE_AND_TIME = "date-and-time"
    REPLY_TIMES = "reply-times"
    COLLECTION_BUSINESS_NAME = "collection-business-name"
    """A business name that indicates collection."""
    OTHER = "other"


@dataclass(frozen=True, slots=True)
class Phone:
    number: str
    place: Place | None = None
    """None: not known."""


@dataclass(frozen=True, slots=True)
class Debtor:
    """`amount` and `entered_on` (when the debt was entered, renewed, sold or assigned) decide where California's
    statute covers commercial debt; unknown, it is taken to be covered."""

    state: str | None = None
    zip_code: str | None = None
    city: str | None = None
    country: str = US
    phones: tuple[Phone, ...] = ()
    debt_type: DebtType = DebtType.CONSUMER
    flags: frozenset[Flag] = frozenset()
    other_states: frozenset[str] = frozenset()
    """Where other addresses of the debtor are."""
    time_zones: tuple[str, ...] = ()
    """Where the debtor is known to be, besides what address and numbers indicate."""
    amount: Decimal | None = None
    """US dollars."""
    entered_on: date | None = None

    def __post_init__(self) -> None:
        if self.country == US and self.state is not None and self.state not in STATES:
            raise ValueError("state: expected the code of a state, district or territory of the US, such as HI")


@dataclass(frozen=True, slots=True)
class Asked:
    """The contact that is about to be made; outbound. `debts` empty: about any of them."""

    at: datetime
    channel: Medium
    debts: tuple[str, ...] = ()
    person: str | None = None
    to: str | None = None
    recipient: Recipient = Recipient.CONSUMER
    place: Place | None = None
    purpose: Purpose = Purpose.COLLECTION
    is_prerecorded: bool = False
    has_opt_out: bool = True
    """A simple way to opt out is in it."""
    voicemail: tuple[VoicemailPart, ...] | None = None
    """The parts of a voicemail that is meant to be a limited-content message."""
    can_be_kept: bool = True
    is_about_undisputed_part: bool = False
    has_offer: bool = False
    """Something is offered for sale in it."""
