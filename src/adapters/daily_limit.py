"""An office's limit of messages a day: which of the steps that are due may be taken now."""

from collections.abc import Iterator, Sequence
from datetime import date, datetime
from typing import Any
from uuid import UUID

from psycopg import Connection

from adapters.eventstore.application import Arrears
from aggregates.campaign import Campaign
from aggregates.office import Office
from aggregates.values.business_time import local_date
from policies.agenda import kind_of
from policies.auto_collection import sends_now
from projections.agenda.queries import AgendaItem

_FREE = """
    INSERT INTO arrears.messages_a_day (office_id, day, account_id)
    SELECT %(office)s, %(day)s, wanted.account_id
    FROM (
        SELECT account_id, min(nth) AS nth FROM unnest(%(accounts)s::uuid[]) WITH ORDINALITY AS each (account_id, nth)
        WHERE NOT EXISTS (SELECT FROM arrears.messages_a_day AS had
                          WHERE had.office_id = %(office)s AND had.day = %(day)s AND had.account_id = each.account_id)
        GROUP BY account_id
    ) AS wanted
    ORDER BY wanted.nth
    LIMIT greatest(0, %(most)s - (SELECT count(*) FROM arrears.messages_a_day
                                  WHERE office_id = %(office)s AND day = %(day)s))
"""

_TAKEN = """
    SELECT account_id FROM arrears.messages_a_day
    WHERE office_id = %(office)s AND day = %(day)s AND account_id = ANY (%(accounts)s)
"""


class DailyLimits:
    """For one tick. What may not be taken stays on the agenda, and is due again at the next tick.

    An account has one place a day, because it gets one message a day: asked again, it keeps its place. So the limit
    holds whichever of several processes ask, and whatever they repeat.
    """

    def __init__(self, arrears: Arrears, connection: Connection[Any], now: datetime) -> None:
        self._arrears = arrears
        self._connection = connection
        self._now = now
        self._offices: dict[UUID, Office] = {}
        self.full: set[UUID] = set()
        """Offices of which no more step is taken in this tick."""

    def allowed(self, items: Sequence[AgendaItem]) -> list[AgendaItem]:
        """Those that may be worked now, in their order."""
        limited: dict[UUID, list[UUID]] = {}
        for item in self._sending(items):
            if self._office(item.office_id).limits.max_per_day is not None:
                limited.setdefault(item.office_id, []).append(item.owner_id)
        if not limited:
            return list(items)
        places = {office_id: self._places(office_id, accounts) for office_id, accounts in limited.items()}
        return [
            item
            for item in items
            if item.office_id not in places or not kind_of(item.kind).sends or item.owner_id in places[item.office_id]
        ]

    def _sending(self, items: Sequence[AgendaItem]) -> Iterator[AgendaItem]:
        return (item for item in items if kind_of(item.kind).sends)

    def _office(self, office_id: UUID) -> Office:
        if office_id not in self._offices:
            self._offices[office_id] = self._arrears.load(Office, office_id)
        return self._offices[office_id]

    def _places(self, office_id: UUID, accounts: list[UUID]) -> set[UUID]:
        """The accounts that have a place today. Outside of the hours in which messages leave nobody gets one: what is
        due waits for them, and is not planned anew."""
        office = self._office(office_id)
        campaigns = [self._arrears.load(Campaign, each) for each in office.campaign_ids]
        found: set[UUID] = set()
        if sends_now(office, campaigns, self._now):
            found = self._taken(office, local_date(self._now, office.zone), accounts)
        if len(found) < len(set(accounts)):
            self.full.add(office_id)
        return found

    def _taken(self, office: Office, day: date, accounts: list[UUID]) -> set[UUID]:
        about = {"office": office.id, "day": day, "accounts": accounts, "most": office.limits.max_per_day}
        with self._connection.transaction():
            self._connection.execute("SELECT pg_advisory_xact_lock(hashtextextended(%s, 0))", [f"{office.id} {day}"])
            self._connection.execute(
                "DELETE FROM arrears.messages_a_day WHERE office_id = %s AND day < %s::date - 7", [office.id, day]
            )
            self._connection.execute(_FREE, about)
            return {account_id for (account_id,) in self._connection.execute(_TAKEN, about)}
