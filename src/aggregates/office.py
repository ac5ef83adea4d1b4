"""The office: the settings under which its accounts are worked, each change an event."""

from collections.abc import Iterable
from datetime import datetime
from typing import Annotated, ClassVar, Protocol, Self
from uuid import UUID
from zoneinfo import ZoneInfo

from pydantic import (
    AfterValidator,
    AwareDatetime,
    Field,
    StringConstraints,
    TypeAdapter,
    ValidationError,
    field_validator,
)

from aggregates.kernel.aggregate import Aggregate, applies, decides
from aggregates.kernel.command import Command, Target, identifier
from aggregates.kernel.context import Context, Rule
from aggregates.kernel.event import Event
from aggregates.kernel.refusals import Refusal
from aggregates.kernel.value import LATER, SetOf, Value
from aggregates.values.agency import Agency
from aggregates.values.aging import STANDARD_BUCKETS, BucketScheme
from aggregates.values.business_time import BusinessCalendar, SendWindow, TimeZone
from aggregates.values.call_script import ScriptLines
from aggregates.values.codes import Code
from aggregates.values.contact_settings import ContactSettings
from aggregates.values.dispositions import STANDARD_DISPOSITIONS, DispositionDefinition
from aggregates.values.fees import AMOUNTS_OF_FEE_RULES, FeeRules, minor_units
from aggregates.values.money import Currency
from aggregates.values.saved_filter import SavedFilter
from aggregates.values.template_text import TEMPLATE_RULES, TemplateRules


def office_id(code: str) -> UUID:
    """The office's aggregate id from its code."""
    return identifier("office", code)


# --- values ------------------------------------------------------------------------------------------


class FlagDefinition(Value):
    title: str
    blocks: bool = False
    """An account that carries this flag is blocked in auto-collection."""
    about_customer: Annotated[bool | None, LATER] = None
    """Whether it is carried by all accounts of a customer or by none; None: as the standard flag of this code is."""
    retired: Annotated[bool | None, LATER] = None
    """Accounts keep it, and no account is given it any more."""


class DeliveryLimits(Value):
    max_per_minute: int = Field(60, ge=1, le=100_000)
    max_per_day: Annotated[int | None, LATER] = Field(None, ge=1, le=10_000_000)
    """Messages that are queued on a local day of the office; None: as many as are due."""


class CaseworkRules(Value):
    """How long the cases of an account take, and what they hold back."""

    claim_days: int = Field(10, ge=1, le=365)
    """How long what a customer says is paid is not chased, while that is checked."""
    complaint_days: int = Field(15, ge=1, le=365)
    """How many days a complaint is to be answered in, where the law of its kind names none."""
    suit_rests: bool = True
    """Whether the chase of an account rests while it is sued."""
    dispute_reasons: dict[Code, str] = Field(default_factory=dict, max_length=200)
    """Why customers dispute, by code; no other reason is taken then. None: any is."""


Title = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=200)]
Titles = Annotated[dict[Code, Title], Field(max_length=200)]
"""What people read for the codes of an office: its reasons of disputes, and those for which accounts are frozen."""

_TITLES: TypeAdapter[dict[str, str]] = TypeAdapter(Titles)


def _printable(line: str) -> str:
    if not line.isprintable():
        raise ValueError("expected one line without control characters")
    return line


Line = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=60), AfterValidator(_printable)]
PostalLines = Annotated[tuple[Line, ...], Field(max_length=6)]
"""An address as it stands beside the office's name on a paper."""


class Pause(Value):
    """An interval in which nothing is sent; UTC, the end open when nobody knows it yet."""

    paused_from: datetime
    paused_until: datetime | None

    @classmethod
    def from_command(cls, paused_from: datetime | None, paused_until: datetime | None, now: datetime) -> Self:
        """From now where no start is given (it may be in the past). Refuses an end before the start."""
        start = paused_from or now
        if paused_until is not None and paused_until <= start:
            raise Refusal("pause-ends-first", "paused_until must be later than paused_from")
        return cls(paused_from=start, paused_until=paused_until)

    def refuse_to_end(self, current: "Pause | None", now: datetime) -> None:
        """A pause of another time does not take the place of one in force: messages would leave again."""
        if current is not None and current.covers(now) and not self.covers(now):
            raise Refusal("paused-now", "paused_from, paused_until: a pause is in force now; resume first")

    def covers(self, moment: datetime) -> bool:
        return self.paused_from <= moment and (self.paused_until is None or moment < self.paused_until)


