"""A released event version never breaks its readers: each kind of change is told by its rule."""

import copy
import json
from collections.abc import Callable
from typing import Any

import pytest

from aggregates.account.contact import ContactDetailsChanged
from aggregates.account.messages import MessageSent
from aggregates.account.payments import PaymentReceived
from aggregates.kernel.event import Event
from aggregates.kernel.personal import personal_paths
from api.contract.compatibility import breaks
from api.contract.events import load_every_event, public_data, schema_of
from tests.corpus.make import filled

Schema = dict[str, Any]
FILE = "account.message-sent.v1.json"


def changed(change: Callable[[Schema], object]) -> list[tuple[str, str]]:
    """The rules that a change of message-sent breaks, and where."""
    released = schema_of(MessageSent)
    now = copy.deepcopy(released)
    change(now)
    return [(each.rule, each.field) for each in breaks({FILE: released}, {FILE: now})]


def test_no_change_breaks_nothing():
    assert changed(lambda schema: None) == []


def test_a_new_optional_field_breaks_nothing():
    assert changed(lambda schema: schema["properties"].update(segments={"type": "integer"})) == []


def test_other_words_break_nothing():
    assert changed(lambda schema: schema.update(description="Said better.", title="Other")) == []


def test_a_removed_version_is_refused():
    (found,) = breaks({FILE: schema_of(MessageSent)}, {})
    assert found.rule == "version-removed"


@pytest.mark.parametrize(
    ("change", "rule", "field"),
    [
        (lambda s: s["properties"].pop("step_title"), "field-removed", "step_title"),
        (lambda s: s["properties"]["body_sha256"].update(type="integer"), "type-changed", "body_sha256"),
        (lambda s: s["properties"]["sent_on"].update(format="date-time"), "type-changed", "sent_on"),
        (lambda s: s["properties"].update(carrier_reference={"type": "string"}), "type-changed", "carrier_reference"),
        (lambda s: s["required"].append("language"), "required-added", "language"),
        (lambda s: s["required"].remove("channel"), "required-removed", "channel"),
        (lambda s: s["$defs"]["Channel"]["enum"].remove("voice"), "enum-narrowed", "channel"),
        (lambda s: s["properties"]["step_id"].update(enum=["a"]), "enum-narrowed", "step_id"),
        (lambda s: s["properties"]["body_sha256"].update(maxLength=10), "constraint-tightened", "body_sha256"),
        (lambda s: s["properties"]["body_sha256"].update(minLength=1), "constraint-tightened", "body_sha256"),
        (lambda s: s["properties"]["body_sha256"].update(pattern="^x"), "constraint-tightened", "body_sha256"),
    ],
)
def test_what_old_events_or_old_readers_could_not_survive_is_refused(
    change: Callable[[Schema], object], rule: str, field: str
):
    assert (rule, field) in changed(change)


def test_a_change_deep_inside_is_found():
    released = schema_of(PaymentReceived)
    now = copy.deepcopy(released)
    now["$defs"]["Receipt"]["properties"].pop("received_on")
    found = [(each.rule, each.field) for each in breaks({"f": released}, {"f": now})]
    assert ("field-removed", "receipt.received_on") in found


def test_a_looser_constraint_and_a_new_value_break_nothing():
    assert changed(lambda s: s["$defs"]["Channel"]["enum"].append("fax")) == []


# --- what is in the schemas ---


@pytest.mark.parametrize("event", load_every_event(), ids=lambda event: event.event_name)
def test_no_personal_field_is_in_the_contract(event: type[Event]):
    assert 'x-personal"' not in json.dumps(schema_of(event))


@pytest.mark.parametrize("event", load_every_event(), ids=lambda event: event.event_name)
def test_public_data_holds_no_personal_text(event: type[Event]):
    full = filled(event, full=True)
    assert isinstance(full, event)
    public = public_data(full)
    for path in personal_paths(event):
        assert _reach(public, path) == []


def _reach(node: Any, path: tuple[str, ...]) -> list[Any]:
    if not path:
        return [node]
    head, rest = path[0], path[1:]
    if head == "*":
        inner = node.values() if isinstance(node, dict) else node if isinstance(node, list) else []
        return [leaf for each in inner for leaf in _reach(each, rest)]
    return _reach(node[head], rest) if isinstance(node, dict) and head in node else []


def test_what_is_left_out_is_named():
    assert "contact.phones.*.number" in schema_of(ContactDetailsChanged)["x-personal-fields-left-out"]
