"""AsyncAPI describes the topic as it is: every event, every header, and nothing that only Arrears itself reads."""

import copy
import json
from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import orjson
import pytest
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from jsonschema_rs import Draft7Validator, Draft202012Validator, ValidationError

from adapters.eventstore.personal_text import encrypt
from adapters.kafka.cloudevents import Message, to_message
from adapters.kafka.headers import HEADERS, headers_page, headers_schema
from adapters.kafka.sealed_rows import SealedRow
from adapters.kafka.topics import read_topics
from aggregates.kernel.command import identifier
from aggregates.kernel.event import Event
from aggregates.kernel.personal import personal_paths
from api.contract.asyncapi import SPECIFICATION, asyncapi, message_name
from api.contract.events import load_every_event
from tests.api.contract.asyncapi_schema import official_schema
from tests.corpus.make import example

SCHEMAS = Path(__file__).parents[3] / "schemas"
EVENTS = load_every_event()
Spec = dict[str, Any]


@pytest.fixture(scope="module")
def spec() -> Spec:
    """The committed document."""
    read: Spec = json.loads((SCHEMAS / "asyncapi.json").read_text(encoding="utf-8"))
    return read


@pytest.fixture(scope="module")
def official() -> Draft7Validator:
    return Draft7Validator(official_schema(SPECIFICATION))


def row(event: type[Event], *, full: bool = True, account: bool = True, more: Mapping[str, str] = {}) -> SealedRow:
    """The event as the store has it, personal text as ciphertext."""
    data = encrypt(example(event, full=full), personal_paths(event), AESGCM(bytes(32)), b"")
    about = str(identifier(event.event_name.partition(".")[0], 1))
    says = {"actor": "policy:aging@3", "command_id": str(identifier(1)), "correlation_id": str(identifier(2)), **more}
    return SealedRow(
        7,
        about,
        2,
        str(identifier(3)),
        str(identifier("account", 1)) if account else None,
        event.event_name,
        event.event_version,
        "2026-03-31",
        datetime(2026, 3, 31, 9, 30, 15, 123456, tzinfo=UTC),
        orjson.dumps(data),
        orjson.dumps(says),
        bytes(32),
    )


def headers_of(message: Message) -> dict[str, str]:
    return {name: value.decode() for name, value in message.headers}


EVERYTHING = {
    "causation_id": str(identifier(4)),
    "reason": "enc:1:abc",
    "answered": "auto-collection",
    "traceparent": "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
}


def every_kind_of_message(event: type[Event]) -> Iterator[Message]:
    """With all that a message can have, with as little as it can have, and as a person who waited would get it."""
    yield to_message(row(event, more=EVERYTHING), late=True)
    yield to_message(row(event, full=False, account=False))
    yield to_message(row(event, full=False))


# --- the document ---


def test_the_document_is_what_asyncapi_says(spec: Spec, official: Draft7Validator):
    official.validate(spec)


@pytest.mark.parametrize(
    "spoil",
    [
        lambda s: s["channels"]["collections.events"].update(adress="x"),
        lambda s: s["operations"]["publish"].update(action="publish"),
        lambda s: s["channels"]["collections.events"]["bindings"]["kafka"].update(partitions="12"),
        lambda s: s["components"]["messages"][message_name(EVENTS[0])].update(payload={"type": "text"}),
        lambda s: s["components"]["correlationIds"]["request"].update(location="ce_correlationid"),
    ],
)
def test_what_asyncapi_does_not_know_is_found(spec: Spec, official: Draft7Validator, spoil: Callable[[Spec], object]):
    spoiled = copy.deepcopy(spec)
    spoil(spoiled)
    with pytest.raises(ValidationError):
        official.validate(spoiled)


def test_every_event_is_in_it_once_in_its_current_version(spec: Spec):
    (channel,) = spec["channels"].values()
    wanted = sorted(f"collections.{event.event_name}.v{event.event_version}" for event in EVENTS)
    assert sorted(message["name"] for message in spec["components"]["messages"].values()) == wanted
    assert sorted(channel["messages"]) == wanted
    for name, reference in channel["messages"].items():
        assert found(reference["$ref"], spec)["name"] == name
    for event in EVENTS:
        message = spec["components"]["messages"][message_name(event)]
        assert message["tags"] == [{"name": event.event_name.partition(".")[0]}]
        assert found(message["payload"]["$ref"], spec)["title"] == f"{event.event_name} v{event.event_version}"


def test_a_tag_is_described_once_for_each_aggregate(spec: Spec):
    assert [tag["name"] for tag in spec["info"]["tags"]] == sorted({e.event_name.partition(".")[0] for e in EVENTS})
    assert all(tag["description"] for tag in spec["info"]["tags"])


def test_every_reference_leads_somewhere(spec: Spec):
    seen = list(references(spec))
    assert len(seen) > 3 * len(EVENTS)
    for reference in seen:
        assert found(reference, spec)


