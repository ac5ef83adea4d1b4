"""Placements: which accounts agencies have, the files that told them, what they collected, and what changed since."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any, Literal
from uuid import UUID

from psycopg import Connection
from psycopg.rows import class_row, dict_row

from aggregates.values.money import Money
from projections.answer import AmountText, Answer
from projections.questions.paging import check_limit, cursor_after, key_after
from projections.questions.scope import rows

PlacementState = Literal["pending", "sent", "recalled", "closed", "rejected"]
_FETCHED = 500

# --- placements --------------------------------------------------------------------------------------


class PlacementView(Answer):
    """An account with an agency, or one that was. `paid` is what came through the agency, its commission included."""

    id: UUID
    account: str
    account_id: UUID
    office: str
    agency: str
    state: PlacementState
    placed_on: date
    balance: AmountText
    """When it was placed."""
    paid: AmountText
    commission: AmountText
    currency: str
    itemization_date: date
    recall_on: date | None
    sent_on: date | None
    acknowledged_on: date | None
    agency_number: str | None
    ended_on: date | None
    code: str | None
    file_id: UUID
    bulk_id: UUID | None


class PlacementsPage(Answer):
    rows: tuple[PlacementView, ...]
    next_cursor: str | None


_PLACEMENTS = """
    SELECT p.placement_id AS id, r.number AS account, p.account_id, office.code AS office, p.agency,
           coalesce(p.ended, CASE WHEN p.sent_on IS NULL THEN 'pending' ELSE 'sent' END) AS state,
           p.placed_on, p.balance_minor AS balance, coalesce(collected.paid, 0) AS paid,
           coalesce(collected.commission, 0) AS commission, p.currency, p.itemization_date, p.recall_on, p.sent_on,
           p.acknowledged_on, p.agency_number, p.ended_on, p.code, p.file_id, p.bulk_id
    FROM read_model.placements AS p
    JOIN read_model.collections_report AS r USING (account_id)
    JOIN read_model.ledger_offices AS office USING (office_id)
    LEFT JOIN LATERAL (
        SELECT sum(paid.collected_minor)::bigint AS paid, sum(paid.kept_minor)::bigint AS commission
        FROM read_model.agency_payments AS paid
        WHERE paid.agency = p.agency AND paid.placement_id = p.placement_id AND paid.reversed_on IS NULL
    ) AS collected ON true
    WHERE p.account_id IS NOT NULL
      AND (%(office)s::text IS NULL OR office.code = %(office)s)
      AND (%(agency)s::text IS NULL OR p.agency = %(agency)s)
      AND (%(account_id)s::uuid IS NULL OR p.account_id = %(account_id)s)
      AND (%(state)s::text IS NULL
           OR coalesce(p.ended, CASE WHEN p.sent_on IS NULL THEN 'pending' ELSE 'sent' END) = %(state)s)
      AND (%(on)s::date IS NULL OR (p.placed_on, p.placement_id) < (%(on)s::date, %(after)s::uuid))
    ORDER BY p.placed_on DESC, p.placement_id DESC
    LIMIT %(limit)s
"""


def placements(
    connection: Connection[Any],
    *,
    office: str | None = None,
    agency: str | None = None,
    account_id: UUID | None = None,
    state: PlacementState | None = None,
    limit: int = 50,
    cursor: str | None = None,
) -> PlacementsPage:
    """The newest first; those that are over too. Raises BadQuestion."""
    on, after = key_after(cursor, "placed", 2)
    asked = {
        "office": office, "agency": agency, "account_id": account_id, "state": state, "on": on, "after": after,
        "limit": check_limit(limit) + 1,
    }  # fmt: skip
    found = [
        PlacementView(**_major(each, "balance", "paid", "commission")) for each in rows(connection, asked, _PLACEMENTS)
    ]
    page = found[:limit]
    following = cursor_after("placed", page[-1].placed_on, page[-1].id) if len(found) > limit else None
    return PlacementsPage(rows=tuple(page), next_cursor=following)


# --- files -------------------------------------------------------------------------------------------


class PlacementFileView(Answer):
    """A file for an agency. `matches` says whether the agency received what was in it; null: it said nothing yet."""

    id: UUID
    name: str
    office: str
    agency: str
    contents: Literal["new", "updates", "full"]
    state: Literal["requested", "made", "delivering", "delivered", "uncertain"]
    detail: str | None
    """Why it was not delivered."""
    accounts: int | None
    total: AmountText | None
    currency: str
    rows: int | None
    sha256: str | None
    """Of the file as it leaves."""
    fingerprint: str | None
    """Of the agency's key that it is encrypted with; null: it leaves as it was written."""
    bulk_id: UUID | None
    requested_at: datetime
    requested_by: str
    delivered_on: date | None
    acknowledge_by: date | None
    acknowledged_accounts: int | None
    acknowledged_total: AmountText | None
    matches: bool | None
    overdue_on: date | None


