"""How the customer may be reached: details, consent, opt-outs."""

from aggregates.account.command import AccountCommand
from aggregates.kernel.event import Event
from aggregates.values.contact import Channel, Consent, ContactDetails

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
