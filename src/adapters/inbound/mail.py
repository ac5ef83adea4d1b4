"""What an e-mail says: a message of somebody's, or what a mail server reports of ours (RFC 3464, RFC 5965).

Mail is hostile until it is read: whatever its parts, charsets, headers and nesting are, something is always found that
a person can look at, and nothing in it is opened, followed or unpacked.
"""

import codecs
import hashlib
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from email import message_from_bytes
from email.errors import MessageError
from email.header import decode_header
from email.message import Message
from email.parser import BytesHeaderParser
from email.policy import Compat32, compat32
from email.utils import parseaddr
from html.parser import HTMLParser
from itertools import islice
from uuid import UUID

from adapters.carrier_codes import mail_receipt, mail_status
from adapters.inbound.incoming import LONGEST_LINE, IncomingMessage, IncomingReceipt, cleaned, cleaned_line
from aggregates.account.inbound import Incoming, Receipt

MOST_BYTES = 10_000_000
_MOST_PARTS = 100
_MOST_OF_A_PART = 500_000
"""Bytes of one part that are looked at: nobody reads more."""
_LONGEST_HEADER = 10_000
_LONGEST_SENDER = 320
_MOST_ANSWERED = 50

_MOST_NESTED = 30
_BOUNDARY = re.compile(rb"boundary\s*=", re.IGNORECASE)
_BEGINS_A_PART = re.compile(rb"^--", re.MULTILINE)

_OUR_ID = re.compile(r"<?([0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12})@", re.IGNORECASE)
"""The Message-ID of a message of ours is its id and the sender's domain."""

_NO_TEXTS = frozenset({"punycode", "idna", "unicode_escape", "raw_unicode_escape", "utf-7", "undefined"})
"""Codecs that are no charsets of mail, or take a time that grows with the square of a text."""

_UNREADABLE = (MessageError, RecursionError, ValueError, LookupError, TypeError, AttributeError, AssertionError)
"""What the parser raises for mail that it was not made for."""


def read_mail(raw: bytes, now: datetime) -> IncomingMessage | Sequence[IncomingReceipt]:
    """A message, or the receipts that a report has about messages of ours. Never raises for what a mail says."""
    raw = raw[:MOST_BYTES]
    try:
        mail = _parsed(raw)
        receipts = list(_receipts(mail, now))
        return receipts or _message(mail, raw, now)
    except _UNREADABLE:
        return _unread(raw, now)


def as_message(raw: bytes, now: datetime) -> IncomingMessage:
    """A mail as a message, whatever it reports."""
    raw = raw[:MOST_BYTES]
    try:
        return _message(_parsed(raw), raw, now)
    except _UNREADABLE:
        return _unread(raw, now)


# --- messages ----------------------------------------------------------------------------------------


def _message(mail: Message, raw: bytes, now: datetime) -> IncomingMessage:
    sender = _address(mail)
    text, others = _text(mail)
    attached = f"\n\n[{others} attached, not kept here]" if others else ""
    return IncomingMessage(
        channel=Incoming.EMAIL,
        sender=sender,
        subject=_header(mail, "Subject") or None,
        text=cleaned(text + attached),
        source="email",
        source_id=_source_id(mail, sender, raw),
        received_at=now,
        answers=_ours(mail),
        is_automatic=_is_automatic(mail),
    )


def _unread(raw: bytes, now: datetime) -> IncomingMessage:
    """A mail of whose parts no parser can make anything: who sent it, and all of it as it stands."""
    try:
        mail = BytesHeaderParser(policy=compat32).parsebytes(raw)
        sender, subject, source_id = _address(mail), _header(mail, "Subject"), _source_id(mail, _address(mail), raw)
    except _UNREADABLE:
        sender, subject, source_id = "unknown", "", hashlib.sha256(raw).hexdigest()
    return IncomingMessage(
        channel=Incoming.EMAIL,
        sender=sender,
        subject=subject or None,
        text=cleaned(raw[:_MOST_OF_A_PART].decode("utf-8", "replace")),
        source="email",
        source_id=source_id,
        received_at=now,
    )


class _Bounded(Compat32):
    """Headers up to a length: the parameters of one are looked through again for each of them."""

    def header_source_parse(self, sourcelines: list[str]) -> tuple[str, str]:
        name, value = super().header_source_parse(sourcelines)
        return name, value[:_LONGEST_HEADER]


_BOUNDED = _Bounded()


