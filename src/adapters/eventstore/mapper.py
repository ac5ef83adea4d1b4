"""Events to rows and back: plain JSON of the models, validated on the way out, personal text encrypted."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import date, datetime
from functools import lru_cache
from typing import Any, TypeVar, cast
from uuid import UUID

import orjson
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from eventsourcing.domain import DomainEventProtocol
from eventsourcing.persistence import JSONTranscoder, Mapper, MapperDeserialisationError, StoredEvent
from pydantic import ValidationError

from adapters.eventstore.closed import Closed
from adapters.eventstore.keys import KeyRing, NewKey
from adapters.eventstore.personal_text import MARK, decrypt, encrypt, erase
from adapters.eventstore.stored import StoredFact, leaf_hash
from aggregates.kernel.aggregate import Aggregate
from aggregates.kernel.event import REGISTRY, Event, Meta, Recorded
from aggregates.kernel.personal import personal_paths

AnyAggregate = TypeVar("AnyAggregate", bound=Aggregate)

LogRow = tuple[int | None, UUID, int, UUID, UUID | None, str, int, date, datetime, bytes, bytes]
"""Position, aggregate id, version, event id, account id, name, its version, effective on, recorded at, state, meta."""


class UnreadableEvent(MapperDeserialisationError):
    """A stored event does not fit its model: the log was changed, or an upcaster is wrong."""


class EventMapper(Mapper[UUID]):
    """Maps `Recorded` to `StoredFact` and back. The library's own bypasses validation and wraps its JSON."""

    def __init__(self, keys: KeyRing) -> None:
        super().__init__(transcoder=JSONTranscoder())
        self.keys = keys

    # --- to the log ---

    def encode(
        self, events: Sequence[Recorded], *, without_key: Collection[UUID] = ()
    ) -> tuple[list[StoredFact], dict[UUID, NewKey]]:
        """Rows for the events, and the keys that were made for them and must be stored with them.

        `without_key` are accounts known to have no key yet, which saves asking.
        """
        personal = {e.account_id for e in events if e.account_id is not None and _is_personal(e)}
        ciphers = self.keys.fetch(personal.difference(without_key)) if personal else {}
        new_keys: dict[UUID, NewKey] = {}
        for account_id in personal:
            if account_id not in ciphers:
                new_keys[account_id] = self.keys.make(account_id)
                ciphers[account_id] = new_keys[account_id].cipher
        return [self._encode(event, ciphers) for event in events], new_keys

    def to_stored_event(self, domain_event: DomainEventProtocol[UUID]) -> StoredFact:
        """The library's way in, one event at a time; a missing key is stored at once."""
        event = cast(Recorded, domain_event)
        if event.account_id is not None and _is_personal(event):
            self.keys.ensure(event.account_id)
        (stored,), _ = self.encode([event])
        return stored

    def in_the_open(self, recorded: Recorded) -> StoredFact:
        """The row of an event that is not going to be stored: nothing of it is encrypted, and no key is made."""
        return self._encode(recorded, {})

    def _encode(self, recorded: Recorded, ciphers: dict[UUID, AESGCM | None]) -> StoredFact:
        event, meta = recorded.event, recorded.meta
        state = event.__pydantic_serializer__.to_json(event)
        said = meta.__pydantic_serializer__.to_json(meta, exclude_none=True)
        if recorded.account_id is not None and recorded.account_id in ciphers:
            cipher, context = ciphers[recorded.account_id], recorded.event_id.bytes
            if paths := personal_paths(type(event)):
                state = orjson.dumps(encrypt(orjson.loads(state), paths, cipher, context))
            if meta.reason:
                said = orjson.dumps(encrypt(orjson.loads(said), personal_paths(Meta), cipher, context + b"meta"))
        return StoredFact(
            originator_id=recorded.aggregate_id,
            originator_version=recorded.version,
            topic=event.event_name,
            state=state,
            event_id=recorded.event_id,
            account_id=recorded.account_id,
            event_version=event.event_version,
            effective_on=recorded.effective_on,
            recorded_at=recorded.recorded_at,
            meta=said,
            leaf=leaf_hash(
                recorded.aggregate_id,
                recorded.version,
                recorded.event_id,
                recorded.account_id,
                event.event_name,
                event.event_version,
                recorded.effective_on,
                recorded.recorded_at,
                state,
                said,
            ),
        )

    # --- from the log ---

    def decode_event(
        self, name: str, event_version: int, event_id: UUID, account_id: UUID | None, state: bytes
    ) -> Event:
        """The event, lifted to its current version. Raises UnknownEvent or UnreadableEvent."""
        event_class = REGISTRY.current(name)
        try:  # with the validator itself: most of a log is read through here
            if event_version == event_class.event_version and (account_id is None or MARK not in state):
                return cast(Event, event_class.__pydantic_validator__.validate_json(state))
            data = orjson.loads(state)
            if account_id is not None and MARK in state:
                data = decrypt(data, self.keys.get(account_id), event_id.bytes)
            if event_version != event_class.event_version:
                data = self._lifted(event_class, event_version, account_id, data)
            return cast(Event, event_class.__pydantic_validator__.validate_json(orjson.dumps(data)))
        except (ValidationError, orjson.JSONDecodeError, KeyError, TypeError) as error:
            raise UnreadableEvent(f"{name} version {event_version}, event {event_id}: {_fault(error)}") from None

    def _lifted(
        self, event_class: type[Event], event_version: int, account_id: UUID | None, data: dict[str, Any]
    ) -> dict[str, Any]:
        """In the current version; of an erased person without what was in the open then and is personal now."""
        data = REGISTRY.lift(event_class.event_name, event_version, data)
        paths = personal_paths(event_class)
        if paths and account_id is not None and self.keys.is_destroyed(account_id):
            data = erase(data, paths)
        return data

    def decode(self, row: LogRow) -> Recorded:
        position, aggregate_id, version, event_id, account_id, name, event_version, effective_on, at, state, said = row
        event = self.decode_event(name, event_version, event_id, account_id, state)
        try:
            if account_id is not None and MARK in said:
                said = orjson.dumps(decrypt(orjson.loads(said), self.keys.get(account_id), event_id.bytes + b"meta"))
                meta = Meta.model_validate_json(said)  # personal text is not kept
            else:
                meta = _meta(said)
        except (ValidationError, orjson.JSONDecodeError) as error:
            raise UnreadableEvent(f"meta of {name}, event {event_id}: {_fault(error)}") from None
        return Recorded(aggregate_id, version, event_id, account_id, effective_on, at, event, meta, position)

    def decode_all(self, rows: Iterable[LogRow], names: Collection[str] | None = None) -> list[Recorded]:
        """Many rows; the keys that they need come in one query. Events of other than these names are left closed."""
        rows = list(rows)
        opened = rows if names is None else [row for row in rows if row[5] in names]
        self.keys.fetch({row[4] for row in opened if row[4] is not None and wants_key(row)})
        return [self.decode(row) if names is None or row[5] in names else Closed(*row[:6], *row[7:9]) for row in rows]

    def to_domain_event(self, stored_event: StoredEvent) -> DomainEventProtocol[UUID]:
        """The library's way out."""
        s = cast(StoredFact, stored_event)
        return self.decode(
            (
                s.position,
                s.originator_id,
                s.originator_version,
                s.event_id,
                s.account_id,
                s.topic,
                s.event_version,
                s.effective_on,
                s.recorded_at,
                s.state,
                s.meta,
            )
        )

    # --- snapshots ---

    def encode_snapshot(self, aggregate: Aggregate, account_id: UUID | None, new_keys: Mapping[UUID, NewKey]) -> bytes:
        """`new_keys` are those that are stored together with it."""
        state = aggregate.__pydantic_serializer__.to_json(aggregate)
        paths = personal_paths(type(aggregate))
        if account_id is None or not paths:
            return state
        new = new_keys.get(account_id)
        cipher = self.keys.get(account_id) if new is None else new.cipher
        return orjson.dumps(encrypt(orjson.loads(state), paths, cipher, _context(aggregate.id, aggregate.version)))

    def decode_snapshot(
        self,
        aggregate_class: type[AnyAggregate],
        aggregate_id: UUID,
        version: int,
        account_id: UUID | None,
        state: bytes,
    ) -> AnyAggregate:
        if account_id is not None and MARK in state:
            data = decrypt(orjson.loads(state), self.keys.get(account_id), _context(aggregate_id, version))
            state = orjson.dumps(data)
        return aggregate_class.model_validate_json(state)


@lru_cache(maxsize=64)
def _meta(said: bytes) -> Meta:
    """What one command left says the same of its author each time."""
    return Meta.model_validate_json(said)


def _fault(error: Exception) -> str:
    """What is wrong, and where, without the values, which may be personal."""
    if isinstance(error, ValidationError):
        found = error.errors(include_input=False, include_context=False, include_url=False)
        return "; ".join(f"{'.'.join(map(str, each['loc']))}: {each['type']}" for each in found)
    return type(error).__name__


def wants_key(row: LogRow) -> bool:
    """Whether the account's key is needed, or may be, to open a row."""
    name, event_version, state, said = row[5], row[6], row[9], row[10]
    return MARK in state or MARK in said or (name in REGISTRY and event_version != REGISTRY.current(name).event_version)


def _is_personal(recorded: Recorded) -> bool:
    return bool(recorded.meta.reason or personal_paths(type(recorded.event)))


def _context(aggregate_id: UUID, version: int) -> bytes:
    return aggregate_id.bytes + version.to_bytes(4, "big")
