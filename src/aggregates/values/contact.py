"""How a customer can be reached, what they consented to, and what a contact rule answers."""

from dataclasses import dataclass
from datetime import date, datetime
from enum import StrEnum
from itertools import count
from typing import Annotated
from uuid import UUID

from pydantic import AwareDatetime, Field, StringConstraints

from aggregates.kernel.personal import ERASED, Personal
from aggregates.kernel.value import Value
from aggregates.values.business_time import TimeZone
from aggregates.values.contact_record import Purpose
from aggregates.values.patterns import pattern

Language = Annotated[
    str, StringConstraints(pattern=pattern(r"^[a-z]{2,3}(-[A-Z]{2})?$", "a language such as en or pt-BR"))
]
Country = Annotated[str, StringConstraints(pattern=pattern(r"^[A-Z]{2}$", "a code of two capital letters such as US"))]


class Channel(StrEnum):
    """The media by which a customer is reached."""

    SMS = "sms"
    VOICE = "voice"
    EMAIL = "email"
    LETTER = "letter"
    PORTAL = "portal"


WITH_SUBJECT = frozenset({Channel.EMAIL, Channel.LETTER})
"""Channels whose messages have a subject."""


ENCODED = "=?"
"""What text begins with that a mail has encoded in a header (RFC 2047). Programs decode it, whoever wrote it."""
NOT_ENCODED = f"expected text without {ENCODED}, by which encoded text begins"


def subject_fault(channel: Channel, subject: str | None) -> str | None:
    """What was expected of the subject of a message over a channel; None where it is well.

    An e-mail has one: without it the customer sees none in their mailbox, and filters take it for spam."""
    if channel is Channel.EMAIL and not (subject or "").strip():
        return "expected, for an e-mail has one"
    if channel is Channel.EMAIL and ENCODED in (subject or ""):
        return NOT_ENCODED
    if subject is not None and channel not in WITH_SUBJECT:
        return f"expected for an e-mail or a letter only, not for {channel.value}"
    return None


class Consent(StrEnum):
    UNKNOWN = "unknown"
    GIVEN = "given"
    REFUSED = "refused"


class PhoneKind(StrEnum):
    MOBILE = "mobile"
    HOME = "home"
    WORK = "work"
    OTHER = "other"


class PostalAddress(Value):
    """`id` is stable within the account (`address-1`), so that facts can name it without repeating it."""

    id: str
    lines: tuple[Personal, ...] = ()
    city: Personal | None = None
    region: str | None = None
    postal_code: Personal | None = None
    country: Country | None = None

    @property
    def is_erased(self) -> bool:
        return ERASED in (*self.lines, self.city, self.postal_code)

    @property
    def place(self) -> str:
        """What tells it from the customer's other addresses. Region and country do not: files spell them, or not."""
        return " ".join(part for part in (*self.lines, self.postal_code, self.city) if part)


class PhoneNumber(Value):
    id: str
    number: Personal
    kind: PhoneKind = PhoneKind.OTHER
    sms_consent: Consent = Consent.UNKNOWN
    voice_consent: Consent = Consent.UNKNOWN


class EmailAddress(Value):
    id: str
    address: Personal
    consent: Consent = Consent.UNKNOWN


def each_id_once(details: "ContactDetails") -> "ContactDetails":
    """Raises ValueError where two numbers or addresses have one id: facts that name it would be about either."""
    seen = {"portal"}
    for kind in ("addresses", "phones", "emails"):
        for place, point in enumerate(getattr(details, kind)):
            if point.id in seen:
                raise ValueError(f"{kind}.{place}.id: expected another than {point.id!r}, which names something else")
            seen.add(point.id)
    return details


def with_ids_once(details: "ContactDetails") -> "ContactDetails":
    """Details that were kept before ids had to differ, and what is put beside them: of two with one id the later one
    has another."""
    seen, changes = {"portal"}, {}
    for kind in ("addresses", "phones", "emails"):
        points = []
        for point in getattr(details, kind):
            numbered = (f"{point.id}-{number}" for number in count(2))
            found = point.id if point.id not in seen else next(each for each in numbered if each not in seen)
            seen.add(found)
            points.append(point if found == point.id else point.model_copy(update={"id": found}))
        changes[kind] = tuple(points)
    return details.model_copy(update=changes)


MOST_POINTS = 20
"""Of each kind."""


