"""Signing in with the API token, where one is configured: a signed cookie for the pages, never for /v1."""

from urllib.parse import parse_qs

from fastapi import APIRouter, Request
from fastapi.responses import HTMLResponse, RedirectResponse, Response

from api.http.auth import COOKIE, SESSION_SECONDS, SIGN_IN, Gate
from api.http.routing import Router, other_type
from api.http.web.rendering import render

router = Router(include_in_schema=False)
form = APIRouter(include_in_schema=False)

_FORM = "application/x-www-form-urlencoded"


@router.get(SIGN_IN)
def sign_in_page(request: Request) -> Response:
    if request.app.state.gate.token is None:
        return RedirectResponse("/", 303)
    return render(request, "sign_in.html", failed=False)


@form.post(SIGN_IN)
async def sign_in(request: Request) -> Response:
    """The gate lets in POSTs from our own pages only."""
    gate: Gate = request.app.state.gate
    if request.headers.get("content-type", "").partition(";")[0].strip().lower() != _FORM:
        raise other_type(_FORM)
    given = parse_qs((await request.body()).decode("utf-8", "replace")).get("token", [""])[0]
    if not gate.is_token(given.strip()):
        return _refused(request)
    response = RedirectResponse("/", 303)
    response.set_cookie(
        COOKIE,
        gate.new_session(),
        max_age=SESSION_SECONDS,
        httponly=True,
        samesite="strict",
        secure=request.scope["scheme"] == "https",
    )
    return response


def _refused(request: Request) -> HTMLResponse:
    return render(request, "sign_in.html", status=401, failed=True)


@router.post("/sign-out")
def sign_out() -> Response:
    response = RedirectResponse(SIGN_IN, 303)
    response.delete_cookie(COOKIE, httponly=True, samesite="strict")
    return response
