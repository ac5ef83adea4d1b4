"""A contact judged by the contact rules as it is written down: no account, no database.

The case is JSON. What is not known is left out; an unknown field or value is an error that names its place.
"""

import json
import re
from collections.abc import Mapping, Sequence
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Annotated

from pydantic import (
    AfterValidator,
    AwareDatetime,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    StringConstraints,
    ValidationError,
    model_validator,
)

from aggregates.values.business_time import TimeZone
from aggregates.values.contact import Channel, Country
from aggregates.values.countries import A_COUNTRY, is_country
from aggregates.values.normal_form import Telephone, normal_form
from aggregates.values.patterns import pattern
from api.application.json_names import NameTwice, each_name_once
from api.application.plausibility import EARLIEST, LATEST
from api.application.settings import SettingsError, faults_of
from policies.contact.case import (
    Asked,
    Debtor,
    DebtType,
    Entry,
    Flag,
    Kind,
    Medium,
    Phone,
    Place,
    Purpose,
    Recipient,
    Role,
    RuleSetting,
    VoicemailPart,
)
from policies.contact.places import STATES, TERRITORIES, US
from policies.contact.rule import Basis
from policies.contact.table import judge, setting_fault

_DIALLED = frozenset({Medium.CALL, Medium.SMS})

# --- values as they are written --------------------------------------------------------------------------


def _plausible(moment: datetime) -> datetime:
    if not EARLIEST.year < moment.year < LATEST.year:
        raise ValueError(f"expected a moment from {EARLIEST} to {LATEST}")
    return moment.astimezone(UTC)


def _state(code: str) -> str:
    if code not in STATES:
        raise ValueError("expected the code of a state, district or territory of the US, such as HI")
    return code


def _printable(text: str) -> str:
    if not text.isprintable():
        raise ValueError("expected printable text")
    return text


def _country(code: str) -> str:
    if not is_country(code):
        raise ValueError(f"expected {A_COUNTRY}")
    return code


def _read(kind: type[date], form: re.Pattern[str], example: str) -> BeforeValidator:
    """In one form only: digits alone would be taken for seconds since 1970."""

    def read(said: object) -> object:
        if isinstance(said, date):
            return said
        try:
            return kind.fromisoformat(said.upper()) if isinstance(said, str) and form.match(said) else None
        except ValueError:
            return None

    def checked(said: object) -> object:
        if (found := read(said)) is None:
            raise ValueError(f"expected {example}")
        return found

    return BeforeValidator(checked)


_A_MOMENT = "a moment with its offset, such as 2026-03-02T15:00:00Z"
At = Annotated[
    AwareDatetime,
    AfterValidator(_plausible),
    _read(datetime, re.compile(r"\d{4}-\d\d-\d\d[Tt ]", re.ASCII), _A_MOMENT),
]
Day = Annotated[date, _read(date, re.compile(r"\d{4}-\d\d-\d\d$", re.ASCII), "a day such as 2026-03-02")]
State = Annotated[Country, AfterValidator(_state)]
Zip = Annotated[
    str,
    StringConstraints(pattern=pattern(r"^[0-9]{5}(-[0-9]{4})?$", "a ZIP code such as 96813 or 96813-1234")),
]
Text = Annotated[str, StringConstraints(min_length=1, max_length=200), AfterValidator(_printable)]
Debts = Annotated[tuple[Text, ...], Field(max_length=100)]


