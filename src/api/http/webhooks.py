"""Doors for carriers: what they send is checked by a signature, not by the token of this service.

Their shapes are the carriers' own, so they stand in no contract of ours.
"""

import hashlib
import hmac
from collections.abc import Callable
from functools import cached_property
from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Depends, Query, Request
from fastapi.responses import Response
from pydantic import BaseModel

from adapters.inbound.matching import NotReady
from adapters.inbound.receiver import Outcome, Receiver, Refused
from adapters.inbound.setup import Doors, doors_of
from adapters.public_url import TWILIO_STATUS
from adapters.secret_text import SecretProblem
from api.http.commands import ServiceOf
from api.http.inbound import not_ready
from api.http.problems import Problem
from api.processes.service import Service

TWILIO_SMS, EMAIL = "/v1/inbound/twilio/sms", "/v1/inbound/email"
SIGNATURE = "X-Arrears-Signature"

_NO_ANSWER = '<?xml version="1.0" encoding="UTF-8"?><Response/>'

router = APIRouter(include_in_schema=False)


class Inbound:
    """What the app has for carriers, made when the first of them comes."""

    def __init__(self, service: Service) -> None:
        self._service = service

    @cached_property
    def doors(self) -> Doors:
        return doors_of(self._service.env)

    @cached_property
    def receiver(self) -> Receiver:
        return Receiver(self._service.arrears, self._service.database)


async def _inbound(request: Request) -> Inbound:
    found: Inbound = request.app.state.inbound
    return found


async def _body(request: Request) -> bytes:
    return await request.body()


InboundOf = Annotated[Inbound, Depends(_inbound)]
BodyOf = Annotated[bytes, Depends(_body)]


def _twilio(request: Request, body: bytes, inbound: Inbound) -> dict[str, str]:
    """The form that Twilio sent. Raises a Problem where it is not certain that it did."""
    from adapters.inbound.twilio import MOST_BYTES, SIGNATURE, NotTwilio, fields_of

    try:
        token = inbound.doors.twilio_token
    except SecretProblem as problem:
        raise Problem(503, "unavailable", str(problem), headers={"Retry-After": "5"}) from None
    if token is None or inbound.doors.public_url is None:
        raise Problem(403, "signature", "nothing is taken from Twilio here: ARREARS_PUBLIC_URL or its token is not set")
    if len(body) > MOST_BYTES:
        raise Problem(413, "too-large", f"expected at most {MOST_BYTES} bytes")
    query = f"?{request.url.query}" if request.url.query else ""
    url = f"{inbound.doors.public_url}{request.url.path}{query}"
    try:
        return fields_of(body, url=url, signature=request.headers.get(SIGNATURE, ""), token=str(token))
    except NotTwilio as error:
        raise Problem(403, "signature", str(error)) from None


@router.post(TWILIO_SMS)
def twilio_sms(request: Request, body: BodyOf, service: ServiceOf, inbound: InboundOf) -> Response:
    """A text message of somebody's. Twilio is answered with nothing to say."""
    from adapters.inbound.twilio import NotTwilio, message_in

    fields = _twilio(request, body, inbound)
    try:
        message = message_in(fields, service.clock.now())
    except NotTwilio as error:
        raise Problem(422, "validation", str(error)) from None
    _taken(lambda: inbound.receiver.receive(message, comes_again=False))
    return Response(_NO_ANSWER, media_type="text/xml")


@router.post(TWILIO_STATUS)
def twilio_status(
    request: Request,
    message: Annotated[UUID, Query()],
    body: BodyOf,
    service: ServiceOf,
    inbound: InboundOf,
) -> Response:
    """What became of a message of ours."""
    from adapters.inbound.twilio import receipt_in

    receipt = receipt_in(_twilio(request, body, inbound), message, service.clock.now())
    if receipt is not None:
        _taken(lambda: inbound.receiver.report(receipt))
    return Response(status_code=204)


class MailTaken(BaseModel):
    """What became of a mail."""

    outcome: Outcome


@router.post(EMAIL, status_code=202)
def email(request: Request, body: BodyOf, service: ServiceOf, inbound: InboundOf) -> MailTaken:
    """A mail as it came (RFC 5322), or a report of a mail server about one of ours. The signature is `sha256=` and the
    HMAC-SHA256 of the body in hexadecimal, by the secret that both know."""
    try:
        secret = inbound.doors.email_secret
    except SecretProblem as problem:
        raise Problem(503, "unavailable", str(problem), headers={"Retry-After": "5"}) from None
    if secret is None:
        raise Problem(403, "signature", "no mail is taken here: ARREARS_INBOUND_EMAIL_SECRET_FILE is not set")
    expected = f"sha256={hmac.new(str(secret).encode(), body, hashlib.sha256).hexdigest()}"
    if not hmac.compare_digest(request.headers.get(SIGNATURE, "").encode(), expected.encode()):
        raise Problem(403, "signature", f"{SIGNATURE}: expected sha256= and the HMAC-SHA256 of the body")
    taken: list[Outcome] = []
    _taken(lambda: taken.append(inbound.receiver.take_mail(body, service.clock.now())))
    return MailTaken(outcome=taken[0])


def _taken(take: Callable[[], object]) -> None:
    """Raises a Problem where it was not."""
    try:
        take()
    except NotReady as error:
        raise not_ready(error) from None
    except Refused as error:
        raise Problem(409, "refused", str(error)) from None
