"""What a report is about: whose accounts, in which currency, as of which day, as known on which day."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any
from uuid import UUID

from psycopg import Connection
from psycopg.rows import DictRow, dict_row

from aggregates.values.aging import BucketScheme


class ReportRefused(ValueError):
    """The question cannot be answered as it was asked; the text says what was expected."""


class NoOffice(ReportRefused):
    """Nothing to report on yet."""


class UnknownOffice(ReportRefused):
    """No office has this code."""


class UnknownAccount(ReportRefused):
    """No account has this id or number."""


class SeveralCurrencies(ReportRefused):
    """Amounts of different currencies are never added up: one of `currencies` has to be named."""

    def __init__(self, message: str, currencies: Sequence[str]) -> None:
        super().__init__(message)
        self.currencies = tuple(currencies)


class BadQuestion(ReportRefused):
    """An argument of the report cannot be used."""


@dataclass(frozen=True, slots=True)
class Scope:
    """The accounts of one office, or of all, in one currency."""

    currency: str
    office_id: UUID | None


def scope_of(connection: Connection[Any], *, office: str | None, currency: str | None) -> Scope:
    """Resolves an office's code or id, and the currency where it is not named.

    Raises UnknownOffice, NoOffice, and SeveralCurrencies where accounts are in several and none is named.
    """
    offices = rows(connection, {}, "SELECT office_id, code, currency FROM read_model.ledger_offices ORDER BY code")
    if office is not None:
        found = [each for each in offices if office in (each["code"], str(each["office_id"]))]
        if not found:
            known = ", ".join(each["code"] for each in offices) or "none is open yet"
            raise UnknownOffice(f"office: there is no {office!r}; offices: {known}")
        office_id = found[0]["office_id"]
        return Scope(currency or _only(currencies_of(connection, office_id)) or found[0]["currency"], office_id)
    if currency is not None:
        return Scope(currency, None)
    return Scope(_only_currency(connection, offices), None)


_CURRENCIES = """
WITH RECURSIVE used AS (
    SELECT (SELECT min(currency) FROM read_model.ledger_accounts WHERE office_id = office.office_id) AS currency,
           office.office_id
    FROM read_model.ledger_offices AS office
    WHERE %(office_id)s::uuid IS NULL OR office.office_id = %(office_id)s
    UNION ALL
    SELECT (SELECT min(account.currency) FROM read_model.ledger_accounts AS account
            WHERE account.office_id = used.office_id AND account.currency > used.currency), used.office_id
    FROM used WHERE used.currency IS NOT NULL
)
SELECT DISTINCT currency FROM used WHERE currency IS NOT NULL ORDER BY currency
"""


def currencies_of(connection: Connection[Any], office_id: UUID | None) -> list[str]:
    """In which the accounts of an office are, or of all; one probe of an index for each."""
    return [each["currency"] for each in rows(connection, {"office_id": office_id}, _CURRENCIES)]


def _only_currency(connection: Connection[Any], offices: Sequence[DictRow]) -> str:
    used = currencies_of(connection, None) or sorted({each["currency"] for each in offices})
    found = _only(used)
    if found is None:
        raise NoOffice("there is no office yet, and nothing to report on")
    return found


def _only(currencies: Sequence[str]) -> str | None:
    """None of none. Raises SeveralCurrencies."""
    if len(currencies) > 1:
        raise SeveralCurrencies(f"currency: expected one of {', '.join(currencies)}; they do not add up", currencies)
    return currencies[0] if currencies else None


def rows(connection: Connection[Any], parameters: Mapping[str, object], *query: str) -> list[DictRow]:
    """What a query gives; its parts (`LEDGER`, say, and a SELECT over it) are put together.

    It is planned each time for what is asked: most parameters are filters that may be left out, and a plan for any of
    them, which the server goes over to once a statement was prepared, may take minutes for what takes a second.
    """
    with connection.cursor(row_factory=dict_row) as cursor:
        return cursor.execute("".join(query), parameters, prepare=False).fetchall()


def row(connection: Connection[Any], parameters: Mapping[str, object], *query: str) -> DictRow:
    """The only row of a query that always has one."""
    (only,) = rows(connection, parameters, *query)
    return only


def parameters_of(
    scope: Scope, *, as_of: date, known_on: date | None, scheme: BucketScheme | None = None
) -> dict[str, object]:
    """The parameters of `LEDGER`."""
    bounds = [bucket.from_dpd for bucket in scheme.buckets[1:]] if scheme else []
    return {
        "as_of": as_of,
        "known_on": known_on,
        "currency": scope.currency,
        "office_id": scope.office_id,
        "account_id": None,
        "from_dpd": bounds,
        "buckets": list(scheme.names) if scheme else [],
    }


LEDGER = """
WITH accounts AS (
    SELECT account.account_id, account.number, account.segment, office.code AS office,
           coalesce((%(known_on)s::date + 1)::timestamp AT TIME ZONE coalesce(office.time_zone, 'UTC'),
                    'infinity') AS known_before,
           (least(%(as_of)s::date, %(known_on)s::date) + 1)::timestamp
                    AT TIME ZONE coalesce(office.time_zone, 'UTC') AS recorded_before
    FROM read_model.ledger_accounts AS account
    LEFT JOIN read_model.ledger_offices AS office USING (office_id)
    WHERE account.currency = %(currency)s
      AND (%(office_id)s::uuid IS NULL OR account.office_id = %(office_id)s)
      AND (%(account_id)s::uuid IS NULL OR account.account_id = %(account_id)s)
),
entries AS NOT MATERIALIZED (
    SELECT entry.*, account.known_before
    FROM read_model.ledger_entries AS entry
    JOIN accounts AS account USING (account_id)
    WHERE entry.effective_on <= %(as_of)s
      AND entry.recorded_at < account.known_before
      AND (%(account_id)s::uuid IS NULL OR entry.account_id = %(account_id)s)
),
sums AS (
    SELECT account_id, item_id, min(known_before) AS known_before,
           sum(item_minor)::bigint AS open_minor, sum(unapplied_minor)::bigint AS unapplied_minor,
           sum(claim_minor)::bigint AS claim_minor
    FROM entries
    GROUP BY account_id, item_id
),
open_items AS (
    SELECT item.account_id, item.item_id, item.number, item.kind, item.issued_on, item.due_on, item.amount_minor,
           item.service_type, item.subscription, sums.open_minor, %(as_of)s::date - item.due_on AS dpd,
           width_bucket(%(as_of)s::date - item.due_on, %(from_dpd)s::integer[]) AS bucket
    FROM sums
    JOIN read_model.ledger_items AS item USING (item_id)
    WHERE sums.open_minor > 0
      AND item.recorded_from < sums.known_before
      AND item.recorded_until >= sums.known_before
),
unapplied AS (
    SELECT account_id, sum(unapplied_minor - least(open_minor, 0))::bigint AS minor
    FROM sums
    GROUP BY account_id
    HAVING sum(unapplied_minor - least(open_minor, 0)) <> 0
)
"""
"""What every as-of report starts from: open items and unapplied funds at the end of a day.

Where a payment that was reversed since had settled more of an invoice than the invoice, as corrected later, ever
was, the surplus was unapplied in the days between.

`known_on` leaves out what was recorded after that day's end in the office's time zone, and ages items by the due
dates known then. `bucket` is the place of the item's bucket in the scheme.
"""
