"""Routes, and what holds for the body of every request: JSON where one is expected, none elsewhere."""

from collections.abc import Callable, Coroutine, Iterator, Mapping
from email.message import Message
from typing import Any, get_args, get_origin

from fastapi import APIRouter, Request, Response
from fastapi.dependencies.models import Dependant
from fastapi.routing import APIRoute
from pydantic import BaseModel

from api.http.json_bodies import read_json
from api.http.problems import FieldProblem, Problem
from api.http.texts import is_text

_SHOWN = 100


class Route(APIRoute):
    """Reads the body before anything else looks at the request; what nobody would look at is refused, and so is a
    parameter that the question does not know."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        handle = super().get_route_handler()
        takes_body = self.body_field is not None

        known = names_of(self)

        async def with_body_read(request: Request) -> Response:
            check_parameters(request, known)
            body = await request.body()
            if not body:
                return await handle(request)
            if not takes_body:
                raise FieldProblem("body", "expected none: nothing is read from a body here")
            require_json(request)
            return await handle(_Read(request, read_json(body)))

        return with_body_read


Known = Mapping[str, bool]
"""The names of parameters, each with whether it may be given several times."""


def _parameters(of: Dependant) -> Iterator[tuple[str, bool]]:
    """Those of a question; those of a model are its fields."""
    for each in of.query_params:
        model = each.field_info.annotation
        if isinstance(model, type) and issubclass(model, BaseModel):
            for name, field in model.model_fields.items():
                yield field.alias or name, _is_list(field.annotation)
        else:
            yield each.alias, _is_list(model)
    for dependency in of.dependencies:
        yield from _parameters(dependency)


def _is_list(annotation: Any) -> bool:
    return any(get_origin(each) in {list, tuple, set} for each in (annotation, *get_args(annotation)))


def names_of(route: APIRoute) -> Known | None:
    """Its parameters; None: a page's, which keeps others too."""
    return dict(_parameters(route.dependant)) if route.path.startswith("/v1/") else None


def check_parameters(request: Request, known: Known | None) -> None:
    """Pages keep what they do not know: it may be of a form of theirs. Raises FieldProblem."""
    seen: set[str] = set()
    for name, value in request.query_params.multi_items():
        if known is not None and name not in known:
            raise FieldProblem(name[:_SHOWN], f"expected one of {', '.join(sorted(known)) or 'no parameters'}")
        if known is not None and name in seen and not known[name]:
            raise FieldProblem(name, "expected once")
        seen.add(name)
        if not is_text(value):
            raise FieldProblem(name, "expected text without control characters")


class Router(APIRouter):
    """A router whose routes are `Route`s."""

    def __init__(self, **given: Any) -> None:
        super().__init__(route_class=Route, **given)


class _Read(Request):
    """A request whose body was read."""

    def __init__(self, request: Request, said: Any) -> None:
        super().__init__(request.scope, request.receive)
        self._said = said
        self._read = request

    async def body(self) -> bytes:
        return await self._read.body()

    async def json(self) -> Any:
        return self._said


def require_json(request: Request) -> None:
    """Raises a Problem for another type, and for none."""
    message = Message()
    message["Content-Type"] = request.headers.get("content-type", "text/plain")
    subtype = message.get_content_subtype()
    if message.get_content_maintype() != "application" or not (subtype == "json" or subtype.endswith("+json")):
        raise other_type("application/json")


def other_type(expected: str) -> Problem:
    """The body is of a type that is not read here."""
    return Problem(415, "media-type", f"expected a body with Content-Type: {expected}", headers={"Accept": expected})
