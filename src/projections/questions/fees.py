"""Fees: what a preview shows of each account, worked out over the ledger of a day, and whether it is so still."""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any
from uuid import UUID

from psycopg import Connection
from psycopg.rows import DictRow, dict_row

from aggregates.account.bulk_kinds import FeeParameters
from aggregates.office import Office
from aggregates.values.fees import (
    Discount,
    FeeBasis,
    FeeGround,
    FeeLimits,
    FeeTerms,
    Owed,
    OwedItem,
    WorkedOut,
    shown,
    work_out,
)
from aggregates.values.money import Money
from projections.answer import AmountText, Answer
from projections.questions.bulk import Frozen, Shown, check_named
from projections.questions.collections.defined import check_filters, defined_by
from projections.questions.collections.filters import Filters, conditions, owing, parameters_of_search
from projections.questions.collections.report import selected
from projections.questions.collections.source import Source, past_s
from projections.questions.names import names
from projections.questions.scope import BadQuestion, Scope, UnknownAccount, rows

_FETCHED = 2_000
_CHOOSE_INVOICES = ("bucket", "min_dpd", "max_dpd", "service", "subscription")
"""Filters that choose invoices as well as accounts."""

_SOURCES = """
, disputed AS (
    SELECT wanted.account_id, change.disputed_items, change.disputed_parts
    FROM wanted
    JOIN accounts USING (account_id)
    CROSS JOIN LATERAL (
        SELECT history.disputed_items, history.disputed_parts
        FROM read_model.account_history AS history
        WHERE history.account_id = wanted.account_id AND history.recorded_at < accounts.recorded_before
        ORDER BY history.recorded_at DESC, history.position DESC
        LIMIT 1
    ) AS change
    WHERE wanted.disputed <> 0
),
bearing AS (
    SELECT DISTINCT line.source_item_id AS item_id
    FROM read_model.fees AS fee
    JOIN wanted USING (account_id)
    JOIN read_model.fee_lines AS line USING (item_id)
    WHERE %(once_per_item)s AND fee.service_type = %(fee_service_type)s AND NOT fee.is_withdrawn
),
sources AS (
    SELECT item.account_id,
           jsonb_agg(jsonb_build_array(
               item.number, item.item_id, item.open_minor, item.amount_minor,
               CASE WHEN item.item_id = ANY (disputed.disputed_items)
                    THEN least(item.open_minor, (disputed.disputed_parts ->> item.item_id::text)::bigint) ELSE 0 END,
               item.kind = 'fee',
               {chosen},
               item.subscription, bearing.item_id IS NOT NULL
           ) ORDER BY item.due_on, item.issued_on, item.number, item.item_id) AS items
    FROM open_items AS item
    JOIN wanted USING (account_id)
    LEFT JOIN disputed USING (account_id)
    LEFT JOIN bearing ON bearing.item_id = item.item_id
    GROUP BY item.account_id
),
charged AS (
    SELECT item.account_id, sum(item.amount_minor)::bigint AS minor
    FROM read_model.ledger_items AS item
    JOIN wanted USING (account_id)
    WHERE %(most_per_period)s AND item.kind = 'fee' AND item.recorded_until = 'infinity'
      AND item.issued_on > %(today)s::date - %(period_days)s::integer
    GROUP BY item.account_id
),
bore AS (
    SELECT DISTINCT fee.account_id, line.source
    FROM read_model.fees AS fee
    JOIN wanted USING (account_id)
    JOIN read_model.fee_lines AS line USING (item_id)
    WHERE %(of_discounts)s AND fee.basis = 'initial-discount-percent' AND NOT fee.is_withdrawn
),
discounts AS (
    SELECT each.account_id,
           jsonb_agg(jsonb_build_array(
               each.number, each.initial_discount_minor,
               coalesce(each.ends_on <= %(as_of)s, false)
                   OR coalesce(each.services_done >= each.services_agreed, false),
               bore.source IS NOT NULL
           ) ORDER BY each.number) AS discounts
    FROM read_model.subscriptions AS each
    JOIN wanted USING (account_id)
    LEFT JOIN bore ON bore.account_id = each.account_id AND bore.source = each.number
    WHERE %(of_discounts)s AND each.initial_discount_minor > 0
    GROUP BY each.account_id
)
"""

_OF_EACH = """
       now.number, now.balance AS due_today, now.customer_kind, now.agency IS NOT NULL AS is_placed,
       wanted.unapplied, sources.items, discounts.discounts,
       coalesce(wanted.paid_since, 0) AS paid, coalesce(charged.minor, 0) AS charged, ground.ground
"""
_BESIDES = """
LEFT JOIN sources   USING (account_id)
LEFT JOIN charged   USING (account_id)
LEFT JOIN discounts USING (account_id)
LEFT JOIN read_model.fee_grounds AS ground USING (account_id)
"""

