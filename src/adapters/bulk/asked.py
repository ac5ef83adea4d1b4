"""What is asked before a bulk action is previewed or confirmed, and the accounts of the report that it is about."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any
from uuid import UUID

from adapters.delivery.renderer import Renderer
from adapters.eventstore.application import Arrears
from adapters.postgres.database import Connection
from adapters.stop import Stop
from aggregates.account.bulk_kinds import BulkKind
from aggregates.office import Office
from projections.questions.bulk import Shown, shown
from projections.questions.collections import Filters
from projections.questions.collections.defined import defined_by
from projections.questions.scope import Scope

Among = Mapping[str, Sequence[UUID]] | None
"""Accounts that were named, by what they were called; None: all that the filters show."""


@dataclass(frozen=True, slots=True)
class Asked:
    """What is worked out: whose, of which day, by which snapshot of the read tables, and with what."""

    connection: Connection
    kind: BulkKind
    parameters: Any
    """Of the kind's own class."""
    office: Office
    currency: str
    as_of: date | None
    """None: today."""
    today: date
    arrears: Arrears
    """It loads accounts, and has the clock."""
    renderer: Callable[[], Renderer]
    """Of texts, where there are any."""
    stop: Stop


def report_shown(asked: Asked, filters: Filters, among: Among) -> Iterator[Shown]:
    """The accounts of the report, with the columns that the kind compares."""
    return shown(
        asked.connection,
        Scope(asked.currency, asked.office.id),
        compares=asked.kind.compares,
        only_owing=asked.kind.only_owing,
        filters=filters,
        among=among,
        today=asked.today,
        as_of=asked.as_of,
        scheme=asked.office.scheme,
        defined=defined_by([asked.office]),
    )
