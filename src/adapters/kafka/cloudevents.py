"""The contract on the wire: CloudEvents 1.0, Kafka binary mode. The body is what the event's schema says.

Everything about an event stands in headers, everything that it says in the body. Personal text is on neither:
the publisher has no key to read it with, and takes out even the ciphertext.

The headers, and which of them are always there, are the table in `adapters.kafka.headers`.
"""

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import date, datetime
from functools import cache, lru_cache
from typing import Any
from uuid import UUID

import orjson
from pydantic import TypeAdapter

from adapters.eventstore.personal_text import PREFIX
from adapters.kafka.sealed_rows import SealedRow
from aggregates.kernel.event import REGISTRY, Event, Meta, Recorded
from aggregates.kernel.personal import EACH, Path, personal_paths

SOURCE_VARIABLE = "ARREARS_EVENT_SOURCE"
SOURCE = "/arrears"
TYPE_PREFIX = "collections."
WITHHELD = "withheld"
"""What a typed event has in place of personal text."""

LARGEST = 256 * 1024
"""Bytes of a message: key, headers and body."""

Headers = list[tuple[str, bytes]]

_SPEC = ("ce_specversion", b"1.0")
_JSON = ("content-type", b"application/json")
_IS_WITHHELD = ("ce_withheld", b"true")
_IS_LATE = ("ce_late", b"true")
_TYPE = re.compile(rb"collections\.([a-z0-9]+(?:[.-][a-z0-9]+)*)\.v([1-9][0-9]{0,3})")
_WHOLE_NUMBER = re.compile(rb"[1-9][0-9]{0,18}")
_LEAF_HASH = re.compile(rb"[0-9a-f]{64}")
_HIGHEST_POSITION = 2**63 - 1
_HIGHEST_VERSION = 2**31 - 1
"""What the columns of the log hold."""


class NotOurs(ValueError):
    """A message on the topic is no event of the log. What it says is in no text of this error: logs are for many."""


@dataclass(frozen=True, slots=True)
class Message:
    """An event ready to be sent. `size` counts the bytes of key, headers and body."""

    position: int
    key: bytes
    headers: Headers
    value: bytes
    timestamp_ms: int
    size: int


# --- to the wire ---------------------------------------------------------------------------------------


def to_message(row: SealedRow, *, source: bytes = SOURCE.encode(), late: bool = False) -> Message:
    """The message of a stored event, in the event's current version, without personal text.

    Raises UnknownEvent where a newer release wrote it.
    """
    value, withheld = public_body(row.named, row.event_version, row.state)
    meta = orjson.loads(row.meta_json)
    position = row.position or 0
    event_type, schema = _type_and_schema(row.named)
    subject = row.about.encode()
    key = subject if row.account is None else row.account.encode()
    headers: Headers = [
        _SPEC,
        ("ce_id", row.id.encode()),
        ("ce_source", source),
        event_type,
        ("ce_subject", subject),
        ("ce_time", _utc(row.recorded_at)),
        schema,
        ("ce_partitionkey", key),
        ("ce_sequence", b"%d" % row.version),
        ("ce_position", b"%d" % position),
        ("ce_effectiveon", row.day.encode()),
        ("ce_actor", meta["actor"].encode()),
        ("ce_commandid", meta["command_id"].encode()),
        ("ce_correlationid", meta["correlation_id"].encode()),
        ("ce_leafhash", row.leaf.hex().encode()),
        _JSON,
    ]
    if row.account is not None:
        headers.append(("ce_accountid", key))
    if causation := meta.get("causation_id"):
        headers.append(("ce_causationid", causation.encode()))
    if traceparent := meta.get("traceparent"):
        headers.append(("ce_traceparent", traceparent.encode()))
    if answered := meta.get("answered"):
        headers.append(("ce_answered", answered.encode()))
    if withheld or meta.get("reason"):
        headers.append(_IS_WITHHELD)
    if late:
        headers.append(_IS_LATE)
    size = len(key) + len(value) + sum([len(name) + len(said) for name, said in headers])
    return Message(position, key, headers, value, int(row.recorded_at.timestamp() * 1000), size)


