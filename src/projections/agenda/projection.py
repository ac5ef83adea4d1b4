"""From events to the agenda: the table of its kinds, run over batches."""

from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path
from typing import Any, ClassVar, cast
from uuid import UUID

from psycopg import Connection, sql

from aggregates.kernel.event import Event, Recorded
from aggregates.office import OfficeOpened, TimeZoneChanged
from aggregates.promise import PromiseMade
from policies.agenda import AGENDA, AGENDA_VERSION, INTEREST, KINDS, PLANS
from policies.planning import REMEMBERED, PromiseMemory, Subject, office_by_beginning, remembered
from projections.agenda.partition import place_of
from projections.batch import Row, TableProjection, as_json, rows_from
from projections.upsert import upsert

_CACHED_AT_LEAST, _CACHED_BATCHES = 10_000, 10
"""How many owners are kept at hand: some, or as many as this number of batches has events."""
_NOBODY = UUID(int=0)

_OF_OFFICES: frozenset[type[Event]] = frozenset({OfficeOpened, TimeZoneChanged})

_PUT_AGENDA = upsert(
    "agenda", "kind, ref",
    "kind text", "ref uuid", "owner_id uuid", "office_id uuid", "due_at timestamptz", "due_on date",
    "place integer", "command_name text", "payload jsonb", "last_position bigint",
)  # fmt: skip
_PUT_OWNERS = upsert("agenda_owners", "owner_id", "owner_id uuid", "office_id uuid", "last_position bigint")
_PUT_PROMISES = upsert(
    "agenda_promises", "promise_id",
    "promise_id uuid", "instalments jsonb", "grace_days integer", "received bigint", "is_open boolean",
    "last_position bigint",
)  # fmt: skip
_PUT_OFFICES = upsert(
    "offices", "office_id",
    "office_id uuid", "code text", "title text", "currency text", "time_zone text", "last_position bigint",
)  # fmt: skip
_MOVE_OFFICES = f"""
    UPDATE offices SET time_zone = moved.time_zone, last_position = moved.last_position
    FROM ({rows_from("office_id uuid", "time_zone text", "last_position bigint")}) AS moved
    WHERE offices.office_id = moved.office_id
"""  # noqa: S608
_CANCEL = f"""
    DELETE FROM agenda USING ({rows_from("kind text", "ref uuid")}) AS gone
    WHERE agenda.kind = gone.kind AND agenda.ref = gone.ref
"""  # noqa: S608


@dataclass(slots=True)
class Owner:
    """An account, campaign or office, and how far its events were read."""

    owner_id: UUID
    office_id: UUID
    last_position: int
    place: int


@dataclass(slots=True)
class Planning:
    """What a batch plans and cancels, and whom the event at work is about."""

    rows: dict[tuple[str, UUID], Row | None] = field(default_factory=dict)
    owners: dict[int, Owner] = field(default_factory=dict)
    """By identity: a UUID as a key would cost much more."""
    promises: dict[UUID, PromiseMemory] = field(default_factory=dict)
    changed_promises: dict[UUID, int] = field(default_factory=dict)
    """The position of the last event about each."""
    offices: dict[UUID, Row] = field(default_factory=dict)
    moved_offices: dict[UUID, Row] = field(default_factory=dict)
    subject: Subject = field(default_factory=lambda: Subject(_NOBODY, _NOBODY))


class AgendaProjection(TableProjection):
    """One row per future thing. What an event cancels is deleted, and each owner's last position keeps it so."""

    folder: ClassVar[Path] = Path(__file__).parent
    name: ClassVar[str] = "agenda"
    version: ClassVar[int] = AGENDA_VERSION
    public: ClassVar[tuple[str, ...]] = ("agenda", "offices")

    def __init__(self) -> None:
        self._owners: OrderedDict[UUID, Owner] = OrderedDict()

    @property
    def interest(self) -> frozenset[str]:
        return frozenset(event_class.event_name for event_class in INTEREST)

    def create(self, connection: Connection[Any]) -> None:
        super().create(connection)
        for column, text in comments().items():
            comment = sql.SQL("COMMENT ON COLUMN agenda.{} IS {}").format(sql.Identifier(column), sql.Literal(text))
            connection.execute(comment)

    def forget(self) -> None:
        self._owners.clear()

    def handle(self, batch: Sequence[Recorded], connection: Connection[Any]) -> None:
        mine = [recorded for recorded in batch if type(recorded.event) in INTEREST]
        self._load_owners({recorded.account_id or recorded.aggregate_id for recorded in mine}, connection)
        planning = Planning(promises=_load_promises(mine, connection))
        for recorded in mine:
            owner = self._begin(recorded, planning)
            if owner is not None:
                _plan(recorded, owner, planning)
        _write(planning, connection)
        while len(self._owners) > max(_CACHED_AT_LEAST, _CACHED_BATCHES * len(batch)):
            self._owners.popitem(last=False)

    def _begin(self, recorded: Recorded, planning: Planning) -> Owner | None:
        """Whose event it is, if it is news to them; then it is the one at work."""
        owner_id, position = recorded.account_id or recorded.aggregate_id, cast(int, recorded.position)
        owner = self._owners.get(owner_id)
        if owner is None:
            owner = self._owners[owner_id] = Owner(owner_id, office_by_beginning(recorded), 0, place_of(owner_id))
        if position <= owner.last_position:
            return None
        owner.last_position = position
        planning.owners[id(owner)] = owner
        return owner

    def _load_owners(self, owner_ids: set[UUID], connection: Connection[Any]) -> None:
        missing = []
        for owner_id in owner_ids:
            try:
                self._owners.move_to_end(owner_id)
            except KeyError:
                missing.append(owner_id)
        if missing:
            for owner_id, office_id, position in connection.execute(
                "SELECT owner_id, office_id, last_position FROM agenda_owners WHERE owner_id = ANY (%s)",
                [missing],
                prepare=True,
                binary=True,
            ):
                self._owners[owner_id] = Owner(owner_id, office_id, position, place_of(owner_id))