class PlacementFilesPage(Answer):
    rows: tuple[PlacementFileView, ...]
    next_cursor: str | None


_FILES = """
    SELECT f.file_id AS id, CASE WHEN f.fingerprint IS NULL THEN f.name ELSE f.name || '.pgp' END AS name,
           office.code AS office, f.agency, f.contents, f.state, f.detail, f.accounts, f.total_minor AS total,
           f.currency, f.rows, f.sha256, f.fingerprint, f.bulk_id, f.requested_at, f.requested_by,
           f.delivered_on, f.acknowledge_by, f.acknowledged_accounts, f.acknowledged_minor AS acknowledged_total,
           f.matches, f.overdue_on
    FROM read_model.placement_files AS f
    JOIN read_model.ledger_offices AS office USING (office_id)
    WHERE f.requested_at IS NOT NULL
      AND (%(office)s::text IS NULL OR office.code = %(office)s)
      AND (%(agency)s::text IS NULL OR f.agency = %(agency)s)
      AND (%(name)s::text IS NULL OR %(name)s IN (f.name, f.name || '.pgp') OR f.file_id::text = lower(%(name)s))
      AND (%(at)s::timestamptz IS NULL OR (f.requested_at, f.file_id) < (%(at)s::timestamptz, %(after)s::uuid))
    ORDER BY f.requested_at DESC, f.file_id DESC
    LIMIT %(limit)s
"""


def placement_files(
    connection: Connection[Any],
    *,
    office: str | None = None,
    agency: str | None = None,
    name: str | None = None,
    limit: int = 50,
    cursor: str | None = None,
) -> PlacementFilesPage:
    """The newest first; `name` the one that is called so, or has this id. Raises BadQuestion."""
    at, after = key_after(cursor, "requested", 2)
    asked = {
        "office": office, "agency": agency, "name": name, "at": at, "after": after, "limit": check_limit(limit) + 1,
    }  # fmt: skip
    found = [
        PlacementFileView(**_major(each, "total", "acknowledged_total")) for each in rows(connection, asked, _FILES)
    ]
    page = found[:limit]
    following = cursor_after("requested", page[-1].requested_at, page[-1].id) if len(found) > limit else None
    return PlacementFilesPage(rows=tuple(page), next_cursor=following)


# --- commission --------------------------------------------------------------------------------------


class CommissionRow(Answer):
    """What an agency collected in a period, what it keeps of that, and what is left. Payments that were taken back
    since are counted apart, and are in no sum."""

    office: str
    agency: str
    currency: str
    payments: int
    collected: AmountText
    commission: AmountText
    net: AmountText
    taken_back: int


