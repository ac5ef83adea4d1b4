"""What the old log answers, by HTTP and in the read tables; and what may differ from the answer of then."""

import hashlib
import json
import re
from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

from psycopg import Connection

from api.processes.step_by_step import StepByStep

EXPECTED = Path(__file__).parent / "expected.json"

EVERY_STEP, NOT_SENT = "every step was taken and the debt is unpaid", "; not sent: "
"""Then the same was said where steps had been passed over; now which and why."""

SAID_OTHERWISE = {
    "Promise open again: what had come in of it is different": "Promise open again: a payment was taken back"
}
"""What is said now, and what then: more than a payment that is taken back does it."""

_SAID_BESIDES = (
    (re.compile(r"(?<=\d), in \d+ instalments from \d{4}-\d\d-\d\d$"), ""),
    (re.compile(r"^(Subscription \S+ recorded):(?: .+,)? not cancelled$"), r"\1"),
    (re.compile(r"^(Subscription \S+ recorded):(?: .+,)? (cancelled on \d{4}-\d\d-\d\d)$"), r"\1, \2"),
)
"""What the sentences of a promise and of a subscription did not tell then, and what is left without it."""

VERSIONS_THEN = {
    "account.activity-recorded": 1,
    "account.message-sent": 1,
    "account.message-withdrawn": 1,
    "account.message-failed": 2,
    "account.message-uncertain": 1,
}
"""Events whose shape is a later one now."""

_WHOLE = 200
"""Rows of a table that are kept as they are; of a longer one a hash for each account."""

_INNER_COLUMNS = {"memory"}
"""What a projection keeps for itself, so that it understands later events."""

_UNSTABLE_VIEWS = {"readers"}
"""How far readers are depends on when they ran."""

Row = dict[str, Any]
Table = dict[str, Any]

# --- by HTTP -----------------------------------------------------------------------------------------


def compact(answer: Any) -> str:
    """JSON as the door writes it."""
    return json.dumps(answer, ensure_ascii=False, separators=(",", ":"))


def may_say_more(path: str) -> bool:
    """The collections report of a past day tells what it had null, any report its buckets' names; a page of promises
    its day and currency; aging what is disputed; an office what came to its settings; and a list of accounts
    segments, and who is excluded."""
    more = ("/v1/report/collections?", "/v1/promises?", "/v1/report/aging", "/v1/offices", "/v1/accounts?")
    return path.startswith(more)


def unlike(expected: Any, found: Any, where: str = "answer") -> Iterator[str]:
    """Where an answer takes something back that was said: a key that is gone, a value that is another."""
    match expected, found:
        case dict(), dict():
            for key in expected:
                if key not in found:
                    yield f"{where}.{key} is gone"
                else:
                    yield from unlike(expected[key], found[key], f"{where}.{key}")
        case list(), list() if len(expected) == len(found):
            for nth, (then, now) in enumerate(zip(expected, found, strict=True)):
                yield from unlike(then, now, f"{where}[{nth}]")
        case None, _:
            return
        case str(), str() if expected.endswith(EVERY_STEP) and NOT_SENT in found:
            return
        case _:
            if expected != found:
                yield f"{where} was {expected!r} and is {found!r}"


def as_told_now(then: Any, found: Any) -> Any:
    """The answer of then but for three things that were told wrongly, one that is said otherwise, two that are told
    besides, and events that have a later version now.

    Money that is used up waits for no invoice, what is next of an account that is only to be looked at again is that
    review, and an opt-out of an address that stands elsewhere now is not one of the place where it stood. Of payments
    and credits it is told what went back of them: all or nothing, then. A subscription has a status: none was frozen or
    cancelled.
    """
    if isinstance(then, dict) and (left := _opt_outs_of_places_that_were_left(then)):
        then = {**then, "opt_outs": [each for each in then["opt_outs"] if each not in left]}
    if isinstance(then, dict) and isinstance(found, dict) and _version_then(found) is not None:
        then = {**then, "event_version": found["event_version"]}
    match then, found:
        case {"unapplied": {"amount": left}, "waits_for_invoice": str()}, dict() if not Decimal(left):
            then = {**then, "waits_for_invoice": None}
        case {"next_action": None}, {"next_action": {"kind": "review"} as review}:
            then = {**then, "next_action": review}
        case {"number": str(), "initial_discount": _, "started_on": _}, {"status": _}:
            then = {**then, "status": "active"}
    match then, found:
        case {"amount": whole, "unapplied": _, "reversed": bool(is_gone)}, dict():
            nothing = {**whole, "amount": str(Decimal(whole["amount"]) * 0)}
            parts = (
                {"gone_back": whole if is_gone else nothing, name: each} if name == "reversed" else {name: each}
                for name, each in then.items()
            )
            return {name: each for part in parts for name, each in part.items()}
        case dict(), dict():
            return {name: as_told_now(each, found.get(name)) for name, each in then.items()}
        case str(), str() if _as_said_then(found) == then:
            return found
        case list(), list() if len(then) == len(found):
            return [as_told_now(*each) for each in zip(then, found, strict=True)]
        case _:
            return then