def _parsed(raw: bytes) -> Message:
    """Raises ValueError for one with so many parts in parts that a parser would look at each line for too long."""
    if len(_BOUNDARY.findall(raw)) > _MOST_NESTED:
        raise ValueError("too many parts in parts")
    begins = [*islice(_BEGINS_A_PART.finditer(raw), _MOST_PARTS * 10)]
    return message_from_bytes(raw[: begins[-1].start()] if len(begins) == _MOST_PARTS * 10 else raw, policy=_BOUNDED)


def _header(mail: Message, name: str) -> str:
    """On one line, decoded as far as it can be; empty where there is none."""
    given = str(mail.get(name, ""))[:_LONGEST_HEADER]
    try:
        parts = decode_header(given)
        said = "".join(_decoded(part, charset) if isinstance(part, bytes) else part for part, charset in parts)
    except (MessageError, ValueError, LookupError):
        said = given
    return cleaned_line(said, LONGEST_LINE)


def _address(mail: Message) -> str:
    """Whose it says it is; what is no address stays as it is, and is nobody's."""
    said = _header(mail, "From") or _header(mail, "Sender")
    _, address = parseaddr(said)
    return cleaned_line(address or said, _LONGEST_SENDER) or "unknown"


def _source_id(mail: Message, sender: str, raw: bytes) -> str:
    """The same mail by two ways is one; that another's has the same id loses neither."""
    said = _header(mail, "Message-ID")
    return cleaned_line(f"{said} {sender}", LONGEST_LINE) if said else hashlib.sha256(raw).hexdigest()


def _ours(*mails: Message) -> tuple[UUID, ...]:
    """Ids of messages of ours that these name, the likeliest first."""
    said = [str(mail.get("In-Reply-To", "")) for mail in mails]
    for mail in mails:
        said += reversed(str(mail.get("References", ""))[-_LONGEST_HEADER:].split())
    found = (_OUR_ID.search(each[:LONGEST_LINE]) for each in said)
    return tuple(islice(dict.fromkeys(UUID(each[1]) for each in found if each is not None), _MOST_ANSWERED))


def _is_automatic(mail: Message) -> bool:
    """RFC 3834, and what was usual before it."""
    submitted = _header(mail, "Auto-Submitted").lower()
    if submitted and not submitted.startswith("no"):
        return True
    if any(name in mail for name in ("X-Autoreply", "X-Autorespond", "X-Auto-Response-Suppress", "List-Id")):
        return True
    if _header(mail, "Precedence").lower() in {"auto_reply", "bulk", "junk", "list"}:
        return True
    return _header(mail, "Return-Path") == "<>"


# --- texts -------------------------------------------------------------------------------------------


def _text(mail: Message) -> tuple[str, int]:
    """What it says, of several forms the plain one; and how many parts there are besides."""
    plain: str | None = None
    marked_up: str | None = None
    others = 0
    for part in islice(mail.walk(), _MOST_PARTS):
        kind = part.get_content_type()
        if part.is_multipart():
            continue
        is_attached = part.get_content_disposition() == "attachment"
        if kind == "text/plain" and plain is None and not is_attached:
            plain = _payload(part)
        elif kind == "text/html" and marked_up is None and not is_attached:
            marked_up = _payload(part)
        else:
            others += 1
    if plain is None or (not plain.strip() and marked_up is not None):
        return (_without_markup(marked_up) if marked_up is not None else ""), others
    return plain, others


def _payload(part: Message) -> str:
    said = part.get_payload(decode=True)
    raw = said if isinstance(said, bytes) else str(part.get_payload()).encode("utf-8", "replace")
    return _decoded(raw[:_MOST_OF_A_PART], part.get_content_charset())


def _decoded(raw: bytes, charset: str | None) -> str:
    """By its charset where that is one, else as UTF-8; what cannot be read is shown as such."""
    name = "utf-8"
    try:
        known = codecs.lookup(charset) if charset else None
        if known is not None and known.name not in _NO_TEXTS and getattr(known, "_is_text_encoding", True):
            name = known.name
        return raw.decode(name, "replace")
    except (LookupError, ValueError, TypeError):
        return raw.decode("utf-8", "replace")