_COMMISSION = """
    SELECT office.code AS office, p.agency, p.currency,
           count(*) FILTER (WHERE p.reversed_on IS NULL) AS payments,
           coalesce(sum(p.collected_minor) FILTER (WHERE p.reversed_on IS NULL), 0)::bigint AS collected,
           coalesce(sum(p.kept_minor) FILTER (WHERE p.reversed_on IS NULL), 0)::bigint AS commission,
           coalesce(sum(p.collected_minor - p.kept_minor) FILTER (WHERE p.reversed_on IS NULL), 0)::bigint AS net,
           count(*) FILTER (WHERE p.reversed_on IS NOT NULL) AS taken_back
    FROM read_model.agency_payments AS p
    JOIN read_model.collections_report AS r USING (account_id)
    JOIN read_model.ledger_offices AS office USING (office_id)
    WHERE (%(office)s::text IS NULL OR office.code = %(office)s)
      AND (%(agency)s::text IS NULL OR p.agency = %(agency)s)
      AND (%(since)s::date IS NULL OR p.paid_on >= %(since)s)
      AND (%(until)s::date IS NULL OR p.paid_on <= %(until)s)
    GROUP BY office.code, p.agency, p.currency
    ORDER BY office.code, p.agency, p.currency
"""


def commissions(
    connection: Connection[Any],
    *,
    office: str | None = None,
    agency: str | None = None,
    since: date | None = None,
    until: date | None = None,
) -> list[CommissionRow]:
    """By office, agency and currency, of what was paid from one day to another."""
    asked = {"office": office, "agency": agency, "since": since, "until": until}
    return [
        CommissionRow(**_major(each, "collected", "commission", "net")) for each in rows(connection, asked, _COMMISSION)
    ]


def _major(found: Mapping[str, Any], *amounts: str) -> dict[str, Any]:
    return {
        name: value if name not in amounts or value is None else Money(value, found["currency"]).decimal()
        for name, value in found.items()
    }


# --- what a file has ---------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class InFile:
    """An account of a file."""

    account_id: UUID
    placement_id: UUID
    placed_on: date
    itemization_type: str
    itemization_date: date
    opened_on: date | None
    last_payment_on: date | None
    last_payment_minor: int | None


_IN_FILE = """
    SELECT p.account_id, p.placement_id, p.placed_on, p.itemization_type, p.itemization_date, ledger.opened_on,
           r.last_payment_on, r.last_payment_minor
    FROM read_model.placements AS p
    JOIN read_model.collections_report AS r USING (account_id)
    LEFT JOIN read_model.ledger_accounts AS ledger USING (account_id)
    WHERE p.ended_on IS NULL AND p.account_id > %(after)s
      AND CASE WHEN %(file_id)s::uuid IS NOT NULL THEN p.file_id = %(file_id)s
               ELSE p.agency = %(agency)s AND r.office_id = %(office_id)s
                    AND EXISTS (SELECT FROM read_model.placement_files AS f
                                WHERE f.file_id = p.file_id AND f.delivered_on IS NOT NULL)
                    AND p.currency = %(currency)s END
    ORDER BY p.account_id
    LIMIT %(limit)s
"""


def in_file(
    connection: Connection[Any],
    *,
    file_id: UUID | None,
    office_id: UUID,
    agency: str,
    currency: str,
    after: UUID,
    limit: int,
) -> list[InFile]:
    """The accounts that a file of new placements tells of, or all that the agency has; by their ids, after one."""
    with connection.cursor(row_factory=class_row(InFile)) as cursor:
        asked = {
            "file_id": file_id, "office_id": office_id, "agency": agency, "currency": currency, "after": after,
            "limit": limit,
        }  # fmt: skip
        return cursor.execute(_IN_FILE, asked, prepare=True).fetchall()


@dataclass(frozen=True, slots=True)
class Since:
    """What was owed at the end of the itemization date, and what came to it after; minor units."""

    amount_then: int = 0
    fees: int = 0
    payments: int = 0


