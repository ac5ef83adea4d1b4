"""Where the report's rows come from: today from their table, of a past day from the ledger and the history."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from typing import Any
from uuid import UUID

from psycopg import Connection
from psycopg.rows import DictRow

from aggregates.account.collections_stage import CollectionsStage
from aggregates.values.aging import BucketScheme
from aggregates.values.money import Money
from projections.collections_report.columns import COLUMNS, IN_REPORT, RECORDED, CollectionsRow, report_of
from projections.questions.scope import LEDGER, Scope, parameters_of, row

_AMOUNTS = tuple(name for name in IN_REPORT if COLUMNS[name].amount)

TODAY = f"""
WITH open_items AS NOT MATERIALIZED (SELECT * FROM read_model.open_items),
report AS NOT MATERIALIZED (
    SELECT {report_of("today")}
    FROM read_model.collections_report AS r
    LEFT JOIN read_model.ledger_offices AS office   ON office.office_id = r.office_id
    LEFT JOIN read_model.campaigns      AS campaign ON campaign.campaign_id = r.campaign_id
    LEFT JOIN personal.people           AS person   ON person.account_id = r.account_id
    WHERE (%(office_id)s::uuid IS NULL OR r.office_id = %(office_id)s)
      AND (%(currency)s::text  IS NULL OR r.currency = %(currency)s)
)
"""  # noqa: S608

OWED = """
, by_bucket AS (
    SELECT account_id, bucket, sum(open_minor)::bigint AS minor, count(*) AS items, min(due_on) AS oldest_due_on
    FROM open_items
    GROUP BY account_id, bucket
),
by_account AS (
    SELECT account_id, jsonb_object_agg((%(buckets)s::text[])[bucket + 1], minor) AS buckets,
           sum(minor)::bigint AS outstanding, coalesce(sum(minor) FILTER (WHERE bucket > 0), 0)::bigint AS past_due,
           sum(items)::integer AS open_items, max(bucket) AS bucket, min(oldest_due_on) AS oldest_due_on
    FROM by_bucket
    GROUP BY account_id
),
once_disputed AS (
    SELECT DISTINCT unnest(history.disputed_items) AS item_id
    FROM read_model.account_history AS history
    WHERE history.disputed_items <> '{}' AND (%(account_id)s::uuid IS NULL OR history.account_id = %(account_id)s)
),
items AS (
    SELECT account_id, array_agg(item_id) AS item_ids, array_agg(open_minor) AS item_minors
    FROM open_items
    JOIN once_disputed USING (item_id)
    GROUP BY account_id
),
claims AS (
    SELECT account_id, sum(claim_minor)::bigint AS minor
    FROM sums
    WHERE claim_minor <> 0
    GROUP BY account_id
),
since AS (
    SELECT account_id, sum(minor)::bigint AS minor
    FROM (
        SELECT entry.account_id, sum(entry.unapplied_minor) AS minor
        FROM read_model.ledger_entries AS entry
        JOIN accounts AS account USING (account_id)
        WHERE entry.effective_on > %(as_of)s
          AND entry.recorded_at < account.known_before
          AND entry.kind IN ('payment', 'transfer-in', 'transfer-out', 'reversal', 'error', 'refund')
        GROUP BY entry.account_id, entry.funds_id
        HAVING sum(entry.unapplied_minor) > 0
    ) AS each
    GROUP BY account_id
),
owed AS (
    SELECT account.account_id, account.number, account.office, account.segment, %(currency)s::text AS currency,
           account.recorded_before, by_account.oldest_due_on, items.item_ids, items.item_minors,
           coalesce(by_account.outstanding, 0)                                AS outstanding,
           coalesce(unapplied.minor, 0)                                       AS unapplied,
           coalesce(by_account.outstanding, 0) - coalesce(unapplied.minor, 0) AS balance,
           coalesce(by_account.past_due, 0)                                   AS past_due,
           coalesce(claims.minor, 0)                                          AS written_off,
           coalesce(since.minor, 0)                                           AS paid_since,
           coalesce(by_account.open_items, 0)                                 AS open_items,
           coalesce(by_account.buckets, '{}')                                 AS buckets,
           (%(buckets)s::text[])[coalesce(by_account.bucket, 0) + 1]          AS bucket
    FROM accounts AS account
    LEFT JOIN by_account USING (account_id)
    LEFT JOIN items      USING (account_id)
    LEFT JOIN unapplied  USING (account_id)
    LEFT JOIN claims     USING (account_id)
    LEFT JOIN since      USING (account_id)
)
"""

CHANGE = """
    LEFT JOIN LATERAL (
        SELECT *
        FROM read_model.account_history AS history
        WHERE history.account_id = owed.account_id
          AND history.recorded_at < owed.recorded_before
        ORDER BY history.recorded_at DESC, history.position DESC
        LIMIT 1
    ) AS change ON true
    LEFT JOIN read_model.campaigns AS campaign ON campaign.campaign_id = change.campaign_id
    LEFT JOIN personal.people      AS person   ON person.account_id = owed.account_id
