"""How the customer may be reached: details, consent, opt-outs."""

from dataclasses import dataclass, field

from aggregates.account.command import AccountCommand
from aggregates.account.part import AccountPart
from aggregates.account.wishes import OptedOutOf, Point, Wishes
from aggregates.kernel.aggregate import applies, decides
from aggregates.kernel.context import Context
from aggregates.kernel.event import Event
from aggregates.kernel.refusals import Refusal
from aggregates.values.contact import Channel, Consent, ContactDetails, Country, Denied, OptOut
from aggregates.values.normal_form import names_one

# --- events ------------------------------------------------------------------------------------------


class ContactDetailsChanged(Event, name="account.contact-details-changed"):
    """The ways of reaching the customer are now these, all of them."""

    contact: ContactDetails


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


# --- commands ----------------------------------------------------------------------------------------


class ChangeContactDetails(AccountCommand, name="change-contact-details"):
    """Replace the ways of reaching the customer."""

    contact: ContactDetails


class RecordConsent(AccountCommand, name="record-consent"):
    """Record that the customer allowed or refused contact at an address or number."""

    channel: Channel
    point_id: str
    consent: Consent


class OptOutOfContact(AccountCommand, name="opt-out"):
    """The customer does not want to be contacted this way any more; honoured at once."""

    channel: Channel
    point_id: str | None = None


class OptInToContact(AccountCommand, name="opt-in"):
    """The customer takes an opt-out back."""

    channel: Channel
    point_id: str | None = None


# --- decisions ---------------------------------------------------------------------------------------


@dataclass
class Contact(AccountPart):
    """The ways of reaching the customer, and what they do not want."""

    details: ContactDetails = field(default_factory=ContactDetails)
    """With the consents that are in force."""
    wishes: Wishes = field(default_factory=Wishes)
    customer_country: Country | None = None

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
            return Denied("opted-out", f"the customer does not want {channel} at {point_id}")
        if self.details.consent(channel, point_id) is Consent.REFUSED:
            return Denied("consent-refused", f"the customer refused {channel} at {point_id}")
        return None

    @decides(ChangeContactDetails)
    def change_contact_details(self, command: ChangeContactDetails, context: Context) -> None:
        self.require_account()
        self.change(command.contact)

    def change(self, contact: ContactDetails) -> None:
        """New details of a number or address change nothing about what the customer said of it, and take nothing back.

        Who knows points by their ids is told where an opt-out is found now.
        """
        wishes, contact = self._after(contact)
        if contact == self.details and wishes == self.wishes:
            return
        known = self.opt_outs
        self.emit(ContactDetailsChanged(contact=contact))
        for opt_out in self.opt_outs:
            if opt_out not in known and opt_out.point_id and self.details.spelled(opt_out.point_id):
                self.emit(OptedOut(channel=opt_out.channel, point_id=opt_out.point_id))

    @decides(RecordConsent)
    def record_consent(self, command: RecordConsent, context: Context) -> None:
        self.require_account()
        if command.point_id not in self.details.points(command.channel):
            raise Refusal("unknown-contact-point", f"{command.channel} cannot use {command.point_id!r}")
        if command.channel in (Channel.LETTER, Channel.PORTAL):
            raise Refusal(
                "no-consent-kept", f"consent is about numbers and e-mail addresses; opt out of {command.channel}"
            )
        point = self.point(command.channel, command.point_id)
        if point is None or not self.wishes.knows_consent(point, command.consent):
            self.emit(ConsentRecorded(**command.model_dump(exclude={"account_id"})))

    @decides(OptOutOfContact)
    def opt_out(self, command: OptOutOfContact, context: Context) -> None:
        self.require_account()
        if not self.wishes.knows(self._meant(command)):
            self.emit(OptedOut(channel=command.channel, point_id=command.point_id))

    @decides(OptInToContact)
    def opt_in(self, command: OptInToContact, context: Context) -> None:
        self.require_account()
        if OptOut(channel=command.channel, point_id=command.point_id) in self.opt_outs:
            self.emit(OptedIn(channel=command.channel, point_id=command.point_id))

    def lives_in(self, country: Country | None) -> None:
        """The customer's country as it is now; by it a number may turn out to be one that was spoken of."""
        if country != self.customer_country:
            self.customer_country = country
            self.details = self.wishes.shown_in(self.details, self.country)

    def _after(self, contact: ContactDetails) -> tuple[Wishes, ContactDetails]:
        """Wishes and details once these details are known."""
        country = contact.country(self.customer_country)
        wishes = self.wishes.told_by(contact, country)
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

    @applies(ConsentRecorded)
    def _consent_recorded(self, event: ConsentRecorded) -> None:
        point = self.point(event.channel, event.point_id)
        if point is not None:
            self.wishes = self.wishes.said(point, event.consent)
            self.details = self.wishes.shown_in(self.details, self.country)

    @applies(OptedOut)
    def _opted_out(self, event: OptedOut) -> None:
        self.wishes = self.wishes.opting_out(self._meant(event))

    @applies(OptedIn)
    def _opted_in(self, event: OptedIn) -> None:
        self.wishes = self.wishes.opting_in(self._meant(event))
