"""Statements and copies of invoices: as JSON, or as PDF where that is what is accepted."""

from collections.abc import Callable
from typing import Annotated, Any
from uuid import UUID

from fastapi import Depends, Path, Request, Response

from aggregates.values.codes import Number
from api.application.account_view import read_whole_account
from api.application.statements import (
    AccountStatement,
    InvoiceCopy,
    UnknownInvoice,
    invoice_copy_of,
    read_for_statement,
    statement_of,
)
from api.http.attachments import disposition
from api.http.commands import ServiceOf
from api.http.problems import Problem, documented, unknown
from api.http.reading import AsOf, Reader, Readings
from api.http.routing import Router
from api.processes.service import Service

router = Router(prefix="/v1/accounts/{account_id}", tags=["statements"])

_PDF = "application/pdf"
_AS_PDF: dict[int | str, dict[str, Any]] = {
    200: {"content": {_PDF: {"schema": {"type": "string", "format": "binary"}}}},
    **documented(404, 409),
}


def _wants_pdf(request: Request) -> bool:
    """Whoever accepts a PDF and does not say so of JSON; both are offered, and JSON is what a program means."""
    accepted = [part.partition(";")[0].strip().lower() for part in request.headers.get("accept", "").split(",")]
    return _PDF in accepted and "application/json" not in accepted


WantsPdf = Annotated[bool, Depends(_wants_pdf)]


@router.get("/statement", response_model=AccountStatement, responses=_AS_PDF)
def get_statement(
    *, account_id: UUID, service: ServiceOf, readings: Readings, wants_pdf: WantsPdf, as_of: AsOf = None
) -> AccountStatement | Response:
    """What the account owes, or owed at the end of a day: `Accept: application/pdf` for the paper."""
    with readings.connection() as connection:
        statement = statement_of(read_for_statement(service, connection, account_id, as_of))
    return statement_as_pdf(statement) if wants_pdf else statement


@router.get("/invoices/{number:path}/copy", response_model=InvoiceCopy, responses=_AS_PDF)
def get_invoice_copy(
    *,
    account_id: UUID,
    number: Annotated[Number, Path(description="The invoice's number; `NUMBER/DUE-DAY` for one instalment.")],
    service: ServiceOf,
    readings: Readings,
    wants_pdf: WantsPdf,
) -> InvoiceCopy | Response:
    """An invoice and what became of it, paid or not: `Accept: application/pdf` for the paper."""
    copy = invoice_copy(service, readings, account_id, number)
    return invoice_copy_as_pdf(copy) if wants_pdf else copy


# --- for this resource and for the page ----------------------------------------------------------------


def invoice_copy(service: Service, readings: Reader, account_id: UUID, number: str) -> InvoiceCopy:
    """Raises a Problem."""
    with readings.connection() as connection:
        read = read_whole_account(service, connection, account_id)
    try:
        return invoice_copy_of(read, number)
    except UnknownInvoice:
        raise unknown("invoice") from None


def statement_as_pdf(statement: AccountStatement) -> Response:
    """A paper to be saved. Raises a Problem."""
    from api.application.statement_papers import statement_pdf  # takes a moment, and JSON needs none of it

    return _paper(lambda: statement_pdf(statement), f"statement {statement.account_number} {statement.as_of}.pdf")


def invoice_copy_as_pdf(copy: InvoiceCopy) -> Response:
    """A paper to be saved. Raises a Problem."""
    from api.application.statement_papers import invoice_copy_pdf

    return _paper(lambda: invoice_copy_pdf(copy), f"invoice {copy.number}.pdf")


def _paper(make: Callable[[], bytes], name: str) -> Response:
    from adapters.documents.setting import NotPrintable

    try:
        content = make()
    except NotPrintable as error:
        raise Problem(409, "refused", error.detail, reason_code="not-printable") from None
    headers = {
        "Content-Disposition": disposition(name.replace("/", "-")),
        "X-Content-Type-Options": "nosniff",
        "Cache-Control": "private, no-store",
    }
    return Response(content, media_type=_PDF, headers=headers)
