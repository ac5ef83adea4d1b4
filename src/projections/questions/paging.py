"""Keyset paging: a cursor says after which row the next page begins, so that new rows never shift a page."""

import base64
import binascii
from collections.abc import Sequence

import orjson

from projections.questions.scope import BadQuestion

MAX_LIMIT = 1_000


def check_limit(limit: int) -> int:
    if not 1 <= limit <= MAX_LIMIT:
        raise BadQuestion(f"limit: expected 1 to {MAX_LIMIT}, not {limit}")
    return limit


def cursor_after(order: str, *key: object) -> str:
    """The cursor after a row with this key, in this order. Opaque to callers."""
    said = [order, *(str(part) for part in key)]
    return base64.urlsafe_b64encode(orjson.dumps(said)).rstrip(b"=").decode()


def key_after(cursor: str | None, order: str, parts: int) -> Sequence[str | None]:
    """The key's parts as text; all None without a cursor. Raises BadQuestion for a cursor of another order."""
    if cursor is None:
        return [None] * parts
    try:
        said = orjson.loads(base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)))
    except (binascii.Error, ValueError):
        said = None
    if not (isinstance(said, list) and len(said) == parts + 1 and all(isinstance(part, str) for part in said)):
        raise BadQuestion("cursor: expected one that an earlier page gave")
    if said[0] != order:
        raise BadQuestion("cursor: it is of a page in another order; start again without it")
    return said[1:]
