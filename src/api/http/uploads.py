"""Requests that carry files: which they are, how large they may be, and how they are read.

Nothing is unpacked, and nothing in clear is put into a temporary file: such a request is read into memory, and only so
many are at once (`admission.LIMITS`).
"""

import re
from collections.abc import Callable, Coroutine, Mapping
from dataclasses import dataclass
from typing import Any

from fastapi import Request, Response
from fastapi.routing import APIRoute
from starlette.datastructures import Headers, UploadFile
from starlette.formparsers import MultiPartException, MultiPartParser
from starlette.requests import ClientDisconnect
from starlette.types import Scope

from adapters.attachments.setup import most_bytes
from aggregates.values.attachments import MOST_BYTES_OF_MESSAGE, MOST_OF_MESSAGE
from api.application.attachments import GivenFile
from api.http.problems import FieldProblem, Problem
from api.http.routing import check_parameters, names_of, other_type
from api.http.texts import text_fault

MULTIPART = "multipart/form-data"
_PATHS = re.compile(r"(?:/v1/accounts/[^/]+/attachments|/accounts/[^/]+/(?:attachments|messages))")
_AROUND = 500_000
"""Bytes of fields, and of what stands between parts."""
_MOST_FIELDS = 100
_LARGEST_FIELD = 100_000


def carries_files(scope: Scope) -> bool:
    """Whether the request may carry files, and says so."""
    if scope["method"] != "POST" or not _PATHS.fullmatch(scope["path"]):
        return False
    return _media_type(Headers(scope=scope)) == MULTIPART


def largest_upload(env: Mapping[str, str]) -> int:
    """Bytes of a whole request. Raises AttachmentsMisconfigured."""
    return max(most_bytes(env), MOST_BYTES_OF_MESSAGE) + _AROUND


def _media_type(headers: Headers) -> str:
    return headers.get("content-type", "").partition(";")[0].strip().lower()


class UploadRoute(APIRoute):
    """Leaves the body to `read_upload`; looks at the parameters as every route does."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        handle = super().get_route_handler()
        known = names_of(self)

        async def looked_at(request: Request) -> Response:
            check_parameters(request, known)
            return await handle(request)

        return looked_at


@dataclass(frozen=True, slots=True)
class Upload:
    """What a form with files says."""

    fields: Mapping[str, str]
    files: tuple[GivenFile, ...]


async def read_upload(request: Request) -> Upload:
    """Fields, each once, without spaces around, and files in their order. Raises a Problem."""
    if _media_type(request.headers) != MULTIPART:
        raise other_type(MULTIPART)
    parser = MultiPartParser(
        request.headers,
        request.stream(),
        max_files=MOST_OF_MESSAGE,
        max_fields=_MOST_FIELDS,
        max_part_size=_LARGEST_FIELD,
    )
    parser.spool_max_size = largest_upload(request.app.state.service.env)  # in memory: its content is personal
    try:
        form = await parser.parse()
    except (MultiPartException, UnicodeDecodeError, LookupError, KeyError) as error:
        raise Problem(400, "multipart", f"the body is not {MULTIPART}: {_why(error)}") from None
    except ClientDisconnect:
        raise Problem(400, "multipart", "the request ended before its body did") from None
    fields: dict[str, str] = {}
    files: list[GivenFile] = []
    for name, value in form.multi_items():
        if isinstance(value, UploadFile):
            if value.filename or value.size:  # a browser says an empty one where no file was chosen
                files.append(GivenFile(value.filename or "", value.file.read()))
            continue
        if name in fields:
            raise FieldProblem(name, "expected once")
        fields[name] = value.strip()
        if (expected := text_fault(name, value, read=fields[name])) is not None:
            raise FieldProblem(name, expected)
    return Upload(fields, tuple(files))


def _why(error: Exception) -> str:
    return error.message if isinstance(error, MultiPartException) else "it is not understood"
