"""How the customer may be reached: details, consent, opt-outs."""

from collections.abc import Callable, Container, Iterable, Mapping
from dataclasses import dataclass, replace
from functools import partial
from typing import Annotated, Any, TypeVar
from uuid import UUID

from pydantic import AfterValidator, Field

from aggregates.account.command import SHARED, AccountCommand
from aggregates.account.part import AccountPart
from aggregates.account.wishes import OptedOutOf, Point, Wishes, points_of
from aggregates.kernel.aggregate import Aggregate, applies, decides
from aggregates.kernel.context import Context
from aggregates.kernel.event import Event
from aggregates.kernel.personal import ERASED, Personal
from aggregates.kernel.refusals import Refusal
from aggregates.kernel.value import LATER
from aggregates.values.contact import (
    Channel,
    Consent,
    ContactAttempt,
    ContactDetails,
    Country,
    Denied,
    EmailAddress,
    OptOut,
    PhoneNumber,
    PostalAddress,
    RuleRefusal,
    Verdict,
    each_id_once,
)
from aggregates.values.countries import require_countries
from aggregates.values.normal_form import names_one, normal_form

# --- events ------------------------------------------------------------------------------------------


class ContactDetailsChanged(Event, name="account.contact-details-changed"):
    """The ways of reaching the customer are now these, all of them."""

    contact: ContactDetails
    followed: Annotated[tuple[str, ...] | None, LATER] = None
    """Ids of the points that are known from the customer's other accounts alone."""


class ConsentRecorded(Event, name="account.consent-recorded"):
    """The customer allowed or refused contact over a channel at an address or number."""

    channel: Channel
    point_id: str
    consent: Consent


class OptedOut(Event, name="account.opted-out"):
    """The customer asked not to be contacted this way (`point_id` None: by the whole medium).

    It is about the number or address that stands at the point at this moment, wherever it is found later.
    """

    channel: Channel
    point_id: str | None = None


class OptedIn(Event, name="account.opted-in"):
    """The customer took an opt-out back."""

    channel: Channel
    point_id: str | None = None


class PointRefused(Event, name="account.point-refused"):
    """The customer does not want to be contacted at a number or address, which is said to other accounts that have it,
    whoever's they are."""

    office_id: UUID
    channel: Channel
    point: Personal
    """In one spelling."""


class WishesShared(Event, name="account.wishes-shared"):
    """What the customer said about contact on another of their accounts holds for this one as well."""

    said: Annotated[Wishes, Field(exclude_if=lambda wishes: wishes == Wishes())] = Wishes()
    withdrawn: Annotated[Wishes, Field(exclude_if=lambda wishes: wishes == Wishes())] = Wishes()
    """What is no longer so."""
    opt_outs: tuple[OptOut, ...] = ()
    """Those in force after it, by the points of this account."""


# --- commands ----------------------------------------------------------------------------------------


class ChangeContactDetails(AccountCommand, name="change-contact-details", **SHARED):
    """Replace the ways of reaching the customer. What that adds and takes away reaches all of their accounts."""

    contact: Annotated[ContactDetails, AfterValidator(each_id_once)]


class RecordConsent(AccountCommand, name="record-consent", **SHARED):
    """Record that the customer allowed or refused contact at an address or number, for all of their accounts. What
    is refused is told to every other account that has the address or number."""

    channel: Channel
    point_id: str
    consent: Consent


class OptOutOfContact(AccountCommand, name="opt-out", **SHARED):
    """The customer does not want to be contacted this way any more; honoured at once, on all of their accounts, and
    soon after on every other account that has the number or address."""

    channel: Channel
    point_id: str | None = None


class OptInToContact(AccountCommand, name="opt-in", **SHARED):
    """The customer takes an opt-out back, on all of their accounts."""

    channel: Channel
    point_id: str | None = None


# --- decisions ---------------------------------------------------------------------------------------

_AT_A_POINT = frozenset({Channel.SMS, Channel.VOICE, Channel.EMAIL})
"""Whose numbers and addresses others may have too; a letter is for whoever lives there."""
_NO_DETAILS, _NO_WISHES = ContactDetails(), Wishes()
"""Of every account at first: neither is ever changed."""


