"""KPIs of a period (docs/kpis.md): how long receivables take, and how well collecting them works."""

from calendar import monthrange
from collections.abc import Iterator, Mapping
from datetime import date, timedelta
from decimal import Decimal
from typing import Annotated, Any

from psycopg import Connection
from pydantic import Field

from aggregates.kernel.value import LATER
from aggregates.values.money import Money
from projections.answer import Answer
from projections.questions import formulas
from projections.questions.formulas import MonthOfSales, three_places
from projections.questions.promises import PROMISES_AS_OF
from projections.questions.scope import LEDGER, BadQuestion, parameters_of, row, rows, scope_of

CONVERSION_DAYS = 14


class Kpi(Answer):
    """The KPIs of a period, both days included; None where a denominator is zero.

    Receivables (`begin`: at the end of the day before, `end`: at the end of the last day) are the open items, not
    lessened by unapplied funds; `end_current` are those not past due. `sales` are invoices and fees as they were
    billed or corrected; credits lessen receivables, not sales. What was written off in the period and not recovered is
    no receivable any more, but was not collected either: DSO and CEI count it as if it were owed still. Ratios have
    three decimals; `…_rate` and `cei` are percentages.
    """

    from_: date = Field(alias="from")
    to: date
    days: int
    currency: str
    begin: Decimal
    sales: Decimal
    end: Decimal
    end_current: Decimal
    dso: Decimal | None
    dso_countback: Decimal | None
    best_possible_dso: Decimal | None
    average_days_delinquent: Decimal | None
    cei: Decimal | None
    promises_due: int
    """Promises whose last instalment was due in the period; without those withdrawn."""
    promises_kept: int
    promise_kept_rate: Decimal | None
    promise_kept_rate_by_amount: Decimal | None
    accounts_contacted: int
    """Accounts whose first collection contact ever was in the period."""
    accounts_converted: int
    """Those of them with a payment within `CONVERSION_DAYS` days after it."""
    collection_conversion_rate: Decimal | None
    average_days_to_first_payment: Decimal | None
    """From the first contact to the first payment on that day or later, of the accounts contacted that paid."""
    recovery_rate: Decimal | None
    """Of what was past due when the period began, what payments took off it within the period."""
    written_off: Annotated[Decimal | None, LATER] = None
    """In the period, less write-offs that were reversed in it. Not there where nothing was."""
    written_off_recovered: Annotated[Decimal | None, LATER] = None
    """What money that came in paid in the period of what was written off, then or before; less what went back."""


_RECEIVABLES = """
,
write_offs AS (
    SELECT * FROM entries
    WHERE kind IN ('write-off', 'recovery', 'write-off-reversal') AND effective_on >= %(from)s
),
not_collected AS (
    SELECT item_id, min(known_before) AS known_before, -sum(item_minor)::bigint AS minor
    FROM write_offs
    GROUP BY item_id
    HAVING sum(item_minor) < 0
)
SELECT coalesce(sum(greatest(begin, 0)), 0)::bigint                                 AS begin,
       coalesce(sum(greatest("end", 0)), 0)::bigint                                 AS "end",
       coalesce(sum(sales), 0)::bigint                                              AS sales,
       (SELECT coalesce(sum(open_minor), 0)::bigint FROM open_items WHERE dpd <= 0) AS end_current,
       (SELECT coalesce(sum(minor), 0)::bigint FROM not_collected)                  AS not_collected,
       (SELECT coalesce(sum(written.minor), 0)::bigint
        FROM not_collected AS written
        JOIN read_model.ledger_items AS item USING (item_id)
        WHERE item.due_on >= %(as_of)s
          AND item.recorded_from < written.known_before
          AND item.recorded_until >= written.known_before)                          AS not_collected_current,
       (SELECT coalesce(-sum(item_minor), 0)::bigint FROM write_offs
        WHERE kind <> 'recovery')                                                   AS written_off,
       (SELECT coalesce(sum(item_minor), 0)::bigint FROM write_offs
        WHERE kind = 'recovery')                                                    AS written_off_recovered
FROM (
    SELECT sum(item_minor) FILTER (WHERE effective_on < %(from)s)  AS begin,
           sum(item_minor)                                         AS "end",
           sum(sale_minor) FILTER (WHERE effective_on >= %(from)s) AS sales
    FROM entries
    WHERE item_id IS NOT NULL
    GROUP BY item_id
) AS item
"""

