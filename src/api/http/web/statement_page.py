"""Statements and copies of invoices of an account's page: papers to be saved. Reading one records nothing."""

from uuid import UUID

from fastapi.responses import Response

from api.application.statements import read_for_statement, statement_of
from api.http.commands import ServiceOf
from api.http.problems import FieldProblem, unknown
from api.http.reading import Readings
from api.http.routing import Router
from api.http.statements import invoice_copy, invoice_copy_as_pdf, statement_as_pdf
from api.http.web.forms import day_of

router = Router(include_in_schema=False)


@router.get("/accounts/{account_id}/statement")
def statement(*, account_id: str, service: ServiceOf, readings: Readings, as_of: str = "") -> Response:
    """Of today, or as of a day."""
    day = day_of("as_of", {"as_of": as_of}) if as_of else None
    with readings.connection() as connection:
        said = statement_of(read_for_statement(service, connection, _known(account_id), day))
    return statement_as_pdf(said)


@router.get("/accounts/{account_id}/invoice-copy")
def copy(*, account_id: str, service: ServiceOf, readings: Readings, number: str = "") -> Response:
    """Of an invoice, paid or not."""
    if not number.strip():
        raise FieldProblem("number", "expected the number of an invoice")
    return invoice_copy_as_pdf(invoice_copy(service, readings, _known(account_id), number.strip()))


def _known(account_id: str) -> UUID:
    try:
        return UUID(account_id)
    except ValueError:
        raise unknown("account") from None