@dataclass(slots=True)
class Contact(AccountPart):
    """The ways of reaching the customer, and what they do not want."""

    details: ContactDetails = _NO_DETAILS
    """With the consents that are in force."""
    wishes: Wishes = _NO_WISHES
    customer_country: Country | None = None
    followed: tuple[str, ...] = ()
    """Ids of the points that are known from the customer's other accounts alone; they go when those do."""

    @property
    def own_details(self) -> ContactDetails:
        """What was said on this account."""
        return _without(self.details, self.followed) if self.followed else self.details

    @property
    def country(self) -> Country | None:
        """In which the customer's numbers without country code are dialled. No office says where it is."""
        return self.details.country(self.customer_country)

    @property
    def opt_outs(self) -> list[OptOut]:
        """Those in force, by the points as they are now."""
        return self.wishes.opt_outs_at(self.details, self.country)

    def has_opted_out(self, channel: Channel, point_id: str) -> bool:
        return self.wishes.has_opted_out(channel, point_id, self.point(channel, point_id))

    def point(self, channel: Channel, point_id: str) -> Point | None:
        """The number or address that stands there now."""
        text = self.details.spelled(point_id)
        return None if text is None else Point(channel=channel, text=text, country=self.country)

    def wish_against(self, channel: Channel, point_id: str) -> Denied | None:
        """What the customer said that forbids this way of reaching them."""
        if self.has_opted_out(channel, point_id):
            return _unwanted("opted-out", f"the customer does not want {channel} at {point_id}")
        if self.details.consent(channel, point_id) is Consent.REFUSED:
            return _unwanted("consent-refused", f"the customer refused {channel} at {point_id}")
        return None

    def heeded(self, attempt: ContactAttempt, verdict: Verdict) -> Verdict:
        """What the customer said forbids a contact first, whatever contact rules say of it; every refusal is named."""
        wish = self.wish_against(attempt.channel, attempt.point_id)
        if wish is None:
            return verdict
        too = verdict.refusals if isinstance(verdict, Denied) else ()
        return replace(wish, refusals=(*wish.refusals, *too))

    @decides(ChangeContactDetails)
    def change_contact_details(self, command: ChangeContactDetails, context: Context) -> None:
        self.require_account()
        self.require_countries(command.contact)
        wishes, own = self.wishes, self.own_details
        followed = [i for i in self.followed if command.contact.spelled(i) == self.details.spelled(i)]
        self.change(command.contact, followed)
        self.pass_on(own, self.others(context))
        self.share(wishes, self.others(context))

    def require_countries(self, contact: ContactDetails, of_customer: str | None = None) -> None:
        """Refuses addresses, or a customer, in what is no country and was not recorded before."""
        known = {self.customer_country, *(each.country for each in self.details.addresses)}
        require_countries((of_customer, *(each.country for each in contact.addresses)), known)

    def describe(self, contact: ContactDetails) -> None:
        """What the account's own records say now of reaching the customer; what is known from others stays."""
        elsewhere = _only(self.details, self.followed)
        details, followed = carried_over(
            contact,
            followed=(),
            before=ContactDetails(),
            after=elsewhere,
            own=(),
            country=contact.country(self.customer_country),
        )
        self.change(details, followed)

    def change(self, contact: ContactDetails, followed: Iterable[str] = ()) -> None:
        """New details of a number or address change nothing about what the customer said of it, and take nothing back.

        Who knows points by their ids is told where an opt-out is found now.
        """
        wishes, contact = self._after(contact)
        followed = tuple(followed)
        if (contact, followed, wishes) == (self.details, self.followed, self.wishes):
            return
        known = self.opt_outs
        self.emit(ContactDetailsChanged(contact=contact, followed=followed or None))
        for opt_out in self.opt_outs:
            if opt_out not in known and opt_out.point_id and self.details.spelled(opt_out.point_id):
                self.emit(OptedOut(channel=opt_out.channel, point_id=opt_out.point_id))

    @decides(RecordConsent)
    def record_consent(self, command: RecordConsent, context: Context) -> None:
        self.require_account()
        if command.point_id not in self.details.points(command.channel):
            known = ", ".join(self.details.points(command.channel)) or "none"
            raise Refusal(
                "unknown-contact-point", f"{command.channel} cannot use {command.point_id!r}: expected one of {known}"
            )
        if command.channel in (Channel.LETTER, Channel.PORTAL):
            raise Refusal(
                "no-consent-kept", f"consent is about numbers and e-mail addresses; opt out of {command.channel}"
            )
        wishes, point = self.wishes, self.point(command.channel, command.point_id)
        if point is None or not wishes.knows_consent(point, command.consent):
            self.emit(ConsentRecorded(**command.model_dump(exclude={"account_id"})))
            if command.consent is Consent.REFUSED:
                self.refuse_point(command.channel, None if point is None else point.text)
        self.share(wishes, self.others(context))

    @decides(OptOutOfContact)
    def opt_out(self, command: OptOutOfContact, context: Context) -> None:
        self.require_account()
        wishes = self.wishes
        meant = self._meant(command)
        if not wishes.knows(meant):
            self.emit(OptedOut(channel=command.channel, point_id=command.point_id))
            self.refuse_point(command.channel, None if meant.point is None else meant.point.text)
        self.share(wishes, self.others(context))

    @decides(OptInToContact)
    def opt_in(self, command: OptInToContact, context: Context) -> None:
        self.require_account()
        wishes = self.wishes
        if OptOut(channel=command.channel, point_id=command.point_id) in self.opt_outs:
            self.emit(OptedIn(channel=command.channel, point_id=command.point_id))
        self.share(wishes, self.others(context))

    def refuse_point(self, channel: Channel, text: str | None) -> None:
        """Part of what a person recorded: others may have the number or address too. Who it is said to is found out
        afterwards (`adapters.inbound.refused_points`)."""
        if channel not in _AT_A_POINT or text is None or text == ERASED or not names_one(channel, text):
            return
        point = Point(channel=channel, text=text, country=self.country)
        for office_id in [link.id for link in self.whole.links() if link.kind == "office"]:
            self.emit(PointRefused(office_id=office_id, channel=channel, point=point.form or text))

    def ids_of(self, channel: Channel, text: str) -> list[str]:
        """Points of the account that certainly or perhaps are this number or address."""
        said = Point(channel=channel, text=text, country=self.country)
        points = points_of(self.details, channel, self.country)
        return [point_id for point_id, point in points.items() if said.may_be(point)]

    def stop(self, channel: Channel, text: str, context: Context) -> list[str]:
        """An opt-out of this number or address, wherever it stands; the points that were not opted out before."""
        wishes = self.wishes
        new = [each for each in self.ids_of(channel, text) if not self.has_opted_out(channel, each)]
        for point_id in new:
            self.emit(OptedOut(channel=channel, point_id=point_id))
        self.share(wishes, self.others(context))
        return new

    def start_again(self, channel: Channel, text: str, context: Context) -> None:
        """Consent is given back at this number or address, and its opt-out taken back; that of a medium stays."""
        wishes = self.wishes
        for point_id in self.ids_of(channel, text):
            if OptOut(channel=channel, point_id=point_id) in self.opt_outs:
                self.emit(OptedIn(channel=channel, point_id=point_id))
            point = self.point(channel, point_id)
            if point is not None and not self.wishes.knows_consent(point, Consent.GIVEN):
                self.emit(ConsentRecorded(channel=channel, point_id=point_id, consent=Consent.GIVEN))
        self.share(wishes, self.others(context))

    # --- the customer's other accounts ---

    def share(self, before: Wishes, others: Iterable[Aggregate]) -> None:
        """What the customer said since, and what else is known of it, holds for all of these accounts, whether or not
        they have the number now; afterwards they know the same."""
        withdrawn = before.without(self.wishes)
        contacts = [self, *(other.part(Contact) for other in others)]
        said = Wishes()
        for each in contacts:
            said = said.with_all(each.wishes.without(withdrawn))
        for each in contacts if len(contacts) > 1 else ():
            each.hear(said, withdrawn)

    def join(self, others: list[Aggregate], context: Context) -> None:
        """Whoever joins has the ways of reaching the customer that are known on the others, and they have its own."""
        contacts = [self, *(other.part(Contact) for other in others)]
        own = [each.own_details for each in contacts]
        for each in contacts:
            for details in own:
                each.follow(ContactDetails(), details, own)
        self.share(self.wishes, others)

    def hear(self, said: Wishes, withdrawn: Wishes) -> None:
        """What the customer said on any of their accounts."""
        said, withdrawn = said.without(self.wishes), withdrawn.without(withdrawn.without(self.wishes))
        if said == withdrawn == Wishes():
            return
        after = self.wishes.without(withdrawn).with_all(said)
        opt_outs = after.opt_outs_at(self.details, self.country)
        self.emit(WishesShared(said=said, withdrawn=withdrawn, opt_outs=tuple(opt_outs)))

    def pass_on(self, before: ContactDetails, others: Iterable[Aggregate]) -> None:
        """What this account's own details have become since, their other accounts follow."""
        contacts = [self, *(other.part(Contact) for other in others)]
        own = [each.own_details for each in contacts]
        for each in contacts if before != own[0] else ():
            each.follow(before, own[0], own)

    def follow(self, before: ContactDetails, after: ContactDetails, own: Iterable[ContactDetails]) -> None:
        """What became of the details of an account of the customer, where `own` are those of all of them: what was said
        here stays, and what is known from elsewhere as long as it is said on any."""
        details, followed = carried_over(
            self.details, followed=self.followed, before=before, after=after, own=own, country=self.country
        )
        self.change(details, followed)

    def lives_in(self, country: Country | None) -> None:
        """The customer's country as it is now; by it a number may turn out to be one that was spoken of."""
        if country != self.customer_country:
            self.customer_country = country
            self.details = self.wishes.shown_in(self.details, self.country)

    def _after(self, contact: ContactDetails) -> tuple[Wishes, ContactDetails]:
        """Wishes and details once these details are known."""
        country = contact.country(self.customer_country)
        wishes = self.wishes.told_by(contact, country)
        if not (wishes.given or wishes.refused):
            return wishes, contact  # nor do the details say anything of consent, as of nearly everybody
        return wishes, wishes.shown_in(contact, country)

    def _meant(self, said: OptOutOfContact | OptedOut | OptedIn) -> OptedOutOf:
        """What an opt-out that names a point id is about: the number or address that stands there at this moment."""
        point = None if said.point_id is None else self.point(said.channel, said.point_id)
        if point is not None and not names_one(said.channel, point.text):
            point = None
        return OptedOutOf(channel=said.channel, point_id=said.point_id, point=point)

    # --- apply ---

    @applies(ContactDetailsChanged)
    def _contact_changed(self, event: ContactDetailsChanged) -> None:
        self.wishes, self.details = self._after(event.contact)
        self.followed = event.followed or ()

    @applies(ConsentRecorded)
    def _consent_recorded(self, event: ConsentRecorded) -> None:
        point = self.point(event.channel, event.point_id)
        if point is not None:
            self.wishes = self.wishes.said(point, event.consent)
            self.details = self.wishes.shown_in(self.details, self.country)

    @applies(OptedOut)
    def _opted_out(self, event: OptedOut) -> None:
        self.wishes = self.wishes.opting_out(self._meant(event))

    @applies(PointRefused)
    def _point_refused(self, event: PointRefused) -> None:
        """What it says of this account was said before it."""

    @applies(WishesShared)
    def _wishes_shared(self, event: WishesShared) -> None:
        self.wishes = self.wishes.without(event.withdrawn).with_all(event.said)
        self.details = self.wishes.shown_in(self.details, self.country)

    @applies(OptedIn)
    def _opted_in(self, event: OptedIn) -> None:
        self.wishes = self.wishes.opting_in(self._meant(event))