_SALES = """
SELECT date_trunc('month', effective_on::timestamp)::date AS month, sum(sale_minor)::bigint AS sales
FROM entries
GROUP BY month
HAVING bool_or(sale_minor <> 0)
ORDER BY month
"""

_RECOVERY = """
,
past_due AS (
    SELECT entry.item_id, sum(entry.item_minor) AS minor
    FROM entries AS entry
    JOIN read_model.ledger_items AS item USING (item_id)
    WHERE entry.effective_on < %(from)s
      AND item.due_on < %(from)s::date - 1
      AND item.recorded_from < entry.known_before
      AND item.recorded_until >= entry.known_before
    GROUP BY entry.item_id
    HAVING sum(entry.item_minor) > 0
),
recovered AS (
    SELECT -sum(entry.item_minor) AS minor
    FROM entries AS entry
    JOIN past_due USING (item_id)
    WHERE entry.effective_on >= %(from)s
      AND EXISTS (SELECT FROM read_model.ledger_entries AS receipt
                  WHERE receipt.account_id = entry.account_id
                    AND receipt.funds_id = entry.funds_id
                    AND receipt.kind IN ('payment', 'transfer-in'))
)
SELECT (SELECT coalesce(sum(minor), 0)::bigint FROM past_due)  AS past_due,
       (SELECT coalesce(sum(minor), 0)::bigint FROM recovered) AS recovered
"""

_CONVERSION = """
,
contacted AS (
    SELECT contact.account_id, min(contact.effective_on) AS first_on
    FROM read_model.activity_history AS contact
    JOIN accounts AS account USING (account_id)
    WHERE contact.direction = 'outbound'
      AND contact.kind IN ('message-sent', 'call', 'sms', 'email', 'letter')
      AND contact.recorded_at < account.known_before
    GROUP BY contact.account_id
    HAVING min(contact.effective_on) BETWEEN %(from)s AND %(as_of)s
),
paid AS (
    SELECT contacted.account_id, contacted.first_on, min(payment.effective_on) AS paid_on
    FROM contacted
    JOIN accounts AS account USING (account_id)
    LEFT JOIN read_model.ledger_entries AS payment
           ON payment.account_id = contacted.account_id
          AND payment.kind IN ('payment', 'transfer-in')
          AND payment.effective_on >= contacted.first_on
          AND payment.recorded_at < account.known_before
          AND NOT EXISTS (SELECT FROM read_model.ledger_entries AS error
                          WHERE error.account_id = payment.account_id
                            AND error.funds_id = payment.funds_id
                            AND error.kind = 'error'
                            AND error.position > payment.position
                            AND error.recorded_at < account.known_before)
          AND payment.unapplied_minor > -(SELECT coalesce(sum(sent.unapplied_minor), 0)
                                          FROM read_model.ledger_entries AS sent
                                          WHERE sent.account_id = payment.account_id
                                            AND sent.funds_id = payment.funds_id
                                            AND sent.kind = 'transfer-out'
                                            AND sent.position > payment.position
                                            AND sent.recorded_at < account.known_before)
    GROUP BY contacted.account_id, contacted.first_on
)
SELECT count(*)                                                             AS contacted,
       count(*) FILTER (WHERE paid_on <= first_on + %(conversion_days)s::integer) AS converted,
       count(paid_on)                                                       AS paid,
       coalesce(sum(paid_on - first_on), 0)                                 AS days
FROM paid
"""