_SHOW = f"""
SELECT wanted.account_id, {_OF_EACH}
FROM wanted
JOIN read_model.collections_report AS now USING (account_id)
{_BESIDES}
ORDER BY wanted.balance DESC, wanted.account_id DESC
"""  # noqa: S608

_COMPARE = f"""
SELECT r.account_id, r.expected::text AS expected, r.amount_minor, wanted.account_id IS NOT NULL AS is_there, {_OF_EACH}
FROM read_model.bulk_rows AS r
LEFT JOIN wanted USING (account_id)
LEFT JOIN read_model.collections_report AS now USING (account_id)
{_BESIDES}
WHERE r.bulk_id = %(bulk_id)s
ORDER BY r.place
"""  # noqa: S608

_CHOSEN = {
    "bucket": "item.bucket = ANY (%(invoice_buckets)s::integer[])",
    "min_dpd": "item.dpd >= %(min_dpd)s::integer",
    "max_dpd": "item.dpd <= %(max_dpd)s::integer",
    "service": "item.service_type = %(service)s::text",
    "subscription": "item.subscription = %(subscription)s::text",
}


@dataclass(frozen=True, slots=True)
class FeesAsked:
    """What fees are worked out for: whose, of which day, by which rules."""

    parameters: FeeParameters
    office: Office
    currency: str
    as_of: date
    today: date

    @property
    def terms(self) -> FeeTerms:
        """Raises Refusal."""
        return self.parameters.terms(self.currency)

    @property
    def limits(self) -> FeeLimits:
        """Raises Refusal."""
        office = self.office
        return FeeLimits.of(office.fees, office.contact, office_currency=office.currency, currency=self.currency)

    def of_ledger(self, choosing: Mapping[str, object]) -> dict[str, object]:
        """Parameters of `_SOURCES`; `choosing` are the filters that choose invoices."""
        names, buckets = self.office.scheme.names, str(choosing.get("bucket") or "").split(",")
        return {
            **choosing,
            "invoice_buckets": [names.index(each) for each in buckets if each in names],
            "today": self.today,
            "once_per_item": self.office.fees.once_per_item,
            "fee_service_type": self.parameters.service_type,
            "most_per_period": self.office.fees.most_per_period is not None,
            "period_days": self.office.fees.period_days,
            "of_discounts": self.parameters.basis is FeeBasis.INITIAL_DISCOUNT_PERCENT,
        }

    @property
    def source(self) -> Source:
        scope = Scope(self.currency, self.office.id)
        return past_s(scope, as_of=self.as_of, known_on=None, scheme=self.office.scheme)


def fees_shown(
    connection: Connection[Any],
    asked: FeesAsked,
    *,
    filters: Filters,
    among: Mapping[str, Sequence[UUID]] | None,
) -> Iterator[Shown]:
    """The accounts of a collections report with the fee of each, in the order of their balances, read as they are asked
    for. Who has nothing that it could be taken of is left out, unless named. Raises BadQuestion, Refusal."""
    if asked.as_of > asked.today:
        raise BadQuestion("as_of: expected today or earlier")
    check_filters(connection, filters, asked.office.scheme, defined_by([asked.office]))
    terms, limits, source = asked.terms, asked.limits, asked.source
    given = filters.given(asked.currency)
    those = [owing(given)] if among is None else ["account_id = ANY (%(among)s::uuid[])"]
    ids = [each for several in (among or {}).values() for each in several]
    choosing = {name: given[name] for name in _CHOOSE_INVOICES if name in given}
    parameters = {
        **source.parameters,
        **given,
        **parameters_of_search(given),
        **asked.of_ledger(choosing),
        "among": ids,
        "account_id": ids[0] if len(ids) == 1 else None,
    }
    if among is not None:
        check_named(connection, source, those, among, where=f" of {asked.as_of} in {asked.currency}")
    query = selected(source, [*those, *conditions(given, names(connection))])
    for each in _read(connection, "".join((*query, _sources(choosing), _SHOW)), parameters):
        owed = _owed(each)
        if asked.parameters.without_paid_since and owed.paid_since:
            continue
        found = work_out(terms, owed, limits, asked.currency)
        if not found.has_source and among is None:
            continue
        yield Shown(each["account_id"], _said(asked, found, owed), found.amount)


