"""Conditional requests (RFC 9110, section 13)."""

from typing import Annotated

from fastapi import Header, Response

IfNoneMatch = Annotated[str | None, Header(max_length=1_000, description="An ETag; the same one answers 304.")]
IfMatch = Annotated[str | None, Header(max_length=1_000, description="An ETag; another one answers 412.")]


def names(header: str | None, etag: str) -> bool:
    """Whether the header names this tag; weak tags count as what they say."""
    if header is None:
        return False
    return header.strip() == "*" or etag in {tag.strip().removeprefix("W/") for tag in header.split(",")}


def tagged(response: Response, etag: str) -> None:
    """The answer may be kept, and has to be asked after each time."""
    response.headers.update(_headers(etag))


def not_modified(etag: str) -> Response:
    return Response(status_code=304, headers=_headers(etag))


def _headers(etag: str) -> dict[str, str]:
    return {"ETag": etag, "Cache-Control": "private, no-cache"}
