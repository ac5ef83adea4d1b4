"""How the customer may be reached: details, consent, opt-outs."""

from dataclasses import dataclass, field

from aggregates.account.command import AccountCommand
from aggregates.account.part import AccountPart
from aggregates.kernel.aggregate import applies, decides
from aggregates.kernel.context import Context
from aggregates.kernel.event import Event
from aggregates.kernel.refusals import Refusal
from aggregates.values.contact import Channel, Consent, ContactDetails, Denied, OptOut

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
    """The customer asked not to be contacted this way (`point_id` None: by the whole medium)."""

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
    opt_outs: list[OptOut] = field(default_factory=list)

    def has_opted_out(self, channel: Channel, point_id: str) -> bool:
        return any(opt_out.covers(channel, point_id) for opt_out in self.opt_outs)

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
        """New details of a number or address change nothing about what the customer said of it."""
        known = self.details
        contact = keeping_wishes(contact, known)
        if contact == known:
            return
        self.emit(ContactDetailsChanged(contact=contact))
        for opt_out in self.opt_outs:
            for point_id in moved_points(opt_out, known, contact):
                if not self.has_opted_out(opt_out.channel, point_id):
                    self.emit(OptedOut(channel=opt_out.channel, point_id=point_id))

    @decides(RecordConsent)
    def record_consent(self, command: RecordConsent, context: Context) -> None:
        self.require_account()
        if command.point_id not in self.details.points(command.channel):
            raise Refusal("unknown-contact-point", f"{command.channel} cannot use {command.point_id!r}")
        if command.channel in (Channel.LETTER, Channel.PORTAL):
            raise Refusal(
                "no-consent-kept", f"consent is about numbers and e-mail addresses; opt out of {command.channel}"
            )
        if self.details.consent(command.channel, command.point_id) is not command.consent:
            self.emit(ConsentRecorded(**command.model_dump(exclude={"account_id"})))

    @decides(OptOutOfContact)
    def opt_out(self, command: OptOutOfContact, context: Context) -> None:
        self.require_account()
        if OptOut(channel=command.channel, point_id=command.point_id) not in self.opt_outs:
            self.emit(OptedOut(channel=command.channel, point_id=command.point_id))

    @decides(OptInToContact)
    def opt_in(self, command: OptInToContact, context: Context) -> None:
        self.require_account()
        if OptOut(channel=command.channel, point_id=command.point_id) in self.opt_outs:
            self.emit(OptedIn(channel=command.channel, point_id=command.point_id))

    # --- apply ---

    @applies(ContactDetailsChanged)
    def _contact_changed(self, event: ContactDetailsChanged) -> None:
        self.details = event.contact

    @applies(ConsentRecorded)
    def _consent_recorded(self, event: ConsentRecorded) -> None:
        self.details = with_consent(self.details, event.channel, event.point_id, event.consent)

    @applies(OptedOut)
    def _opted_out(self, event: OptedOut) -> None:
        self.opt_outs = [*self.opt_outs, OptOut(channel=event.channel, point_id=event.point_id)]

    @applies(OptedIn)
    def _opted_in(self, event: OptedIn) -> None:
        gone = OptOut(channel=event.channel, point_id=event.point_id)
        self.opt_outs = [opt_out for opt_out in self.opt_outs if opt_out != gone]


def keeping_wishes(contact: ContactDetails, known: ContactDetails) -> ContactDetails:
    """The new details, with the consent known of the same numbers and addresses where they say nothing about it.

    A refusal is only taken back by `record-consent`, whatever a billing file says later.
    """
    phones = {phone.number: phone for phone in known.phones}
    emails = {email.address: email for email in known.emails}
    return contact.model_copy(
        update={
            "phones": tuple(
                phone.model_copy(
                    update={
                        "sms_consent": _kept(phone.sms_consent, phones[phone.number].sms_consent),
                        "voice_consent": _kept(phone.voice_consent, phones[phone.number].voice_consent),
                    }
                )
                if phone.number in phones
                else phone
                for phone in contact.phones
            ),
            "emails": tuple(
                email.model_copy(update={"consent": _kept(email.consent, emails[email.address].consent)})
                if email.address in emails
                else email
                for email in contact.emails
            ),
        }
    )


def _kept(new: Consent, known: Consent) -> Consent:
    return known if new is Consent.UNKNOWN or known is Consent.REFUSED else new


def moved_points(opt_out: OptOut, known: ContactDetails, contact: ContactDetails) -> list[str]:
    """Where the number or address that was opted out of is now found, if under another id."""
    if opt_out.point_id is None:
        return []
    address = known.address_of(opt_out.point_id)
    points = contact.points(opt_out.channel)
    return [p for p in points if p != opt_out.point_id and contact.address_of(p) == address]


def with_consent(contact: ContactDetails, channel: Channel, point_id: str, consent: Consent) -> ContactDetails:
    """The contact details with one consent changed."""
    of_phone = {"sms_consent" if channel is Channel.SMS else "voice_consent": consent}
    return contact.model_copy(
        update={
            "phones": tuple(p.model_copy(update=of_phone) if p.id == point_id else p for p in contact.phones),
            "emails": tuple(
                e.model_copy(update={"consent": consent}) if e.id == point_id else e for e in contact.emails
            ),
        }
    )