def fees_compared(
    connection: Connection[Any],
    asked: FeesAsked,
    *,
    bulk_id: UUID,
    filters: Mapping[str, Any],
) -> Iterator[Frozen]:
    """Every row in its order, compared with the fee as it would be now. `filters` as they were kept. Raises Refusal."""
    terms, limits, source = asked.terms, asked.limits, asked.source
    choosing = {name: filters[name] for name in _CHOOSE_INVOICES if name in filters}
    parameters = {**source.parameters, **asked.of_ledger(choosing), "bulk_id": bulk_id}
    frozen = "account_id IN (SELECT b.account_id FROM read_model.bulk_rows AS b WHERE b.bulk_id = %(bulk_id)s)"
    query = "".join((*selected(source, [frozen]), _sources(choosing), _COMPARE))
    for each in _read(connection, query, parameters):
        has_changed = True
        if each["is_there"]:
            owed = _owed(each)
            found = work_out(terms, owed, limits, asked.currency)
            now = _said(asked, found, owed)
            has_changed = (each["expected"], each["amount_minor"]) != (now, found.amount)
        yield Frozen(each["account_id"], each["number"] or "", each["expected"], each["amount_minor"], has_changed)


def _sources(choosing: Mapping[str, object]) -> str:
    return _SOURCES.replace("{chosen}", " AND ".join(f"coalesce({_CHOSEN[n]}, false)" for n in choosing) or "true")


def _read(connection: Connection[Any], query: str, parameters: Mapping[str, object]) -> Iterator[DictRow]:
    """Of many accounts PostgreSQL knows too little of how many there are after each step, and joins in nested loops."""
    if parameters["account_id"] is None:
        connection.execute("SET LOCAL enable_nestloop = off")
    with connection.cursor(name="fees", row_factory=dict_row) as cursor:
        cursor.itersize = _FETCHED
        cursor.execute(query.encode(), parameters)
        yield from cursor


def _owed(found: DictRow) -> Owed:
    return Owed(
        items=[OwedItem(*each) for each in found["items"] or ()],
        unapplied=found["unapplied"],
        discounts=[Discount(*each) for each in found["discounts"] or ()],
        charged_in_period=found["charged"],
        paid_since=found["paid"],
        due_today=found["due_today"],
        customer_kind=found["customer_kind"],
        ground=None if found["ground"] is None else FeeGround(found["ground"]),
        is_placed=found["is_placed"],
    )


def _said(asked: FeesAsked, found: WorkedOut, owed: Owed) -> str:
    """As the database writes it."""
    return as_jsonb(shown(found, owed, as_of=asked.as_of, currency=asked.currency))


def as_jsonb(said: Mapping[str, object]) -> str:
    """JSON as PostgreSQL writes `jsonb`: shorter names first."""
    in_order = {name: said[name] for name in sorted(said, key=lambda name: (len(name), name))}
    return _ENCODER.encode(in_order)


_ENCODER = json.JSONEncoder(ensure_ascii=False)


# --- the fees of an account --------------------------------------------------------------------------


class FeeLineView(Answer):
    """What is taken of one source: an invoice or a subscription by its number, or the account's balance."""

    source: str | None
    base: AmountText
    amount: AmountText


class FeeView(Answer):
    """A fee that Arrears added, and what is open of it."""

    number: str
    service_type: str | None
    basis: FeeBasis
    as_of: date
    issued_on: date
    due_on: date
    amount: AmountText
    open: AmountText
    currency: str
    withdrawn: bool
    """It never was owed."""
    lines: tuple[FeeLineView, ...]


_FEES = """
SELECT fee.*, coalesce(item.open, 0) AS open,
       (SELECT jsonb_agg(jsonb_build_array(line.source, line.base_minor, line.amount_minor) ORDER BY line.ordinal)
        FROM read_model.fee_lines AS line WHERE line.item_id = fee.item_id) AS lines
FROM read_model.fees AS fee
LEFT JOIN read_model.open_items AS item USING (item_id)
WHERE fee.account_id = %(account_id)s
ORDER BY fee.issued_on DESC, fee.number
"""


def fees_of(connection: Connection[Any], account_id: UUID) -> list[FeeView]:
    """Every fee of an account, the latest first. Raises UnknownAccount."""
    known = "SELECT FROM read_model.ledger_accounts WHERE account_id = %(account_id)s"
    if not rows(connection, {"account_id": account_id}, known):
        raise UnknownAccount(f"account: there is no {account_id}")
    return [_fee_view(each) for each in rows(connection, {"account_id": account_id}, _FEES)]


def _fee_view(found: DictRow) -> FeeView:
    def amount(minor: int) -> Any:
        return Money(minor, found["currency"]).decimal()

    said = {name: found[name] for name in FeeView.model_fields if name not in {"amount", "open", "withdrawn", "lines"}}
    return FeeView(
        **said,
        amount=amount(found["amount_minor"]),
        open=amount(found["open"]),
        withdrawn=found["is_withdrawn"],
        lines=tuple(
            FeeLineView(source=source or None, base=amount(base), amount=amount(taken))
            for source, base, taken in found["lines"] or ()
        ),
    )
