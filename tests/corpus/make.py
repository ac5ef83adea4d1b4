"""Adds examples of event versions that have none yet: `python -m tests.corpus.make`. Never touches one that is there.

Models are filled by their types, always the same way. `full` says everything that can be said, but for fields that came
to a version with a later release; `sparse` only what has to be said. `encrypted.json` is a full one as the store keeps
it, with the keys to read it.
"""

import base64
import types
from collections.abc import Iterator, Mapping
from datetime import UTC, date, datetime, time
from enum import Enum
from pathlib import Path
from typing import Annotated, Any, Union, get_args, get_origin
from uuid import UUID

import orjson
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from pydantic import AwareDatetime, BaseModel, TypeAdapter, ValidationError
from pydantic.fields import FieldInfo

from adapters.eventstore.personal_text import encrypt
from aggregates.account.customer import AccountOpened
from aggregates.kernel.command import identifier
from aggregates.kernel.event import Event
from aggregates.kernel.personal import personal_paths
from aggregates.values.aging import BucketScheme
from aggregates.values.business_time import SendWindow
from aggregates.values.money import Money
from api.contract.events import file_name, load_every_event

FOLDER = Path(__file__).parent / "events"
ENCRYPTED = Path(__file__).parent / "encrypted.json"

_TEXTS = ("text", "EUR", "DE", "en", "Europe/Berlin", "2b", "+49 30 5550 100", "7.50")
_MOMENT = datetime(2026, 3, 31, 9, 30, 15, 123456, tzinfo=UTC)
_WHOLE: Mapping[Any, Any] = {
    BucketScheme: BucketScheme.of([30, 60]),
    SendWindow: SendWindow(opens=time(9), closes=time(18)),
    Money: Money(12_345, "EUR"),
    UUID: identifier("corpus"),
    datetime: _MOMENT,
    AwareDatetime: _MOMENT,
    date: date(2026, 3, 31),
    time: time(9, 30),
    bool: True,
    int: 3,
}


def example(event_class: type[Event], *, full: bool) -> dict[str, Any]:
    """The event's data as JSON."""
    data: dict[str, Any] = orjson.loads(filled(event_class, full=full).model_dump_json())
    return data


def filled(model: type[BaseModel], *, full: bool) -> BaseModel:
    """A valid instance: every field set that the version had when it was made, or only the required ones."""
    return model.model_validate(
        {
            name: _value(field.annotation, field, full=full)
            for name, field in model.model_fields.items()
            if field.is_required() or (full and field.exclude_if is None)
        }
    )


def _value(kind: Any, field: FieldInfo | None, *, full: bool) -> Any:
    """A value that the field takes: the first candidate that its type and constraints let through."""
    wanted: Any = Annotated[(kind, *field.metadata)] if field is not None and field.metadata else kind
    adapter: TypeAdapter[Any] = TypeAdapter(wanted)
    for candidate in _candidates(kind, full=full):
        try:
            return adapter.validate_python(candidate)
        except ValidationError:
            continue
    raise AssertionError(f"no example is known for {wanted}")


def _candidates(kind: Any, *, full: bool) -> Iterator[Any]:
    origin, arguments = get_origin(kind), get_args(kind)
    if origin is Annotated:
        yield from _candidates(arguments[0], full=full)
    elif origin in (Union, types.UnionType):
        if not full and type(None) in arguments:
            yield None
        for each in arguments:
            if each is not type(None):
                yield from _candidates(each, full=full)
    elif origin in (tuple, list, set, frozenset):
        yield [_value(arguments[0], None, full=full)]
    elif origin in (dict, Mapping):
        yield {_value(arguments[0], None, full=full): _value(arguments[1], None, full=full)}
    elif kind in _WHOLE:
        yield _WHOLE[kind]
        yield from range(5) if kind is int else ()
    elif isinstance(kind, type) and issubclass(kind, Enum):
        yield from kind
    elif isinstance(kind, type) and issubclass(kind, BaseModel):
        yield filled(kind, full=full)
    else:
        yield from _TEXTS


def make(folder: Path = FOLDER) -> list[Path]:
    """Writes what is missing."""
    folder.mkdir(exist_ok=True)
    made = []
    for event_class in load_every_event():
        file = folder / file_name(event_class)
        if not file.exists():
            examples = {"full": example(event_class, full=True), "sparse": example(event_class, full=False)}
            file.write_bytes(orjson.dumps(examples, option=orjson.OPT_INDENT_2 | orjson.OPT_SORT_KEYS) + b"\n")
            made.append(file)
    if not ENCRYPTED.exists():
        ENCRYPTED.write_bytes(orjson.dumps(_encrypted(), option=orjson.OPT_INDENT_2 | orjson.OPT_SORT_KEYS) + b"\n")
        made.append(ENCRYPTED)
    return made


def _encrypted() -> dict[str, Any]:
    key, event_id = bytes(range(32)), identifier("corpus", "encrypted")
    plain = example(AccountOpened, full=True)
    stored = encrypt(plain, personal_paths(AccountOpened), AESGCM(key), event_id.bytes)
    return {
        "name": AccountOpened.event_name,
        "version": AccountOpened.event_version,
        "account_key": base64.b64encode(key).decode(),
        "event_id": str(event_id),
        "stored": stored,
        "plain": plain,
    }


if __name__ == "__main__":
    for path in make():
        print(f"wrote {path.name}")
