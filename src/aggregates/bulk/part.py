"""A part of a bulk action's rows, as its preview showed them: frozen once, and never changed."""

from hashlib import sha256
from typing import Any, ClassVar, Protocol
from uuid import UUID

from pydantic import Field

from aggregates.kernel.aggregate import Aggregate, applies, decides
from aggregates.kernel.command import Command, Target, identifier
from aggregates.kernel.context import Context
from aggregates.kernel.event import Event
from aggregates.kernel.value import Value

MOST_ROWS, MOST_BYTES = 250, 200_000
"""Of a part: its event stays below 256 kB."""


def part_id(bulk: UUID, number: int) -> UUID:
    """The part's aggregate id."""
    return identifier("preview", bulk, number)


# --- values ------------------------------------------------------------------------------------------


class FrozenRow(Value):
    """An account of a preview: the figures that it showed and that are compared later, and the amount in question."""

    account_id: UUID
    expected: dict[str, Any]
    """By column of the report, as JSON; never personal text."""
    amount_minor: int | None


class Digest(Protocol):
    """Takes rows in, one after the other."""

    def update(self, data: bytes, /) -> None: ...
    def hexdigest(self) -> str: ...


def digest() -> Digest:
    """Of rows: see `digested`."""
    return sha256()


def digested(into: Digest, account_id: object, expected: str, amount_minor: int | None) -> None:
    """Adds a row; `expected` is its JSON as the database writes it."""
    into.update(f"{account_id}|{expected}|{'' if amount_minor is None else amount_minor}\n".encode())


# --- events, commands --------------------------------------------------------------------------------


class RowsFrozen(Event, name="preview.rows-frozen"):
    """A preview showed these accounts so; a bulk action is about them and no others."""

    bulk_id: UUID
    number: int
    rows: tuple[FrozenRow, ...]


class FreezeRows(Command, name="freeze-bulk-rows", internal=True):
    """Keep a part of what a preview showed."""

    bulk_id: UUID
    number: int = Field(ge=1)
    rows: tuple[FrozenRow, ...] = Field(min_length=1, max_length=MOST_ROWS)

    def targets(self) -> tuple[Target, ...]:
        return (Target("preview", part_id(self.bulk_id, self.number)),)


# --- state -------------------------------------------------------------------------------------------


class BulkPart(Aggregate):
    """At most `MOST_ROWS` accounts of a bulk action. That it was frozen is all there is to know."""

    kind: ClassVar[str] = "preview"

    bulk_id: UUID | None = None

    @decides(FreezeRows)
    def freeze(self, command: FreezeRows, context: Context) -> None:
        if not self.exists:
            self.emit(RowsFrozen(bulk_id=command.bulk_id, number=command.number, rows=command.rows))

    @applies(RowsFrozen)
    def _frozen(self, event: RowsFrozen) -> None:
        self.bulk_id = event.bulk_id
