"""Roll rates: what became, by a later day, of the amount that stood in each aging bucket on an earlier one."""

from datetime import date
from decimal import Decimal
from typing import Any

from psycopg import Connection
from pydantic import Field

from aggregates.values.aging import BucketScheme
from aggregates.values.money import Money
from projections.answer import AmountText, Answer
from projections.ledger.projection import WRITE_OFF_KINDS
from projections.questions.formulas import percent, three_places
from projections.questions.scope import LEDGER, BadQuestion, parameters_of, rows, scope_of


class Rolled(Answer):
    """Amounts, or their shares of the whole in percent: together they are all of it."""

    stayed: AmountText
    """Is open in the same bucket."""
    next: AmountText
    """Is open in the next older one."""
    further: AmountText
    """Is open in one that is older still."""
    younger: AmountText
    """Is open in a younger one: its due date was corrected."""
    paid: AmountText
    """Is open no more, and was not written off: payments and credits took it."""
    written_off: AmountText
    """Was written off, less what was reversed of that."""


class RollRow(Answer):
    """A bucket of the first day, and what became of the amount in it."""

    bucket: str
    amount: AmountText
    became: Rolled
    rates: Rolled | None
    """In percent of `amount`, with three decimals; null where nothing was in the bucket."""


class RollRates(Answer):
    """What became of each bucket from the end of one day to the end of another."""

    start: date = Field(alias="from")
    end: date = Field(alias="to")
    currency: str
    rows: tuple[RollRow, ...]


_ROLLED = """
, items AS (
    SELECT item_id, min(known_before) AS known_before,
           sum(item_minor) FILTER (WHERE effective_on <= %(start)s)::bigint AS begin_minor,
           greatest(sum(item_minor), 0)::bigint AS end_minor,
           coalesce(-sum(item_minor) FILTER (WHERE effective_on > %(start)s AND kind = ANY (%(write_offs)s::text[])),
                    0)::bigint AS written_off
    FROM entries
    WHERE item_id IS NOT NULL
    GROUP BY item_id
    HAVING sum(item_minor) FILTER (WHERE effective_on <= %(start)s) > 0
),
went AS (
    SELECT width_bucket(%(start)s::date - item.due_on, %(from_dpd)s::integer[]) AS was_in,
           width_bucket(%(as_of)s::date - item.due_on, %(from_dpd)s::integer[]) AS is_in,
           items.begin_minor, least(items.begin_minor, items.end_minor) AS open_minor,
           least(greatest(items.written_off, 0), items.begin_minor - least(items.begin_minor, items.end_minor))
               AS written_off
    FROM items
    JOIN read_model.ledger_items AS item USING (item_id)
    WHERE item.recorded_from < items.known_before AND item.recorded_until >= items.known_before
)
SELECT was_in, sum(begin_minor)::bigint AS amount,
       coalesce(sum(open_minor) FILTER (WHERE is_in = was_in), 0)::bigint     AS stayed,
       coalesce(sum(open_minor) FILTER (WHERE is_in = was_in + 1), 0)::bigint AS next,
       coalesce(sum(open_minor) FILTER (WHERE is_in > was_in + 1), 0)::bigint AS further,
       coalesce(sum(open_minor) FILTER (WHERE is_in < was_in), 0)::bigint     AS younger,
       sum(begin_minor - open_minor - written_off)::bigint                    AS paid,
       sum(written_off)::bigint                                               AS written_off
FROM went
GROUP BY was_in
"""
"""Each item that was open on the first day. What came to it since (a payment that bounced) was not in the bucket."""


def roll_rates(
    connection: Connection[Any],
    *,
    start: date,
    end: date,
    scheme: BucketScheme,
    known_on: date | None = None,
    office: str | None = None,
    currency: str | None = None,
) -> RollRates:
    """Every bucket of the scheme, the youngest first. Both days are ends of days, by effective date; items age by the
    due dates that are known. Raises ReportRefused."""
    if start >= end:
        raise BadQuestion("to: expected a day after the first one")
    scope = scope_of(connection, office=office, currency=currency)
    asked = {
        **parameters_of(scope, as_of=end, known_on=known_on, scheme=scheme),
        "start": start,
        "write_offs": [*WRITE_OFF_KINDS.values()],
    }
    found = {each["was_in"]: each for each in rows(connection, asked, LEDGER, _ROLLED)}

    def row_of(place: int, name: str) -> RollRow:
        said = found.get(place, {})
        minors = {part: int(said.get(part, 0)) for part in Rolled.model_fields}
        whole = int(said.get("amount", 0))
        return RollRow(
            bucket=name,
            amount=amount(whole),
            became=Rolled(**{part: amount(minor) for part, minor in minors.items()}),
            rates=Rolled(**{part: _rate(minor, whole) for part, minor in minors.items()}) if whole else None,
        )

    def amount(minor: int) -> Decimal:
        return Money(minor, scope.currency).decimal()

    return RollRates(
        start=start,
        end=end,
        currency=scope.currency,
        rows=tuple(row_of(place, name) for place, name in enumerate(scheme.names)),
    )


def _rate(minor: int, whole: int) -> Decimal:
    return three_places(percent(minor, whole)) or Decimal("0.000")
