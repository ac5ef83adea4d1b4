"""What was done about an account, and the audit trail: who did what, when, why, under which policy version."""

from typing import Annotated
from uuid import UUID

from fastapi import Query

from api.http.paging import Cursor, Limit, Page
from api.http.reading import AS_ASKED, AsOf, KnownOn, Question, Readings
from api.http.routing import Router
from projections.questions.activity import Activity, activity
from projections.questions.audit import AuditRow, audit

router = Router(prefix="/v1/accounts/{account_id}", tags=["history"])

Kinds = Annotated[
    list[Annotated[str, Query(max_length=40)]] | None,
    Query(max_length=50, description="Only these kinds, such as call or message-sent."),
]


@router.get("/activity", responses=AS_ASKED)
def list_activity(
    *,
    account_id: UUID,
    readings: Readings,
    kind: Kinds = None,
    as_of: AsOf = None,
    known_on: KnownOn = None,
    limit: Limit = 50,
    cursor: Cursor = None,
) -> Page[Activity]:
    """Contacts, messages, promises, money, disputes, notes: the newest first."""
    readings.office_and_currency_of(account_id)
    return readings.page(
        Question("activity", account_id, kind, as_of, known_on),
        lambda connection, inner: activity(
            connection, readings.log, account_id, as_of=as_of, known_on=known_on, kinds=kind, limit=limit, cursor=inner
        ),
        cursor,
    )


@router.get("/audit", responses=AS_ASKED)
def list_audit(*, account_id: UUID, readings: Readings, limit: Limit = 200, cursor: Cursor = None) -> Page[AuditRow]:
    """Every fact about the account and its promises, in the log's order."""
    readings.office_and_currency_of(account_id)
    return readings.page(
        Question("audit", account_id),
        lambda connection, inner: audit(connection, readings.log, account_id, limit=limit, cursor=inner),
        cursor,
    )
