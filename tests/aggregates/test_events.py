"""Names and versions of events, and the road from old versions to new ones."""

import json
from typing import Any

import pytest
from pydantic import ValidationError

import aggregates.promise  # noqa: F401 - registers
from aggregates.kernel.event import REGISTRY, BrokenUpcasterChain, Event, EventRegistry, UnknownEvent
from aggregates.office import FeeServiceTypesSet


def an_event(version: int) -> type[Event]:
    class Happened(Event):
        text: str

    Happened.event_name, Happened.event_version = "test.happened", version
    return Happened


def a_registry(version: int) -> EventRegistry:
    registry = EventRegistry()
    registry.add(an_event(version))
    return registry


def test_the_chain_of_this_release_is_whole():
    REGISTRY.check()
    assert len(REGISTRY.names()) > 50


def test_an_old_version_is_lifted_step_by_step():
    registry = a_registry(3)

    @registry.upcasts("test.happened", from_version=1)
    def _rename(data: dict[str, Any]) -> dict[str, Any]:
        return {"words": data["t"]}

    @registry.upcasts("test.happened", from_version=2)
    def _rename_again(data: dict[str, Any]) -> dict[str, Any]:
        return {"text": data["words"]}

    registry.check()
    assert registry.lift("test.happened", 1, {"t": "a"}) == {"text": "a"}
    assert registry.lift("test.happened", 2, {"words": "a"}) == {"text": "a"}
    assert registry.lift("test.happened", 3, {"text": "a"}) == {"text": "a"}


def test_a_missing_upcaster_is_found_at_start_up():
    registry = a_registry(3)
    registry.upcasts("test.happened", from_version=2)(lambda data: data)
    with pytest.raises(BrokenUpcasterChain, match="from version 1"):
        registry.check()


@pytest.mark.parametrize(("name", "version"), [("test.happened", 1), ("test.happened", 2), ("test.other", 1)])
def test_an_upcaster_that_leads_nowhere_is_found_at_start_up(name: str, version: int):
    registry = a_registry(1)
    registry.upcasts(name, from_version=version)(lambda data: data)
    with pytest.raises(BrokenUpcasterChain, match="leads nowhere"):
        registry.check()


def test_an_unknown_name_and_a_newer_version_are_refused():
    registry = a_registry(1)
    with pytest.raises(UnknownEvent, match=r"test\.never"):
        registry.current("test.never")
    with pytest.raises(UnknownEvent, match="newer release"):
        registry.lift("test.happened", 2, {})


def test_two_events_cannot_share_a_name():
    registry = a_registry(1)

    class Other(Event):
        pass

    Other.event_name, Other.event_version = "test.happened", 1
    with pytest.raises(ValueError, match="already"):
        registry.add(Other)


def test_an_event_never_changes_and_takes_nothing_unknown():
    happened = an_event(1)
    with pytest.raises(ValidationError):
        happened.model_validate({"text": "a", "more": 1})
    with pytest.raises(ValidationError):
        happened.model_validate({"text": "a"}).text = "b"  # type: ignore[attr-defined]


def test_members_of_sets_are_stored_in_order_whatever_order_the_process_has_them_in():
    codes = [f"code-{n}" for n in range(50)]
    event = FeeServiceTypesSet(service_types=frozenset(codes))
    assert json.loads(event.model_dump_json())["service_types"] == sorted(codes)
    assert event.model_dump()["service_types"] == frozenset(codes)
