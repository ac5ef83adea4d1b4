"""Search: accounts by what is known of a customer, among a million."""

import random
import time
from collections.abc import Iterator
from datetime import date
from itertools import islice
from statistics import quantiles
from typing import Any
from uuid import UUID

from psycopg import Connection

from adapters.eventstore.feed import Feed
from adapters.eventstore.keys import KeyRing
from adapters.eventstore.mapper import EventMapper
from adapters.eventstore.recorder import app_connections
from adapters.postgres.database import Database
from adapters.readers.projections import Projections
from aggregates.kernel.command import identifier
from aggregates.values.aging import STANDARD_BUCKETS
from api.processes.core import PROJECTIONS
from projections.people.projection import Person
from projections.questions import Filters, accounts
from tests.benchmarks.harness import Row, benchmark, fresh_database

_ACCOUNTS = 1_000_000
_SEARCHES = 2_000
_TODAY = date(2026, 3, 2)
_OFFICE = identifier("office", "bench")
_SYLLABLES = (
    "an ba bel chi da del do el en er fa gar go ha hen il is ja jo ka kel la len lo ma mar mi na nel no ol or pe per "
    "qui ra ric ro sa sen si so ta tel to ul va ven vi wa wil xa yo za zen"
).split()


@benchmark("search")
def search() -> list[Row]:
    """A page of accounts by parts of names, numbers, telephone numbers and e-mail addresses, of 1,000,000 customers."""
    with fresh_database() as database:
        _fill(database)
        with database.connect("arrears_app", autocommit=True) as connection:
            took = [_ask(connection, text) for text in islice(_texts(), _SEARCHES)]
    percent = quantiles(took, n=100)
    limits = (("search, p50", percent[49], 5.0), ("search, p99", percent[98], 50.0))
    return [Row(n, ms, "ms", "limit", goal, goal, goal_is_value=True, less_is_better=True) for n, ms, goal in limits]


def _ask(connection: Connection[Any], text: str) -> float:
    """Milliseconds."""
    started = time.perf_counter()
    accounts(connection, today=_TODAY, scheme=STANDARD_BUCKETS, filters=Filters(search=text))
    return 1_000 * (time.perf_counter() - started)


def _texts() -> Iterator[str]:
    """What people type: mostly a part of a name, of somebody who is there."""
    chance = random.Random(8)
    while True:
        person = _person(chance.randrange(_ACCOUNTS))
        first, last = person.customer_name.split()
        yield chance.choice([
            last, last, last[: chance.randint(3, len(last))], f"{first} {last[:3]}", person.customer_name,
            person.number, person.phones[0], person.phones[0][-7:], person.emails[0], first,
        ])  # fmt: skip


def _person(nth: int) -> Person:
    chance = random.Random(nth)

    def name() -> str:
        return "".join(chance.choices(_SYLLABLES, k=chance.randint(2, 4))).title()

    first, last = name(), name()
    email = f"{first}.{last}{nth % 97}@{chance.choice(('mail', 'post', 'web'))}.example".lower()
    phone = f"+1 {chance.randint(200, 999)} {chance.randint(200, 999)} {chance.randint(0, 9999):04}"
    return Person(_account(nth), f"{100_000 + nth}", f"{first} {last}", [email], [phone], last_position=nth + 1)


def _account(nth: int) -> UUID:
    return UUID(int=nth * 0x9E3779B97F4A7C15F39CC0605CEDC835 % 2**128)


def _fill(database: Database) -> None:
    """Rows as the projections write them, straight into their tables."""
    connections = app_connections(database)
    feed = Feed(database, connections, EventMapper(KeyRing(connections, bytes(32))))
    projections = Projections(database, feed, PROJECTIONS)
    projections.start()
    tables = {name: projections.live(name)[1].schema for name in ("people", "collections_report")}
    projections.close()
    feed.close()
    connections.close()
    people, report = (f"{schema}.{name}" for name, schema in tables.items())
    with database.connect("arrears_app") as connection:
        connection.execute(f"DROP INDEX {tables['people']}.people_terms".encode())
        into = "account_id, number, customer_name, emails, phones, searched, terms, last_position"
        with connection.cursor().copy(f"COPY {people} ({into}) FROM STDIN".encode()) as copy:
            for nth in range(_ACCOUNTS):
                copy.write_row(_person(nth).row())
        connection.execute(
            f"""
            INSERT INTO {report} (account_id, office_id, number, currency, customer_kind, balance, outstanding,
                                  unapplied, past_due, buckets, bucket, open_items, disputed, flags, broken_promises,
                                  open_promises, excluded, held, collections_stage, last_position, updated_at, memory)
            SELECT account_id, %s, number, 'USD', 'consumer', 0, 0, 0, 0, '{{}}', 'current', 0, 0, '{{}}', 0, 0, false,
                   false, 'not set', last_position, now(), '{{}}'
            FROM {people}
            """.encode(),
            [_OFFICE],
        )
        connection.execute(f"CREATE INDEX people_terms ON {people} USING gin (terms) WITH (fastupdate = off)".encode())
    with database.connect("arrears_app", autocommit=True) as connection:
        for table in (people, report):
            connection.execute(f"VACUUM ANALYZE {table}".encode())