def _opt_outs_of_places_that_were_left(account: dict[str, Any]) -> list[dict[str, Any]]:
    opt_outs = account.get("opt_outs") or []
    there = {
        point["id"] for kind in ("addresses", "phones", "emails") for point in account.get("contact", {}).get(kind, ())
    }
    followed = {each["channel"] for each in opt_outs if each["point_id"] in there}
    return [each for each in opt_outs if each["channel"] in followed and each["point_id"] not in {None, *there}]


def live_on(service: StepByStep, now: datetime, *, days: int = 30) -> None:
    """Days in which nobody does anything: what was planned happens."""
    for day in range(1, days + 1):
        service.tick(now + timedelta(days=day))


# --- read tables -------------------------------------------------------------------------------------


def public_tables(connection: Connection[Any]) -> list[str]:
    """The tables of live projections, and the views for dashboards."""
    found = connection.execute(
        """
        SELECT 'read_model.' || unnest(public) FROM read_model.projections WHERE state = 'live' AND schema LIKE 'read%'
        UNION ALL
        SELECT 'dashboard.' || viewname FROM pg_views WHERE schemaname = 'dashboard'
        ORDER BY 1
        """
    )
    return [table for (table,) in found if table.partition(".")[2] not in _UNSTABLE_VIEWS]


def record_table(connection: Connection[Any], table: str) -> Table:
    """Its columns, and its rows: all of them, or a hash for each account."""
    rows = _rows(connection, table)
    columns = sorted({name for row in rows for name in row} - _INNER_COLUMNS)
    return {"columns": columns, **_said(rows, columns, whole=len(rows) <= _WHOLE)}


def look_again(connection: Connection[Any], table: str, then: Table) -> Table:
    """The table as it was recorded then: the same columns, in the same way, in the words of then."""
    columns = then["columns"]
    rows = [{name: _as_said_then(each) for name, each in row.items()} for row in _rows(connection, table)]
    rows = [row if (version := _version_then(row)) is None else {**row, "event_version": version} for row in rows]
    return {"columns": columns, **_said(rows, columns, whole="rows" in then)}


def _as_said_then(value: Any) -> Any:
    if not isinstance(value, str):
        return value
    for besides, left in _SAID_BESIDES:
        value = besides.sub(left, value)
    return SAID_OTHERWISE.get(value, value)


def _version_then(row: Row) -> int | None:
    """Of the event of a row, where it is another by now."""
    return VERSIONS_THEN.get(row.get("event_name") or "") if "event_version" in row else None


def _said(rows: Iterable[Row], columns: Sequence[str], *, whole: bool) -> Table:
    kept = [({name: row[name] for name in columns if name in row}, row.get("account_id") or "") for row in rows]
    if whole:
        return {"rows": sorted((row for row, _ in kept), key=_canonical)}
    accounts: dict[str, list[str]] = {}
    for row, account in kept:
        accounts.setdefault(account, []).append(_canonical(row))
    return {"accounts": {account: _digest(accounts[account]) for account in sorted(accounts)}}


def inner_tables(connection: Connection[Any]) -> dict[str, dict[str, Any]]:
    """By projection: its version, and a hash of each of its tables, with all that only it understands."""
    found: dict[str, dict[str, Any]] = {}
    for name, version, schema in connection.execute(
        "SELECT name, version, schema FROM read_model.projections WHERE state = 'live' ORDER BY name"
    ).fetchall():
        tables = connection.execute("SELECT tablename FROM pg_tables WHERE schemaname = %s ORDER BY 1", [schema])
        found[name] = {
            "version": version,
            "tables": {
                table: _digest(map(_canonical, _rows(connection, f"{schema}.{table}")))
                for (table,) in tables.fetchall()
            },
        }
    return found


def _rows(connection: Connection[Any], table: str) -> list[Row]:
    connection.execute("SET timezone TO 'UTC'")
    return [row for (row,) in connection.execute(f"SELECT to_jsonb(t) FROM {table} AS t".encode())]


def _canonical(row: Row) -> str:
    return json.dumps(row, sort_keys=True, ensure_ascii=False)


def _digest(rows: Iterable[str]) -> str:
    """How many, and the start of a hash over them in an order of their own."""
    ordered = sorted(rows)
    return f"{len(ordered)} rows, {hashlib.sha256(chr(10).join(ordered).encode()).hexdigest()[:24]}"