"""
"""What was recorded of an account by the end of the earlier of the two days, and who its customer is."""

PAST = f"""{LEDGER}{OWED},
report AS (
    SELECT {report_of("past")}
    FROM owed
    {CHANGE}
)
"""  # noqa: S608

ONE_ACCOUNT = f"""{LEDGER}{OWED}
SELECT {report_of("past")}, {", ".join(f"change.{name} AS recorded_{name}" for name in RECORDED)},
       change.disputed_items AS recorded_disputed_items, change.disputed_parts AS recorded_disputed_parts
FROM owed
{CHANGE}
"""  # noqa: S608

_AGED = """
SELECT coalesce(max((clock.now AT TIME ZONE office.time_zone)::date) >= %(today)s, false) AS is_of_today
FROM read_model.clock AS clock
CROSS JOIN read_model.ledger_offices AS office
WHERE %(office_id)s::uuid IS NULL OR office.office_id = %(office_id)s
"""


@dataclass(frozen=True, slots=True)
class Source:
    """A CTE `report` with the report's columns, and its parameters."""

    query: str
    parameters: dict[str, object]
    is_past: bool


def source_of(
    connection: Connection[Any],
    scope: Scope,
    *,
    today: date,
    as_of: date | None,
    known_on: date | None,
    scheme: BucketScheme,
) -> Source:
    """Today's table answers for today, unless nothing was aged today yet: nobody ran, or midnight just went by."""
    if known_on is None and as_of in {None, today} and _is_of_today(connection, scope.office_id, today):
        return today_s(office_id=scope.office_id, currency=scope.currency, today=today)
    return past_s(scope, as_of=as_of or today, known_on=known_on, scheme=scheme)


def past_s(scope: Scope, *, as_of: date, known_on: date | None, scheme: BucketScheme) -> Source:
    """The ledger of a day; its open items are in the CTE `open_items`."""
    asked = parameters_of(scope, as_of=as_of, known_on=known_on, scheme=scheme)
    return Source(PAST, asked, is_past=True)


def today_s(*, office_id: UUID | None, currency: str | None, today: date) -> Source:
    """Today's table; without a currency accounts of all."""
    return Source(TODAY, {"office_id": office_id, "currency": currency, "as_of": today}, is_past=False)


def _is_of_today(connection: Connection[Any], office_id: UUID | None, today: date) -> bool:
    """Whether the last tick, which ages what is open, was today (or later, where a clock was set back)."""
    found = row(connection, {"office_id": office_id, "today": today}, _AGED)
    return bool(found["is_of_today"])


def row_of(found: DictRow, scheme: BucketScheme) -> CollectionsRow:
    """A row as people see it, from one of `report`."""

    def amount(minor: int | None) -> Any:
        return None if minor is None else Money(minor, found["currency"]).decimal()

    shown: dict[str, Any] = {name: found[name] for name in IN_REPORT}
    shown.update({name: amount(found[name]) for name in _AMOUNTS})
    buckets: Mapping[str, int] = found["buckets"]
    shown["buckets"] = {name: amount(buckets.get(name, 0)) for name in bucket_names(scheme, buckets)}
    if shown["collections_stage"] == CollectionsStage.NOT_SET:
        shown["collections_stage"] = None
    for name in ("written_off", "excluded"):
        shown[name] = shown[name] or None
    return CollectionsRow(**shown)


def bucket_names(scheme: BucketScheme, amounts: Mapping[str, int]) -> list[str]:
    """The scheme's buckets, and those an item is still in from an earlier scheme until it is aged again."""
    return [*scheme.names, *sorted(amounts.keys() - set(scheme.names))]
