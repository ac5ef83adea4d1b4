"""What Twilio sends: text messages of customers, and what became of ours. Its own validator checks the signature."""

from collections.abc import Mapping
from datetime import datetime
from urllib.parse import parse_qsl
from uuid import UUID

from twilio.request_validator import RequestValidator

from adapters.carrier_codes import TWILIO
from adapters.inbound.incoming import IncomingMessage, IncomingReceipt, cleaned, cleaned_line
from aggregates.account.inbound import Incoming, Receipt

SIGNATURE = "X-Twilio-Signature"
MOST_BYTES = 65_536
_MOST_FIELDS = 200
_LONGEST_ID = 100

_STATES: Mapping[str, Receipt] = {
    "delivered": Receipt.DELIVERED,
    "read": Receipt.DELIVERED,
    "undelivered": Receipt.SOFT_BOUNCED,
    "failed": Receipt.FAILED,
    # Calls.
    "completed": Receipt.DELIVERED,
    "busy": Receipt.SOFT_BOUNCED,
    "no-answer": Receipt.SOFT_BOUNCED,
    "canceled": Receipt.FAILED,
}
"""Others are about what is under way, and no receipts."""


class NotTwilio(Exception):
    """The request does not carry Twilio's signature, or is none of its requests."""


def fields_of(body: bytes, *, url: str, signature: str, token: str) -> dict[str, str]:
    """The form of a request, once it is certain whose it is. Raises NotTwilio.

    `url` is the address as Twilio knows it, with its query.
    """
    try:
        said = parse_qsl(
            body.decode("ascii"),
            keep_blank_values=True,
            max_num_fields=_MOST_FIELDS,
            encoding="utf-8",
            errors="replace",
        )
    except ValueError:
        raise NotTwilio("expected a form") from None
    fields = dict(said)
    if len(fields) < len(said) or not RequestValidator(token).validate(url, fields, signature):
        raise NotTwilio("the signature is not Twilio's for this address and form")
    return fields


def message_in(fields: Mapping[str, str], now: datetime) -> IncomingMessage:
    """A text message of a customer's. Raises NotTwilio where it is none."""
    source_id = cleaned_line(fields.get("MessageSid") or fields.get("SmsSid") or "", _LONGEST_ID)
    sender = cleaned_line(fields.get("From", ""), _LONGEST_ID)
    if not source_id or not sender:
        raise NotTwilio("expected MessageSid and From")
    media = fields.get("NumMedia", "0")
    more = "" if media in {"", "0"} or not media.isdigit() else f"\n[{media} attached at Twilio]"
    return IncomingMessage(
        channel=Incoming.SMS,
        sender=sender,
        text=cleaned(fields.get("Body", "") + more),
        source="twilio",
        source_id=source_id,
        received_at=now,
        is_confirmed=fields.get("OptOutType", "").upper() == "STOP",
    )


def receipt_in(fields: Mapping[str, str], message_id: UUID, now: datetime) -> IncomingReceipt | None:
    """What became of a message or a call; None where it is still under way."""
    state = fields.get("MessageStatus") or fields.get("SmsStatus") or fields.get("CallStatus") or ""
    code = cleaned_line(fields.get("ErrorCode", ""), _LONGEST_ID)
    receipt = _STATES.get(state)
    if receipt is None:
        return None
    if receipt is not Receipt.DELIVERED:
        receipt = TWILIO.get(code, receipt)
    return IncomingReceipt(
        message_id=message_id,
        receipt=receipt,
        at=now,
        code=code or (None if receipt is Receipt.DELIVERED else state),
        detail=cleaned_line(fields.get("ErrorMessage", "")) or None,
    )