def comments() -> dict[str, str]:
    """What the columns `kind` and `ref` of the agenda mean."""
    return {
        "kind": f"{', '.join(KINDS[:-1])} or {KINDS[-1]}; in this order they are worked.",
        "ref": f"What it is about: {'; '.join(f'{kind.name}: {kind.about}' for kind in AGENDA)}.",
    }


def _plan(recorded: Recorded, owner: Owner, planning: Planning) -> None:
    """What the event at work means for the agenda, and for what plans go by.

    Commands of the agenda are flat (ids and text), so their fields are a payload as they stand, and cost no copy.
    """
    event, subject, rows = recorded.event, planning.subject, planning.rows
    event_class = type(event)
    subject.owner_id, subject.aggregate_id = owner_id, aggregate_id = owner.owner_id, recorded.aggregate_id
    if event_class in REMEMBERED:
        subject.promise = planning.promises[aggregate_id] = remembered(planning.promises.get(aggregate_id), event)
        planning.changed_promises[aggregate_id] = owner.last_position
    elif event_class in _OF_OFFICES:
        _note_office(event, owner, planning)
    for kind, planner in PLANS.get(event_class, ()):
        for ref, command, at, on in planner(event, subject):
            if command is None or (at is None and on is None):
                rows[kind, ref] = None
            else:
                rows[kind, ref] = (
                    kind, ref, owner_id, owner.office_id, at, on, owner.place,
                    command.command_name, command.__dict__, owner.last_position,
                )  # fmt: skip


def _note_office(event: Event, owner: Owner, planning: Planning) -> None:
    """An office, or where its days begin now."""
    office_id = owner.office_id
    if isinstance(event, OfficeOpened):
        planning.offices[office_id] = (
            office_id, event.code, event.title, event.currency, event.time_zone, owner.last_position,
        )  # fmt: skip
    elif isinstance(event, TimeZoneChanged):
        planning.moved_offices[office_id] = (office_id, event.time_zone, owner.last_position)


def _load_promises(batch: Sequence[Recorded], connection: Connection[Any]) -> dict[UUID, PromiseMemory]:
    """What is remembered of promises that were made before the batch."""
    promise_ids = {
        recorded.aggregate_id
        for recorded in batch
        if type(recorded.event) in REMEMBERED and not isinstance(recorded.event, PromiseMade)
    }
    if not promise_ids:
        return {}
    found = connection.execute(
        "SELECT promise_id, instalments, grace_days, received, is_open "
        "FROM agenda_promises WHERE promise_id = ANY (%s)",
        [list(promise_ids)],
        prepare=True,
    )
    return {
        promise_id: PromiseMemory(tuple((date.fromisoformat(due_on), minor) for due_on, minor in instalments), *rest)
        for promise_id, instalments, *rest in found
    }


def _write(planning: Planning, connection: Connection[Any]) -> None:
    planned: list[Row] = []
    cancelled: list[Row] = []
    for key, row in planning.rows.items():
        if row is None:
            cancelled.append(key)
        else:
            planned.append(row)
    owners: list[Row] = [(each.owner_id, each.office_id, each.last_position) for each in planning.owners.values()]
    promises: list[Row] = [
        (promise_id, *planning.promises[promise_id], position)
        for promise_id, position in planning.changed_promises.items()
    ]
    for statement, rows in (
        (_CANCEL, cancelled),
        (_PUT_AGENDA, planned),
        (_PUT_OWNERS, owners),
        (_PUT_PROMISES, promises),
        (_PUT_OFFICES, list(planning.offices.values())),
        (_MOVE_OFFICES, list(planning.moved_offices.values())),
    ):
        if rows:
            connection.execute(statement, [as_json(rows)], prepare=True)