_MOST_POINTS = 20
"""Of a kind; see `ContactDetails`."""

AnyPoint = TypeVar("AnyPoint", PhoneNumber, EmailAddress, PostalAddress)


def _form(channel: Channel, text: str, country: Country | None) -> str:
    return normal_form(channel, text, country) or text


def _form_of_phone(country: Country | None, each: PhoneNumber) -> str | None:
    return None if each.number == ERASED else _form(Channel.VOICE, each.number, country)


def _form_of_email(country: Country | None, each: EmailAddress) -> str | None:
    return None if each.address == ERASED else _form(Channel.EMAIL, each.address, country)


def _form_of_address(country: Country | None, each: PostalAddress) -> str | None:
    return None if each.is_erased else _form(Channel.LETTER, each.place, country)


_FORMS: Mapping[str, Callable[[Country | None, Any], str | None]] = {
    "phones": _form_of_phone,
    "emails": _form_of_email,
    "addresses": _form_of_address,
}
"""By the name of the points' field in `ContactDetails`: by what two of them are the same; None: nobody knows."""


def carried_over(
    mine: ContactDetails,
    *,
    followed: Iterable[str],
    before: ContactDetails,
    after: ContactDetails,
    own: Iterable[ContactDetails],
    country: Country | None,
) -> tuple[ContactDetails, tuple[str, ...]]:
    """Details with what became of those of another account, and the ids of the points that they have from others alone
    (before that: `followed`). Points are the same however they are spelled; those that any account's `own` details have
    stay. Of single values, such as the language, those are followed that were the same."""
    own, followed = [*own], frozenset(followed)
    update: dict[str, object] = {}
    still: list[str] = []
    for name, form in _FORMS.items():
        update[name], of_kind = _points(
            getattr(mine, name),
            followed=followed,
            before=getattr(before, name),
            after=getattr(after, name),
            own=[point for each in own for point in getattr(each, name)],
            form=partial(form, country),
        )
        still += of_kind
    for name in ("language", "preferred_channel", "time_zone"):
        if getattr(before, name) != getattr(after, name) and getattr(mine, name) == getattr(before, name):
            update[name] = getattr(after, name)
    return mine.model_copy(update=update), tuple(still)


