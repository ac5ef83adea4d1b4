"""Offices and pauses as doors show them, and how they are found."""

from collections.abc import Iterable, Sequence
from datetime import date, datetime
from typing import Annotated, Literal
from uuid import UUID

from pydantic import BaseModel

from adapters.eventstore.application import AggregateNotFoundError
from aggregates.kernel.value import LATER
from aggregates.office import (
    STANDARD_FREEZE_REASONS,
    STANDARD_WRITE_OFF_REASONS,
    CaseworkRules,
    DeliveryLimits,
    FlagDefinition,
    Office,
    Pause,
)
from aggregates.values.aging import STANDARD_BUCKETS, BucketScheme
from aggregates.values.business_time import BusinessCalendar, SendWindow, local_date
from aggregates.values.contact_settings import ContactSettings
from aggregates.values.dispositions import DispositionDefinition
from aggregates.values.fees import FeeRules
from api.processes.service import Service
from projections.questions.offices import office_ids


class PauseView(BaseModel):
    """A pause that is in force, will be, or was and has not been followed by a resume."""

    paused_from: datetime
    paused_until: datetime | None
    in_force: bool


class OfficeView(BaseModel):
    """An office and its settings."""

    id: UUID
    code: str
    title: str
    currency: str
    time_zone: str
    scheme: BucketScheme
    flags: dict[str, FlagDefinition]
    limits: DeliveryLimits
    calendar: BusinessCalendar
    window: SendWindow
    grace_days: int
    casework: CaseworkRules
    fee_service_types: list[str]
    contact: ContactSettings
    dispositions: dict[str, DispositionDefinition]
    campaign_ids: list[UUID]
    pause: PauseView | None
    version: int
    freeze_reasons: Annotated[dict[str, str] | None, LATER] = None
    """By code their titles; not there where they are the standard ones."""
    write_off_reasons: Annotated[dict[str, str] | None, LATER] = None
    """The same of write-offs."""
    fees: Annotated[FeeRules | None, LATER] = None
    """Not there where nothing was said of them."""
    address: Annotated[list[str] | None, LATER] = None
    """Where it is, line by line; not there where nothing was said of it."""
    call_script: Annotated[list[str] | None, LATER] = None
    """What agents say in a call besides what the law requires; not there where it is the standard."""


def pause_view(pause: Pause | None, now: datetime) -> PauseView | None:
    if pause is None:
        return None
    return PauseView(paused_from=pause.paused_from, paused_until=pause.paused_until, in_force=pause.covers(now))


def office_view(office: Office, now: datetime) -> OfficeView:
    return OfficeView(
        id=office.id,
        code=office.code,
        title=office.title,
        currency=office.currency,
        time_zone=office.time_zone,
        scheme=office.scheme,
        flags=office.flags,
        limits=office.limits,
        calendar=office.calendar,
        window=office.window,
        grace_days=office.grace_days,
        casework=office.casework,
        fee_service_types=sorted(office.fee_service_types),
        contact=office.contact,
        dispositions=office.dispositions,
        campaign_ids=office.campaign_ids,
        pause=pause_view(office.pause, now),
        version=office.version,
        write_off_reasons=(
            None if office.write_off_reasons == STANDARD_WRITE_OFF_REASONS else office.write_off_reasons
        ),
        freeze_reasons=None if office.freeze_reasons == STANDARD_FREEZE_REASONS else office.freeze_reasons,
        fees=None if office.fees == FeeRules() else office.fees,
        address=[*office.address] or None,
        call_script=[*office.call_script] or None,
    )


def every_office(service: Service) -> list[Office]:
    """Every office with its settings, by code."""
    with service.database.connect("arrears_app") as connection:
        found = office_ids(connection)
    return [service.arrears.load(Office, office) for office in found]


def scheme_of(offices: Sequence[Office]) -> BucketScheme:
    """The aging buckets that the offices share; the standard ones where they differ, or there is none."""
    schemes = {office.scheme for office in offices}
    return schemes.pop() if len(schemes) == 1 else STANDARD_BUCKETS


def today_in(offices: Sequence[Office], now: datetime) -> date:
    """The latest local day that it is in any of the offices; in UTC where there is none."""
    return max((local_date(now, office.zone) for office in offices), default=now.date())


def is_other_currency(service: Service, office: UUID, currency: str) -> Literal[True] | None:
    """What a command says of an account in this currency: whether that is another one than its office's. None where
    there is no such office."""
    try:
        return True if service.arrears.load(Office, office).currency != currency else None
    except AggregateNotFoundError:
        return None


def defined_in(offices: Iterable[Office]) -> tuple[str, ...]:
    """The codes of all dispositions that offices define."""
    return tuple(sorted({code for office in offices for code in office.dispositions}))
