"""What stands around every event, documented once."""

from api.contract.events import DIALECT, Schema

_UUID: Schema = {"type": "string", "format": "uuid"}
_OR_NULL: Schema = {"anyOf": [_UUID, {"type": "null"}]}


def envelope() -> Schema:
    """The fields that every event has besides its data."""
    fields: dict[str, tuple[Schema, str]] = {
        "event_id": (_UUID, "Of this fact; a repeat has the same."),
        "event_name": ({"type": "string"}, "Stable name, such as account.payment-received."),
        "event_version": ({"type": "integer", "minimum": 1}, "Version of the data's schema."),
        "position": ({"type": "integer", "minimum": 1}, "Place in the log, contiguous from 1. Drop repeats by it."),
        "aggregate_id": (_UUID, "The account, promise, campaign, office or reader that the fact is about."),
        "aggregate_version": ({"type": "integer", "minimum": 1}, "Counts the aggregate's events from 1."),
        "account_id": (_OR_NULL, "The account that it concerns, where there is one."),
        "effective_on": ({"type": "string", "format": "date"}, "When it is true."),
        "recorded_at": ({"type": "string", "format": "date-time"}, "When we learned it, UTC."),
        "actor": (
            {"type": "string", "pattern": "^(person|service|policy):.+$"},
            "Who caused it: person:<id>, service:<name>, or policy:<id>@<version>.",
        ),
        "command_id": (_UUID, "The command that was decided. The same command twice causes no second event."),
        "causation_id": (_OR_NULL, "The event or message that led to it."),
        "correlation_id": (_UUID, "Joins everything that one request set going."),
        "data": ({"type": "object"}, "What the event says: events/<event_name>.v<event_version>.json."),
    }
    return {
        "$schema": DIALECT,
        "$id": "urn:arrears:envelope",
        "title": "What every event carries",
        "description": "Amounts are integers in minor units beside an ISO 4217 code, never floats. "
        "Readers must take fields, enumeration values and event versions that they do not know.",
        "type": "object",
        "properties": {name: {**kind, "description": said} for name, (kind, said) in fields.items()},
        "required": sorted(fields),
        "x-personal-fields-left-out": ["reason"],
    }