# --- events ------------------------------------------------------------------------------------------


class OfficeOpened(Event, name="office.opened"):
    """An office began to work receivables in one currency and time zone."""

    code: Code
    title: str
    currency: Currency
    time_zone: TimeZone


class AgingBucketsSet(Event, name="office.aging-buckets-set"):
    """The office changed its aging buckets; every account is judged anew by them."""

    scheme: BucketScheme


class FlagsDefined(Event, name="office.flags-defined"):
    """The office said which flags exist and which of them block auto-collection."""

    flags: dict[Code, FlagDefinition]


class DeliveryLimitsSet(Event, name="office.delivery-limits-set"):
    """The office limited how fast and how often its messages leave."""

    limits: DeliveryLimits


class CalendarSet(Event, name="office.calendar-set"):
    """The office changed its business days, holidays or send window."""

    calendar: BusinessCalendar
    window: SendWindow


class PromiseRulesSet(Event, name="office.promise-rules-set"):
    """The office changed how long a promise may be late before it is judged."""

    grace_days: int


class CaseworkRulesSet(Event, name="office.casework-rules-set"):
    """The office changed how long payment claims and complaints take, or whether the chase of who is sued rests."""

    rules: CaseworkRules


class FeeServiceTypesSet(Event, name="office.fee-service-types-set"):
    """The office said which service types are fees. What is allocated last goes by an item's kind, not by these."""

    service_types: SetOf[Code]


class FeeRulesSet(Event, name="office.fee-rules-set"):
    """The office said when fees are due, how they are numbered, and how much of them it allows."""

    rules: FeeRules


class ContactRulesSet(Event, name="office.contact-rules-set"):
    """The office said by what its contacts are judged: who collects, what kind of debt, and what it chose of rules."""

    contact: ContactSettings


class DispositionsDefined(Event, name="office.dispositions-defined"):
    """The office said how contacts may end, and what follows."""

    dispositions: dict[Code, DispositionDefinition]


class FreezeReasonsSet(Event, name="office.freeze-reasons-set"):
    """The office said for which reasons accounts are frozen."""

    reasons: dict[Code, str]


class WriteOffReasonsSet(Event, name="office.write-off-reasons-set"):
    """The office said for which reasons debt is written off."""

    reasons: dict[Code, str]


class OfficeAddressSet(Event, name="office.address-set"):
    """The office said where it is: statements and copies of invoices have it at their top."""

    address: tuple[str, ...]
    """Its lines; none where it has no address any more."""


class CallScriptSet(Event, name="office.call-script-set"):
    """The office said what its agents say in a call, besides what the law requires."""

    lines: tuple[str, ...]
    """With the placeholders of templates; none: the standard."""


class AgencySet(Event, name="office.agency-set"):
    """The office said with which agency it places accounts, and on which terms."""

    code: Code
    agency: Agency


class FilterSaved(Event, name="office.filter-saved"):
    """A selection of the collections report was kept under a name."""

    name: Code
    filter: SavedFilter


class FilterRemoved(Event, name="office.filter-removed"):
    """No selection of the collections report has this name any more."""

    name: Code


class TimeZoneChanged(Event, name="office.time-zone-changed"):
    """The office moved, or its zone was entered wrongly; local dates from now on follow the new one."""

    time_zone: TimeZone


class CampaignRegistered(Event, name="office.campaign-registered"):
    """A campaign of this office was launched; accounts are matched with campaigns in this order."""

    campaign_id: UUID


class TemplateRegistered(Event, name="office.template-registered"):
    """The office has a template of this id from now on; its versions are the template's own."""

    template_id: UUID


class AutomationPaused(Event, name="office.automation-paused"):
    """No automatic message leaves this office from `paused_from` (may be in the past) until `paused_until`."""

    paused_from: AwareDatetime
    paused_until: AwareDatetime | None


class AutomationResumed(Event, name="office.automation-resumed"):
    """Automatic messages may leave again, under the rules of now."""

    resumed_at: AwareDatetime


# --- commands ----------------------------------------------------------------------------------------


