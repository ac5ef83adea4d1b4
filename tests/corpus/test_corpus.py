"""Old events stay readable: every example that was ever committed, by every release."""

import base64
import json
from pathlib import Path
from uuid import UUID

import jsonschema_rs
import orjson
import pytest
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from adapters.eventstore.personal_text import decrypt
from aggregates.kernel.event import REGISTRY, Event
from api.contract.events import file_name, load_every_event, public_data
from projections.sentences import sentence
from tests.corpus.make import ENCRYPTED, FOLDER, filled, make

ROOT = Path(__file__).parents[2]
EVENTS = load_every_event()
STORED = [
    (*_name_and_version.rsplit(".v", 1), kind, data)
    for file in sorted(FOLDER.glob("*.json"))
    for _name_and_version in [file.stem]
    for kind, data in json.loads(file.read_text(encoding="utf-8")).items()
]


@pytest.mark.parametrize(("name", "version", "kind", "data"), STORED, ids=lambda value: value if str(value) else "")
def test_every_example_ever_stored_is_readable(name: str, version: str, kind: str, data: dict[str, object]):
    lifted = REGISTRY.lift(name, int(version), data)
    event = REGISTRY.current(name).model_validate_json(orjson.dumps(lifted))
    assert REGISTRY.current(name).model_validate_json(event.model_dump_json()) == event


@pytest.mark.parametrize(("name", "version", "kind", "data"), STORED)
def test_what_is_public_of_an_example_fits_its_schema(name: str, version: str, kind: str, data: dict[str, object]):
    event = REGISTRY.current(name).model_validate_json(orjson.dumps(REGISTRY.lift(name, int(version), data)))
    schema = json.loads((ROOT / "schemas" / "events" / file_name(type(event))).read_text(encoding="utf-8"))
    jsonschema_rs.validator_for(schema, validate_formats=True).validate(public_data(event))


@pytest.mark.parametrize("event_class", EVENTS, ids=lambda event: event.event_name)
@pytest.mark.parametrize("full", [True, False])
def test_every_event_can_be_told_in_a_sentence(event_class: type[Event], full: bool):
    event = filled(event_class, full=full)
    assert isinstance(event, Event)
    assert sentence(event)


def test_every_event_version_has_an_example(tmp_path: Path):
    missing = [file_name(event) for event in EVENTS if not (FOLDER / file_name(event)).exists()]
    assert not missing, "python -m tests.corpus.make"


def test_every_version_that_ever_had_a_schema_has_an_example_and_a_way_to_the_current_one():
    REGISTRY.check()
    current = {event.event_name: event.event_version for event in EVENTS}
    schemas = {file.name for file in (ROOT / "schemas" / "events").glob("*.json")}
    assert schemas == {file.name for file in FOLDER.glob("*.json")}
    assert schemas == {f"{name}.v{v}.json" for name, version in current.items() for v in range(1, version + 1)}


def test_making_examples_again_gives_the_same(tmp_path: Path):
    """Else an example would say something else than what was stored when it was made."""
    make(tmp_path)
    for event in EVENTS:
        made = json.loads((tmp_path / file_name(event)).read_text(encoding="utf-8"))
        again = json.loads((FOLDER / file_name(event)).read_text(encoding="utf-8"))
        assert made == again, file_name(event)


def test_encrypted_text_of_every_release_is_readable():
    kept = json.loads(ENCRYPTED.read_text(encoding="utf-8"))
    cipher = AESGCM(base64.b64decode(kept["account_key"]))
    assert "text" not in json.dumps(kept["stored"]["customer_name"])
    assert decrypt(kept["stored"], cipher, UUID(kept["event_id"]).bytes) == kept["plain"]


def test_encrypted_text_without_its_key_reads_erased():
    kept = json.loads(ENCRYPTED.read_text(encoding="utf-8"))
    assert decrypt(kept["stored"], None, UUID(kept["event_id"]).bytes)["customer_name"] == "erased"
