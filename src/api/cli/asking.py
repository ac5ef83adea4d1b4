"""Questions of commands: a running service answers them where there is one, else the same are answered here.

Whoever answers, an answer is the JSON of `GET /v1/…`; commands print from that. What a service would need several pages
for is answered here, from one snapshot, so that all figures are of one moment.
"""

import json
import os
from collections.abc import Callable, Mapping
from datetime import date, datetime
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import quote, urlencode

from api.cli.local_service import LocalService, local_service
from api.cli.questions import Ask, Refused, no_office

AT_MOST = 500
"""Rows in a page of HTTP."""
LOCAL = "Arrears-Local"
"""The header of a service's answers to whoever showed it the token of its folder."""

_SERVER = "ARREARS_DATABASE_URL"
_PATIENCE_SECONDS = 60.0

Found = TypeVar("Found")


class AnswerHere(Exception):
    """The service cannot answer, or not in one page."""


def answered(data: Path | None, questions: Callable[[Ask], Found], *, catch_up: bool = True) -> Found:
    """What comes of the questions. They may be asked twice: nothing is printed before the last answer is there.

    Where nobody runs, read tables are brought up to date first, unless that is not wanted.

    Raises Refused, and the problems of opening the data folder or the database.
    """
    found = local_service(data) if data is not None and not os.environ.get(_SERVER) else None
    if found is not None:
        over_http = OverHttp(found)
        try:
            return questions(over_http)
        except AnswerHere:
            pass
        finally:
            over_http.close()
    from api.cli.answers import answering_here

    with answering_here(data, catch_up=catch_up) as ask:
        return questions(ask)


# --- over HTTP -----------------------------------------------------------------------------------------


class OverHttp:
    """Asks a service on one connection. Raises AnswerHere where it does not answer, is not the folder's, or is busy."""

    def __init__(self, service: LocalService) -> None:
        from http.client import HTTPConnection

        self._token = service.token
        self._connection = HTTPConnection(service.host, service.port, timeout=_PATIENCE_SECONDS)

    def __call__(self, path: str, *, limit: int | None = None, **asked: Any) -> Any:
        if limit is not None and limit > AT_MOST:
            raise AnswerHere
        paged = path in PAGED
        status, answer = self._get(_address(path, {**asked, **({"limit": limit or AT_MOST} if paged else {})}))
        if status != 200:
            raise _refusal(answer, asked.get("office"))
        if paged and limit is None and answer["next"] is not None:
            raise AnswerHere
        return answer

    def _get(self, address: str) -> tuple[int, Any]:
        from http.client import HTTPException

        try:
            self._connection.request("GET", address, headers={"Authorization": f"Bearer {self._token}"})
            response = self._connection.getresponse()
            body = response.read()
            if response.getheader(LOCAL) is None or response.status not in {200, 404, 409, 422}:
                raise AnswerHere
            return response.status, json.loads(body)
        except (OSError, HTTPException, ValueError) as error:
            raise AnswerHere from error

    def close(self) -> None:
        self._connection.close()


PAGED = frozenset({
    "/v1/accounts",
    "/v1/accounts/{id}/promises",
    "/v1/accounts/{id}/messages",
    "/v1/activity",
    "/v1/audit/{id}",
    "/v1/bulk",
    "/v1/bulk-schedules",
    "/v1/bulk-schedules/{id}/runs",
    "/v1/bulk/{id}/rows",
    "/v1/bulk/{id}/undo",
    "/v1/closed-days",
    "/v1/inbound",
    "/v1/inbound/unmatched",
    "/v1/messages",
    "/v1/placement-files",
    "/v1/placements",
    "/v1/promises",
    "/v1/quarantined-messages",
    "/v1/report/collections",
    "/v1/work",
    "/v1/worklist",
})  # fmt: skip
"""What is answered in pages."""


def _address(path: str, asked: Mapping[str, Any]) -> str:
    filled, parameters = path, {}
    for name, value in asked.items():
        if f"{{{name}}}" in path:
            filled = filled.replace(f"{{{name}}}", quote(str(value), safe=""))
        elif value is not None:
            parameters[name] = value.isoformat() if isinstance(value, date | datetime) else str(value)
    return f"{filled}?{urlencode(parameters)}" if parameters else filled


def _refusal(problem: Any, office: str | None) -> Refused:
    reason_code = str(problem.get("reason_code", ""))
    if reason_code == "unknown-office":
        return no_office(office)
    errors = problem.get("errors") or [{}]
    return Refused(
        str(problem.get("detail")),
        reason_code=reason_code,
        field=str(errors[0].get("field", "")),
        currencies=tuple(map(str, problem.get("currencies", ()))),
    )
