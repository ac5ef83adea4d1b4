"""What is counted and traced while an account is chased."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from opentelemetry.sdk.trace import TracerProvider

from adapters.telemetry import tracing
from adapters.telemetry.metrics import OURS
from adapters.telemetry.tracing import current_traceparent
from aggregates.account.billing import BillInvoice
from aggregates.kernel.actor import Actor
from aggregates.kernel.command import Issued, identifier
from aggregates.values.money import Money
from tests.flow.conftest import AService
from tests.flow.test_chase import ANNA, DUE, World, a_world, day, step


@pytest.fixture
def world(a_service: AService, tmp_path: Path) -> World:
    return a_world(a_service, [step(1)])


@pytest.fixture
def tracing_on() -> Iterator[None]:
    provider = TracerProvider(shutdown_on_exit=False)
    with tracing.traced_by(provider):
        yield
    provider.shutdown()


def deliveries(result: str) -> float:
    return OURS.get_sample_value("arrears_deliveries_total", {"channel": "email", "result": result}) or 0.0


def ticks(name: str) -> float:
    return OURS.get_sample_value(name) or 0.0


def test_what_leaves_and_what_is_due_is_counted(world: World) -> None:
    sent, due, commands = (
        deliveries("sent"),
        ticks("arrears_tick_due_items_total"),
        ticks("arrears_tick_commands_total"),
    )
    world.until(day(1))
    assert len(world.sent) == 1
    assert deliveries("sent") == sent + 1
    assert ticks("arrears_tick_due_items_total") > due
    assert ticks("arrears_tick_commands_total") > commands


def test_what_policies_do_about_an_event_belongs_to_the_trace_of_the_event(world: World, tracing_on: None) -> None:
    world.until(DUE)
    with tracing.request("POST", None):
        given = current_traceparent()
        bill = BillInvoice(
            account_id=ANNA, number="I-2", issued_on=day(-60), due_on=day(-30), amount=Money(10_000, "USD")
        )
        world.service.arrears.handle(
            [Issued(command=bill, command_id=identifier("bill"), actor=Actor.parse("person:carla"), traceparent=given)]
        )
    world.service.drain()
    caused = [event for event in world.history if event.meta.causation_id and event.meta.traceparent]
    assert caused
    assert {event.meta.traceparent for event in caused} == {given}
    assert all(event.meta.actor.startswith("policy:") for event in caused)