_KEPT = """
SELECT count(*)                                                               AS due,
       count(*) FILTER (WHERE status = 'kept')                                AS kept,
       coalesce(sum(promised_minor), 0)::bigint                               AS due_minor,
       coalesce(sum(promised_minor) FILTER (WHERE status = 'kept'), 0)::bigint AS kept_minor
FROM promises
WHERE due_on BETWEEN %(from)s AND %(to)s
  AND status <> 'withdrawn'
"""


def kpi(
    connection: Connection[Any],
    *,
    start: date,
    end: date,
    known_on: date | None = None,
    office: str | None = None,
    currency: str | None = None,
    conversion_days: int = CONVERSION_DAYS,
) -> Kpi:
    """The KPIs from `start` to `end`, both included. Raises ReportRefused."""
    if end < start:
        raise BadQuestion(f"to: expected {start} or later, not {end}")
    scope = scope_of(connection, office=office, currency=currency)
    asked = parameters_of(scope, as_of=end, known_on=known_on)
    asked |= {"from": start, "to": end, "conversion_days": conversion_days}
    days = (end - start).days + 1
    found = row(connection, asked, LEDGER, _RECEIVABLES)
    sold = {each["month"]: each["sales"] for each in rows(connection, asked, LEDGER, _SALES)}
    conversion = row(connection, asked, LEDGER, _CONVERSION)
    recovery = row(connection, asked, LEDGER, _RECOVERY)
    kept = row(connection, {**asked, "as_of": date.max}, LEDGER, PROMISES_AS_OF, _KEPT)
    end_owed = found["end"] + found["not_collected"]
    end_current = found["end_current"] + found["not_collected_current"]
    dso = formulas.days_sales_outstanding(end_owed, found["sales"], days)
    best = formulas.days_sales_outstanding(end_current, found["sales"], days)
    cei = formulas.collection_effectiveness(
        begin=found["begin"], sales=found["sales"], end=end_owed, end_current=end_current
    )

    def amount(minor: int) -> Decimal:
        return Money(minor, scope.currency).decimal()

    return Kpi(
        from_=start,
        to=end,
        days=days,
        currency=scope.currency,
        begin=amount(found["begin"]),
        sales=amount(found["sales"]),
        end=amount(found["end"]),
        end_current=amount(found["end_current"]),
        dso=three_places(dso),
        dso_countback=three_places(formulas.count_back(end_owed, months_back(end, sold))),
        best_possible_dso=three_places(best),
        average_days_delinquent=three_places(formulas.average_days_delinquent(dso, best)),
        cei=three_places(cei),
        promises_due=kept["due"],
        promises_kept=kept["kept"],
        promise_kept_rate=three_places(formulas.percent(kept["kept"], kept["due"])),
        promise_kept_rate_by_amount=three_places(formulas.percent(kept["kept_minor"], kept["due_minor"])),
        accounts_contacted=conversion["contacted"],
        accounts_converted=conversion["converted"],
        collection_conversion_rate=three_places(formulas.percent(conversion["converted"], conversion["contacted"])),
        average_days_to_first_payment=three_places(formulas.ratio(conversion["days"], conversion["paid"])),
        recovery_rate=three_places(formulas.percent(recovery["recovered"], recovery["past_due"])),
        written_off=amount(found["written_off"]) if found["written_off"] else None,
        written_off_recovered=amount(found["written_off_recovered"]) if found["written_off_recovered"] else None,
    )


def months_back(end: date, sold: Mapping[date, int]) -> Iterator[MonthOfSales]:
    """Calendar months up to `end`, newest first, back to the first one with a known sale.

    `sold` has the sales by each month's first day. The newest month has only its days up to `end`.
    """
    first_known = min(sold, default=date.max)
    month, days = end.replace(day=1), end.day
    while month >= first_known:
        yield MonthOfSales(sold.get(month, 0), days)
        month = (month - timedelta(days=1)).replace(day=1)
        days = monthrange(month.year, month.month)[1]