def public_body(name: str, version: int, state: bytes) -> tuple[bytes, bool]:
    """What an event says without personal text, in its current version, and whether some was taken out."""
    event_class = REGISTRY.current(name)
    paths = personal_paths(event_class)
    if version == event_class.event_version:
        if not paths:
            return state, False
        data = orjson.loads(state)
        withheld = False
    else:
        written = orjson.loads(state)
        data = _readable(REGISTRY.lift(name, version, written))
        withheld = PREFIX.encode() in state
    for path in paths:
        withheld |= _take_out(data, path)
    return orjson.dumps(data), withheld


@cache
def _type_and_schema(name: str) -> tuple[tuple[str, bytes], tuple[str, bytes]]:
    version = REGISTRY.current(name).event_version
    return (
        ("ce_type", f"{TYPE_PREFIX}{name}.v{version}".encode()),
        ("ce_dataschema", f"urn:arrears:event:{name}:v{version}".encode()),
    )


def _utc(moment: datetime) -> bytes:
    """RFC 3339; the moment is in UTC already, as the log is read."""
    return moment.isoformat()[: -len("+00:00")].encode() + b"Z"


def _take_out(data: Any, path: Path) -> bool:
    """Removes the field at a path wherever it stands, and returns whether anything stood there."""
    found = False
    trail, field = _parent(path)
    for parent in _nodes(data, trail):
        found |= parent.pop(field, None) not in (None, [], {})
    return found


@cache
def _parent(path: Path) -> tuple[Path, str]:
    """The way to the object that holds a personal field, and the field: a list of personal texts is one field."""
    while path[-1] == EACH:
        path = path[:-1]
    return path[:-1], path[-1]


def _nodes(node: Any, trail: Path) -> list[dict[str, Any]]:
    if not trail:
        return [node] if isinstance(node, dict) else []
    head, rest = trail[0], trail[1:]
    match node:
        case dict() if head == EACH:
            inner = list(node.values())
        case list() if head == EACH:
            inner = node
        case dict() if head in node:
            inner = [node[head]]
        case _:
            return []
    return [leaf for each in inner for leaf in _nodes(each, rest)]


def _readable(node: Any) -> Any:
    """Data of a lifted event without any ciphertext, which may stand where the current version has nothing personal."""
    match node:
        case dict():
            return {key: _readable(value) for key, value in node.items() if not _is_ciphertext(value)}
        case list():
            return [_readable(each) for each in node if not _is_ciphertext(each)]
        case _:
            return node


def _is_ciphertext(value: Any) -> bool:
    return isinstance(value, str) and value.startswith(PREFIX)


# --- from the wire -------------------------------------------------------------------------------------


