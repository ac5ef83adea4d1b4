"""Who the customer is and how they may be reached."""

from aggregates.account.contact import (
    ChangeContactDetails,
    ConsentRecorded,
    ContactDetailsChanged,
    OptedIn,
    OptedOut,
    OptInToContact,
    OptOutOfContact,
    RecordConsent,
)
from aggregates.account.customer import (
    AccountOpened,
    CustomerKind,
    CustomerRenamed,
    EnsureAccount,
    OpenAccount,
    RecordSubscription,
    SubscriptionRecorded,
)
from aggregates.account.state import AccountState
from aggregates.kernel.aggregate import applies
from aggregates.kernel.command import Context, Refusal, decides
from aggregates.values.contact import Channel, Consent, ContactDetails, OptOut

DESCRIPTION = {"customer_name", "customer_kind", "segment", "country", "information"}
"""What says who the customer is; a change of any of it is one event."""


class Customer(AccountState):
    """Decisions about the customer's data and wishes."""

    @decides(OpenAccount)
    def open_account(self, command: OpenAccount, context: Context) -> None:
        if not self.exists:
            _require_currency_of_office(command, context)
            self.emit(AccountOpened(**command.model_dump(exclude={"contact"})))
        elif command.currency != self.currency:
            raise Refusal("wrong-currency", f"the account is in {self.currency} already")
        elif any(getattr(self, name) != getattr(command, name) for name in DESCRIPTION):
            self.emit(CustomerRenamed(**command.model_dump(include=DESCRIPTION)))
        if command.contact is not None:
            self._change_contact(command.contact)

    @decides(EnsureAccount)
    def ensure(self, command: EnsureAccount, context: Context) -> None:
        if not self.exists:
            _require_currency_of_office(command, context)
            self.emit(
                AccountOpened(
                    office_id=command.office_id,
                    number=command.number,
                    customer_name=command.number,
                    currency=command.currency,
                    customer_kind=CustomerKind.CONSUMER,
                )
            )

    @decides(ChangeContactDetails)
    def change_contact_details(self, command: ChangeContactDetails, context: Context) -> None:
        self.require_open()
        self._change_contact(command.contact)

    def _change_contact(self, contact: ContactDetails) -> None:
        """New details of a number or address change nothing about what the customer said of it."""
        known = self.contact
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
        self.require_open()
        if command.point_id not in self.contact.points(command.channel):
            raise Refusal("unknown-contact-point", f"{command.channel} cannot use {command.point_id!r}")
        if command.channel in (Channel.LETTER, Channel.PORTAL):
            raise Refusal(
                "no-consent-kept", f"consent is about numbers and e-mail addresses; opt out of {command.channel}"
            )
        if self.contact.consent(command.channel, command.point_id) is not command.consent:
            self.emit(ConsentRecorded(**command.model_dump(exclude={"account_id"})))

    @decides(OptOutOfContact)
    def opt_out(self, command: OptOutOfContact, context: Context) -> None:
        self.require_open()
        if OptOut(channel=command.channel, point_id=command.point_id) not in self.opt_outs:
            self.emit(OptedOut(channel=command.channel, point_id=command.point_id))

    @decides(OptInToContact)
    def opt_in(self, command: OptInToContact, context: Context) -> None:
        self.require_open()
        if OptOut(channel=command.channel, point_id=command.point_id) in self.opt_outs:
            self.emit(OptedIn(channel=command.channel, point_id=command.point_id))

    @decides(RecordSubscription)
    def record_subscription(self, command: RecordSubscription, context: Context) -> None:
        self.require_open()
        self.require_currency(command.subscription.initial_discount)
        if self.subscriptions.get(command.subscription.number) != command.subscription:
            self.emit(SubscriptionRecorded(subscription=command.subscription))

    def has_opted_out(self, channel: Channel, point_id: str) -> bool:
        return any(opt_out.covers(channel, point_id) for opt_out in self.opt_outs)

    # --- apply ---

    @applies(AccountOpened)
    def _opened(self, event: AccountOpened) -> None:
        self.office_id, self.number, self.currency = event.office_id, event.number, event.currency
        self.customer_name, self.customer_kind = event.customer_name, event.customer_kind
        self.segment, self.country, self.information = event.segment, event.country, event.information

    @applies(CustomerRenamed)
    def _renamed(self, event: CustomerRenamed) -> None:
        self.customer_name, self.customer_kind = event.customer_name, event.customer_kind
        self.segment, self.country, self.information = event.segment, event.country, event.information

    @applies(ContactDetailsChanged)
    def _contact_changed(self, event: ContactDetailsChanged) -> None:
        self.contact = event.contact

    @applies(ConsentRecorded)
    def _consent_recorded(self, event: ConsentRecorded) -> None:
        self.contact = with_consent(self.contact, event.channel, event.point_id, event.consent)

    @applies(OptedOut)
    def _opted_out(self, event: OptedOut) -> None:
        self.opt_outs = [*self.opt_outs, OptOut(channel=event.channel, point_id=event.point_id)]

    @applies(OptedIn)
    def _opted_in(self, event: OptedIn) -> None:
        gone = OptOut(channel=event.channel, point_id=event.point_id)
        self.opt_outs = [opt_out for opt_out in self.opt_outs if opt_out != gone]

    @applies(SubscriptionRecorded)
    def _subscription_recorded(self, event: SubscriptionRecorded) -> None:
        self.subscriptions = {**self.subscriptions, event.subscription.number: event.subscription}


def _require_currency_of_office(command: OpenAccount | EnsureAccount, context: Context) -> None:
    if command.currency != context.settings.currency:
        raise Refusal("wrong-currency", f"the office works in {context.settings.currency}")


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
