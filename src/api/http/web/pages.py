"""All pages, and problems as pages where a person looks."""

from typing import Any

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import Response

from api.http.web import (
    account_page,
    attachments_page,
    bulk_page,
    calls_page,
    campaigns_page,
    collections_page,
    fees_page,
    inbound_page,
    messages_page,
    offices_page,
    placements_page,
    roll_rates_page,
    saved_filters_page,
    schedules_page,
    sessions,
    statement_page,
    subscriptions_page,
    templates_page,
    worklist_page,
)
from api.http.web.rendering import FOLDER, render

STATIC = FOLDER / "static"

router = APIRouter()
for page in (
    collections_page, account_page, attachments_page, schedules_page, bulk_page, campaigns_page, inbound_page,
    offices_page, placements_page, roll_rates_page, statement_page, templates_page, worklist_page, sessions,
):  # fmt: skip
    router.include_router(page.router)
for page in (
    sessions, calls_page, account_page, attachments_page, schedules_page, bulk_page, campaigns_page, fees_page,
    inbound_page, messages_page, offices_page, placements_page, saved_filters_page, subscriptions_page, templates_page,
    worklist_page,
):  # fmt: skip
    router.include_router(page.form)


def problem_page(request: Request, problem: dict[str, Any]) -> Response:
    """A problem said to a person."""
    return render(request, "problem.html", status=problem["status"], problem={"correlation_id": "", **problem})
