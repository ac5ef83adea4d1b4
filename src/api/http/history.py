"""What was done, and the audit trail: who did what, when, why, under which policy version."""

from dataclasses import astuple
from datetime import date
from typing import Annotated
from uuid import UUID

from fastapi import Depends, Query

from api.application.offices import defined_in
from api.http.paging import Cursor, Limit, Page
from api.http.reading import AS_ASKED, AsOf, KnownOn, OfficeOf, Question, Readings
from api.http.routing import Router
from api.http.shapes import Day
from projections.questions.activity import Activity, OfficeActivity, activity, office_activity
from projections.questions.activity_filters import ActivityFilters
from projections.questions.audit import AuditRow, audit

router = Router(prefix="/v1", tags=["history"])

Kinds = Annotated[
    list[Annotated[str, Query(max_length=40)]] | None,
    Query(max_length=50, description="Only these kinds, such as call or message-sent."),
]


def read_filters(
    *,
    readings: Readings,
    type: Annotated[str | None, Query(max_length=40, description="Such as call or sms.")] = None,  # noqa: A002
    channel: Annotated[str | None, Query(max_length=40, description="Such as voice.")] = None,
    direction: Annotated[str | None, Query(max_length=40, description="Such as outbound.")] = None,
    agent: Annotated[str | None, Query(max_length=200, description="Who did it: person:dana, or dana.")] = None,
    outcome: Annotated[str | None, Query(max_length=40, description="A disposition, such as no-answer.")] = None,
    since: Annotated[Day | None, Query(alias="from", description="From this day on.")] = None,
    until: Annotated[Day | None, Query(alias="to", description="Up to this day.")] = None,
    text: Annotated[
        str | None, Query(min_length=1, max_length=200, description="Words, of an account's own history.")
    ] = None,
) -> ActivityFilters:
    return ActivityFilters(
        type=type,
        channel=channel,
        direction=direction,
        agent=agent,
        outcome=outcome,
        since=since,
        until=until,
        text=text,
        defined=defined_in(readings.offices()) if outcome is not None else (),
    )


Filters = Annotated[ActivityFilters, Depends(read_filters)]


class ActivityPage(Page[OfficeActivity]):
    """A page of what was done up to a day."""

    as_of: date


@router.get("/activity", responses=AS_ASKED)
def list_all_activity(
    *,
    readings: Readings,
    office: OfficeOf = None,
    account_id: Annotated[UUID | None, Query(description="Only this account.")] = None,
    filters: Filters,
    as_of: AsOf = None,
    known_on: KnownOn = None,
    limit: Limit = 50,
    cursor: Cursor = None,
) -> ActivityPage:
    """Contacts, messages, promises, money, disputes, notes of all accounts: the newest first."""
    if account_id is not None:
        readings.office_and_currency_of(account_id)
    today = readings.today(office)
    day = as_of or today
    report, following = readings.report(
        Question("all activity", office, account_id, as_of, known_on, *astuple(filters)),
        lambda connection, inner: office_activity(
            connection,
            readings.log,
            as_of=day,
            known_on=known_on,
            office=office,
            account_id=account_id,
            filters=filters,
            limit=limit,
            cursor=inner,
        ),
        cursor,
    )
    return ActivityPage(items=list(report.rows), next=following, as_of=day)


@router.get("/accounts/{account_id}/activity", responses=AS_ASKED)
def list_activity(
    *,
    account_id: UUID,
    readings: Readings,
    kind: Kinds = None,
    filters: Filters,
    as_of: AsOf = None,
    known_on: KnownOn = None,
    limit: Limit = 50,
    cursor: Cursor = None,
) -> Page[Activity]:
    """Contacts, messages, promises, money, disputes, notes: the newest first."""
    readings.office_and_currency_of(account_id)
    return readings.page(
        Question("activity", account_id, kind, as_of, known_on, *astuple(filters)),
        lambda connection, inner: activity(
            connection,
            readings.log,
            account_id,
            as_of=as_of,
            known_on=known_on,
            kinds=kind,
            filters=filters,
            limit=limit,
            cursor=inner,
        ),
        cursor,
    )


@router.get("/accounts/{account_id}/audit", responses=AS_ASKED)
def list_audit(*, account_id: UUID, readings: Readings, limit: Limit = 200, cursor: Cursor = None) -> Page[AuditRow]:
    """Every fact about the account and its promises, in the log's order."""
    readings.office_and_currency_of(account_id)
    return readings.page(
        Question("audit", account_id),
        lambda connection, inner: audit(connection, readings.log, account_id, limit=limit, cursor=inner),
        cursor,
    )


@router.get("/audit/{subject_id}", responses=AS_ASKED)
def list_audit_of_anything(
    *, subject_id: UUID, readings: Readings, limit: Limit = 200, cursor: Cursor = None
) -> Page[AuditRow]:
    """Every fact about an account with its promises, a campaign, an office, a reader, a piece of work; none where
    nothing is recorded under this id."""
    return readings.page(
        Question("audit of anything", subject_id),
        lambda connection, inner: audit(connection, readings.log, subject_id, limit=limit, cursor=inner),
        cursor,
    )