class OfficeCommand(Command):
    """A command to one office."""

    office_id: UUID

    def targets(self) -> tuple[Target, ...]:
        return (Target("office", self.office_id),)


class OpenOffice(Command, name="open-office"):
    """Open an office. Opening it again with the same settings changes nothing."""

    code: Code
    title: str = Field(min_length=1, max_length=200)
    currency: Currency = "USD"
    time_zone: TimeZone = "UTC"

    def targets(self) -> tuple[Target, ...]:
        return (Target("office", office_id(self.code)),)


class ChangeOfficeSettings(OfficeCommand, name="change-office-settings"):
    """Change the sections that are given; each that differs becomes an event of its own."""

    scheme: BucketScheme | None = None
    flags: dict[Code, FlagDefinition] | None = None
    limits: DeliveryLimits | None = None
    calendar: BusinessCalendar | None = None
    window: SendWindow | None = None
    grace_days: int | None = Field(None, ge=0, le=60)
    fee_service_types: SetOf[Code] | None = None
    time_zone: TimeZone | None = None
    casework: Annotated[CaseworkRules | None, LATER] = None
    contact: Annotated[ContactSettings | None, LATER] = None
    dispositions: Annotated[dict[Code, DispositionDefinition] | None, LATER] = Field(None, max_length=100)
    freeze_reasons: Annotated[Titles | None, LATER] = None
    """By code their titles; an account that is frozen for one that is gone stays so."""
    write_off_reasons: Annotated[Titles | None, LATER] = None
    """By code their titles; what was written off for one that is gone stays so."""
    fees: Annotated[FeeRules | None, LATER] = None
    address: Annotated[PostalLines | None, LATER] = None
    """Where the office is, line by line; none takes it off."""
    call_script: Annotated[ScriptLines | None, LATER] = None
    """What agents say in a call, with the placeholders of templates; none: the standard. What the law requires is said
    besides."""

    @field_validator("casework")
    @classmethod
    def _titled(cls, casework: CaseworkRules | None) -> CaseworkRules | None:
        """Here, and not where the rules are kept: what was stored stays readable."""
        if casework is None:
            return None
        try:
            return casework.model_copy(update={"dispute_reasons": _TITLES.validate_python(casework.dispute_reasons)})
        except ValidationError:
            raise ValueError("dispute_reasons: expected titles of 1 to 200 characters") from None


class SetAgency(OfficeCommand, name="set-agency"):
    """Give the office an agency, or one of its agencies other terms."""

    code: Code
    agency: Agency


class RetireAgency(OfficeCommand, name="retire-agency"):
    """Place nothing more with an agency. What it has stays there, and its files are read."""

    code: Code


class SaveFilter(OfficeCommand, name="save-filter", internal=True):
    """Keep a selection of the collections report under a name, instead of one that had it. Whoever issues it checked
    what the report says of it."""

    name: Code
    filter: SavedFilter


class RemoveFilter(OfficeCommand, name="remove-filter"):
    """Keep a selection no longer. What was done with it stays done."""

    name: Code


class PauseOfficeAutomation(OfficeCommand, name="pause-office-automation"):
    """Stop all automatic messages of the office: from now, or backdated, or for a time."""

    paused_from: AwareDatetime | None = None
    paused_until: AwareDatetime | None = None


class ResumeOfficeAutomation(OfficeCommand, name="resume-office-automation"):
    """Let automatic messages leave again."""


STANDARD_FREEZE_REASONS = {
    "customer-request": "The customer asked for it",
    "moved": "Moved away",
    "non-payment": "Not paid",
    "other": "Another reason",
}

STANDARD_WRITE_OFF_REASONS = {
    "bankruptcy": "Bankruptcy",
    "deceased": "Deceased",
    "settled": "Settled for less",
    "small-balance": "Too small to collect",
    "uncollectible": "Cannot be collected",
    "other": "Another reason",
}

# --- state -------------------------------------------------------------------------------------------


class ContactSettingRules(Protocol):
    """What is wrong with what an office says of contact rules: the field each time, and what was expected
    (`policies.contact_rules`)."""

    def __call__(self, contact: ContactSettings, /) -> Iterable[str]: ...


CONTACT_SETTING_RULES: Rule[ContactSettingRules] = Rule("rules of contact settings")


