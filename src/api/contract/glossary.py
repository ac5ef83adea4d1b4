"""The glossary of events: what each means, in its own words, what it carries, and what is around it on the topic."""

from collections.abc import Iterable
from itertools import groupby

from adapters.kafka.headers import headers_page
from aggregates.kernel.aggregate import KINDS as AGGREGATE_KINDS
from aggregates.kernel.event import Event, kind_of
from api.contract.events import Schema, is_personal, schema_of

KINDS = {
    "account": "What is true of a customer's receivables with one office.",
    "bulk": "One change to the accounts that a report showed: previewed, confirmed, done and undone.",
    "campaign": "Whom auto-collection engages, with which messages, and every version of that.",
    "office": "The settings under which accounts are worked.",
    "preview": "The accounts that a bulk action is about, as they were shown; in parts of at most 250.",
    "promise": "A customer's commitment to pay.",
    "reader": "What people decided about readers of the log.",
    "work": "Something that is asked of every account of an office, or of a bulk action, because of one event.",
}
"""What the events of each kind of aggregate are about, where that is not what the aggregate's docstring says."""

_HEAD = """# Events

<!-- Written by `arrears schemas build` from the events' own docstrings; change those. -->

Every fact in the log is one of these. The name and the version are the contract; the schemas are in `schemas/events/`,
what stands around every event in `schemas/envelope.json`. Fields in *italics* are personal: they are encrypted under
the account's own key, and are no part of the public contract.

[Changing an event](changing-an-event.md) says how one gets a new version.
"""

_TOPIC = """
## On the topic

What an event says is a message's body, in JSON. What surrounds it is in the message's headers, texts in UTF-8, as
CloudEvents 1.0 has them in Kafka's binary mode. `schemas/asyncapi.json` says the same for programs.

"""


def meaning_of(kind: str) -> str:
    """What the events of a kind of aggregate are about."""
    return KINDS.get(kind) or " ".join((AGGREGATE_KINDS[kind].__doc__ or "").split())


def glossary(events: Iterable[type[Event]]) -> str:
    """The page, in Markdown."""
    parts = [_HEAD]
    ordered = sorted(events, key=lambda event: event.event_name)
    for kind, group in groupby(ordered, key=lambda event: kind_of(event.event_name)):
        parts.append(f"\n## {kind}\n\n{meaning_of(kind)}\n\n| event | means | says |\n|---|---|---|\n")
        parts.extend(_row(event) for event in group)
    parts.append(_TOPIC + headers_page())
    return "".join(parts)


def _row(event: type[Event]) -> str:
    said = " ".join((event.__doc__ or "").split()).replace("|", "\\|")
    fields = ", ".join(_fields(event)) or "nothing more"
    return f"| `{event.event_name}` v{event.event_version} | {said} | {fields} |\n"


def _fields(event: type[Event]) -> Iterable[str]:
    public = schema_of(event)["properties"]
    full: Schema = event.model_json_schema(mode="validation").get("properties", {})
    for name, field in full.items():
        yield f"`{name}`" if name in public and not is_personal(field) else f"*{name}*"
