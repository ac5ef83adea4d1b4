"""How a customer is reached, changed one thing at a time: the command replaces the whole."""

from collections.abc import Collection, Mapping
from itertools import count
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, field_validator

from aggregates.account import Account
from aggregates.kernel.command import Rejected
from aggregates.values.business_time import TimeZone
from aggregates.values.contact import MOST_POINTS, Channel, Consent, ContactDetails, Language, PhoneKind
from aggregates.values.normal_form import is_email, is_number, normal_form
from api.application.issuing import Refused

POINTS = ("phones", "emails", "addresses")
"""The kinds of numbers and addresses."""
_PREFERENCES = {"language", "preferred_channel", "time_zone"}


class DetailsChange(BaseModel):
    """What is to be different; None, or nothing: it stays."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    phone: str | None = Field(None, min_length=1, max_length=200)
    """A number that is added."""
    phone_kind: PhoneKind | None = None
    email: str | None = Field(None, min_length=1, max_length=320)
    """An e-mail address that is added."""
    remove: tuple[str, ...] = ()
    """Ids of numbers and addresses."""
    language: Language | None = None
    preferred_channel: Channel | None = None
    time_zone: TimeZone | None = None

    @field_validator("phone")
    @classmethod
    def _is_a_number(cls, phone: str | None) -> str | None:
        """A file's text is taken as it is; what a person types is not dialled otherwise."""
        if phone is not None and not is_number(phone, None):
            raise ValueError("expected a telephone number such as +1 212 555 0100")
        return phone

    @field_validator("email")
    @classmethod
    def _is_an_address(cls, email: str | None) -> str | None:
        if email is not None and not is_email(email):
            raise ValueError("expected an e-mail address such as name@example.org")
        return email


def changed(details: ContactDetails, country: str | None, change: DetailsChange) -> Mapping[str, Any]:
    """All ways of reaching the customer, as the command's `contact`. What is there already is not added again; of a
    number its kind changes. `country` is that in which numbers without country code are dialled.

    Raises Refused where something is to be removed that is not there, and where there would be too many.
    """

    def is_same(channel: Channel, one: str, other: str) -> bool:
        return normal_form(channel, one, country) == normal_form(channel, other, country) is not None

    after = _unsaid(details.model_dump(mode="json"))
    known = {each["id"] for kind in POINTS for each in after[kind]}
    for point_id in change.remove:
        if point_id not in known:
            expected = ", ".join(sorted(known)) or "none"
            raise Refused(Rejected("unknown-contact-point", f"remove: expected one of {expected}, not {point_id!r}"))
    for kind in POINTS:
        after[kind] = [each for each in after[kind] if each["id"] not in change.remove]
    if change.phone is not None:
        of_kind = {} if change.phone_kind is None else {"kind": change.phone_kind.value}
        same = [each for each in after["phones"] if is_same(Channel.VOICE, each["number"], change.phone)]
        for each in same:
            each.update(of_kind)
        if not same:
            after["phones"].append({"id": _free("phone", known), "number": change.phone, **of_kind})
    if change.email is not None and not any(
        is_same(Channel.EMAIL, each["address"], change.email) for each in after["emails"]
    ):
        after["emails"].append({"id": _free("email", known), "address": change.email})
    for kind in POINTS:
        if len(after[kind]) > MOST_POINTS:
            raise Refused(
                Rejected("too-many-contact-points", f"expected at most {MOST_POINTS} {kind}; remove one first")
            )
    return after | change.model_dump(mode="json", include=_PREFERENCES, exclude_none=True)


def _unsaid(details: dict[str, Any]) -> dict[str, Any]:
    """Without the consents that are shown with it: they are known, and this says nothing of them."""
    for each in details["phones"]:
        each.update(sms_consent=Consent.UNKNOWN, voice_consent=Consent.UNKNOWN)
    for each in details["emails"]:
        each.update(consent=Consent.UNKNOWN)
    return details


def require_point(account: Account, channel: Channel, point_id: str | None) -> None:
    """Raises Refused where an opt-out names a number or address that the account has not: a slip would leave the one
    that is meant open. None is the whole medium."""
    known = account.contact.details.ids(channel)
    if point_id is not None and point_id not in known:
        expected = ", ".join(known) or "none"
        raise Refused(Rejected("unknown-contact-point", f"expected one of {expected}, not {point_id!r}"))


def _free(kind: str, known: Collection[str]) -> str:
    """An id that nothing has, nor had before this change: facts may name it."""
    return next(each for each in (f"{kind}-{number}" for number in count(1)) if each not in known)