class ContactDetails(Value):
    """Everything known about reaching a customer; a change replaces the whole."""

    addresses: tuple[PostalAddress, ...] = Field((), max_length=MOST_POINTS)
    phones: tuple[PhoneNumber, ...] = Field((), max_length=MOST_POINTS)
    emails: tuple[EmailAddress, ...] = Field((), max_length=MOST_POINTS)
    language: Language = "en"
    preferred_channel: Channel | None = None
    time_zone: TimeZone | None = None
    """Where the customer is, if known; else the office's zone."""

    def consent(self, channel: Channel, point_id: str) -> Consent:
        """What the customer said about being reached over this channel at this address or number."""
        for phone in self.phones:
            if phone.id == point_id:
                return phone.sms_consent if channel is Channel.SMS else phone.voice_consent
        for email in self.emails:
            if email.id == point_id:
                return email.consent
        return Consent.UNKNOWN

    def points(self, channel: Channel) -> tuple[str, ...]:
        """Ids of the addresses and numbers that the channel can use, in the order they were given.

        Of an erased person none is known any more.
        """
        match channel:
            case Channel.SMS | Channel.VOICE:
                phones = (p for p in self.phones if p.number != ERASED)
                return tuple(p.id for p in phones if channel is Channel.VOICE or p.kind is not PhoneKind.HOME)
            case Channel.EMAIL:
                return tuple(e.id for e in self.emails if e.address != ERASED)
            case Channel.LETTER:
                return tuple(a.id for a in self.addresses if not a.is_erased)
            case Channel.PORTAL:
                return ("portal",)

    def ids(self, channel: Channel) -> tuple[str, ...]:
        """Ids of all numbers or addresses of the channel's kind, whether or not it can use them."""
        match channel:
            case Channel.SMS | Channel.VOICE:
                return tuple(phone.id for phone in self.phones)
            case Channel.EMAIL:
                return tuple(email.id for email in self.emails)
            case Channel.LETTER:
                return tuple(postal.id for postal in self.addresses)
            case Channel.PORTAL:
                return ("portal",)

    def spelled(self, point_id: str) -> str | None:
        """What tells the number or address behind a point id from others; None where there is none, or it is erased."""
        for postal in self.addresses:
            if postal.id == point_id:
                return None if postal.is_erased else postal.place or None
        return self.address_of(point_id)

    def country(self, of_customer: str | None) -> str | None:
        """Where the customer's numbers without country code are dialled: their postal country, else their own."""
        for postal in self.addresses:
            if postal.country:
                return postal.country
        return of_customer

    def address_of(self, point_id: str) -> str | None:
        """The number, e-mail address or postal lines behind a point id; None where it is unknown or erased."""
        for phone in self.phones:
            if phone.id == point_id:
                return _unless_erased(phone.number)
        for email in self.emails:
            if email.id == point_id:
                return _unless_erased(email.address)
        for postal in self.addresses:
            if postal.id == point_id and not postal.is_erased:
                place = " ".join(part for part in (postal.postal_code, postal.city, postal.region) if part)
                return "\n".join(part for part in (*postal.lines, place, postal.country) if part)
        return "portal" if point_id == "portal" else None


def _unless_erased(text: str) -> str | None:
    return None if text == ERASED else text


class OptOut(Value):
    """The customer asked not to be contacted this way. `point_id` None means by the whole medium."""

    channel: Channel
    point_id: str | None = None


@dataclass(frozen=True, slots=True)
class ContactAttempt:
    """A contact that is about to be made."""

    channel: Channel
    point_id: str
    at: datetime
    """UTC."""
    number: str | None = None
    """Of a call to a number that is none of the account's."""
    is_by_hand: bool = False
    """A person makes it: what is heard in a call is no recorded voice."""
    but: UUID | None = None
    """The message that it is, where it was queued before: it does not count against itself."""
    purpose: Purpose = Purpose.COLLECTION


class RuleRefusal(Value):
    """A contact rule that refuses a contact."""

    rule: str
    source: str
    """The law or rule that it comes from."""
    basis: str
    """`law`, `check` (a law of which not all is certain) or `house` (policy)."""
    detail: str
    """With the counts at that moment; without numbers and addresses."""
    allowed_from: AwareDatetime | None
    """From when this rule alone would allow it; None: not by itself."""
    may_override: bool
    """Whether a person may lift it, with a reason."""


@dataclass(frozen=True, slots=True)
class Allowed:
    """No rule forbids the contact."""


@dataclass(frozen=True, slots=True)
class Denied:
    """A rule forbids it: which, the counts at that moment, and when it may be tried again (None: not by itself).

    Where several do, the first is named, `until` is the end of the longest, and `refusals` has them all.
    """

    rule_id: str
    detail: str
    until: datetime | date | None = None
    refusals: tuple[RuleRefusal, ...] = ()

    def one_by_one(self) -> "tuple[Denied, ...]":
        """Every refusal by itself."""
        return tuple(Denied(each.rule, each.detail, until=each.allowed_from) for each in self.refusals) or (self,)


ALLOWED = Allowed()
Verdict = Allowed | Denied
