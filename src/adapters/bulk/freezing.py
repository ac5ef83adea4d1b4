"""A preview: the accounts that the report shows now are frozen row by row, all of one moment."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field, replace
from datetime import date
from itertools import islice
from typing import Any
from uuid import UUID

import orjson
from pydantic import ValidationError

from adapters.bulk.asked import Asked
from adapters.bulk.questions import question_of
from adapters.delivery.renderer import Renderer
from adapters.eventstore.application import Arrears
from adapters.postgres.database import Database
from adapters.stop import Stop, check
from aggregates.account.bulk_kinds import BulkKind, BulkParameters
from aggregates.bulk.action import Preview
from aggregates.bulk.part import MOST_BYTES, MOST_ROWS, Digest, FreezeRows, FrozenRow, digest, digested, part_id
from aggregates.kernel.actor import Actor
from aggregates.kernel.command import Issued
from aggregates.kernel.refusals import Refusal
from aggregates.office import Office
from aggregates.values.patterns import message_of
from aggregates.values.saved_filter import SavedFilter
from projections.questions.bulk import Shown, named_accounts, shown_position
from projections.questions.collections import Filters
from projections.questions.scope import scope_of

_PARTS_AT_ONCE = 8
"""Parts of a preview that are stored together."""


# --- which accounts ----------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Selection:
    """The accounts of a report that a bulk action is about."""

    office: str | None = None
    """None: the only one."""
    currency: str | None = None
    as_of: date | None = None
    filters: Filters = field(default_factory=Filters)
    accounts: tuple[str, ...] = ()
    """Numbers or ids; none: all that the filters show."""
    saved: str | None = None
    """The name of a filter that the office keeps; `filters` are beside it, or instead of parts of it."""

    def of_office(self, office: Office) -> "Selection":
        """With the saved filter's own in the place of its name. Raises Refusal where the office keeps none of it."""
        if self.saved is None:
            return self
        return replace(self, saved=None, filters=filters_with(office.require_filter(self.saved), self.filters))


def filters_with(saved: SavedFilter, given: Filters) -> Filters:
    """Those of a saved filter, and instead of or beside them those that are given. Raises Refusal where this release
    has what was saved no more."""
    said = {name: value for name, value in given if value is not None}
    try:
        return Filters.model_validate({**saved.filters, **said})
    except ValidationError as error:
        wrong = error.errors()[0]
        name = wrong["loc"][0]
        raise Refusal(
            "filter-out-of-date", f"filter: its {name} is not as expected: {message_of(wrong)}; save it anew"
        ) from None


def said_of(of: Selection) -> dict[str, Any]:
    """What was asked of the report. Of a search only that there was one: its text may be a name."""
    filters = of.filters.model_dump(mode="json", exclude_none=True)
    if "search" in filters:
        filters["search"] = True
    return {**filters, **({"accounts": len(of.accounts)} if of.accounts else {})}


# --- freezing ----------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Froze:
    """What was frozen."""

    preview: Preview
    touched_minor: int
    """The amounts in question; where the kind has none, the balances. What one account has too much makes no other
    smaller."""


@dataclass(slots=True)
class _Freezing:
    """What was frozen so far."""

    digest: Digest
    accounts: int = 0
    parts: int = 0
    total: int = 0
    touched: int = 0


@dataclass(frozen=True, slots=True)
class Freezer:
    """Freezes rows in the name of somebody."""

    database: Database
    arrears: Arrears
    stop: Stop
    actor: Actor
    correlation_id: UUID | None
    """None: the bulk action's id."""
    renderer: Callable[[], Renderer]
    """Of texts, where there are any."""

    def freeze(
        self,
        kind: BulkKind,
        parameters: BulkParameters,
        of: Selection,
        office: Office,
        *,
        today: date,
        bulk_id: UUID,
    ) -> Froze:
        """`bulk_id` is new: rows that were frozen under it before stay as they are. Raises Refusal, ReportRefused."""
        of = of.of_office(office)
        with self.database.snapshot("arrears_app") as connection:
            scope = scope_of(connection, office=office.code, currency=of.currency)
            parameters.check_amounts(scope.currency)
            position = shown_position(connection)
            among = named_accounts(connection, office.id, of.accounts) if of.accounts else None
            asked = Asked(
                connection,
                kind,
                parameters,
                office,
                scope.currency,
                as_of=of.as_of,
                today=today,
                arrears=self.arrears,
                renderer=self.renderer,
                stop=self.stop,
            )
            found = question_of(kind).shown(asked, of.filters, among)
            frozen = self._freeze(bulk_id, found, kind)
        preview = Preview(
            office_id=office.id,
            kind=kind.name,
            parameters=parameters.model_dump(mode="json"),
            filters=said_of(of),
            as_of=of.as_of or today,
            currency=scope.currency,
            accounts=frozen.accounts,
            parts=frozen.parts,
            total_minor=frozen.total if kind.has_amount else None,
            position=position,
            digest=frozen.digest.hexdigest(),
        )
        return Froze(preview, frozen.touched)

    def _freeze(self, bulk_id: UUID, found: Iterator[Shown], kind: BulkKind) -> _Freezing:
        frozen = _Freezing(digest())
        parts = _in_parts(found)
        while several := list(islice(parts, _PARTS_AT_ONCE)):
            check(self.stop)
            commands = []
            for rows in several:
                frozen.parts += 1
                kept = [_row(each, kind) for each in rows]
                for each, of in zip(kept, rows, strict=True):
                    digested(frozen.digest, each.account_id, of.expected, each.amount_minor)
                    frozen.accounts += 1
                    frozen.total += each.amount_minor or 0
                    frozen.touched += max(0, of.amount if each.amount_minor is None else each.amount_minor)
                commands.append(FreezeRows.model_construct(bulk_id=bulk_id, number=frozen.parts, rows=tuple(kept)))
            self.arrears.handle(
                [
                    Issued(
                        command=command,
                        command_id=part_id(bulk_id, command.number),
                        actor=self.actor,
                        correlation_id=self.correlation_id or bulk_id,
                    )
                    for command in commands
                ]
            )
        return frozen


def _row(shown: Shown, kind: BulkKind) -> FrozenRow:
    expected = orjson.loads(shown.expected)
    amount = shown.amount if kind.has_amount else None
    if kind.amount_of is not None:
        amount = kind.amount_of(expected)
    return FrozenRow.model_construct(account_id=shown.account_id, expected=expected, amount_minor=amount)


def _in_parts(found: Iterable[Shown]) -> Iterator[list[Shown]]:
    """Rows in lists that each fit into a part."""
    part: list[Shown] = []
    size = 0
    for each in found:
        takes = len(each.expected.encode()) + 120
        if part and (len(part) == MOST_ROWS or size + takes > MOST_BYTES):
            yield part
            part, size = [], 0
        part.append(each)
        size += takes
    if part:
        yield part