class _Words(HTMLParser):
    """The text of a page; a line for each block, nothing of scripts and styles."""

    _UNSEEN = frozenset({"script", "style", "head", "title"})
    _BLOCKS = frozenset({"p", "div", "br", "tr", "li", "h1", "h2", "h3", "h4", "blockquote", "table"})

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.words: list[str] = []
        self._unseen = 0
        self._quoted = 0

    def handle_starttag(self, tag: str, _: object) -> None:
        self._unseen += tag in self._UNSEEN
        self._quoted += tag == "blockquote"
        if tag in self._BLOCKS:
            self.words.append("\n> " if self._quoted else "\n")

    def handle_endtag(self, tag: str) -> None:
        self._unseen -= tag in self._UNSEEN and self._unseen > 0
        self._quoted -= tag == "blockquote" and self._quoted > 0
        if tag in self._BLOCKS:
            self.words.append("\n> " if self._quoted else "\n")

    def handle_data(self, data: str) -> None:
        if not self._unseen:
            self.words.append(" ".join(data.split()) + (" " if data[-1:].isspace() else ""))


_UNCLOSED = re.compile(r"<(?=[^<>]*(?:<|\Z))")
"""What begins a tag that nothing closes. The parser would look through all that follows it, for each of them."""
_DECLARED = re.compile(r"<[!?][^<>]*>")
"""Nothing that a reader sees; the parser gives up at some that it does not know."""


def _without_comments(page: str) -> str:
    """A comment that nothing ends goes on to the end."""
    kept: list[str] = []
    at = 0
    while (begins := page.find("<!--", at)) >= 0:
        kept.append(page[at:begins])
        ends = page.find("-->", begins)
        at = len(page) if ends < 0 else ends + len("-->")
    return "".join([*kept, page[at:]])


def _without_markup(page: str) -> str:
    parser = _Words()
    parser.feed(_DECLARED.sub(" ", _UNCLOSED.sub(" ", _without_comments(page))))
    parser.close()
    lines = (line.strip() for line in "".join(parser.words).split("\n"))
    return "\n".join(line for line in lines if line not in {"", ">"})


# --- reports -----------------------------------------------------------------------------------------


def _receipts(mail: Message, now: datetime) -> Iterator[IncomingReceipt]:
    """What a report says of messages of ours; nothing where it is none, or names none of them."""
    if mail.get_content_type() != "multipart/report":
        return
    parts = [*islice(mail.walk(), _MOST_PARTS)]
    about = _reported(mail, parts)
    if about is None:
        return
    for part in parts:
        reading = _READINGS.get(part.get_content_type())
        said = reading(part) if reading is not None else None
        if said is not None:
            receipt, code, detail = said
            yield IncomingReceipt(message_id=about, receipt=receipt, at=now, code=code, detail=detail)
            return


def _reported(mail: Message, parts: Iterable[Message]) -> UUID | None:
    """The message of ours that a report is about: its headers are quoted, or the report answers it."""
    for part in parts:
        if part is mail:
            continue
        if (found := _OUR_ID.search(str(part.get("Message-ID", ""))[:LONGEST_LINE])) is not None:
            return UUID(found[1])
        if part.get_content_type() in {"text/rfc822-headers", "message/rfc822-headers"}:
            headers = message_from_bytes(_payload(part).encode(), policy=_BOUNDED)
            if (found := _OUR_ID.search(str(headers.get("Message-ID", ""))[:LONGEST_LINE])) is not None:
                return UUID(found[1])
    return next(iter(_ours(mail)), None)


_Said = tuple[Receipt, str | None, str | None]


def _fields(part: Message) -> Iterator[Message]:
    """The blocks of fields of a report."""
    payload = part.get_payload()
    if isinstance(payload, list):
        yield from (each for each in payload[:_MOST_PARTS] if isinstance(each, Message))
    else:
        yield message_from_bytes(_payload(part).encode(), policy=_BOUNDED)


def _delivery_status(part: Message) -> _Said | None:
    """RFC 3464: the first recipient of which it says what became of the message."""
    for fields in _fields(part):
        action = _header(fields, "Action").lower()
        if not action:
            continue
        code = mail_status(_header(fields, "Status")) or mail_status(_header(fields, "Diagnostic-Code"))
        detail = _header(fields, "Diagnostic-Code") or None
        if action in {"delivered", "relayed", "expanded"}:
            return Receipt.DELIVERED, code, detail
        return (Receipt.SOFT_BOUNCED if action == "delayed" else mail_receipt(code)), code, detail
    return None


def _feedback(part: Message) -> _Said | None:
    """RFC 5965: whoever got it calls it spam."""
    for fields in _fields(part):
        kind = _header(fields, "Feedback-Type").lower()
        if kind and kind != "not-spam":
            return Receipt.COMPLAINED, kind, _header(fields, "User-Agent") or None
    return None


_READINGS: Mapping[str, Callable[[Message], _Said | None]] = {
    "message/delivery-status": _delivery_status,
    "message/global-delivery-status": _delivery_status,
    "message/feedback-report": _feedback,
}
