"""Opaque cursors, bound to the question they belong to: another filter with an old cursor is refused."""

import base64
import hashlib
from typing import Annotated, Generic, TypeVar

import orjson
from fastapi import Query
from pydantic import BaseModel

from api.http.problems import FieldProblem
from projections.questions.names import FILLED, Names

Row = TypeVar("Row")

Limit = Annotated[int, Query(ge=1, le=500, description="Rows per page.")]
Cursor = Annotated[str | None, Query(max_length=2_000, description="`next` of the page before.")]


class Page(BaseModel, Generic[Row]):
    """A page of rows; `next` is the cursor of the page after it, null on the last one."""

    items: list[Row]
    next: str | None


class NamedPage(Page[Row]):
    """A page of rows with customers' names."""

    names: Names = FILLED


def wrap_cursor(question: object, inner: str | None) -> str | None:
    """The cursor to hand out for a report's own one."""
    if inner is None:
        return None
    return base64.urlsafe_b64encode(orjson.dumps([_digest(question), inner])).rstrip(b"=").decode()


def unwrap_cursor(question: object, cursor: str | None) -> str | None:
    """The report's own cursor. Raises a Problem for one that was not handed out for this question."""
    if cursor is None:
        return None
    try:
        digest, inner = orjson.loads(base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)))
    except (ValueError, TypeError):
        raise FieldProblem("cursor", "expected what `next` of the page before said") from None
    if digest != _digest(question) or not isinstance(inner, str):
        raise FieldProblem("cursor", "it belongs to another question; start again without it")
    return inner


def _digest(question: object) -> str:
    asked = orjson.dumps(question, default=str, option=orjson.OPT_SORT_KEYS)
    return hashlib.sha256(asked).hexdigest()[:12]
