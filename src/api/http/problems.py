"""The one error shape: RFC 9457 problem details, for everything that can go wrong at this door."""

import re
from collections.abc import Iterable, Mapping
from typing import Any
from uuid import UUID

import structlog
from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse, Response
from starlette.exceptions import HTTPException
from starlette.routing import Match

from adapters.attachments.store import StoreAway
from adapters.eventstore.application import AggregateNotFoundError
from adapters.eventstore.recorder import Conflict
from adapters.postgres.errors import DatabaseProblem, in_plain_words
from aggregates.kernel.command import Rejected
from aggregates.kernel.refusals import CONFLICT, REFUSALS
from aggregates.values.patterns import message_of
from api.application.bulk import ChangedSincePreview
from api.application.issuing import (
    ContactRefused,
    FaultyPlan,
    ImplausibleField,
    KeyReused,
    NotIssued,
    NotPermitted,
    Outdated,
    Refused,
)
from api.application.worklist import ContactsUndocumented

MEDIA_TYPE = "application/problem+json"
PROBLEM = "Problem"
"""The name of its schema in OpenAPI."""

TITLES = {
    400: "The request cannot be read",
    401: "Sign in first",
    403: "Not from there",
    404: "Not found",
    405: "Not a method of this resource",
    408: "Too slow",
    409: "Refused",
    412: "Changed meanwhile",
    413: "Too large",
    415: "Not a type that is read here",
    421: "Not this host",
    422: "Not as expected",
    500: "A defect on our side",
    503: "Not available now",
}
"""What each status means here; the same in every answer and in OpenAPI."""

SCHEMA: dict[str, Any] = {
    "title": PROBLEM,
    "description": "What went wrong (RFC 9457).",
    "type": "object",
    "required": ["type", "title", "status", "detail"],
    "properties": {
        "type": {"type": "string", "description": "urn:arrears:problem: and a stable code."},
        "title": {"type": "string"},
        "status": {"type": "integer", "minimum": 400, "maximum": 599},
        "detail": {"type": "string", "description": "What is wrong with this request, for people."},
        "reason_code": {"type": "string", "description": "Why a command was refused, for programs."},
        "currencies": {
            "type": "array",
            "description": "Those to choose from, where one has to be named: amounts of several never add up.",
            "items": {"type": "string"},
        },
        "refusals": {
            "type": "array",
            "description": "Every contact rule that refuses a contact.",
            "items": {
                "type": "object",
                "required": ["rule", "source", "basis", "detail", "allowed_from", "may_override"],
                "properties": {
                    "rule": {"type": "string"},
                    "source": {"type": "string"},
                    "basis": {"type": "string", "enum": ["law", "check", "house"]},
                    "detail": {"type": "string"},
                    "allowed_from": {"type": ["string", "null"], "format": "date-time"},
                    "may_override": {"type": "boolean"},
                },
            },
        },
        "contacts": {
            "type": "array",
            "description": "The contacts without an outcome that keep a day from being closed, the first hundred.",
            "items": {
                "type": "object",
                "required": ["id", "account_id", "number", "kind", "at"],
                "properties": {
                    "id": {"type": "string", "format": "uuid"},
                    "account_id": {"type": "string", "format": "uuid"},
                    "number": {"type": ["string", "null"]},
                    "kind": {"type": "string"},
                    "at": {"type": "string", "format": "date-time"},
                },
            },
        },
        "accounts": {
            "type": "array",
            "description": "Numbers of the accounts that changed since a preview, the first thousand.",
            "items": {"type": "string"},
        },
        "accounts_in_all": {"type": "integer", "description": "How many these are."},
        "correlation_id": {"type": "string", "format": "uuid"},
        "errors": {
            "type": "array",
            "description": "Each field that is not as expected.",
            "items": {
                "type": "object",
                "required": ["field", "expected"],
                "properties": {"field": {"type": "string"}, "expected": {"type": "string"}},
            },
        },
    },
}

_MOST_ERRORS = 50
_FIELD = re.compile(r"[a-z0-9_.-]+")
"""How validators name a field of theirs, in front of what they expected."""
_TOO_BUSY = "others change the same all the time; nothing was done, try again"

_log = structlog.get_logger(__name__)