_SINCE = """
    SELECT wanted.account_id,
           coalesce(sum(e.item_minor - e.unapplied_minor + e.claim_minor)
                    FILTER (WHERE e.effective_on <= wanted.day), 0)::bigint AS t,
           coalesce(sum(e.item_minor) FILTER (WHERE e.effective_on > wanted.day AND e.kind = 'invoice'
                                                    AND item.kind = 'fee'), 0)::bigint AS fees,
           coalesce(sum(e.unapplied_minor) FILTER (WHERE e.effective_on > wanted.day
                                                         AND e.kind IN (
                                                             'payment', 'reversal', 'refund', 'error', 'transfer-in',
                                                             'transfer-out')
                                                         AND e.item_id IS NULL), 0)::bigint AS payments
    FROM unnest(%(ids)s::uuid[], %(days)s::date[]) AS wanted (account_id, day)
    JOIN read_model.ledger_entries AS e USING (account_id)
    LEFT JOIN LATERAL (
        SELECT i.kind FROM read_model.ledger_items AS i WHERE i.item_id = e.item_id ORDER BY i.position DESC LIMIT 1
    ) AS item ON e.kind = 'invoice'
    WHERE e.position <= %(through)s
    GROUP BY wanted.account_id
"""


def since_itemization(
    connection: Connection[Any], days: Sequence[tuple[UUID, date]], *, through: int
) -> dict[UUID, Since]:
    """By account, as of a place in the log."""
    asked = {"ids": [each for each, _ in days], "days": [day for _, day in days], "through": through}
    return {
        each["account_id"]: Since(each["t"], each["fees"], each["payments"]) for each in rows(connection, asked, _SINCE)
    }


@dataclass(frozen=True, slots=True)
class Change:
    """What happened to an account of an agency: `amount_minor` is how much less, or more, is owed by it."""

    position: int
    account_id: UUID
    placement_id: UUID
    record: str
    code: str | None
    amount_minor: int | None
    changed_on: date


# The agency knows what it collected. An account is told of from where the file of its placement ends, and until that is
# over; of what happened before the last file of updates only where the file of its placement was delivered after that.
_CHANGES = """
    WITH mine AS (
        SELECT p.account_id, p.placement_id, coalesce(p.ended_position, 9223372036854775807) AS ends,
               p.ended, p.ended_on, p.code, p.ended_position,
               CASE WHEN f.position > %(since)s THEN f.through_position
                    ELSE greatest(f.through_position, %(since)s::bigint) END AS told
        FROM read_model.placements AS p
        JOIN read_model.collections_report AS r USING (account_id)
        JOIN read_model.placement_files AS f USING (file_id)
        WHERE p.agency = %(agency)s AND r.office_id = %(office_id)s AND p.currency = %(currency)s
          AND f.delivered_on IS NOT NULL AND f.position <= %(through)s
          AND (p.ended_position IS NULL OR p.ended_position > f.through_position)
          AND (f.position > %(since)s
               OR ((p.ended_position IS NULL OR p.ended_position > %(since)s) AND r.last_position > %(since)s))
    )
    SELECT e.position, mine.account_id, mine.placement_id,
           CASE e.kind WHEN 'payment' THEN 'payment' WHEN 'reversal' THEN 'reversal' ELSE 'adjustment' END AS record,
           e.kind AS code,
           sum(e.item_minor - e.unapplied_minor + e.claim_minor)::bigint AS amount_minor,
           min(e.effective_on) AS changed_on
    FROM mine
    JOIN read_model.ledger_entries AS e USING (account_id)
    LEFT JOIN read_model.agency_payments AS funds ON funds.payment_id = e.funds_id
    WHERE e.position > mine.told AND e.position <= %(through)s AND e.position < mine.ends
      AND (funds.agency IS NULL OR funds.agency <> %(agency)s)
    GROUP BY e.position, mine.account_id, mine.placement_id, e.kind
    HAVING sum(e.item_minor - e.unapplied_minor + e.claim_minor) <> 0
    UNION ALL
    SELECT n.position, mine.account_id, mine.placement_id, n.record, n.code, NULL, n.noticed_on
    FROM mine
    JOIN read_model.placement_notices AS n USING (account_id)
    WHERE n.position > mine.told AND n.position <= %(through)s AND n.position < mine.ends
    UNION ALL
    SELECT mine.ended_position, mine.account_id, mine.placement_id,
           CASE mine.ended WHEN 'recalled' THEN 'recall' ELSE 'closure' END, mine.code, NULL, mine.ended_on
    FROM mine
    WHERE mine.ended_position > mine.told AND mine.ended_position <= %(through)s AND mine.ended <> 'rejected'
    ORDER BY 1, 2
"""


