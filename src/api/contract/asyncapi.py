"""What other services find on the topic, as AsyncAPI 3: one message for each event, in its current version."""

from collections.abc import Iterable
from importlib.metadata import version
from itertools import groupby
from operator import attrgetter
from typing import Any

from adapters.kafka.cloudevents import LARGEST, TYPE_PREFIX
from adapters.kafka.connection import EVENTS_TOPIC, TOPIC_VARIABLE
from adapters.kafka.headers import headers_schema
from adapters.kafka.topics import Topic, read_topics
from aggregates.kernel.event import Event, kind_of
from api.contract.events import Schema, file_name
from api.contract.glossary import meaning_of

SPECIFICATION = "3.0.0"
KAFKA_BINDING = "0.5.0"

_ABOUT = """Everything that happens to past-due accounts, as it is recorded in the log.

Delivery is at least once. Everything about one account is in one partition, in order, and `ce_position` grows within a
partition: whatever is not above the last position seen is a repeat, unless `ce_late` says otherwise. Readers must take
fields, headers, enumeration values and messages that they do not know. Personal text is on no message."""

_CHANNEL = f"""Another topic where an installation sets `{TOPIC_VARIABLE}`.
An event is sent in the version that is current then, so messages sent before may be of earlier versions; their
schemas stay in `schemas/events/`. No message is larger than {LARGEST // 1024} kB."""

_KEY = "The account's id, else that of the aggregate: what is about one account is in order."


def asyncapi(events: Iterable[type[Event]]) -> Schema:
    """The document; payloads are references to the schemas of the events, relative to `schemas/`."""
    ordered = sorted(events, key=attrgetter("event_name"))
    names = {message_name(event): event for event in ordered}
    return {
        "asyncapi": SPECIFICATION,
        "id": "urn:arrears",
        "info": {
            "title": "Arrears: events",
            "version": version("arrears"),
            "description": _ABOUT,
            "license": {"name": "Apache-2.0"},
            "tags": [_tag(kind) for kind, _ in groupby(kind_of(event.event_name) for event in ordered)],
        },
        "defaultContentType": "application/json",
        "channels": {EVENTS_TOPIC: _channel(names)},
        "operations": {
            "publish": {
                "action": "send",
                "channel": {"$ref": f"#/channels/{EVENTS_TOPIC}"},
                "title": "Publish the log",
                "summary": "Every event of the log, once it has its place there.",
            }
        },
        "components": {
            "messages": {name: _message(event) for name, event in names.items()},
            "schemas": {"headers": headers_schema()},
            "correlationIds": {
                "request": {
                    "description": "Joins everything that one request set going.",
                    "location": "$message.header#/ce_correlationid",
                }
            },
            "messageBindings": {
                "keyed": {
                    "kafka": {
                        "key": {"type": "string", "format": "uuid", "description": _KEY},
                        "bindingVersion": KAFKA_BINDING,
                    }
                }
            },
        },
    }


def message_name(event: type[Event]) -> str:
    """What `ce_type` says."""
    return f"{TYPE_PREFIX}{event.event_name}.v{event.event_version}"


def _channel(names: Iterable[str]) -> dict[str, Any]:
    (topic,) = (each for each in read_topics() if each.name == EVENTS_TOPIC)
    return {
        "address": EVENTS_TOPIC,
        "title": "The log for other services",
        "description": _CHANNEL,
        "messages": {name: {"$ref": f"#/components/messages/{name}"} for name in names},
        "bindings": {"kafka": _binding(topic)},
    }


def _binding(topic: Topic) -> dict[str, Any]:
    return {
        "topic": topic.name,
        "partitions": topic.partitions,
        "replicas": topic.copies,
        "topicConfiguration": {
            "cleanup.policy": topic.config["cleanup.policy"].split(","),
            "retention.ms": int(topic.config["retention.ms"]),
            "max.message.bytes": int(topic.config["max.message.bytes"]),
        },
        "bindingVersion": KAFKA_BINDING,
    }


def _message(event: type[Event]) -> dict[str, Any]:
    schema = file_name(event)
    return {
        "name": message_name(event),
        "title": event.event_name.replace(".", ": ").replace("-", " "),
        "summary": " ".join((event.__doc__ or "").split()),
        "contentType": "application/json",
        "headers": {
            "type": "object",
            "allOf": [
                {"$ref": "#/components/schemas/headers"},
                {
                    "properties": {
                        "ce_type": {"const": message_name(event)},
                        "ce_dataschema": {"const": f"urn:arrears:event:{event.event_name}:v{event.event_version}"},
                    }
                },
            ],
        },
        "payload": {"$ref": f"./events/{schema}"},
        "correlationId": {"$ref": "#/components/correlationIds/request"},
        "tags": [{"name": kind_of(event.event_name)}],
        "bindings": {"$ref": "#/components/messageBindings/keyed"},
    }


def _tag(kind: str) -> dict[str, str]:
    return {"name": kind, "description": meaning_of(kind)}