class Problem(Exception):
    """An answer other than success. `code` is stable and names the kind of problem."""

    def __init__(
        self, status: int, code: str, detail: str, *, headers: Mapping[str, str] | None = None, **more: Any
    ) -> None:
        super().__init__(detail)
        self.status, self.code, self.detail = status, code, detail
        self.headers = dict(headers or {})
        self.more = more

    def content(self, correlation_id: UUID | None = None) -> dict[str, Any]:
        """What is said, for JSON."""
        return {
            "type": f"urn:arrears:problem:{self.code}",
            "title": TITLES.get(self.status, "It did not work"),
            "status": self.status,
            "detail": self.detail,
            **self.more,
            **({"correlation_id": str(correlation_id)} if correlation_id else {}),
        }

    def response(self, request: Request) -> Response:
        """As problem+json; as a page where a person looks at pages. Never fails: it is what is left to say."""
        content = self.content(getattr(request.state, "correlation_id", None))
        if wants_page(request):
            try:
                page: Response = request.app.state.problem_page(request, content)
            except Exception as error:
                _log.error("the page of a problem could not be made", exc_info=error)
            else:
                page.headers.update(self.headers)
                return page
        return JSONResponse(_writable(content), self.status, headers=self.headers, media_type=MEDIA_TYPE)


def _writable(content: Any) -> Any:
    """What was quoted of a request may hold what no text can be written with: half of a surrogate pair."""
    match content:
        case str():
            return content.encode("utf-8", "backslashreplace").decode("utf-8")
        case dict():
            return {_writable(name): _writable(each) for name, each in content.items()}
        case list() | tuple():
            return [_writable(each) for each in content]
        case _:
            return content


class FieldProblem(Problem):
    """A field that is not as expected; `field` as the caller wrote it (`instalments.0.amount`)."""

    def __init__(self, field: str, expected: str, *others: tuple[str, str], **more: Any) -> None:
        found = [(field, expected), *others][:_MOST_ERRORS]
        errors = [{"field": name, "expected": each} for name, each in found]
        detail = "; ".join(f"{name}: {each}" for name, each in found)
        super().__init__(422, "validation", detail, errors=errors, **more)


def path_of(request: Request) -> str:
    """Of the request itself: an address cannot be made where the Host header is none."""
    path: str = request.scope["path"]
    return path


def wants_page(request: Request) -> bool:
    """A browser that looks at pages, not a program that asks a resource."""
    path = path_of(request)
    return "text/html" in request.headers.get("accept", "") and not path.startswith(("/v1", "/health", "/openapi"))


def refused(rejected: Rejected, **more: Any) -> Problem:
    """A refusal, with the status that the catalogue has for it; outcomes of older releases are kept for repeats."""
    known = REFUSALS.get(rejected.reason_code)
    status = known.status if known is not None else CONFLICT
    return Problem(status, "refused", rejected.detail, reason_code=rejected.reason_code, **more)


def not_issued(error: NotIssued) -> Problem:
    """Why a command was not carried out, as this door says it."""
    match error:
        case ContactRefused():
            problem = refused(error.rejected)
            problem.more["refusals"] = [each.model_dump(mode="json") for each in error.refusals]
            return problem
        case ChangedSincePreview():
            return refused(error.rejected, accounts=list(error.accounts), accounts_in_all=error.total)
        case ContactsUndocumented():
            named = {"id", "account_id", "number", "kind", "at"}
            contacts = [each.model_dump(mode="json", include=named) for each in error.contacts]
            return refused(error.rejected, contacts=contacts)
        case Refused():
            return refused(error.rejected)
        case ImplausibleField():
            return FieldProblem(error.field, error.expected)
        case FaultyPlan():
            first, *others = [(each.field, each.expected) for each in error.faults]
            return FieldProblem(*first, *others)
        case KeyReused():
            errors = [{"field": "Idempotency-Key", "expected": "a new key for a new request"}]
            return Problem(422, "idempotency-key-reused", str(error), errors=errors)
        case Outdated():
            return Problem(412, "changed-meanwhile", str(error))
        case NotPermitted():
            return Problem(403, "not-permitted", str(error))
        case _:
            raise TypeError(f"{type(error).__name__} has no answer here") from error


def unknown(kind: str) -> Problem:
    return refused(Rejected(f"unknown-{kind}", f"there is no such {kind}"))


