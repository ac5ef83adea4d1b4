"""Filters whose values somebody defines, or somebody has: a value that is none of them is refused, not answered with an
empty report."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from psycopg import Connection

from aggregates.office import Office
from aggregates.values.aging import BucketScheme
from projections.questions.activity_filters import known_agents
from projections.questions.collections.filters import Filters
from projections.questions.scope import BadQuestion, row, rows
from projections.worklist.kinds import agent_of


@dataclass(frozen=True, slots=True)
class Defined:
    """Codes that offices define, whether or not an account has them."""

    flags: frozenset[str] = frozenset()
    freeze_reasons: frozenset[str] = frozenset()
    agencies: frozenset[str] = frozenset()
    fee_service_types: frozenset[str] = frozenset()


NOTHING_DEFINED = Defined()


def defined_by(offices: Iterable[Office]) -> Defined:
    """What any of the offices defines; what is retired is defined still."""
    those = list(offices)
    return Defined(
        flags=frozenset(code for office in those for code in office.flags),
        freeze_reasons=frozenset(code for office in those for code in office.freeze_reasons),
        agencies=frozenset(code for office in those for code in office.agencies),
        fee_service_types=frozenset(code for office in those for code in office.fee_service_types),
    )


_USED: Mapping[str, str] = {
    "bucket": "SELECT FROM read_model.collections_report WHERE bucket = %(value)s",
    "flag": """
        SELECT FROM read_model.collections_report WHERE %(value)s = ANY (flags)
        UNION ALL
        SELECT FROM read_model.account_history WHERE %(value)s = ANY (flags)
    """,
    "frozen": """
        SELECT FROM read_model.collections_report WHERE frozen = %(value)s
        UNION ALL
        SELECT FROM read_model.account_history WHERE frozen = %(value)s
    """,
    "placed_with": """
        SELECT FROM read_model.collections_report WHERE agency = %(value)s
        UNION ALL
        SELECT FROM read_model.account_history WHERE agency = %(value)s
    """,
    "service": "SELECT FROM read_model.ledger_items WHERE service_type = %(value)s",
    "segment": "SELECT FROM read_model.ledger_accounts WHERE segment = %(value)s",
    "assignee": "SELECT FROM read_model.worklist WHERE assignee = %(value)s",
}
"""By filter where its values are used: an account may have what its office defines no more, or had it on a past day."""

_VALUES: Mapping[str, str] = {
    "service": "SELECT DISTINCT service_type AS value FROM read_model.ledger_items WHERE service_type IS NOT NULL",
    "segment": "SELECT DISTINCT segment AS value FROM read_model.ledger_accounts WHERE segment IS NOT NULL",
}
"""Of filters whose values billing says: what it said so far."""

_MOST_NAMED = 50


def check_filters(connection: Connection[Any], filters: Filters, scheme: BucketScheme, defined: Defined) -> None:
    """Raises BadQuestion for a value that no office defines and no account has or had, with those that are known.

    Numbers and texts to search for are of one account: that there is none is the answer."""
    for each in (filters.bucket or "").split(","):
        _check(connection, "bucket", each, scheme.names)
    for name in ("flag", "without_flag"):
        for each in (getattr(filters, name) or "").split(","):
            _check(connection, name, each, sorted(defined.flags), used="flag")
    _check(connection, "frozen", filters.frozen, sorted(defined.freeze_reasons))
    check_agency(connection, filters.placed_with, defined, called="placed_with")
    _check(connection, "service", filters.service, sorted(defined.fee_service_types))
    _check(connection, "segment", filters.segment, ())
    if filters.assignee and not _is_used(connection, "assignee", agent_of(filters.assignee)):
        known_agents(connection, filters.assignee, called="assignee")


def check_agency(connection: Connection[Any], agency: str | None, defined: Defined, *, called: str = "agency") -> None:
    """Raises BadQuestion for one that no office has and that never had an account; `called`: the filter."""
    _check(connection, called, agency, sorted(defined.agencies), used="placed_with")


def _check(
    connection: Connection[Any], name: str, value: str | None, defined: Iterable[str], *, used: str | None = None
) -> None:
    known = tuple(defined)
    if not value or value in known or _is_used(connection, used or name, value):
        return
    if name in _VALUES:
        found = rows(connection, {"most": _MOST_NAMED}, _VALUES[name], " ORDER BY value LIMIT %(most)s")
        known = (*dict.fromkeys([*known, *(each["value"] for each in found)]),)
    raise BadQuestion(f"{name}: expected one of {', '.join(known) or 'none yet'}, not {value!r}")


def _is_used(connection: Connection[Any], name: str, value: str) -> bool:
    query = f"SELECT EXISTS ({_USED[name]}) AS is_used"
    return bool(row(connection, {"value": value}, query)["is_used"])
