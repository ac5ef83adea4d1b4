"""Settings of an office: each change an event, nothing where nothing changes."""

from datetime import time, timedelta

import pytest
from pydantic import ValidationError

from aggregates.kernel.command import Command
from aggregates.office import (
    MOST_FILTERS,
    AgingBucketsSet,
    AutomationPaused,
    AutomationResumed,
    CalendarSet,
    CallScriptSet,
    ChangeOfficeSettings,
    DeliveryLimits,
    DeliveryLimitsSet,
    FeeServiceTypesSet,
    FilterRemoved,
    FilterSaved,
    FlagDefinition,
    FlagsDefined,
    OfficeOpened,
    PauseOfficeAutomation,
    PromiseRulesSet,
    RemoveFilter,
    ResumeOfficeAutomation,
    SaveFilter,
    TimeZoneChanged,
)
from aggregates.values.aging import BucketScheme
from aggregates.values.business_time import BusinessCalendar, SendWindow
from aggregates.values.saved_filter import SavedFilter
from tests.builders import OFFICE, an_office
from tests.given import BEGINNING, given, given_only, like

HOUR = timedelta(hours=1)
RESUME = ResumeOfficeAutomation(office_id=OFFICE)


def a_pause(**more: object) -> PauseOfficeAutomation:
    return PauseOfficeAutomation.model_validate({"office_id": OFFICE, **more})


def test_a_filter_is_kept_under_its_name_until_it_is_removed():
    def saved(**filters: str) -> SaveFilter:
        return SaveFilter(office_id=OFFICE, name="old", filter=SavedFilter(filters=filters))

    remove = RemoveFilter(office_id=OFFICE, name="old")
    scenario = given(saved(min_dpd="90")).when(saved(min_dpd="90")).then_nothing_happened()
    scenario.when(saved(min_dpd="60")).then(like(FilterSaved, name="old"))
    scenario.when(remove).then(FilterRemoved)
    scenario.when(remove).then_refused("unknown-filter")


def test_an_office_keeps_so_many_filters_and_no_more():
    def saved(name: int) -> SaveFilter:
        return SaveFilter(office_id=OFFICE, name=f"f-{name}", filter=SavedFilter())

    scenario = given(*(saved(each) for each in range(MOST_FILTERS)))
    scenario.when(saved(MOST_FILTERS)).then_refused("too-many-filters")
    scenario.when(SaveFilter(office_id=OFFICE, name="f-1", filter=SavedFilter(sort="number"))).then(FilterSaved)


def test_an_office_is_opened_once():
    scenario = given_only().when(an_office()).then(like(OfficeOpened, code="main"))
    scenario.when(an_office()).then_nothing_happened()
    scenario.when(an_office(time_zone="UTC")).then_refused("office-exists")


@pytest.mark.parametrize(
    ("change", "event"),
    [
        ({"scheme": BucketScheme.of([15, 45])}, AgingBucketsSet),
        ({"flags": {"vip": FlagDefinition(title="VIP")}}, FlagsDefined),
        ({"limits": DeliveryLimits(max_per_minute=5)}, DeliveryLimitsSet),
        ({"calendar": BusinessCalendar(weekdays=frozenset({0}))}, CalendarSet),
        ({"window": SendWindow(opens=time(10), closes=time(11))}, CalendarSet),
        ({"grace_days": 0}, PromiseRulesSet),
        ({"fee_service_types": frozenset()}, FeeServiceTypesSet),
        ({"time_zone": "Europe/Berlin"}, TimeZoneChanged),
    ],
)
def test_each_section_that_differs_is_an_event_and_the_same_again_is_none(change, event):
    command = ChangeOfficeSettings(office_id=OFFICE, **change)
    scenario = given().when(command).then(event)
    scenario.when(command).then_nothing_happened()
    (name, value), *_ = change.items()
    assert getattr(scenario.world.office, name) == value


def test_several_sections_change_at_once():
    command = ChangeOfficeSettings(office_id=OFFICE, grace_days=1, time_zone="UTC")
    given().when(command).then(PromiseRulesSet, TimeZoneChanged)