@dataclass(slots=True)  # frozen, it would take four times as long to make
class Envelope:
    """An event as a reader of the topic has it. `data` is the body: without personal text, as it was sent.

    `event_version` is that of the data; `position` is the place in the log, `offset` that in the partition.
    `meta` says who caused it. `leaf_hash` is the hash of the event as it is stored, in hexadecimal digits, of which the
    seals of the log are made; None where an earlier release sent it. `withheld`: the typed event lacks personal text,
    because the wire does, or because it is personal by now.
    """

    position: int
    event_id: UUID
    name: str
    event_version: int
    aggregate_id: UUID
    aggregate_version: int
    account_id: UUID | None
    effective_on: date
    recorded_at: datetime
    meta: Meta
    source: str
    withheld: bool
    late: bool
    body: bytes
    partition: int
    offset: int
    leaf_hash: str | None = None
    _event: Event | None = field(default=None, init=False, repr=False, compare=False)

    @property
    def actor(self) -> str:
        return self.meta.actor

    @property
    def command_id(self) -> UUID:
        return self.meta.command_id

    @property
    def correlation_id(self) -> UUID:
        return self.meta.correlation_id

    @property
    def causation_id(self) -> UUID | None:
        return self.meta.causation_id

    @property
    def traceparent(self) -> str | None:
        return self.meta.traceparent

    @property
    def data(self) -> dict[str, Any]:
        """What the event says, by the schema of its name and version."""
        return orjson.loads(self.body)  # type: ignore[no-any-return]

    @property
    def event(self) -> Event:
        """The typed event, lifted to this release's version; personal text reads `withheld`. Raises UnknownEvent."""
        if self._event is None:
            self._event = self._typed()
        return self._event

    def _typed(self) -> Event:
        event_class = REGISTRY.current(self.name)
        if self.event_version == event_class.event_version and not _has_gaps(event_class):
            return event_class.model_validate_json(self.body)
        data = REGISTRY.lift(self.name, self.event_version, self.data)
        for path in personal_paths(event_class):
            _take_out(data, path)  # an earlier version may have had in the open what is personal by now
            _fill_in(data, path, WITHHELD if self.withheld else None)
        return event_class.model_validate_json(orjson.dumps(data))

    def recorded(self) -> Recorded:
        """As the log has it, but for what was withheld."""
        return Recorded(
            self.aggregate_id,
            self.aggregate_version,
            self.event_id,
            self.account_id,
            self.effective_on,
            self.recorded_at,
            self.event,
            self.meta,
            self.position,
        )


Said = Mapping[str, bytes]
"""A message's headers by name."""


@dataclass(slots=True)
class Glance:
    """What a message says that it is; what it says beyond that is looked up in the log. `leaf` None: an earlier release
    sent it, which did not say."""

    position: int
    event_id: UUID
    name: str
    version: int
    leaf: bytes | None
    late: bool


def headers_of(given: Iterable[tuple[str, bytes]] | None) -> Said:
    """A message's headers by name. Raises NotOurs where one of ours is there twice: it could be read either way."""
    try:
        headers = tuple(given or ())
        said = dict(headers)
        if len(said) != len(headers):
            names = [name for name, _ in headers if name.startswith("ce_") or name == _JSON[0]]
            if len(set(names)) != len(names):
                raise NotOurs("a header is there twice")
    except NotOurs:
        raise
    except Exception as error:  # whatever it is that cannot be read: the message is to blame
        raise NotOurs(f"its headers are none ({type(error).__name__})") from None
    return said


def glance(said: Said) -> Glance:
    """The least about the event in a message, at a small part of the cost of the rest. Raises NotOurs."""
    try:
        name, version = _name_and_version(said)
        return Glance(
            position=_number(said, "ce_position", _HIGHEST_POSITION),
            event_id=_uuid(said["ce_id"].decode()),
            name=name,
            version=version,
            leaf=_leaf_of(said),
            late="ce_late" in said,
        )
    except NotOurs:
        raise
    except Exception as error:  # as above
        raise NotOurs(_problem(error)) from None


def _number(said: Said, header: str, most: int) -> int:
    text = said[header]
    if _WHOLE_NUMBER.fullmatch(text) is None or (number := int(text)) > most:
        raise NotOurs(f"{header} is no whole number from 1 to {most}")
    return number


def _leaf_of(said: Said) -> bytes | None:
    text = said.get("ce_leafhash", b"")
    if text == b"":
        return None
    if _LEAF_HASH.fullmatch(text) is None:
        raise NotOurs("ce_leafhash is no SHA-256 in hexadecimal digits")
    return bytes.fromhex(text.decode())


def _problem(error: Exception) -> str:
    """What is wrong, without what the message says."""
    if isinstance(error, KeyError) and isinstance(error.args[0], str) and error.args[0].startswith("ce_"):
        return f"it has no header {error.args[0]}"
    return f"a header or the body cannot be read ({type(error).__name__})"


