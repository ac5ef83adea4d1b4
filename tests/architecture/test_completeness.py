"""Every command is decided, every event applied, documented and versioned."""

import inspect
import re
import sys

import pytest
from pydantic import BaseModel

from aggregates.kernel.aggregate import DECISIONS, KINDS, Aggregate
from aggregates.kernel.command import COMMANDS, Command
from aggregates.kernel.event import REGISTRY, Event
from api.contract.events import load_every_event

load_every_event()

OURS = "aggregates."
COMMAND_CLASSES = sorted((c for c in COMMANDS.values() if c.__module__.startswith(OURS)), key=lambda c: c.command_name)
EVENT_CLASSES = [e for e in map(REGISTRY.current, REGISTRY.names()) if e.__module__.startswith(OURS)]
KIND_OF_EVENT = {"account": "account", "promise": "promise", "campaign": "campaign", "office": "office"}


@pytest.mark.parametrize("command", COMMAND_CLASSES, ids=lambda c: c.command_name)
def test_every_command_is_decided_documented_and_named_like_its_class(command: type[Command]):
    assert command in DECISIONS
    assert command.__doc__
    assert re.fullmatch(r"[a-z]+(-[a-z]+)*", command.command_name)


def test_no_decision_is_of_something_that_is_no_command():
    ours = {command for command in DECISIONS if command.__module__.startswith(OURS)}
    assert ours == set(COMMAND_CLASSES)


@pytest.mark.parametrize("event", EVENT_CLASSES, ids=lambda e: e.event_name)
def test_every_event_is_applied_by_its_aggregate_documented_and_versioned(event: type[Event]):
    kind, _, name = event.event_name.partition(".")
    assert event in KINDS[kind]._appliers
    assert event.event_version >= 1
    assert event.__doc__
    assert event.__doc__ != Event.__doc__
    assert re.fullmatch(r"[a-z]+(-[a-z]+)*", name)


@pytest.mark.parametrize("event", EVENT_CLASSES, ids=lambda e: e.event_name)
def test_an_event_s_schema_can_be_written(event: type[Event]):
    assert event.model_json_schema()["type"] == "object"


@pytest.mark.parametrize("kind", [k for k in sorted(KINDS) if KINDS[k].__module__.startswith(OURS)])
def test_an_aggregate_applies_only_its_own_events(kind: str):
    assert {event.event_name.partition(".")[0] for event in KINDS[kind]._appliers} == {kind}


@pytest.mark.parametrize("kind", [k for k in sorted(KINDS) if KINDS[k].__module__.startswith(OURS)])
def test_a_new_aggregate_is_a_snapshot_of_itself(kind: str):
    aggregate = KINDS[kind].model_validate({"id": "00000000-0000-0000-0000-000000000001"})
    assert isinstance(aggregate, Aggregate)
    assert KINDS[kind].model_validate_json(aggregate.model_dump_json()) == aggregate


def test_public_classes_of_the_aggregates_refuse_what_they_do_not_know():
    """A field that a newer release added must not be lost in silence by an older one."""
    models = [
        value
        for name, module in sys.modules.items()
        if name.startswith(OURS) and not name.startswith("aggregates.kernel.")
        for value in vars(module).values()
        if inspect.isclass(value) and issubclass(value, BaseModel) and value.__module__ == module.__name__
    ]
    assert models
    assert [model.__name__ for model in models if model.model_config.get("extra") != "forbid"] == []