def test_a_pause_begins_now_unless_said_otherwise():
    scenario = given().when(a_pause()).then(AutomationPaused(paused_from=BEGINNING, paused_until=None))
    assert scenario.world.office.is_paused(BEGINNING)
    assert not scenario.world.office.is_paused(BEGINNING - HOUR)
    assert scenario.world.office.is_paused(BEGINNING + 10_000 * HOUR)


def test_a_pause_can_be_backdated_and_timed():
    scenario = given().when(a_pause(paused_from=BEGINNING - 5 * HOUR, paused_until=BEGINNING + HOUR))
    office = scenario.then(AutomationPaused).world.office
    moments = [BEGINNING - 6 * HOUR, BEGINNING - 5 * HOUR, BEGINNING, BEGINNING + HOUR]
    assert [office.is_paused(moment) for moment in moments] == [False, True, True, False]


def test_a_pause_ends_after_it_begins():
    given().when(a_pause(paused_until=BEGINNING)).then_refused("pause-ends-first")


def test_the_same_pause_again_changes_nothing():
    given(lambda world: world.do(a_pause())).when(a_pause()).then_nothing_happened()


def test_a_pause_of_another_time_does_not_end_the_one_in_force():
    scenario = given(a_pause())
    scenario.when(a_pause(paused_from=BEGINNING - 9 * HOUR, paused_until=BEGINNING - HOUR)).then_refused("paused-now")
    scenario.when(a_pause(paused_from=BEGINNING + HOUR)).then_refused("paused-now")
    scenario.when(a_pause(paused_until=BEGINNING + HOUR)).then(AutomationPaused)


def test_automation_is_resumed_once():
    scenario = given(a_pause()).when(RESUME).then(AutomationResumed(resumed_at=BEGINNING))
    assert not scenario.world.office.is_paused(BEGINNING)
    scenario.when(RESUME).then_nothing_happened()


@pytest.mark.parametrize(
    "command", [ChangeOfficeSettings(office_id=OFFICE), a_pause(), RESUME], ids=lambda command: command.command_name
)
def test_nothing_is_decided_about_an_office_that_does_not_exist(command: Command):
    given_only().when(command).then_refused("unknown-office")


@pytest.mark.parametrize("title", ["", "  ", "x" * 201])
def test_the_title_of_a_reason_has_1_to_200_characters(title: str):
    with pytest.raises(ValidationError, match="freeze_reasons"):
        ChangeOfficeSettings.model_validate({"office_id": OFFICE, "freeze_reasons": {"a": title}})
    with pytest.raises(ValidationError, match="dispute_reasons: expected titles of 1 to 200 characters"):
        ChangeOfficeSettings.model_validate({"office_id": OFFICE, "casework": {"dispute_reasons": {"a": title}}})


def test_an_office_has_at_most_200_reasons():
    many = {f"r-{number}": "Reason" for number in range(201)}
    with pytest.raises(ValidationError, match="at most 200"):
        ChangeOfficeSettings.model_validate({"office_id": OFFICE, "freeze_reasons": many})
    with pytest.raises(ValidationError, match="at most 200"):
        ChangeOfficeSettings.model_validate({"office_id": OFFICE, "casework": {"dispute_reasons": many}})


def test_the_script_of_calls_is_the_offices_and_can_be_filled_in():
    def a_script(*lines: str) -> ChangeOfficeSettings:
        return ChangeOfficeSettings(office_id=OFFICE, call_script=lines)

    scenario = given(a_script("This is {{ office }}.", "You owe {{ amount_due }}."))
    scenario.when(a_script("You owe {{ balanse }}.")).then_refused("faulty-text")
    scenario.when(a_script("Hello", "{{ office.title.__class__ }}")).then_refused("faulty-text")
    scenario.when(a_script()).then(CallScriptSet(lines=()))
    scenario.when(a_script()).then_nothing_happened()
    with pytest.raises(ValidationError, match="call_script"):
        a_script(*["Hello"] * 21)