def test_the_channel_is_the_topic_that_is_made(spec: Spec):
    (topic,) = (each for each in read_topics() if each.name == "collections.events")
    channel = spec["channels"]["collections.events"]
    said = channel["bindings"]["kafka"]
    assert channel["address"] == said["topic"] == topic.name
    assert (said["partitions"], said["replicas"]) == (topic.partitions, topic.copies)
    assert spec["operations"]["publish"]["action"] == "send"


def test_what_only_arrears_itself_reads_is_not_in_it(spec: Spec):
    assert "ticks" not in json.dumps(spec)


def test_no_schema_of_an_event_needs_more_than_the_json_schema_that_asyncapi_knows():
    """AsyncAPI's own schemas are of draft 7, where these would mean nothing, or something else."""
    later = {"prefixItems", "dependentRequired", "dependentSchemas", "unevaluatedProperties", "unevaluatedItems"}
    later |= {"$anchor", "$dynamicRef", "$dynamicAnchor", "minContains", "maxContains"}
    for file in (SCHEMAS / "events").glob("*.json"):
        assert not later & set(words(json.loads(file.read_text(encoding="utf-8")))), file.name


# --- the messages ---


@pytest.mark.parametrize("event", EVENTS, ids=lambda event: event.event_name)
def test_a_message_is_what_the_document_says_of_it(event: type[Event], spec: Spec):
    said = spec["components"]["messages"][message_name(event)]
    headers = Draft202012Validator(
        {**said["headers"], "components": {"schemas": spec["components"]["schemas"]}}, validate_formats=True
    )
    payload = found(said["payload"]["$ref"], spec)
    for message in every_kind_of_message(event):
        headers.validate(headers_of(message))
        body = orjson.loads(message.value)
        Draft202012Validator(payload, validate_formats=True).validate(body)
        Draft7Validator({**payload, "$schema": "http://json-schema.org/draft-07/schema#"}).validate(body)


def test_another_event_s_message_is_not(spec: Spec):
    said = spec["components"]["messages"]["collections.account.aged.v1"]
    headers = Draft202012Validator({**said["headers"], "components": {"schemas": spec["components"]["schemas"]}})
    other = next(event for event in EVENTS if event.event_name == "account.excluded")
    assert not headers.is_valid(headers_of(to_message(row(other))))


def test_what_is_required_of_headers_is_always_sent_and_nothing_else_is():
    sent = [set(headers_of(message)) for event in EVENTS for message in every_kind_of_message(event)]
    new = {"ce_leafhash"}  # what earlier releases sent lies on the topic without it
    assert set.intersection(*sent) - new == set(headers_schema()["required"])


def test_every_header_that_can_be_sent_is_described_and_the_other_way_round():
    sent = {name for event in EVENTS for message in every_kind_of_message(event) for name in headers_of(message)}
    assert sent == {header.name for header in HEADERS} == set(headers_schema()["properties"])


def test_a_header_means_the_same_to_people_and_to_programs(spec: Spec):
    described = spec["components"]["schemas"]["headers"]["properties"]
    page = (SCHEMAS.parent / "docs" / "events.md").read_text(encoding="utf-8")
    assert headers_page() in page
    for header in HEADERS:
        assert header.means[1:] in described[header.name]["description"]


def test_the_correlation_id_is_where_the_document_says(spec: Spec):
    pointer = spec["components"]["correlationIds"]["request"]["location"]
    source, _, path = pointer.partition("#/")
    assert source == "$message.header"
    assert headers_of(to_message(row(EVENTS[0])))[path] == str(identifier(2))


def test_it_is_made_of_the_events_it_is_given():
    some = EVENTS[:2]
    assert list(asyncapi(some)["components"]["messages"]) == [message_name(event) for event in some]


# --- helpers ---


def found(reference: str, spec: Spec) -> Any:
    """What a reference leads to: in the document, or a file beside it."""
    file, _, pointer = reference.partition("#")
    node: Any = json.loads((SCHEMAS / file).read_text(encoding="utf-8")) if file else spec
    for part in pointer.split("/")[1:]:
        node = node[part.replace("~1", "/").replace("~0", "~")]
    return node


def references(node: Any) -> Iterator[str]:
    if isinstance(node, dict):
        if "$ref" in node:
            yield node["$ref"]
        for each in node.values():
            yield from references(each)
    elif isinstance(node, list):
        for each in node:
            yield from references(each)


def words(node: Any) -> Iterator[str]:
    """The keywords of a schema."""
    if isinstance(node, dict):
        for name, value in node.items():
            yield name
            inner = value.values() if name in {"properties", "$defs"} else [value]
            for each in inner:
                yield from words(each)
    elif isinstance(node, list):
        for each in node:
            yield from words(each)
