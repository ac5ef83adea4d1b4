"""What carriers' codes say of a number or address: in a refusal at once, and in a report that comes later, alike."""

import re
from collections.abc import Mapping

from aggregates.account.inbound import Receipt

TWILIO: Mapping[str, Receipt] = {
    "13224": Receipt.NOT_IN_SERVICE,  # invalid phone number, of a call
    "21211": Receipt.NOT_IN_SERVICE,  # invalid 'To' number
    "21610": Receipt.HARD_BOUNCED,  # the recipient opted out at Twilio
    "21614": Receipt.HARD_BOUNCED,  # not a mobile number
    "30003": Receipt.SOFT_BOUNCED,  # unreachable handset
    "30004": Receipt.SOFT_BOUNCED,  # message blocked
    "30005": Receipt.NOT_IN_SERVICE,  # unknown destination handset
    "30006": Receipt.HARD_BOUNCED,  # landline
    "30008": Receipt.SOFT_BOUNCED,  # unknown error
}
"""Twilio's error codes that say something of the number."""

_MAIL_STATUS = re.compile(r"(?<![\d.])([245])\.(\d{1,3})\.(\d{1,3})(?![\d.])")
_HARD = frozenset({"5.1.0", "5.1.1", "5.1.2", "5.1.3", "5.1.6", "5.1.10", "5.2.1", "5.4.1"})
"""RFC 3463: there is no such mailbox or domain, or it takes nothing any more. 5.4.1 is what some servers say for the
first."""
_HARD_AT_ONCE = _HARD - {"5.1.0", "5.4.1"}
"""In a refusal at once: what a relay says of its own sender or way is nothing about the address."""
_SOFT = frozenset({"5.2.2", "5.2.3", "5.3.4"})
"""Full, or the message is too large."""


def mail_status(text: str) -> str | None:
    """The first status of RFC 3463 in a text, such as 5.1.1."""
    found = _MAIL_STATUS.search(text)
    return ".".join(found.groups()) if found is not None else None


def refusal_status(text: str) -> str | None:
    """The status at the beginning of a refusal (RFC 2034)."""
    found = _MAIL_STATUS.match(text.lstrip())
    return ".".join(found.groups()) if found is not None else None


def refusal_receipt(status: str) -> Receipt:
    """What a refusal at once says of the address."""
    said = mail_receipt(status)
    return Receipt.FAILED if said is Receipt.HARD_BOUNCED and status not in _HARD_AT_ONCE else said


def mail_receipt(status: str | None) -> Receipt:
    """What a status says of the address, of a mail that has not arrived."""
    if status is None:
        return Receipt.FAILED
    if status.startswith("4") or status in _SOFT:
        return Receipt.SOFT_BOUNCED
    return Receipt.HARD_BOUNCED if status in _HARD else Receipt.FAILED