def documented(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """For `responses=` of a route: these statuses answer with a problem."""
    return {
        status: {
            "description": TITLES[status],
            "content": {MEDIA_TYPE: {"schema": {"$ref": f"#/components/schemas/{PROBLEM}"}}},
        }
        for status in statuses
    }


# --- what is caught -----------------------------------------------------------------------------------


def install(app: FastAPI) -> None:
    """Makes every error of the app a problem. What nobody expected is caught further out, see `unexpected`."""
    app.add_exception_handler(Problem, _own)
    app.add_exception_handler(NotIssued, _not_issued)
    app.add_exception_handler(RequestValidationError, _invalid)
    app.add_exception_handler(HTTPException, of_the_framework)
    app.add_exception_handler(AggregateNotFoundError, _not_found)
    app.add_exception_handler(StoreAway, _no_store)
    for kind in (DatabaseProblem, Conflict):
        app.add_exception_handler(kind, _no_database)


def unexpected(request: Request, error: Exception) -> Response:
    """A defect, or the database: says nothing of what is inside; the log has it under the correlation id."""
    known = in_plain_words(error)
    if known is not None:
        return _no_database(request, known)
    _log.error("unexpected", path=path_of(request), exc_info=error)
    return Problem(500, "unexpected", "something went wrong; the log has more under this correlation id").response(
        request
    )


def _own(request: Request, error: Exception) -> Response:
    assert isinstance(error, Problem)  # noqa: S101
    return error.response(request)


def _not_issued(request: Request, error: Exception) -> Response:
    assert isinstance(error, NotIssued)  # noqa: S101
    return not_issued(error).response(request)


def _not_found(request: Request, _: Exception) -> Response:
    return Problem(404, "not-found", "there is no such thing at that time").response(request)


def _no_database(request: Request, error: Exception) -> Response:
    _log.warning("database unavailable", path=path_of(request), error=str(error))
    detail = error.message if isinstance(error, DatabaseProblem) else _TOO_BUSY
    return Problem(503, "unavailable", detail, headers={"Retry-After": "2"}).response(request)


def _no_store(request: Request, error: Exception) -> Response:
    _log.warning("attachments unavailable", path=path_of(request), error=str(error))
    return Problem(503, "unavailable", str(error), headers={"Retry-After": "2"}).response(request)


def of_the_framework(request: Request, error: Exception) -> Response:
    """What the framework answers by itself, in the one error shape."""
    assert isinstance(error, HTTPException)  # noqa: S101
    headers = dict(error.headers or {})
    match error.status_code:
        case 404:
            problem = Problem(404, "not-found", f"nothing is at {path_of(request)}")
        case 405:
            headers["Allow"] = ", ".join(_methods_of(request))
            problem = Problem(405, "method", f"{request.method} is not a method of {path_of(request)}", headers=headers)
        case 413:
            problem = Problem(413, "too-large", "the body is larger than this service takes")
        case status:
            problem = Problem(status, "request", str(error.detail), headers=headers)
    return problem.response(request)


def _methods_of(request: Request) -> list[str]:
    """Every method that some route takes at this path; the framework names those of one route only."""
    methods = ("GET", "POST", "PUT", "PATCH", "DELETE")
    routes = request.app.router.routes
    scope = dict(request.scope)
    found = [m for m in methods if any(r.matches({**scope, "method": m})[0] is Match.FULL for r in routes)]
    return [each for method in found for each in ((method, "HEAD") if method == "GET" else (method,))]


def _invalid(request: Request, error: Exception) -> Response:
    assert isinstance(error, RequestValidationError)  # noqa: S101
    return from_errors(error.errors()).response(request)


def from_errors(errors: Iterable[Mapping[str, Any]]) -> Problem:
    """What pydantic found, without what was sent: that may be personal."""
    found = list(errors)
    if any(e["type"] == "json_invalid" for e in found):
        return Problem(400, "json", f"the body is not JSON: {found[0].get('ctx', {}).get('error', 'unreadable')}")
    said = [_said(e) for e in found[:_MOST_ERRORS]]
    return Problem(422, "validation", "; ".join(f"{e['field']}: {e['expected']}" for e in said), errors=said)


def _said(error: Mapping[str, Any]) -> dict[str, str]:
    field = [str(part) for part in error["loc"] if not _is_inside_a_union(part)]
    if field and field[0] in {"body", "query", "path", "header"} and len(field) > 1:
        field = field[1:]
    name = ".".join(field) or "body"
    match error["type"]:
        case "missing":
            expected = "expected, but missing"
        case "extra_forbidden":
            expected = "is not a field here"
        case "value_error":
            expected = str(error.get("ctx", {}).get("error") or error["msg"]).removeprefix("Value error, ")
            own, colon, rest = expected.partition(": ")
            if colon and _FIELD.fullmatch(own):
                name, expected = (own if name == "body" else f"{name}.{own}"), rest
        case "model_type" | "dict_type" | "model_attributes_type" | "dataclass_type":
            expected = "expected a JSON object"
        case _:
            expected = message_of(error).replace("Input should be", "expected").replace("should", "has to")
            expected = expected[0].lower() + expected[1:]
    return {"field": name, "expected": expected}


def _is_inside_a_union(part: object) -> bool:
    """Pydantic names the branch of a union or the validator in the path; callers never wrote that."""
    return isinstance(part, str) and ("[" in part or "(" in part)
