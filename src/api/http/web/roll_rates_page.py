"""Roll rates as a page: what became of each bucket between two days."""

from datetime import date, timedelta
from typing import Annotated

from fastapi import Query, Request
from fastapi.responses import HTMLResponse

from api.http.reading import CurrencyOf, OfficeOf, Readings, Scope
from api.http.report import report_roll_rates
from api.http.routing import Router
from api.http.shapes import Day
from api.http.web.rendering import render

router = Router(include_in_schema=False)


@router.get("/roll-rates")
def roll_rates_page(
    *,
    request: Request,
    readings: Readings,
    office: OfficeOf = None,
    currency: CurrencyOf = None,
    start: Annotated[Day | None, Query(alias="from")] = None,
    to: Day | None = None,
) -> HTMLResponse:
    """Of the last whole month, where no days are named; of the first office, where they differ."""
    offices = readings.offices()
    if not offices:
        return render(request, "nothing.html", area="collections")
    chosen = office or offices[0].code
    currencies = readings.currencies(chosen)
    in_currency = currency if currency in currencies else next(iter(currencies), None)
    last = to or _month_before(readings.today(chosen))
    first = start or _month_before(last)
    report = report_roll_rates(readings=readings, of=Scope(chosen, in_currency), start=first, to=last)
    return render(
        request,
        "roll_rates.html",
        area="collections",
        report=report,
        offices=offices,
        office=chosen,
        currencies=currencies,
        parts=("stayed", "next", "further", "younger", "paid", "written_off"),
    )


def _month_before(day: date) -> date:
    """The last day of the month before."""
    return day.replace(day=1) - timedelta(days=1)
