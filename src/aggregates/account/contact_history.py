"""What contact rules look back at: contacts of the last weeks, and what was said about contact as long as it stands."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import date, timedelta
from enum import StrEnum
from functools import lru_cache
from typing import Any, ClassVar, Protocol, Self
from uuid import UUID

from pydantic import AwareDatetime, Field, model_validator

from aggregates.account.command import SHARED, AccountCommand
from aggregates.account.contact import Contact
from aggregates.account.customer import Customer
from aggregates.account.part import AccountPart
from aggregates.account.shields import Shield, ShieldSource, Why
from aggregates.kernel.aggregate import Aggregate, Needs, applies, decides
from aggregates.kernel.context import Context, Rule
from aggregates.kernel.event import Event
from aggregates.kernel.personal import Personal
from aggregates.kernel.refusals import Refusal
from aggregates.kernel.value import Value
from aggregates.office import Office
from aggregates.values.contact import Channel, ContactAttempt, Verdict
from aggregates.values.contact_record import Entry, Medium
from aggregates.values.normal_form import folded, is_number, normal_form

KEPT_FOR = timedelta(days=62)
"""How long contacts are kept. A rule that counted in a longer window would not see all of them, so the table of rules
does not load where it has one (`policies.contact.record`)."""

MEDIA: Mapping[Channel, Medium] = {
    Channel.SMS: Medium.SMS,
    Channel.VOICE: Medium.CALL,
    Channel.EMAIL: Medium.EMAIL,
    Channel.LETTER: Medium.LETTER,
    Channel.PORTAL: Medium.PORTAL,
}
_WITH_POINT = frozenset({Channel.SMS, Channel.VOICE, Channel.EMAIL})

# --- values ------------------------------------------------------------------------------------------


class Form(StrEnum):
    """How something was said."""

    WRITTEN = "written"
    VERBAL = "verbal"


class FactKind(StrEnum):
    """What is recorded about contacting the customer, by the names of the rules' own entries."""

    CEASE = "cease"
    ATTORNEY = "attorney"
    ATTORNEY_CONSENT = "attorney-consent"
    ATTORNEY_SILENT = "attorney-silent"
    BANKRUPTCY = "bankruptcy"
    DECEASED = "deceased"
    CONSENT = "consent"
    CALL_CONSENT = "call-consent"
    HOURS_CONSENT = "hours-consent"
    ESIGN_CONSENT = "esign-consent"
    REVOCATION = "revocation"
    WRONG_NUMBER = "wrong-number"
    REASSIGNMENT_CHECK = "reassignment-check"
    EMAIL_NOTICE = "email-notice"
    PRIOR_COLLECTOR = "prior-collector"
    PLACEMENT = "placement"
    VALIDATION_NOTICE = "validation-notice"
    DISPUTE = "dispute"
    VERIFICATION = "verification"


class Chapter(StrEnum):
    """Of the bankruptcy code (11 USC)."""

    LIQUIDATION = "7"
    MUNICIPALITY = "9"
    REORGANIZATION = "11"
    FAMILY_FARMER = "12"
    WAGE_EARNER = "13"
    CROSS_BORDER = "15"


class FactFields(Value):
    """What may be said of a fact about contact; which fields go with which kind is in `FACTS`."""

    kind: FactKind
    at: AwareDatetime | None = None
    """When it was said, or came in. None: now."""
    channel: Channel | None = None
    number: Personal | None = Field(None, min_length=1, max_length=200)
    """A telephone number."""
    address: Personal | None = Field(None, min_length=1, max_length=320)
    """An e-mail address."""
    form: Form | None = None
    refusal_to_pay: bool | None = None
    """The debtor wrote that they will not pay."""
    clear: bool | None = None
    """Whether the words certainly revoke consent. None: yes."""
    reassigned: bool | None = None
    """What a check of the number said: whether it is somebody else's by now."""
    chapter: Chapter | None = None
    case_number: Personal | None = Field(None, min_length=1, max_length=100)
    filed_on: date | None = None
    died_on: date | None = None
    name: Personal | None = Field(None, min_length=1, max_length=200)
    """Of the attorney."""
    reached_at: Personal | None = Field(None, min_length=1, max_length=320)
    """The attorney's number or address."""
    notes: Personal | None = Field(None, min_length=1, max_length=10_000)


class ContactFact(FactFields):
    """Something that was said, or turned out, about contacting the customer."""

    @property
    def is_written(self) -> bool:
        return self.form is not Form.VERBAL


@dataclass(frozen=True, slots=True)
class FactDefinition:
    """What there is to know of one kind of fact."""

    kind: FactKind
    says: str
    fields: tuple[str, ...] = ()
    needs: tuple[str, ...] = ()
    """Of the fields, those without which it says nothing."""
    is_about_debt: bool = False
    """It holds for this account alone; else it is about the customer, and holds for all of their accounts."""
    holds_back: bool = False
    """The chase rests while it stands."""


