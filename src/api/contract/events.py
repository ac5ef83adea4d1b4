"""From event models to public JSON Schemas: personal fields left out, nothing but what readers may rely on."""

from typing import Any

import orjson
from pydantic.json_schema import GenerateJsonSchema, JsonSchemaMode

from adapters.kafka.cloudevents import public_body
from aggregates.kernel.event import REGISTRY, Event
from aggregates.kernel.personal import personal_paths

DIALECT = "https://json-schema.org/draft/2020-12/schema"

Schema = dict[str, Any]


def load_every_event() -> list[type[Event]]:
    """Every event of this release, by name."""
    import aggregates.account
    import aggregates.campaign
    import aggregates.office
    import aggregates.promise
    import aggregates.reader
    import aggregates.work

    del aggregates
    known = (REGISTRY.current(name) for name in REGISTRY.names())
    return [event for event in known if event.__module__.startswith("aggregates.")]


def file_name(event_class: type[Event]) -> str:
    return f"{event_class.event_name}.v{event_class.event_version}.json"


def schema_of(event_class: type[Event]) -> Schema:
    """The public schema of an event's data.

    Readers must take fields that they do not know: a version only ever gets new optional ones.
    """
    made = event_class.model_json_schema(schema_generator=_Plain, mode="validation")
    without = _public(made)
    personal = [".".join(path) for path in personal_paths(event_class)]
    head: Schema = {
        "$schema": DIALECT,
        "$id": f"urn:arrears:event:{event_class.event_name}:v{event_class.event_version}",
        "title": f"{event_class.event_name} v{event_class.event_version}",
    }
    if personal:
        head["x-personal-fields-left-out"] = sorted(personal)
    return {**without, **head}


class _Plain(GenerateJsonSchema):
    """No titles made from Python names: they are no part of the contract."""

    def field_title_should_be_set(self, schema: Any) -> bool:
        del schema
        return False

    def time_schema(self, schema: Any) -> Schema:
        """A local wall-clock time; the format `time` of JSON Schema wants an offset."""
        del schema
        return {"type": "string", "pattern": r"^[0-2][0-9]:[0-5][0-9](:[0-5][0-9](\.[0-9]+)?)?$"}

    def generate(self, schema: Any, mode: JsonSchemaMode = "validation") -> Schema:
        made = super().generate(schema, mode)
        for definition in made.get("$defs", {}).values():
            definition.pop("title", None)
        return made


def _public(node: Any) -> Any:
    """The schema without personal fields, open for fields that come later, with sets in a fixed order."""
    if isinstance(node, list):
        return [_public(each) for each in node]
    if not isinstance(node, dict):
        return node
    shown = {name: value for name, value in node.items() if name != "additionalProperties" or value is not False}
    if isinstance(shown.get("properties"), dict):
        private = {name for name, field in shown["properties"].items() if is_personal(field)}
        shown["properties"] = {n: _public(f) for n, f in shown["properties"].items() if n not in private}
        shown["required"] = sorted(set(shown.get("required", [])) - private)
    if isinstance(shown.get("$defs"), dict):
        shown["$defs"] = {name: _public(each) for name, each in shown["$defs"].items()}
    rest = {"properties", "required", "$defs", "enum", "default", "const"}
    made = {name: value if name in rest else _public(value) for name, value in shown.items()}
    if isinstance(made.get("default"), list) and made.get("uniqueItems"):
        made["default"] = sorted(made["default"], key=str)
    return made


def is_personal(field: Any) -> bool:
    """Whether a field holds personal text, by itself, or in each entry of its list or mapping."""
    if not isinstance(field, dict):
        return False
    inner = [field.get("items"), field.get("additionalProperties"), *field.get("anyOf", [])]
    return bool(field.get("x-personal")) or any(is_personal(each) for each in inner)


def public_data(event: Event) -> Any:
    """What an event says, as its public schema has it and as it goes to Kafka: without personal fields."""
    body, _ = public_body(event.event_name, event.event_version, event.model_dump_json().encode())
    return orjson.loads(body)
