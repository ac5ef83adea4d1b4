"""How the old log was made: `python -m tests.upgrade.make`, at commit 7371bd7. For the record: it stays as it is.

A release that writes other things into the log gets a folder of its own, beside this one; then this one still shows
that logs from before can be opened. Making this one again would make it a log of the release that does it.

Taken out of what was recorded, because read tables keep nothing personal any more: names and notes, and in the audit
trail the reasons that people gave about accounts. Hashes over the rest are by a release that still said all of it.
"""

import base64
import json
import os
import sys
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from adapters.clock import ManualClock
from adapters.eventstore.keys import KEY_VARIABLE
from adapters.postgres.database import Database
from adapters.postgres.embedded import EmbeddedPostgres
from adapters.postgres.migrations import migrate
from api.contract.events import load_every_event
from api.http.app import create_app
from api.processes.step_by_step import StepByStep
from tests.api.http.client import Client
from tests.conftest import QUICK_AND_FORGETFUL, TestServer
from tests.temporary import temporary_folder
from tests.upgrade.answers import (
    EXPECTED,
    compact,
    inner_tables,
    live_on,
    public_tables,
    record_table,
)
from tests.upgrade.log import FOLDER, MASTER_KEY, applied_migrations, dump, restore
from tests.upgrade.story import LIVES
from tests.upgrade.world import World

FIRST = datetime(2026, 3, 2, 14, tzinfo=UTC)
"""A Monday, 9:00 in New York."""
LAST = datetime(2026, 5, 29, 15, 30, tzinfo=UTC)
"""A Friday in New York, and Saturday already in Tokyo."""
PAST_DAYS = ("2026-03-20", "2026-04-20", "2026-05-11")
ACTIVE = ("M-04", "M-05", "M-07", "M-11", "M-12", "M-14", "M-15", "M-17", "T-02", "B-01")
AUDITED = ("M-05", "M-12", "M-15", "T-02")


def make() -> None:
    """Refuses where there is one."""
    if EXPECTED.exists():
        sys.exit(f"{EXPECTED.name} is there: the old log stays as it is")
    FOLDER.mkdir(exist_ok=True)
    MASTER_KEY.write_text(base64.b64encode(os.urandom(32)).decode() + "\n", encoding="ascii")
    with (
        temporary_folder() as scratch,
        EmbeddedPostgres(scratch / "postgres", settings=QUICK_AND_FORGETFUL) as embedded,
    ):
        server = TestServer(embedded.dsn)
        lived = _live(server, scratch)
        asked = _ask(server, scratch, lived)
    EXPECTED.write_text(_written(asked), encoding="utf-8")


def _live(server: TestServer, scratch: Path) -> dict[str, Any]:
    """Writes the log, and returns what is not in it: how it was asked."""
    with Database(server.dsn_of(server.create())) as database:
        migrate(database)
        with _service(database, scratch / "outbox-1", FIRST) as service:
            service.prepare()
            with Client(create_app(service, None)) as client:
                world = World(service, client)
                service.deliver_through(world.carrier)
                world.live(LIVES, until=LAST)
                world.note_with_a_trace(world.accounts["M-02"])  # and not sealed: somebody pulled the plug
                print(f"{service.feed.head()} sealed events, {len(world.asked)} requests")
                _say_what_is_missing(service)
                dump(database)
                return {
                    "now": LAST.isoformat(),
                    "migrations": applied_migrations(database),
                    "repeats": _some_of_each_kind(world.asked),
                }


def _ask(server: TestServer, scratch: Path, lived: dict[str, Any]) -> dict[str, Any]:
    """Opens the log as a test does, and records what it says."""
    old = scratch / "migrations"
    old.mkdir()
    with Database(server.dsn_of(server.create())) as database:
        restore(database, old, migrations=lived["migrations"])
        with _service(database, scratch / "outbox-2", LAST) as service:
            service.prepare()
            service.drain()
            with Client(create_app(service, None)) as client:
                answers = _answers(client)
                with database.connect("arrears_app") as connection:
                    tables = {table: record_table(connection, table) for table in public_tables(connection)}
                    inner = inner_tables(connection)
                live_on(service, LAST)
                later = _answered(client, questions_later(_today(client)))
    return {**lived, "answers": answers, "tables": tables, "inner": inner, "later": later}


def _answers(client: Client) -> dict[str, Any]:
    accounts = {each["number"]: each["account_id"] for each in client.get("/v1/accounts?limit=500").json()["items"]}
    campaigns = [each["id"] for each in client.get("/v1/campaigns").json()]
    asked = questions(
        PAST_DAYS, today=_today(client), campaigns=campaigns, accounts=accounts, active=ACTIVE, audited=AUDITED
    )
    return _answered(client, asked)


def _today(client: Client) -> dict[str, str]:
    """By office."""
    return {
        office["code"]: client.get(f"/v1/report/aging?office={office['code']}").json()["as_of"]
        for office in client.get("/v1/offices").json()
    }


def _answered(client: Client, asked: Iterable[tuple[str, str]]) -> dict[str, Any]:
    answers = {}
    for name, path in asked:
        response = client.get(path)
        if response.status_code == 404 or is_before_its_time(response.json()):
            print("left out:", name)
            continue
        assert response.status_code == 200, (name, response.text)
        assert compact(response.json()) == response.text, name
        answers[name] = {"path": path, "answer": response.json()}
    return answers


def is_before_its_time(answer: Any) -> bool:
    """An account as of a day before it was opened, which has invoices of that day all the same, and not even a number:
    nothing that a later release has to repeat."""
    return isinstance(answer, dict) and answer.get("number") == ""