def _name_and_version(said: Said) -> tuple[str, int]:
    if said["ce_specversion"] != b"1.0":
        raise NotOurs("it is no CloudEvent of version 1.0")
    return _taken_apart(said["ce_type"])


@lru_cache(maxsize=1_000)  # bounded: anybody may write names
def _taken_apart(event_type: bytes) -> tuple[str, int]:
    named = _TYPE.fullmatch(event_type)
    if named is None:
        raise NotOurs("ce_type names no event")
    return named[1].decode(), int(named[2])


def from_message(
    headers: Iterable[tuple[str, bytes]] | None, value: bytes | None, *, partition: int = 0, offset: int = 0
) -> Envelope:
    """The event in a message. Raises NotOurs for anything else, UnknownEvent never: the name is only looked at."""
    try:
        return _opened(headers_of(headers), value, partition=partition, offset=offset)
    except NotOurs as error:
        raise NotOurs(f"message {partition}/{offset} is no event of the log: {error}") from None
    except Exception as error:  # as above
        raise NotOurs(f"message {partition}/{offset} is no event of the log: {_problem(error)}") from None


def _opened(said: Said, value: bytes | None, *, partition: int, offset: int) -> Envelope:
    name, version = _name_and_version(said)
    about, account = said["ce_subject"], said.get("ce_accountid", b"")
    aggregate_id = _uuid(about.decode())
    recorded_at = datetime.fromisoformat(said["ce_time"].decode())
    if recorded_at.tzinfo is None:
        raise NotOurs("ce_time has no time zone")
    if not isinstance(value, bytes) or not isinstance(orjson.loads(value), dict):
        raise NotOurs("its body is no JSON object")
    return Envelope(
        position=_number(said, "ce_position", _HIGHEST_POSITION),
        event_id=_uuid(said["ce_id"].decode()),
        name=name,
        event_version=version,
        aggregate_id=aggregate_id,
        aggregate_version=_number(said, "ce_sequence", _HIGHEST_VERSION),
        account_id=aggregate_id if account == about else None if account == b"" else _uuid(account.decode()),
        effective_on=date.fromisoformat(said["ce_effectiveon"].decode()),
        recorded_at=recorded_at,
        meta=Meta.__pydantic_validator__.validate_python(
            {field: said[header].decode() for field, header in _META if header in said}
        ),
        source=said["ce_source"].decode(),
        withheld="ce_withheld" in said or _is_personal_by_now(name, version),
        late="ce_late" in said,
        body=value,
        partition=partition,
        offset=offset,
        leaf_hash=said["ce_leafhash"].decode() if _leaf_of(said) else None,
    )


_META = (
    ("actor", "ce_actor"),
    ("command_id", "ce_commandid"),
    ("correlation_id", "ce_correlationid"),
    ("causation_id", "ce_causationid"),
    ("traceparent", "ce_traceparent"),
    ("answered", "ce_answered"),
)

_uuid: Callable[[str], UUID] = TypeAdapter(UUID).validator.validate_python
"""A fourth of what Python's own way takes; there are several in each message."""


def _is_personal_by_now(name: str, version: int) -> bool:
    """Whether this release keeps text personal that a message of an earlier version may have had in the open."""
    if name not in REGISTRY:
        return False
    event_class = REGISTRY.current(name)
    return version < event_class.event_version and bool(personal_paths(event_class))


@cache
def _has_gaps(event_class: type[Event]) -> bool:
    """Whether a field is missing where personal text was left out; lists and mappings of texts have a default."""
    return any(path[-1] != EACH for path in personal_paths(event_class))


def _fill_in(data: Mapping[str, Any], path: Path, said: str | None) -> None:
    """Puts a text in place of a personal field that is missing."""
    if path[-1] == EACH:
        return
    for parent in _nodes(data, path[:-1]):
        parent.setdefault(path[-1], said)
