"""Signing in with the API token, where one is configured: a signed cookie for the pages, never for /v1."""

from fastapi import APIRouter, Request
from fastapi.responses import HTMLResponse, RedirectResponse, Response

from api.http.auth import COOKIE, SESSION_SECONDS, SIGN_IN, Gate
from api.http.routing import Router
from api.http.web.forms import FormOf
from api.http.web.rendering import render

router = Router(include_in_schema=False)
form = APIRouter(include_in_schema=False)


@router.get(SIGN_IN)
def sign_in_page(request: Request) -> Response:
    if request.app.state.gate.token is None:
        return RedirectResponse("/", 303)
    return render(request, "sign_in.html", failed=False)


@form.post(SIGN_IN)
def sign_in(request: Request, form: FormOf) -> Response:
    gate: Gate = request.app.state.gate
    if not gate.is_token(form.get("token", "")):
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
