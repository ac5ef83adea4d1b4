"""What the customer said of numbers and addresses: kept by the number, whether or not it is among the details now."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from typing import ClassVar, TypeVar

from pydantic import ConfigDict

from aggregates.kernel.personal import ERASED, Personal
from aggregates.kernel.value import Value
from aggregates.values.contact import Channel, Consent, ContactDetails, Country, EmailAddress, OptOut, PhoneNumber
from aggregates.values.normal_form import may_be_same, normal_form


class Point(Value):
    """A number or address for one channel, as it was spelled, and the country of the customer then."""

    channel: Channel
    text: Personal
    country: Country | None = None

    @property
    def is_erased(self) -> bool:
        return self.text == ERASED

    @property
    def form(self) -> str | None:
        return normal_form(self.channel, self.text, self.country)

    def is_same(self, other: "Point") -> bool:
        """Certainly. What was said of a number without country is, once a country is known, true of its number."""
        if self.channel is not other.channel or ERASED in (self.text, other.text):
            return False
        if (self.text, self.country) == (other.text, other.country):
            return True
        mine = self if self.country else self.model_copy(update={"country": other.country})
        return mine.form is not None and mine.form == other.form

    def may_be(self, other: "Point") -> bool:
        """Certainly or perhaps: where it is not known, no contact is the smaller mistake."""
        return self.channel is other.channel and may_be_same(
            self.channel, self.text, self.country, other.text, other.country
        )


class OptedOutOf(Value):
    """An opt-out as it was said: of a medium (`point_id` None), of what stood at a point, or, where nothing that is a
    number or address stood there (`point` None), of whatever stands there."""

    channel: Channel
    point_id: str | None = None
    point: Point | None = None

    @property
    def is_erased(self) -> bool:
        return self.point is not None and self.point.is_erased

    @property
    def is_by_id(self) -> bool:
        return self.point_id is not None and (self.point is None or self.point.text == ERASED)

    def covers(self, channel: Channel, point_id: str, point: Point | None) -> bool:
        """Whether it forbids to reach the customer at a point, where `point` stands now."""
        if self.channel is not channel:
            return False
        if self.point_id is None or (self.is_by_id and self.point_id == point_id):
            return True
        return self.point is not None and point is not None and self.point.may_be(point)


Said = TypeVar("Said", Point, OptedOutOf)


@dataclass(frozen=True)
class Wishes:
    """Consents and opt-outs. Every change makes new ones."""

    __pydantic_config__: ClassVar[ConfigDict] = ConfigDict(extra="forbid")

    given: tuple[Point, ...] = ()
    refused: tuple[Point, ...] = ()
    opted_out: tuple[OptedOutOf, ...] = ()

    # --- of several accounts ---

    def without(self, other: "Wishes") -> "Wishes":
        """What the other has not."""
        return Wishes(
            given=_without(self.given, other.given),
            refused=_without(self.refused, other.refused),
            opted_out=_without(self.opted_out, other.opted_out),
        )

    def with_all(self, other: "Wishes") -> "Wishes":
        """With what the other has besides, of which something can be read."""
        more = other.without(self)
        return Wishes(
            given=(*self.given, *_legible(more.given)),
            refused=(*self.refused, *_legible(more.refused)),
            opted_out=(*self.opted_out, *_legible(more.opted_out)),
        )

    # --- consent ---

    def consent(self, point: Point) -> Consent:
        if any(each.may_be(point) for each in self.refused):
            return Consent.REFUSED
        return Consent.GIVEN if any(each.is_same(point) for each in self.given) else Consent.UNKNOWN

    def told_by(self, details: ContactDetails, country: Country | None) -> "Wishes":
        """With what new details say. They refuse, and give what was not refused; they take nothing back."""
        wishes = self
        for point, consent in _consents(details, country):
            if consent is Consent.REFUSED and not any(each.is_same(point) for each in wishes.refused):
                wishes = replace(wishes, refused=(*wishes.refused, point))
            elif consent is Consent.GIVEN and wishes.consent(point) is Consent.UNKNOWN:
                wishes = replace(wishes, given=(*wishes.given, point))
        return wishes

    def knows_consent(self, point: Point, consent: Consent) -> bool:
        """Whether the same was said before. A refusal of what only may be the same number does not say it of this one:
        a country may tell them apart later."""
        if consent is Consent.REFUSED:
            return any(each.is_same(point) for each in self.refused)
        return self.consent(point) is consent

    def said(self, point: Point, consent: Consent) -> "Wishes":
        """With the customer's own word in place of everything said of the number or address before; a refusal takes no
        other back."""
        given = tuple(each for each in self.given if not each.may_be(point))
        if consent is Consent.REFUSED:
            return replace(self, given=given, refused=(*(r for r in self.refused if not r.is_same(point)), point))
        refused = tuple(each for each in self.refused if not each.may_be(point))
        return replace(self, given=(*given, point) if consent is Consent.GIVEN else given, refused=refused)

    def shown_in(self, details: ContactDetails, country: Country | None) -> ContactDetails:
        """The details with the consents that are in force."""

        def consent(channel: Channel, text: str) -> Consent:
            return self.consent(Point(channel=channel, text=text, country=country))

        def phone(each: PhoneNumber) -> PhoneNumber:
            if each.number == ERASED:
                return each
            sms, voice = consent(Channel.SMS, each.number), consent(Channel.VOICE, each.number)
            return each.model_copy(update={"sms_consent": sms, "voice_consent": voice})

        def email(each: EmailAddress) -> EmailAddress:
            if each.address == ERASED:
                return each
            return each.model_copy(update={"consent": consent(Channel.EMAIL, each.address)})

        return details.model_copy(
            update={"phones": tuple(map(phone, details.phones)), "emails": tuple(map(email, details.emails))}
        )

    # --- opt-outs ---

    def has_opted_out(self, channel: Channel, point_id: str, point: Point | None) -> bool:
        return any(each.covers(channel, point_id, point) for each in self.opted_out)

    def knows(self, asked: OptedOutOf) -> bool:
        """Whether the same was said before."""
        if asked.point is None:
            return asked in self.opted_out
        return any(each.point is not None and each.point.is_same(asked.point) for each in self.opted_out)

    def opting_out(self, asked: OptedOutOf) -> "Wishes":
        """Said again of a number that stands elsewhere now, it is remembered where it stands."""
        if asked.point is None:
            others = tuple(each for each in self.opted_out if each != asked)
        else:
            others = tuple(each for each in self.opted_out if each.point is None or not each.point.is_same(asked.point))
        return replace(self, opted_out=(*others, asked))

    def opting_in(self, asked: OptedOutOf) -> "Wishes":
        """Without what is taken back. Where nothing stands at the point any more, that is what stood there last."""
        if asked.point_id is None:
            return self._without(each for each in self.opted_out if each.channel is asked.channel and not each.point_id)
        at = [each for each in self.opted_out if (each.channel, each.point_id) == (asked.channel, asked.point_id)]
        if asked.point is None:
            return self._without([*(each for each in at if each.is_by_id), *at[-1:]])
        same = [each for each in self.opted_out if each.point is not None and each.point.may_be(asked.point)]
        return self._without([*(each for each in at if each.is_by_id), *same])

    def opt_outs_at(self, details: ContactDetails, country: Country | None) -> list[OptOut]:
        """By the points as they are now. One of a number that is gone names the point where it stood, unless another
        number stands there."""
        found: list[OptOut] = []
        for each in self.opted_out:
            ids: list[str | None] = [each.point_id]
            if each.point is not None and not each.is_by_id:
                points = points_of(details, each.channel, country)
                ids = [point_id for point_id, point in points.items() if each.point.may_be(point)]
                if not ids and each.point_id not in points:
                    ids = [each.point_id]
            found += [OptOut(channel=each.channel, point_id=point_id) for point_id in ids]
        return list(dict.fromkeys(found))

    def _without(self, gone: Iterable[OptedOutOf]) -> "Wishes":
        gone = list(gone)
        return replace(self, opted_out=tuple(each for each in self.opted_out if each not in gone))


def _without(mine: tuple[Said, ...], others: tuple[Said, ...]) -> tuple[Said, ...]:
    return tuple(each for each in mine if each not in others)


def _legible(said: tuple[Said, ...]) -> Iterator[Said]:
    return (each for each in said if not each.is_erased)


def points_of(details: ContactDetails, channel: Channel, country: Country | None) -> dict[str, Point]:
    """What stands at each point that is of a channel's kind, by its id; without what was erased."""
    spelled = ((point_id, details.spelled(point_id)) for point_id in details.ids(channel))
    return {
        point_id: Point(channel=channel, text=text, country=country) for point_id, text in spelled if text is not None
    }


def _consents(details: ContactDetails, country: Country | None) -> Iterator[tuple[Point, Consent]]:
    """What details say of the numbers and addresses of which they say anything; of an erased person that is nothing."""
    for channel, text, consent in (
        *(
            (channel, phone.number, consent)
            for phone in details.phones
            for channel, consent in ((Channel.SMS, phone.sms_consent), (Channel.VOICE, phone.voice_consent))
        ),
        *((Channel.EMAIL, email.address, email.consent) for email in details.emails),
    ):
        if consent is not Consent.UNKNOWN and text != ERASED:
            yield Point(channel=channel, text=text, country=country), consent
