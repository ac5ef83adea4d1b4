"""What is kept of contacts and of what was said about them: the entries of a history that contact rules look at.

Plain values, the same whether they come from an account, from a case that an auditor wrote down, or from a test.
Numbers are in E.164 and addresses in one spelling; times are UTC.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum


class Medium(StrEnum):
    CALL = "call"
    SMS = "sms"
    EMAIL = "email"
    LETTER = "letter"
    PORTAL = "portal"


class Role(StrEnum):
    """Who collects: the creditor in their own name, or somebody for them."""

    FIRST_PARTY = "first_party"
    THIRD_PARTY = "third_party"


class DebtType(StrEnum):
    CONSUMER = "consumer"
    COMMERCIAL = "commercial"
    COMMERCIAL_NATURAL_PERSON = "commercial-natural-person"
    """Commercial debt that a natural person owes or guarantees."""


class Place(StrEnum):
    """Where a number rings, or whose an e-mail address is."""

    HOME = "home"
    MOBILE = "mobile"
    WORK = "work"
    OTHER = "other"


class Recipient(StrEnum):
    CONSUMER = "consumer"
    ATTORNEY = "attorney"
    """Of the debtor."""
    CREDITOR = "creditor"


class Purpose(StrEnum):
    """What a contact is for."""

    COLLECTION = "collection"
    CONSENT_REQUEST = "consent-request"
    """One message that only asks for consent to further ones."""
    OPT_OUT_CONFIRMATION = "opt-out-confirmation"
    VALIDATION_NOTICE = "validation-notice"
    VERIFICATION = "verification"
    """The answer to a dispute."""
    EFFORTS_END = "efforts-end"
    REMEDY_NOTICE = "remedy-notice"
    """A remedy may be, or is, invoked."""


class Kind(StrEnum):
    """What an entry of the history is about."""

    CONTACT = "contact"
    CONSENT = "consent"
    CALL_CONSENT = "call-consent"
    HOURS_CONSENT = "hours-consent"
    ESIGN_CONSENT = "esign-consent"
    OPT_OUT = "opt-out"
    REVOCATION = "revocation"
    CEASE = "cease"
    ATTORNEY = "attorney"
    ATTORNEY_CONSENT = "attorney-consent"
    ATTORNEY_SILENT = "attorney-silent"
    BANKRUPTCY = "bankruptcy"
    DECEASED = "deceased"
    WRONG_NUMBER = "wrong-number"
    DISPUTE = "dispute"
    VERIFICATION = "verification"
    PLACEMENT = "placement"
    VALIDATION_NOTICE = "validation-notice"
    REASSIGNMENT_CHECK = "reassignment-check"
    EMAIL_NOTICE = "email-notice"
    PRIOR_COLLECTOR = "prior-collector"
    WITHDRAWN = "withdrawn"


# Not frozen, which would make it five times slower to make: an account makes one for each of its contacts at each load.
@dataclass(slots=True)
class Entry:
    """One thing that happened; never changed. Which fields say something depends on the kind.

    `debts` empty: about every debt. `person` None: the debtor. `to` is the number or e-mail address that it is about,
    None where none is named.
    """

    at: datetime
    kind: Kind = Kind.CONTACT
    channel: Medium | None = None
    is_inbound: bool = False
    is_connected: bool = True
    """A call: to the dialled number; rang out, voicemail and answered are, busy and not in service are not."""
    is_conversation: bool = False
    debts: tuple[str, ...] = ()
    person: str | None = None
    to: str | None = None
    recipient: Recipient = Recipient.CONSUMER
    place: Place | None = None
    is_prerecorded: bool = False
    is_message: bool = False
    """A call: a message was left on a voicemail."""
    is_limited_content: bool = False
    """And it was no more than a limited-content message: an attempt, no communication."""
    purpose: Purpose = Purpose.COLLECTION
    words: str | None = None
    is_written: bool = True
    is_refusal_to_pay: bool = False
    is_clear: bool = True
    is_reassigned: bool = False
    withdraws: Kind | None = None


@dataclass(frozen=True, slots=True)
class RuleSetting:
    """What an office says of a rule that is a setting."""

    is_on: bool | None = None
    figures: Mapping[str, int] = field(default_factory=dict)


RuleSettings = Mapping[str, RuleSetting]
"""By rule id; what is not said is as the table has it."""
