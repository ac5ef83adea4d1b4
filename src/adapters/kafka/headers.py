"""The headers of a message on the topic: one table, of which the contract and the documentation are made.

What a header says is text in UTF-8. `form` is the JSON Schema of that text.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

Form = Mapping[str, Any]

_TEXT: Form = {"type": "string", "minLength": 1}
_UUID: Form = {"type": "string", "format": "uuid"}
_FROM_ONE: Form = {"type": "string", "pattern": "^[1-9][0-9]*$"}
_TRUE: Form = {"type": "string", "const": "true"}
_NAME_AND_VERSION = r"[a-z]+\.[a-z]+(-[a-z]+)*"


@dataclass(frozen=True, slots=True)
class Header:
    """A header: what it is (Markdown), the form of its text, and, unless every message has it, which ones do."""

    name: str
    means: str
    form: Form
    where: str | None = None

    @property
    def always(self) -> bool:
        return self.where is None


HEADERS = (
    Header("ce_specversion", "the version of CloudEvents: `1.0`", {"type": "string", "const": "1.0"}),
    Header("ce_id", "the event's id; a repeat has the same", _UUID),
    Header(
        "ce_source", "`/arrears`, unless `ARREARS_EVENT_SOURCE` says otherwise", {**_TEXT, "format": "uri-reference"}
    ),
    Header(
        "ce_type",
        "`collections.<event name>.v<version>`, such as `collections.account.payment-received.v1`",
        {"type": "string", "pattern": rf"^collections\.{_NAME_AND_VERSION}\.v[1-9][0-9]*$"},
    ),
    Header("ce_subject", "the id of the aggregate that it is about: account, promise, campaign, office", _UUID),
    Header("ce_time", "when we learned it, UTC", {"type": "string", "format": "date-time", "pattern": "Z$"}),
    Header(
        "ce_dataschema",
        "`urn:arrears:event:<event name>:v<version>`, the `$id` of a schema in `schemas/events/`",
        {"type": "string", "pattern": rf"^urn:arrears:event:{_NAME_AND_VERSION}:v[1-9][0-9]*$"},
    ),
    Header("ce_partitionkey", "the message's key: the account's id, else the aggregate's", _UUID),
    Header("ce_sequence", "the aggregate's version, from 1", _FROM_ONE),
    Header("ce_position", "place in the log, from 1", _FROM_ONE),
    Header("ce_effectiveon", "the day on which it is true", {"type": "string", "format": "date"}),
    Header(
        "ce_actor",
        "`person:<id>`, `service:<name>` or `policy:<id>@<version>`",
        {"type": "string", "pattern": "^(person|service|policy):.+$"},
    ),
    Header("ce_commandid", "the command that was decided", _UUID),
    Header("ce_correlationid", "what it belongs to: joins everything that one request set going", _UUID),
    Header(
        "ce_leafhash",
        "SHA-256 of the event as it is stored, in hexadecimal digits: the leaf of which the log's seals are made",
        {"type": "string", "pattern": "^[0-9a-f]{64}$"},
        where="the release that sent it knew this header",
    ),
    Header("content-type", "the form of the body", {"type": "string", "const": "application/json"}),
    Header("ce_accountid", "the account that it concerns", _UUID, where="it concerns one"),
    Header("ce_causationid", "the event or message that led to it", _UUID, where="something did"),
    Header(
        "ce_withheld",
        "`true`: personal text was left out, of the body or of the reason that was given",
        _TRUE,
        where="some was",
    ),
    Header(
        "ce_late",
        "`true`: it was held back and comes after later ones; it is no repeat although its position is low",
        _TRUE,
        where="it was held back",
    ),
    Header(
        "ce_traceparent",
        "W3C trace context",
        {"type": "string", "pattern": "^[0-9a-f]{2}-[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f]{2}"},
        where="there is one",
    ),
    Header(
        "ce_answered",
        "the policy whose answer was decided together with it, such as `auto-collection`, which does nothing more",
        _TEXT,
        where="one was",
    ),
)


def headers_schema() -> dict[str, Any]:
    """The JSON Schema of a message's headers, by name; readers must take headers that they do not know."""
    return {
        "type": "object",
        "properties": {each.name: {**each.form, "description": _sentence(each)} for each in HEADERS},
        "required": sorted(each.name for each in HEADERS if each.always),
    }


def headers_page() -> str:
    """The same table for people, in Markdown."""
    return "".join(_rows())


def _rows() -> Iterator[str]:
    yield "| header | what it is | there |\n|---|---|---|\n"
    for each in HEADERS:
        yield f"| `{each.name}` | {each.means} | {'always' if each.always else f'where {each.where}'} |\n"


def _sentence(header: Header) -> str:
    said = header.means[0].upper() + header.means[1:]
    return f"{said}. Always there." if header.always else f"{said}. Only where {header.where}."
