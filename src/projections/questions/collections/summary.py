"""What all accounts together owe, by age and by stage."""

from datetime import date
from decimal import Decimal
from typing import Any

from psycopg import Connection

from aggregates.account.chase import Stage
from aggregates.values.aging import BucketScheme
from aggregates.values.money import Money
from projections.answer import AmountText, Answer
from projections.questions.collections.filters import owing
from projections.questions.collections.report import selected
from projections.questions.collections.source import bucket_names, source_of
from projections.questions.scope import row, scope_of

_SUMMARY = """
SELECT count(*) AS accounts, coalesce(sum(outstanding), 0)::bigint AS outstanding,
       coalesce(sum(unapplied), 0)::bigint AS unapplied,
       (SELECT coalesce(jsonb_object_agg(coalesce(stage, ''), jsonb_build_array(accounts, balance)), '{}')
        FROM (SELECT stage, count(*) AS accounts, sum(balance)::bigint AS balance
              FROM wanted
              GROUP BY stage) AS by_stage) AS stages,
       (SELECT coalesce(jsonb_object_agg(name, minor), '{}')
        FROM (SELECT part.key AS name, sum(part.value::bigint)::bigint AS minor
              FROM wanted, jsonb_each_text(buckets) AS part
              GROUP BY part.key) AS by_bucket) AS buckets
FROM wanted
"""


class StageCount(Answer):
    stage: Stage | None
    accounts: int
    balance: AmountText


class BucketSum(Answer):
    bucket: str
    amount: AmountText


class Summary(Answer):
    """What all accounts together owe, by age and by stage."""

    as_of: date
    currency: str
    accounts: int
    outstanding: AmountText
    unapplied: AmountText
    balance: AmountText
    buckets: list[BucketSum]
    stages: list[StageCount]


def summary(
    connection: Connection[Any],
    *,
    today: date,
    scheme: BucketScheme,
    as_of: date | None = None,
    known_on: date | None = None,
    office: str | None = None,
    currency: str | None = None,
) -> Summary:
    """All accounts of an office together: the sums of the collections report of the same day. Raises ReportRefused."""
    scope = scope_of(connection, office=office, currency=currency)
    source = source_of(connection, scope, today=today, as_of=as_of, known_on=known_on, scheme=scheme)
    found = row(connection, source.parameters, *selected(source, [owing({})]), _SUMMARY)
    stages, buckets = found["stages"], found["buckets"]

    def amount(minor: int) -> Decimal:
        return Money(minor, scope.currency).decimal()

    def of_stage(stage: Stage | None) -> StageCount:
        accounts, balance = stages.get(stage or "", (0, 0))
        return StageCount(stage=stage, accounts=accounts, balance=amount(balance))

    return Summary(
        as_of=as_of or today,
        currency=scope.currency,
        accounts=found["accounts"],
        outstanding=amount(found["outstanding"]),
        unapplied=amount(found["unapplied"]),
        balance=amount(found["outstanding"] - found["unapplied"]),
        buckets=[BucketSum(bucket=n, amount=amount(buckets.get(n, 0))) for n in bucket_names(scheme, buckets)],
        stages=[of_stage(stage) for stage in (*Stage, None)],
    )