def changes(
    connection: Connection[Any], *, office_id: UUID, agency: str, currency: str, since: int, through: int
) -> Iterator[Change]:
    """What happened to the accounts of an agency between two places of the log, in its order."""
    asked = {"office_id": office_id, "agency": agency, "currency": currency, "since": since, "through": through}
    with connection.cursor(name="placement_changes", row_factory=class_row(Change)) as cursor:
        cursor.itersize = _FETCHED
        yield from cursor.execute(_CHANGES, asked)


_TOLD = """
    SELECT coalesce(max(f.through_position), 0) AS at, coalesce(bool_or(f.through_position IS NULL), false) AS waits
    FROM read_model.placement_files AS this
    JOIN read_model.placement_files AS f USING (office_id, agency, currency, contents)
    WHERE this.file_id = %(file_id)s AND f.requested_position < this.requested_position
"""


def told_through(connection: Connection[Any], file_id: UUID) -> int | None:
    """Up to which place in the log earlier files of updates than this one told its agency what happened; None while one
    of them is not made."""
    (found,) = rows(connection, {"file_id": file_id}, _TOLD)
    return None if found["waits"] else int(found["at"])


def account_names(
    connection: Connection[Any], account_ids: Sequence[UUID], *, through: int
) -> dict[UUID, tuple[str, int]]:
    """By id the number of an account, and what an agency has to collect of it as of a place in the log."""
    query = """
        SELECT account_id, CASE WHEN r.currency <> office.currency THEN r.number || '/' || r.currency ELSE r.number END
               AS number,
               coalesce((SELECT sum(e.item_minor - e.unapplied_minor + e.claim_minor)
                         FROM read_model.ledger_entries AS e
                         WHERE e.account_id = r.account_id AND e.position <= %(through)s), 0)::bigint AS balance
        FROM read_model.collections_report AS r
        JOIN read_model.ledger_offices AS office USING (office_id)
        WHERE account_id = ANY (%(ids)s)
    """
    return {
        each["account_id"]: (each["number"], each["balance"])
        for each in rows(connection, {"ids": [*account_ids], "through": through}, query)
    }


_SHOWN = """
    SELECT min(c.position) AS through, min(f.requested_position) AS requested
    FROM read_model.projections AS g
    JOIN read_model.checkpoints AS c USING (reader)
    JOIN read_model.placement_files AS f ON f.file_id = %(file_id)s
    WHERE g.state = 'live' AND g.name IN ('placements', 'collections_report', 'ledger')
"""


def shown_through(connection: Connection[Any], file_id: UUID) -> int | None:
    """Up to which place in the log the tables that files are made from all are; None where they do not show yet what
    asked for the file."""
    (found,) = rows(connection, {"file_id": file_id}, _SHOWN)
    through, requested = found["through"], found["requested"]
    return None if through is None or requested is None or through < requested else int(through)


_WAITING = """
    SELECT f.file_id FROM read_model.placement_files AS f
    WHERE f.state IN ('requested', 'made', 'delivering')
      AND NOT EXISTS (SELECT FROM arrears.work AS w WHERE w.is_open AND w.bulk_id = f.bulk_id)
    ORDER BY f.requested_at, f.file_id
"""


def waiting_files(connection: Connection[Any]) -> list[UUID]:
    """Files that are to be made and delivered, the oldest first; none of a bulk action that still works."""
    with connection.cursor(row_factory=dict_row) as cursor:
        return [each["file_id"] for each in cursor.execute(_WAITING, prepare=True)]


_DELIVERED = "SELECT name FROM read_model.placement_files WHERE name = ANY (%s) AND state = 'delivered'"


def delivered_among(connection: Connection[Any], names: list[str]) -> list[str]:
    """Those of the files, by the names that they were asked for under, that are with their agency."""
    return [name for (name,) in connection.execute(_DELIVERED, [names])]