FACTS: Mapping[FactKind, FactDefinition] = {
    each.kind: each
    for each in (
        FactDefinition(FactKind.CEASE, "Contact is to cease", ("form", "refusal_to_pay"), holds_back=True),
        FactDefinition(
            FactKind.ATTORNEY, "An attorney represents the customer", ("name", "reached_at"), holds_back=True
        ),
        FactDefinition(FactKind.ATTORNEY_CONSENT, "The attorney consents to contact with the customer"),
        FactDefinition(FactKind.ATTORNEY_SILENT, "The attorney does not respond in reasonable time"),
        FactDefinition(
            FactKind.BANKRUPTCY,
            "The customer is in bankruptcy",
            ("chapter", "case_number", "filed_on"),
            holds_back=True,
        ),
        FactDefinition(FactKind.DECEASED, "The customer has died", ("died_on",), holds_back=True),
        FactDefinition(
            FactKind.CONSENT,
            "Consent to texts, e-mails or recorded calls",
            ("channel", "number", "address"),
            ("channel",),
        ),
        FactDefinition(
            FactKind.CALL_CONSENT, "Direct consent to calls beyond the limits, for seven days", is_about_debt=True
        ),
        FactDefinition(FactKind.HOURS_CONSENT, "Consent to contact at other hours"),
        FactDefinition(FactKind.ESIGN_CONSENT, "Consent to notices by electronic means (E-SIGN)"),
        FactDefinition(
            FactKind.REVOCATION, "Consent revoked, in whatever words", ("channel", "number", "address", "clear")
        ),
        FactDefinition(FactKind.WRONG_NUMBER, "The number is somebody else's", ("number",), ("number",)),
        FactDefinition(
            FactKind.REASSIGNMENT_CHECK,
            "The number was checked for reassignment",
            ("number", "reassigned"),
            ("number", "reassigned"),
        ),
        FactDefinition(
            FactKind.EMAIL_NOTICE, "The creditor gave notice of the e-mail address", ("address",), ("address",)
        ),
        FactDefinition(
            FactKind.PRIOR_COLLECTOR, "A prior collector used the e-mail address", ("address",), ("address",)
        ),
        FactDefinition(FactKind.PLACEMENT, "The debt was placed for collection", is_about_debt=True),
        FactDefinition(FactKind.VALIDATION_NOTICE, "The validation notice was sent", ("channel",), is_about_debt=True),
        FactDefinition(FactKind.DISPUTE, "The debt is disputed", ("form",), is_about_debt=True),
        FactDefinition(FactKind.VERIFICATION, "The disputed debt was verified", is_about_debt=True),
    )
}
"""Every kind of fact that people record, in the order in which they are offered; each may have notes."""

_COMMON = frozenset({"kind", "at", "notes"})

# --- events ------------------------------------------------------------------------------------------


class ContactFactRecorded(Event, name="account.contact-fact-recorded"):
    """Something was said, or turned out, about contacting the customer; it holds until it is withdrawn."""

    fact_id: UUID
    fact: ContactFact


class ContactFactWithdrawn(Event, name="account.contact-fact-withdrawn"):
    """A fact about contacting the customer holds no more."""

    fact_id: UUID
    kind: FactKind


# --- commands ----------------------------------------------------------------------------------------


class RecordContactFact(AccountCommand, FactFields, name="record-contact-fact", makes="contact-fact", **SHARED):
    """Record what was said, or turned out, about contacting the customer: cease, attorney, bankruptcy, consent …

    What is about the customer holds for all of their accounts.
    """

    @model_validator(mode="after")
    def _goes_with_its_kind(self) -> Self:
        known = FACTS[self.kind]
        for name in known.needs:
            if getattr(self, name) is None:
                raise ValueError(f"{name}: expected, but missing")
        said = {name for name in FactFields.model_fields if getattr(self, name) is not None}
        for name in sorted(said - _COMMON - set(known.fields)):
            raise ValueError(f"{name}: is not a field of {self.kind}")
        if self.number is not None and self.address is not None:
            raise ValueError("address: expected a number or an address, not both")
        return self


class WithdrawContactFact(AccountCommand, name="withdraw-contact-fact", **SHARED):
    """A fact about contact holds no more, or never did; on all of the customer's accounts."""

    fact_id: UUID


class RetirePoint(AccountCommand, name="retire-point", makes="contact-fact", **SHARED):
    """A number turned out to be somebody else's: it is used no more, on any of the customer's accounts."""

    point_id: str


class RestorePoint(AccountCommand, name="restore-point", **SHARED):
    """A number is the customer's after all."""

    point_id: str