class AgencyKeyRules(Protocol):
    """What keeps a public key from being used to encrypt files now; None: nothing (`adapters.rules`)."""

    def __call__(self, text: str, now: datetime, /) -> str | None: ...


AGENCY_KEY_RULES: Rule[AgencyKeyRules] = Rule("rules of agencies' keys")

STANDARD_FLAGS = {
    "bankruptcy": FlagDefinition(title="Bankruptcy", blocks=True),
    "cease-contact": FlagDefinition(title="Cease contact", blocks=True),
    "deceased": FlagDefinition(title="Deceased", blocks=True),
    "legal": FlagDefinition(title="Legal action", blocks=True),
    "vip": FlagDefinition(title="Handle with care"),
}


ABOUT_CUSTOMER = frozenset({"cease-contact"})
"""Standard flags that are the customer's own word."""


MOST_AGENCIES = 100
MOST_FILTERS = 200


class Office(Aggregate):
    """Settings of one office. Local dates of its accounts are dates in its zone."""

    kind: ClassVar[str] = "office"
    state_version: ClassVar[int] = 4

    code: str = ""
    title: str = ""
    currency: str = "USD"
    time_zone: str = "UTC"
    scheme: BucketScheme = STANDARD_BUCKETS
    flags: dict[str, FlagDefinition] = Field(default_factory=lambda: dict(STANDARD_FLAGS))
    limits: DeliveryLimits = DeliveryLimits()
    calendar: BusinessCalendar = BusinessCalendar()
    window: SendWindow = SendWindow()
    grace_days: int = 3
    casework: CaseworkRules = CaseworkRules()
    freeze_reasons: dict[str, str] = Field(default_factory=lambda: dict(STANDARD_FREEZE_REASONS))
    write_off_reasons: dict[str, str] = Field(default_factory=lambda: dict(STANDARD_WRITE_OFF_REASONS))
    fee_service_types: SetOf[str] = frozenset({"late-fee"})
    fees: FeeRules = FeeRules()
    contact: ContactSettings = ContactSettings()
    dispositions: dict[str, DispositionDefinition] = Field(default_factory=lambda: dict(STANDARD_DISPOSITIONS))
    campaign_ids: list[UUID] = Field(default_factory=list)
    template_ids: list[UUID] = Field(default_factory=list)
    agencies: dict[str, Agency] = Field(default_factory=dict)
    saved_filters: dict[str, SavedFilter] = Field(default_factory=dict)
    address: tuple[str, ...] = ()
    call_script: tuple[str, ...] = ()
    pause: Pause | None = None

    @property
    def zone(self) -> ZoneInfo:
        return ZoneInfo(self.time_zone)

    def require_flag(self, flag: str) -> None:
        """Refuses a flag that no account may be given."""
        if flag not in self.flags:
            known = ", ".join(sorted(code for code, each in self.flags.items() if not each.retired))
            raise Refusal("unknown-flag", f"flag: expected one of {known}")
        if self.flags[flag].retired:
            raise Refusal("flag-retired", f"flag: {flag} is retired, and no account is given it any more")

    def require_freeze_reason(self, code: str) -> None:
        """Refuses a reason that the office has not."""
        if code not in self.freeze_reasons:
            known = ", ".join(sorted(self.freeze_reasons))
            raise Refusal("unknown-freeze-reason", f"code: expected one of {known}")

    def require_write_off_reason(self, code: str) -> None:
        """Refuses a reason that the office has not."""
        if code not in self.write_off_reasons:
            known = ", ".join(sorted(self.write_off_reasons))
            raise Refusal("unknown-write-off-reason", f"code: expected one of {known}")

    def require_fee_service_type(self, service_type: str) -> None:
        """Refuses a service type that is no fee of the office."""
        if service_type not in self.fee_service_types:
            known = ", ".join(sorted(self.fee_service_types)) or "none: arrears office set --fee-service-types"
            raise Refusal("unknown-fee-service-type", f"service_type: expected one of {known}")

    def require_agency(self, code: str) -> Agency:
        """Refuses one that the office has not, or places nothing with any more."""
        if code not in self.agencies:
            known = ", ".join(sorted(code for code, each in self.agencies.items() if not each.retired)) or "none yet"
            raise Refusal("unknown-agency", f"agency: expected one of {known}")
        if self.agencies[code].retired:
            raise Refusal("agency-retired", f"agency: {code} is retired")
        return self.agencies[code]

    def require_filter(self, name: str) -> SavedFilter:
        if name not in self.saved_filters:
            known = ", ".join(sorted(self.saved_filters)) or "none yet"
            raise Refusal("unknown-filter", f"filter: expected one of {known}, not {name!r}")
        return self.saved_filters[name]

    def require_known_codes(self, saved: SavedFilter) -> None:
        """Refuses a filter by a flag, an agency or a reason of freezing that the office does not have: it would show
        nothing, or leave out nobody who should be."""
        for name in ("flag", "without_flag"):
            unknown = {each.strip() for each in saved.filters.get(name, "").split(",")} - self.flags.keys() - {""}
            if unknown:
                known = ", ".join(sorted(self.flags))
                raise Refusal("unknown-flag", f"{name}: expected flags of {known}, not {', '.join(sorted(unknown))}")
        agency = saved.filters.get("placed_with")
        if agency is not None and agency not in self.agencies:
            known = ", ".join(sorted(self.agencies)) or "none yet"
            raise Refusal("unknown-agency", f"placed_with: expected one of {known}, not {agency!r}")
        reason = saved.filters.get("frozen")
        if reason is not None and reason not in self.freeze_reasons:
            known = ", ".join(sorted(self.freeze_reasons))
            raise Refusal("unknown-freeze-reason", f"frozen: expected one of {known}, not {reason!r}")

    def is_about_customer(self, flag: str) -> bool:
        """Whether all accounts of a customer carry the flag, or none does."""
        defined = self.flags.get(flag)
        if defined is not None and defined.about_customer is not None:
            return defined.about_customer
        return flag in ABOUT_CUSTOMER

    @property
    def local_zone(self) -> ZoneInfo:
        return self.zone

    def links(self) -> Iterable[Target]:
        return (Target("campaign", campaign) for campaign in self.campaign_ids)

    def is_paused(self, moment: datetime) -> bool:
        return self.pause is not None and self.pause.covers(moment)

    # --- decisions ---

    def _require_open(self) -> None:
        if not self.exists:
            raise Refusal("unknown-office", "there is no such office")

    @decides(OpenOffice)
    def open(self, command: OpenOffice, context: Context) -> None:
        if not self.exists:
            self.emit(OfficeOpened(**command.model_dump()))
        elif (self.title, self.currency, self.time_zone) != (command.title, command.currency, command.time_zone):
            raise Refusal("office-exists", f"office {self.code!r} is open with other settings; change those instead")

    @decides(ChangeOfficeSettings)
    def change_settings(self, command: ChangeOfficeSettings, context: Context) -> None:
        self._require_open()
        if command.scheme not in (None, self.scheme):
            self.emit(AgingBucketsSet(scheme=command.scheme))
        if command.flags not in (None, self.flags):
            self.emit(FlagsDefined(flags=command.flags))
        if command.limits not in (None, self.limits):
            self.emit(DeliveryLimitsSet(limits=command.limits))
        calendar, window = command.calendar or self.calendar, command.window or self.window
        if (calendar, window) != (self.calendar, self.window):
            self.emit(CalendarSet(calendar=calendar, window=window))
        if command.grace_days not in (None, self.grace_days):
            self.emit(PromiseRulesSet(grace_days=command.grace_days))
        if command.casework not in (None, self.casework):
            self.emit(CaseworkRulesSet(rules=command.casework))
        if command.fee_service_types not in (None, self.fee_service_types):
            self.emit(FeeServiceTypesSet(service_types=command.fee_service_types))
        if command.fees not in (None, self.fees):
            self._check_fees(command.fees)
            self.emit(FeeRulesSet(rules=command.fees))
        if command.time_zone not in (None, self.time_zone):
            self.emit(TimeZoneChanged(time_zone=command.time_zone))
        if command.contact not in (None, self.contact):
            faults = [*context.rule(CONTACT_SETTING_RULES)(command.contact)]
            if faults:
                said = "; ".join(faults)
                raise Refusal("faulty-contact-settings", f"contact rules cannot be set so: {said}")
            self.emit(ContactRulesSet(contact=command.contact))
        if command.dispositions not in (None, self.dispositions):
            self.emit(DispositionsDefined(dispositions=command.dispositions))
        if command.freeze_reasons not in (None, self.freeze_reasons):
            self.emit(FreezeReasonsSet(reasons=command.freeze_reasons))
        if command.write_off_reasons not in (None, self.write_off_reasons):
            self.emit(WriteOffReasonsSet(reasons=command.write_off_reasons))
        if command.address not in (None, self.address):
            self.emit(OfficeAddressSet(address=command.address))
        if command.call_script not in (None, self.call_script):
            self._check_script(command.call_script, context.rule(TEMPLATE_RULES))
            self.emit(CallScriptSet(lines=command.call_script))

    def _check_script(self, script: tuple[str, ...], rules: TemplateRules) -> None:
        """Refuses a line that cannot be filled in."""
        faults = [f"line {at}: {expected}" for at, text in enumerate(script, 1) for _, expected in rules(text)]
        if faults:
            said = "; ".join(faults)
            raise Refusal("faulty-text", f"call_script: {said}")

    def _check_fees(self, rules: FeeRules) -> None:
        """Refuses an amount with more places than the office's currency."""
        for name in AMOUNTS_OF_FEE_RULES:
            said: str | None = getattr(rules, name)
            try:
                _ = None if said is None else minor_units(said, self.currency)
            except ValueError as error:
                raise Refusal("amount-too-fine", f"{name}: {error}") from None

    @decides(SetAgency)
    def set_agency(self, command: SetAgency, context: Context) -> None:
        self._require_open()
        if len(self.agencies) >= MOST_AGENCIES and command.code not in self.agencies:
            raise Refusal("unknown-agency", f"an office has at most {MOST_AGENCIES} agencies")
        known = self.agencies.get(command.code)
        agency = self._with_key(command.agency, None if known is None else known.public_key, context)
        if known != agency:
            self.emit(AgencySet(code=command.code, agency=agency))

    def _with_key(self, agency: Agency, known: str | None, context: Context) -> Agency:
        """Files never leave in plain because nothing was said of the key: it stays, until another one or none is said.
        Refuses a key that nothing can be encrypted with."""
        key = known if agency.public_key is None else agency.public_key.strip() or None
        if key is not None and key != known:
            fault = context.rule(AGENCY_KEY_RULES)(key, context.now)
            if fault is not None:
                raise Refusal("agency-key", f"public_key: {fault}")
        return agency.model_copy(update={"public_key": key})

    @decides(RetireAgency)
    def retire_agency(self, command: RetireAgency, context: Context) -> None:
        self._require_open()
        if command.code not in self.agencies:
            raise Refusal("unknown-agency", f"agency: there is no {command.code!r}")
        agency = self.agencies[command.code]
        if not agency.retired:
            self.emit(AgencySet(code=command.code, agency=agency.model_copy(update={"retired": True})))

    @decides(SaveFilter)
    def save_filter(self, command: SaveFilter, context: Context) -> None:
        self._require_open()
        if len(self.saved_filters) >= MOST_FILTERS and command.name not in self.saved_filters:
            raise Refusal("too-many-filters", f"an office keeps at most {MOST_FILTERS} filters; remove one first")
        self.require_known_codes(command.filter)
        if self.saved_filters.get(command.name) != command.filter:
            self.emit(FilterSaved(name=command.name, filter=command.filter))

    @decides(RemoveFilter)
    def remove_filter(self, command: RemoveFilter, context: Context) -> None:
        self._require_open()
        self.require_filter(command.name)
        self.emit(FilterRemoved(name=command.name))

    @decides(PauseOfficeAutomation)
    def pause_automation(self, command: PauseOfficeAutomation, context: Context) -> None:
        self._require_open()
        pause = Pause.from_command(command.paused_from, command.paused_until, context.now)
        pause.refuse_to_end(self.pause, context.now)
        if pause != self.pause:
            self.emit(AutomationPaused(paused_from=pause.paused_from, paused_until=pause.paused_until))

    @decides(ResumeOfficeAutomation)
    def resume_automation(self, command: ResumeOfficeAutomation, context: Context) -> None:
        self._require_open()
        if self.pause is not None:
            self.emit(AutomationResumed(resumed_at=context.now))

    def register_campaign(self, campaign_id: UUID) -> None:
        """Part of launching a campaign: the office lists it, last in the order of matching."""
        self._require_open()
        if campaign_id not in self.campaign_ids:
            self.emit(CampaignRegistered(campaign_id=campaign_id))

    def register_template(self, template_id: UUID) -> None:
        """Part of saving a template: the office lists it."""
        self._require_open()
        if template_id not in self.template_ids:
            self.emit(TemplateRegistered(template_id=template_id))

    # --- apply ---

    @applies(OfficeOpened)
    def _opened(self, event: OfficeOpened) -> None:
        self.code, self.title = event.code, event.title
        self.currency, self.time_zone = event.currency, event.time_zone

    @applies(AgingBucketsSet)
    def _buckets_set(self, event: AgingBucketsSet) -> None:
        self.scheme = event.scheme

    @applies(FlagsDefined)
    def _flags_defined(self, event: FlagsDefined) -> None:
        self.flags = dict(event.flags)

    @applies(DeliveryLimitsSet)
    def _limits_set(self, event: DeliveryLimitsSet) -> None:
        self.limits = event.limits

    @applies(CalendarSet)
    def _calendar_set(self, event: CalendarSet) -> None:
        self.calendar, self.window = event.calendar, event.window

    @applies(PromiseRulesSet)
    def _promise_rules_set(self, event: PromiseRulesSet) -> None:
        self.grace_days = event.grace_days

    @applies(CaseworkRulesSet)
    def _casework_rules_set(self, event: CaseworkRulesSet) -> None:
        self.casework = event.rules

    @applies(FeeServiceTypesSet)
    def _fee_service_types_set(self, event: FeeServiceTypesSet) -> None:
        self.fee_service_types = event.service_types

    @applies(FeeRulesSet)
    def _fee_rules_set(self, event: FeeRulesSet) -> None:
        self.fees = event.rules

    @applies(ContactRulesSet)
    def _contact_rules_set(self, event: ContactRulesSet) -> None:
        self.contact = event.contact

    @applies(DispositionsDefined)
    def _dispositions_defined(self, event: DispositionsDefined) -> None:
        self.dispositions = dict(event.dispositions)

    @applies(WriteOffReasonsSet)
    def _write_off_reasons_set(self, event: WriteOffReasonsSet) -> None:
        self.write_off_reasons = event.reasons

    @applies(FreezeReasonsSet)
    def _freeze_reasons_set(self, event: FreezeReasonsSet) -> None:
        self.freeze_reasons = event.reasons

    @applies(OfficeAddressSet)
    def _address_set(self, event: OfficeAddressSet) -> None:
        self.address = event.address

    @applies(CallScriptSet)
    def _call_script_set(self, event: CallScriptSet) -> None:
        self.call_script = event.lines

    @applies(AgencySet)
    def _agency_set(self, event: AgencySet) -> None:
        self.agencies = {**self.agencies, event.code: event.agency}

    @applies(FilterSaved)
    def _filter_saved(self, event: FilterSaved) -> None:
        self.saved_filters = {**self.saved_filters, event.name: event.filter}

    @applies(FilterRemoved)
    def _filter_removed(self, event: FilterRemoved) -> None:
        self.saved_filters = {name: each for name, each in self.saved_filters.items() if name != event.name}

    @applies(TimeZoneChanged)
    def _time_zone_changed(self, event: TimeZoneChanged) -> None:
        self.time_zone = event.time_zone

    @applies(CampaignRegistered)
    def _campaign_registered(self, event: CampaignRegistered) -> None:
        self.campaign_ids = [*self.campaign_ids, event.campaign_id]

    @applies(TemplateRegistered)
    def _template_registered(self, event: TemplateRegistered) -> None:
        self.template_ids = [*self.template_ids, event.template_id]

    @applies(AutomationPaused)
    def _paused(self, event: AutomationPaused) -> None:
        self.pause = Pause(paused_from=event.paused_from, paused_until=event.paused_until)

    @applies(AutomationResumed)
    def _resumed(self, event: AutomationResumed) -> None:
        self.pause = None


def office_of(context: Context, office_id: UUID | None) -> Office:
    """The office as it is now. Refuses where there is none."""
    office = context.find(Office, office_id)
    if office is None:
        raise Refusal("unknown-office", "the account's office does not exist")
    return office