class _Said(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class PhoneSaid(_Said):
    number: Text
    place: Place | None = None


class DebtorSaid(_Said):
    """Whom the contact is with. `phone` is short for one of `phones`."""

    state: State | None = None
    zip: Zip | None = None
    city: Text | None = None
    country: Annotated[Country, AfterValidator(_country)] = US
    phone: Text | None = None
    phones: Annotated[tuple[PhoneSaid, ...], Field(max_length=20)] = ()
    debt_type: DebtType = DebtType.CONSUMER
    flags: Annotated[tuple[Flag, ...], Field(max_length=20)] = ()
    time_zones: Annotated[tuple[TimeZone, ...], Field(max_length=20)] = ()
    amount: Annotated[Decimal, Field(ge=0, max_digits=15, decimal_places=2)] | None = None
    """In US dollars."""
    entered_on: Day | None = None
    """When the debt was entered, renewed, sold or assigned."""

    @model_validator(mode="after")
    def _goes_together(self) -> "DebtorSaid":
        for name in ("state", "zip") if self.country not in {US, *TERRITORIES} else ():
            if getattr(self, name) is not None:
                raise ValueError(f"{name}: expected none outside the US")
        if self.country in TERRITORIES and self.state not in {None, self.country}:
            raise ValueError(f"state: expected {self.country}, or none, as it is the country")
        if self.entered_on is not None and not EARLIEST <= self.entered_on <= LATEST:
            raise ValueError(f"entered_on: expected a day from {EARLIEST} to {LATEST}")
        if self.phone is not None:
            _number(self.phone, self.country, "phone")
        for index, each in enumerate(self.phones):
            _number(each.number, self.country, f"phones.{index}.number")
        return self


COMMON = frozenset({"at", "kind"})
_POINT = frozenset({"number", "address"})
_DEBT = frozenset({"debt", "debts"})
_PERSON = frozenset({"person"})

FIELDS: Mapping[Kind, frozenset[str]] = {
    Kind.CONTACT: frozenset(
        {
            "channel",
            "direction",
            "connected",
            "conversation",
            "message",
            "limited_content",
            "recipient",
            "place",
            "prerecorded",
            "purpose",
            "words",
        }
    )
    | _POINT
    | _DEBT
    | _PERSON,
    Kind.CONSENT: frozenset({"channel"}) | _POINT,
    Kind.CALL_CONSENT: _DEBT | _PERSON,
    Kind.HOURS_CONSENT: _PERSON,
    Kind.ESIGN_CONSENT: frozenset(),
    Kind.OPT_OUT: frozenset({"channel"}) | _POINT,
    Kind.REVOCATION: frozenset({"channel", "clear"}) | _POINT | _DEBT,
    Kind.CEASE: frozenset({"form", "refusal_to_pay"}),
    Kind.ATTORNEY: frozenset(),
    Kind.ATTORNEY_CONSENT: frozenset(),
    Kind.ATTORNEY_SILENT: frozenset(),
    Kind.BANKRUPTCY: frozenset(),
    Kind.DECEASED: frozenset(),
    Kind.WRONG_NUMBER: frozenset({"number"}),
    Kind.DISPUTE: frozenset({"form"}) | _DEBT,
    Kind.VERIFICATION: _DEBT,
    Kind.PLACEMENT: _DEBT,
    Kind.VALIDATION_NOTICE: frozenset({"channel"}) | _DEBT,
    Kind.REASSIGNMENT_CHECK: frozenset({"number", "reassigned"}),
    Kind.EMAIL_NOTICE: frozenset({"address"}),
    Kind.PRIOR_COLLECTOR: frozenset({"address"}),
    Kind.WITHDRAWN: frozenset({"what"}) | _POINT,
}
"""What may be said of an entry of each kind, besides `at` and `kind`."""

REQUIRED: Mapping[Kind, tuple[str, ...]] = {
    Kind.CONTACT: ("channel",),
    Kind.CONSENT: ("channel",),
    Kind.WRONG_NUMBER: ("number",),
    Kind.REASSIGNMENT_CHECK: ("number",),
    Kind.WITHDRAWN: ("what",),
}


_OF_CALLS = ("conversation", "message", "limited_content", "prerecorded")
_NEVER_WITHDRAWN = frozenset({Kind.CONTACT, Kind.WITHDRAWN})


class EntrySaid(_Said):
    """One thing that happened; without `kind` a contact. Each kind has fields of its own: docs/contact-rules.md."""

    at: At
    kind: Kind = Kind.CONTACT
    channel: Medium | None = None
    direction: Annotated[str, Field(pattern=pattern("^(in|out)$", "in or out"))] = "out"
    connected: bool = True
    conversation: bool = False
    message: bool = False
    limited_content: bool = False
    debt: Text | None = None
    debts: Debts = ()
    person: Text | None = None
    number: Text | None = None
    address: Text | None = None
    recipient: Recipient = Recipient.CONSUMER
    place: Place | None = None
    prerecorded: bool = False
    purpose: Purpose = Purpose.COLLECTION
    words: Annotated[str, Field(max_length=2_000)] | None = None
    form: Annotated[str, Field(pattern=pattern("^(written|verbal)$", "written or verbal"))] = "written"
    refusal_to_pay: bool = False
    clear: bool = True
    reassigned: bool = False
    what: Kind | None = None

    @model_validator(mode="after")
    def _goes_with_its_kind(self) -> "EntrySaid":
        for name in REQUIRED.get(self.kind, ()):
            if getattr(self, name) is None:
                raise ValueError(f"{name}: expected, but missing")
        for name in sorted(self.model_fields_set - COMMON - FIELDS[self.kind]):
            raise ValueError(f"{name}: is not a field of {self.kind.value}")
        if self.number is not None and self.address is not None:
            raise ValueError("address: expected a number or an address, not both")
        for name in _OF_CALLS if self.channel is not Medium.CALL else ():
            if getattr(self, name):
                raise ValueError(f"{name}: only a call has one")
        if not self.connected and self.channel is not Medium.CALL:
            raise ValueError("connected: only a call is")
        for name in ("conversation", "message", "limited_content") if not self.connected else ():
            if getattr(self, name):
                raise ValueError(f"{name}: a call that was not connected has none")
        if self.what in _NEVER_WITHDRAWN:
            raise ValueError("what: expected the kind of what was said")
        if self.number is not None and self.channel not in {None, *_DIALLED}:
            raise ValueError(f"number: {self.channel} has none")
        if self.address is not None:
            if self.channel not in {None, Medium.EMAIL}:
                raise ValueError(f"address: {self.channel} has none; that of an e-mail is expected")
            _email(self.address, "address")
        return self


class ContactSaid(_Said):
    """The contact that is asked about. `to` is the number or e-mail address."""

    at: At
    channel: Medium
    debt: Text | None = None
    debts: Debts = ()
    person: Text | None = None
    to: Text | None = None
    recipient: Recipient = Recipient.CONSUMER
    place: Place | None = None
    purpose: Purpose = Purpose.COLLECTION
    prerecorded: bool = False
    opt_out: bool = True
    """A simple way to opt out is in it."""
    voicemail: Annotated[tuple[VoicemailPart, ...], Field(max_length=20)] | None = None
    """The parts of a voicemail that is meant to be a limited-content message."""
    can_be_kept: bool = True
    undisputed_part: bool = False
    """It is about the part of the debt only that is not disputed."""
    offer: bool = False

    @model_validator(mode="after")
    def _goes_with_its_channel(self) -> "ContactSaid":
        if self.channel is not Medium.CALL and self.prerecorded:
            raise ValueError("prerecorded: only a call is")
        if self.channel is not Medium.CALL and self.voicemail is not None:
            raise ValueError("voicemail: only a call has one")
        if self.channel is Medium.EMAIL and self.to is not None:
            _email(self.to, "to")
        return self


class SettingSaid(_Said):
    """What an office says of a rule that is not certain law."""

    on: bool | None = None
    figures: dict[str, int] = Field(default_factory=dict, max_length=10)


class ContactCase(_Said):
    """A contact, and all that it is judged by."""

    debtor: DebtorSaid
    role: Role
    history: Annotated[tuple[EntrySaid, ...], Field(max_length=100_000)] = ()
    contact: ContactSaid
    settings: dict[str, SettingSaid] = Field(default_factory=dict, max_length=100)

    @model_validator(mode="after")
    def _goes_together(self) -> "ContactCase":
        country = self.debtor.country
        for index, each in enumerate(self.history):
            if each.number is not None:
                _number(each.number, country, f"history.{index}.number")
        if self.contact.channel in _DIALLED and self.contact.to is not None:
            _number(self.contact.to, country, "contact.to")
        for rule_id, said in self.settings.items():
            fault = setting_fault(rule_id, _setting(said))
            if fault is not None:
                raise ValueError(f"settings.{rule_id}: {fault}")
        return self


# --- the answer -------------------------------------------------------------------------------------------


class RefusalView(BaseModel):
    """A rule that refuses the contact."""

    rule: str
    source: str
    basis: Basis
    """By law, by a law of which not all is certain, or as house policy."""
    detail: str
    allowed_from: datetime | None
    """The earliest moment at which this rule alone would allow it; null: never by itself."""
    may_override: bool
    """A person may lift it, with a reason."""


class ContactVerdict(BaseModel):
    """Whether the contact is allowed, and every rule that refuses it."""

    allowed: bool
    refusals: list[RefusalView]


def read_case(text: str, source: str) -> ContactCase:
    """A case of JSON text. Raises SettingsError, which names each place that is not as expected."""
    try:
        json.loads(text, object_pairs_hook=each_name_once)
        return ContactCase.model_validate_json(text, strict=True)
    except NameTwice as twice:
        raise SettingsError(f"{source}: {twice.name}: expected once, but it stands there twice") from None
    except json.JSONDecodeError as error:
        raise SettingsError(f"{source} is not JSON: {error.msg}, line {error.lineno}, column {error.colno}") from None
    except RecursionError:
        raise SettingsError(f"{source} is nested too deep") from None
    except ValidationError as error:
        raise SettingsError(faults_of(error, source)) from None
    except ValueError as error:
        raise SettingsError(f"{source} is not JSON: {error}") from None


def check_contact(case: ContactCase) -> ContactVerdict:
    """Judges a case by every rule."""
    country = case.debtor.country
    debtor = _debtor(case.debtor)
    refused = judge(
        debtor,
        case.role,
        [_entry(each, country) for each in case.history],
        _asked(case.contact, debtor),
        {rule_id: _setting(said) for rule_id, said in case.settings.items()},
    )
    views = [
        RefusalView(
            rule=each.rule,
            source=each.source,
            basis=each.basis,
            detail=each.detail,
            allowed_from=each.allowed_from,
            may_override=each.may_override,
        )
        for each in refused
    ]
    return ContactVerdict(allowed=not views, refusals=views)


# --- from what is written to what is judged -----------------------------------------------------------------


def _debtor(said: DebtorSaid) -> Debtor:
    phones = [Phone(_number(each.number, said.country, "phone"), each.place) for each in said.phones]
    if said.phone is not None:
        phone = Phone(_number(said.phone, said.country, "phone"))
        phones += [] if phone.number in {each.number for each in phones} else [phone]
    territory = said.country if said.country in TERRITORIES else None
    return Debtor(
        state=said.state or territory,
        zip_code=said.zip,
        city=said.city,
        country=said.country if territory is None else US,
        phones=tuple(phones),
        debt_type=said.debt_type,
        flags=frozenset(said.flags),
        time_zones=said.time_zones,
        amount=said.amount,
        entered_on=said.entered_on,
    )


def _entry(said: EntrySaid, country: str) -> Entry:
    return Entry(
        at=said.at,
        kind=said.kind,
        channel=said.channel,
        is_inbound=said.direction == "in",
        is_connected=said.connected,
        is_conversation=said.conversation,
        is_message=said.message,
        is_limited_content=said.limited_content,
        debts=_debts(said),
        person=_person(said.person),
        to=_point_of(said, country),
        recipient=said.recipient,
        place=said.place,
        is_prerecorded=said.prerecorded,
        purpose=said.purpose,
        words=said.words,
        is_written=said.form == "written",
        is_refusal_to_pay=said.refusal_to_pay,
        is_clear=said.clear,
        is_reassigned=said.reassigned,
        withdraws=said.what,
    )


def _asked(said: ContactSaid, debtor: Debtor) -> Asked:
    """Who has one number is dialled there."""
    if said.channel in _DIALLED:
        only = debtor.phones[0].number if len(debtor.phones) == 1 else None
        to = only if said.to is None else _number(said.to, debtor.country, "contact.to")
    else:
        to = said.to if said.to is None or said.channel is not Medium.EMAIL else _email(said.to, "contact.to")
    return Asked(
        at=said.at,
        channel=said.channel,
        debts=_debts(said),
        person=_person(said.person),
        to=to,
        recipient=said.recipient,
        place=said.place,
        purpose=said.purpose,
        is_prerecorded=said.prerecorded,
        has_opt_out=said.opt_out,
        voicemail=said.voicemail,
        can_be_kept=said.can_be_kept,
        is_about_undisputed_part=said.undisputed_part,
        has_offer=said.offer,
    )


def _point_of(said: EntrySaid, country: str) -> str | None:
    if said.address is not None:
        return _email(said.address, "address")
    return None if said.number is None else _number(said.number, country, "number")


def _debts(said: EntrySaid | ContactSaid) -> tuple[str, ...]:
    one: Sequence[str] = () if said.debt is None else (said.debt,)
    return tuple(dict.fromkeys((*one, *said.debts)))


def _person(said: str | None) -> str | None:
    """Who is not named is the debtor."""
    return None if said == "debtor" else said


def _setting(said: SettingSaid) -> RuleSetting:
    return RuleSetting(is_on=said.on, figures=said.figures)


def _number(text: str, country: str, place: str) -> str:
    """In E.164. Raises ValueError."""
    telephone = Telephone(text, country)
    if not telephone.is_read:
        raise ValueError(f"{place}: expected a telephone number such as +18085550123")
    return telephone.normal


def _email(text: str, place: str) -> str:
    """In one spelling. Raises ValueError."""
    address = normal_form(Channel.EMAIL, text, None)
    if address is None or "@" not in address:
        raise ValueError(f"{place}: expected an e-mail address such as bo@example.com")
    return address