# --- decisions ---------------------------------------------------------------------------------------


class ContactRules(Protocol):
    """Whether a contact is allowed now (`policies.contact_rules`): by every rule, which all are named."""

    def __call__(self, account: Any, attempt: ContactAttempt, context: Context, /) -> Verdict: ...


MAY_CONTACT: Rule[ContactRules] = Rule("contact rules")


@dataclass(slots=True)
class ContactHistory(AccountPart):
    """What the contact rules look at, ready to be looked at: nothing is read or worked out when they are asked."""

    contacts: dict[UUID, Entry] = field(default_factory=dict)
    """By message or activity; about as long ago as rules count."""
    under_way: dict[UUID, Entry] = field(default_factory=dict)
    """Calls that have begun and not ended: they count."""
    earlier: dict[str, Entry] = field(default_factory=dict)
    """Of contacts that are kept no longer: the last by each medium from each number or address that came from the
    customer, and the first communication of all. They mean something however long ago."""
    facts: dict[UUID, ContactFact] = field(default_factory=dict)
    """Those that stand."""

    customer: ClassVar = Needs(Customer)
    contact: ClassVar = Needs(Contact)

    @property
    def entries(self) -> Iterable[Entry]:
        """Contacts, in no order."""
        return (*self.earlier.values(), *self.contacts.values(), *self.under_way.values())

    def verdict(self, attempt: ContactAttempt, context: Context) -> Verdict:
        """What the contact rules say of a contact with the customer."""
        return context.rule(MAY_CONTACT)(self.whole, attempt, context)

    def shields(self, office: Office) -> list[Shield]:
        """What ends contact ends the chase too, unless the office chose not to heed it."""
        return [
            Shield(ShieldSource.CONTACT, Why(code=kind, detail=_lower(FACTS[kind].says)))
            for kind in (self._ending() if self.facts else ())
            if _is_heeded(kind, office)
        ]

    def _ending(self) -> list[FactKind]:
        """Kinds of facts that end contact, in the order of the catalogue."""
        standing = {fact.kind for fact in self.facts.values() if fact.kind is not FactKind.CEASE or fact.is_written}
        if standing & {FactKind.ATTORNEY_CONSENT, FactKind.ATTORNEY_SILENT}:
            standing.discard(FactKind.ATTORNEY)
        return [kind for kind, known in FACTS.items() if known.holds_back and kind in standing]

    def is_retired(self, channel: Channel, point_id: str) -> bool:
        """Whether the number that stands there turned out to be somebody else's."""
        return bool(self.facts) and bool(self._wrong(channel, point_id))

    def _wrong(self, channel: Channel, point_id: str) -> list[UUID]:
        to = self.point(channel, point_id)
        return [
            fact_id for fact_id, fact in self.facts.items() if fact.kind is FactKind.WRONG_NUMBER and fact.number == to
        ]

    def point(self, channel: Channel, point_id: str) -> str | None:
        """The number or e-mail address that stands there now, in one spelling; None of other media."""
        if channel not in _WITH_POINT:
            return None
        contact = self.contact
        details = contact.details
        text = details.address_of(point_id)
        return None if text is None else in_one_spelling(channel, text, details.country(contact.customer_country))

    @decides(RecordContactFact)
    def record_fact(self, command: RecordContactFact, context: Context) -> None:
        self.require_account()
        if command.at is not None and command.at > context.now:
            raise Refusal("future-contact", "at: expected now, or an earlier moment")
        said = command.model_dump(exclude={"account_id"})
        country = self.contact.country
        if command.number is not None:
            said["number"] = in_one_spelling(Channel.VOICE, command.number, country)
        if command.address is not None:
            said["address"] = in_one_spelling(Channel.EMAIL, command.address, country)
        fact = ContactFact.model_validate({**said, "at": command.at or context.now})
        self.record(command.made_id(context.command_id), fact, context)
        if fact.kind is FactKind.REVOCATION and fact.clear is not False:
            for channel in (fact.channel,) if fact.channel else (Channel.SMS, Channel.VOICE, Channel.EMAIL):
                text = fact.address if channel is Channel.EMAIL else fact.number
                self.contact.refuse_point(channel, text)

    def record(self, fact_id: UUID, fact: ContactFact, context: Context) -> None:
        """A fact, here and where it says something of the customer on their other accounts."""
        is_shared = not FACTS[fact.kind].is_about_debt
        for each in (self, *(other.part(ContactHistory) for other in self.others(context) if is_shared)):
            if fact_id not in each.facts:
                each.emit(ContactFactRecorded(fact_id=fact_id, fact=fact))

    @decides(WithdrawContactFact)
    def withdraw_fact(self, command: WithdrawContactFact, context: Context) -> None:
        self.require_account()
        if command.fact_id not in self.facts:
            raise Refusal("unknown-contact-fact", "no such fact about contact stands")
        self._withdraw([command.fact_id], context)

    def _withdraw(self, fact_ids: Iterable[UUID], context: Context) -> None:
        everywhere = [self, *(other.part(ContactHistory) for other in self.others(context))]
        for fact_id in fact_ids:
            for each in everywhere:
                if fact_id in each.facts:
                    each.emit(ContactFactWithdrawn(fact_id=fact_id, kind=each.facts[fact_id].kind))

    @decides(RetirePoint)
    def retire(self, command: RetirePoint, context: Context) -> None:
        self.require_account()
        self._require_number(command.point_id)
        if not self.is_retired(Channel.VOICE, command.point_id):
            number = self.point(Channel.VOICE, command.point_id)
            self.retire_number(command.made_id(context.command_id), number, context)

    def retire_number(self, fact_id: UUID, number: str | None, context: Context) -> None:
        fact = ContactFact(kind=FactKind.WRONG_NUMBER, at=context.now, number=number)
        self.record(fact_id, fact, context)

    def take_back_retiring(self, fact_id: UUID, context: Context) -> None:
        """The activity that retired a number was recorded wrongly."""
        fact = self.facts.get(fact_id)
        if fact is not None and fact.kind is FactKind.WRONG_NUMBER:
            self._withdraw([fact_id], context)

    def withdraw(self, fact_id: UUID, context: Context) -> None:
        """A fact that turned out to be none, here and on the customer's other accounts; nothing where it stands not."""
        self._withdraw([fact_id], context)

    @decides(RestorePoint)
    def restore(self, command: RestorePoint, context: Context) -> None:
        self.require_account()
        self._require_number(command.point_id)
        self._withdraw(self._wrong(Channel.VOICE, command.point_id), context)

    def _require_number(self, point_id: str) -> None:
        known = self.contact.details.points(Channel.VOICE)
        if point_id not in known:
            raise Refusal("unknown-contact-point", f"point_id: expected one of {', '.join(known) or 'none'}")

    def join(self, others: list[Aggregate], context: Context) -> None:
        """What any of these accounts knows of the customer, all of them know afterwards."""
        histories = [self, *(other.part(ContactHistory) for other in others)]
        shared = {
            fact_id: fact
            for each in histories
            for fact_id, fact in each.facts.items()
            if not FACTS[fact.kind].is_about_debt
        }
        for each in histories:
            for fact_id, fact in shared.items():
                if fact_id not in each.facts:
                    each.emit(ContactFactRecorded(fact_id=fact_id, fact=fact))

    # --- what other parts tell ---

    def begin(self, contact_id: UUID, entry: Entry) -> None:
        """Part of starting a call: it counts from now on."""
        self.under_way[contact_id] = entry

    def keep(self, contact_id: UUID, entry: Entry) -> None:
        """A contact was made. What is older than any rule looks back is let go."""
        if self.under_way:
            self.under_way.pop(contact_id, None)
        contacts = self.contacts
        contacts[contact_id] = entry
        limit = entry.at - KEPT_FOR
        while next(iter(contacts.values())).at < limit:  # an id is worked out anew each time it is looked up by
            self._let_go(contacts.pop(next(iter(contacts))))

    def forget(self, contact_id: UUID) -> None:
        """What was recorded of it was corrected."""
        self.contacts.pop(contact_id, None)
        self.under_way.pop(contact_id, None)

    def _let_go(self, entry: Entry) -> None:
        if entry.is_inbound:
            self.earlier[f"{entry.channel} {entry.to or ''}"] = entry
        first = self.earlier.get("first")
        is_told = entry.channel is not Medium.CALL or entry.is_conversation or entry.is_message
        if is_told and (first is None or entry.at < first.at):
            self.earlier["first"] = entry

    # --- apply ---

    @applies(ContactFactRecorded)
    def _fact_recorded(self, event: ContactFactRecorded) -> None:
        self.facts = {**self.facts, event.fact_id: event.fact}

    @applies(ContactFactWithdrawn)
    def _fact_withdrawn(self, event: ContactFactWithdrawn) -> None:
        self.facts = {known: fact for known, fact in self.facts.items() if known != event.fact_id}


def _is_heeded(kind: FactKind, office: Office) -> bool:
    chosen = office.contact.rules.get(kind)
    return chosen is None or chosen.on is not False


@lru_cache(maxsize=65_536)
def in_one_spelling(channel: Channel, text: str, country: str | None) -> str:
    """The same for every spelling of a number or address; what is neither stays as it is."""
    if channel is not Channel.EMAIL and not is_number(text, country):
        return folded(text)
    return normal_form(channel, text, country) or text


def _lower(sentence: str) -> str:
    return sentence[:1].lower() + sentence[1:]
