"""Aging: what is open, by how long it is past due."""

from datetime import date
from decimal import Decimal
from typing import Any

from psycopg import Connection

from aggregates.values.aging import BucketScheme
from aggregates.values.money import Money
from projections.answer import Answer
from projections.questions.scope import LEDGER, parameters_of, row, scope_of


class AgingBucket(Answer):
    """What is open in a bucket, and in how many items."""

    bucket: str
    amount: Decimal
    items: int


class Aging(Answer):
    """Open items by bucket; `total` is the buckets' sum less `unapplied` payments and credits.

    `accounts` counts those with an open item or unapplied funds. `disputed` is what of the buckets is disputed, in
    `disputed_items`, as recorded by the end of the day.
    """

    as_of: date
    currency: str
    buckets: tuple[AgingBucket, ...]
    unapplied: Decimal
    total: Decimal
    accounts: int
    disputed: Decimal
    disputed_items: int


_AGING = """
SELECT (SELECT coalesce(jsonb_object_agg(bucket, jsonb_build_array(minor, items)), '{}')
        FROM (SELECT bucket, sum(open_minor)::bigint AS minor, count(*) AS items
              FROM open_items
              GROUP BY bucket) AS by_bucket)                  AS buckets,
       (SELECT coalesce(sum(minor), 0)::bigint FROM unapplied) AS unapplied,
       (SELECT count(*)
        FROM (SELECT account_id FROM open_items
              UNION
              SELECT account_id FROM unapplied) AS owing)      AS accounts,
       (SELECT jsonb_build_array(coalesce(sum(minor), 0)::bigint, count(*)) FROM disputed) AS disputed
"""

_DISPUTED = """
, disputed AS (
    SELECT least(item.open_minor, (change.disputed_parts ->> item.item_id::text)::bigint) AS minor
    FROM (SELECT DISTINCT account_id FROM read_model.account_history WHERE disputed_items <> '{}') AS ever
    JOIN accounts AS account USING (account_id)
    CROSS JOIN LATERAL (
        SELECT history.disputed_items, history.disputed_parts
        FROM read_model.account_history AS history
        WHERE history.account_id = account.account_id
          AND history.recorded_at < account.recorded_before
        ORDER BY history.recorded_at DESC, history.position DESC
        LIMIT 1
    ) AS change
    JOIN open_items AS item ON item.account_id = account.account_id AND item.item_id = ANY (change.disputed_items)
    WHERE change.disputed_items <> '{}'
)
"""
"""An item that is disputed whole has no part: `least` passes over null."""


def aging(
    connection: Connection[Any],
    *,
    as_of: date,
    scheme: BucketScheme,
    known_on: date | None = None,
    office: str | None = None,
    currency: str | None = None,
) -> Aging:
    """Receivables by age at the end of a day; every bucket of the scheme is there.

    An item counts from its issue date, and is past due from the day after its due date. Raises ReportRefused.
    """
    scope = scope_of(connection, office=office, currency=currency)
    found = row(
        connection, parameters_of(scope, as_of=as_of, known_on=known_on, scheme=scheme), LEDGER, _DISPUTED, _AGING
    )

    def amount(minor: int) -> Decimal:
        return Money(minor, scope.currency).decimal()

    by_bucket = [found["buckets"].get(str(place), (0, 0)) for place in range(len(scheme.buckets))]
    return Aging(
        as_of=as_of,
        currency=scope.currency,
        buckets=tuple(
            AgingBucket(bucket=name, amount=amount(minor), items=items)
            for name, (minor, items) in zip(scheme.names, by_bucket, strict=True)
        ),
        unapplied=amount(found["unapplied"]),
        total=amount(sum(minor for minor, _ in by_bucket) - found["unapplied"]),
        accounts=found["accounts"],
        disputed=amount(found["disputed"][0]),
        disputed_items=found["disputed"][1],
    )