def _points(
    mine: Iterable[AnyPoint],
    *,
    followed: Container[str],
    before: Iterable[AnyPoint],
    after: Iterable[AnyPoint],
    own: Iterable[AnyPoint],
    form: Callable[[AnyPoint], str | None],
) -> tuple[tuple[AnyPoint, ...], tuple[str, ...]]:
    """Points of one kind, and the ids of those that are followed."""
    had, has, said = ({what: each for each in points if (what := form(each))} for points in (before, after, own))
    found: list[AnyPoint] = []
    for each in mine:
        what = form(each)
        if each.id not in followed or what is None:
            found.append(each)
        elif what in has:
            found.append(has[what].model_copy(update={"id": each.id}))
        elif what not in had or what in said:
            found.append(each)
    still = [each.id for each in found if each.id in followed]
    known = set(map(form, found))
    for what, each in has.items():
        if what not in had and what not in known and len(found) < _MOST_POINTS:
            new_id = _free_id(each.id, {point.id for point in found})
            found.append(each.model_copy(update={"id": new_id}))
            still.append(new_id)
    return tuple(found), tuple(still)


def _free_id(wanted: str, taken: set[str]) -> str:
    stem = wanted.rstrip("0123456789").rstrip("-")
    numbered = (f"{stem}-{n}" for n in range(1, len(taken) + 2))
    return wanted if wanted not in taken else next(each for each in numbered if each not in taken)


def _only(details: ContactDetails, ids: Container[str]) -> ContactDetails:
    return ContactDetails(
        phones=tuple(each for each in details.phones if each.id in ids),
        emails=tuple(each for each in details.emails if each.id in ids),
        addresses=tuple(each for each in details.addresses if each.id in ids),
    )


def _without(details: ContactDetails, ids: Container[str]) -> ContactDetails:
    return details.model_copy(
        update={
            "phones": tuple(each for each in details.phones if each.id not in ids),
            "emails": tuple(each for each in details.emails if each.id not in ids),
            "addresses": tuple(each for each in details.addresses if each.id not in ids),
        }
    )


def _unwanted(rule: str, detail: str) -> Denied:
    """No office turns it off and no person lifts it."""
    refusal = RuleRefusal(
        rule=rule, source="what the customer said", basis="house", detail=detail, allowed_from=None, may_override=False
    )
    return Denied(rule, detail, refusals=(refusal,))