# --- questions --------------------------------------------------------------------------------------


def questions(
    days: Sequence[str],
    *,
    today: Mapping[str, str],
    campaigns: Sequence[str],
    accounts: Mapping[str, str],
    active: Sequence[str],
    audited: Sequence[str],
) -> Iterator[tuple[str, str]]:
    """Names and addresses. `today` is by office, `accounts` are ids by number; of some their activity is asked, of
    some the audit trail."""
    yield "offices", "/v1/offices"
    yield "campaigns", "/v1/campaigns"
    for nth, campaign in enumerate(campaigns, 1):
        yield f"campaign {nth}", f"/v1/campaigns/{campaign}"
    yield "accounts", "/v1/accounts?limit=500"
    for office in today:
        of = f"office={office}"
        yield f"summary of {office}, today", f"/v1/report/summary?{of}"
        for moment, when in _moments(days, today[office]):
            yield f"aging of {office}, {moment}", f"/v1/report/aging?{of}{when}"
            yield f"collections of {office}, {moment}", f"/v1/report/collections?{of}&limit=500{when}"
            yield f"promises of {office}, {moment}", f"/v1/promises?{of}&limit=500{when}"
        for start, end in zip(days, [*days[1:], today[office]], strict=True):
            yield f"kpi of {office}, {start} to {end}", f"/v1/kpi?{of}&from={start}&to={end}"
            yield (
                f"kpi of {office}, {start} to {end}, known then",
                f"/v1/kpi?{of}&from={start}&to={end}&known_on={end}",
            )
    yield "collections by stage", "/v1/report/collections?currency=USD&limit=500&sort=stage&descending=false"
    yield "collections that are engaged", "/v1/report/collections?office=main&limit=500&stage=engaged"
    yield "broken promises", "/v1/promises?currency=USD&limit=500&status=broken"
    for number, account in accounts.items():
        yield f"account {number}, today", f"/v1/accounts/{account}"
        for day in days:
            yield f"account {number}, as of {day}", f"/v1/accounts/{account}?as_of={day}"
        yield f"payments of {number}", f"/v1/accounts/{account}/payments"
        yield f"promises of {number}", f"/v1/accounts/{account}/promises?limit=500"
    for number in active:
        yield f"activity of {number}", f"/v1/accounts/{accounts[number]}/activity?limit=500"
    for number in audited:
        address = f"/v1/accounts/{accounts[number]}"
        yield f"activity of {number}, as of {days[1]}", f"{address}/activity?limit=500&as_of={days[1]}"
        yield f"activity of {number}, known on {days[1]}", f"{address}/activity?limit=500&known_on={days[1]}"
        yield f"audit of {number}", f"{address}/audit?limit=500"


def questions_later(today: Mapping[str, str]) -> Iterator[tuple[str, str]]:
    """What is asked once more days have passed."""
    for office in today:
        yield f"summary of {office}, later", f"/v1/report/summary?office={office}"
        yield f"collections of {office}, later", f"/v1/report/collections?office={office}&limit=500"
        yield f"promises of {office}, later", f"/v1/promises?office={office}&limit=500"


def _moments(days: Sequence[str], today: str) -> Iterator[tuple[str, str]]:
    yield "today", ""
    yield f"today, known on {days[-1]}", f"&known_on={days[-1]}"
    for day in days:
        yield f"as of {day}", f"&as_of={day}"
        yield f"as of {day}, known then", f"&as_of={day}&known_on={day}"
    yield f"as of {days[0]}, known today", f"&as_of={days[0]}&known_on={today}"


# --- inside -----------------------------------------------------------------------------------------


def _service(database: Database, outbox: Path, now: datetime) -> StepByStep:
    env = {KEY_VARIABLE: MASTER_KEY.read_text(encoding="ascii"), "ARREARS_OUTBOX": str(outbox)}
    return StepByStep(database, data_dir=None, env=env, clock=ManualClock(now))


def _some_of_each_kind(asked: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The first request of each kind of address; a command by its name."""
    kinds: dict[object, dict[str, Any]] = {}
    for request in asked:
        parts = request["path"].split("/")
        kind = request["json"]["name"] if parts[2] == "commands" else tuple(parts[i] for i in range(2, len(parts), 2))
        kinds.setdefault((request["method"], kind, len(parts)), request)
    return list(kinds.values())


def _say_what_is_missing(service: StepByStep) -> None:
    with service.database.connect("arrears_app") as connection:
        counts = Counter(name for (name,) in connection.execute("SELECT name FROM arrears.events"))
        snapshots = connection.execute("SELECT kind, version FROM arrears.snapshots ORDER BY 1, 2").fetchall()
    missing = {event.event_name for event in load_every_event()} - set(counts)
    print(*(f"{count:5} {name}" for name, count in counts.most_common()), sep="\n")
    print("missing:", *sorted(missing))
    print("snapshots:", snapshots)


def _written(asked: dict[str, Any]) -> str:
    """A line for each row, and for each field of an answer, so that a difference can be read."""

    def lines(node: Any, depth: int) -> str:
        if depth and node and isinstance(node, dict):
            inside = ",\n".join(f"{json.dumps(key)}: {lines(each, depth - 1)}" for key, each in node.items())
            return f"{{\n{inside}\n}}"
        if depth and node and isinstance(node, list):
            return "[\n" + ",\n".join(lines(each, depth - 1) for each in node) + "\n]"
        return json.dumps(node, ensure_ascii=False)

    return lines(asked, 5) + "\n"


if __name__ == "__main__":
    make()
