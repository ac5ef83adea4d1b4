"""The hours where the debtor is, and where that is."""

from datetime import date, datetime, timedelta

import pytest

from policies.contact.case import Debtor, Kind, Medium, Phone, RuleSetting
from policies.contact.places import (
    STATES,
    may_be_in_new_york_city,
    state_of_zip,
    zones_of_address,
    zones_of_number,
)
from policies.contact.rule import Basis
from tests.policies.contact.asking import CHICAGO, FIRST, HONOLULU, JERSEY, NEW_YORK, asked, local, said

HOURS = "hours-8-to-21"
PHOENIX, DENVER, LOS_ANGELES = "America/Phoenix", "America/Denver", "America/Los_Angeles"


def refused(at: datetime, debtor: Debtor, channel: Medium = Medium.CALL) -> datetime | None:
    """From when the hours would allow a call; the moment itself where they do."""
    found = asked(at, channel, debtor=debtor).get(HOURS)
    return at if found is None else found.allowed_from


@pytest.mark.parametrize("channel", [Medium.CALL, Medium.SMS, Medium.EMAIL])
@pytest.mark.parametrize(
    ("clock", "next_at"),
    [
        ("2026-03-10 07:59", "2026-03-10 08:00"),
        ("2026-03-10 08:00", None),
        ("2026-03-10 20:59", None),
        ("2026-03-10 21:00", "2026-03-11 08:00"),
        ("2026-03-10 00:00", "2026-03-10 08:00"),
    ],
)
def test_from_eight_before_nine_where_the_debtor_is(channel: Medium, clock: str, next_at: str | None):
    assert refused(local(clock), JERSEY, channel) == local(next_at or clock)


def test_letters_and_the_portal_are_free_of_hours_unless_the_office_wants_them():
    night = local("2026-03-10 23:00")
    assert not asked(night, Medium.LETTER)
    assert not asked(night, Medium.PORTAL)
    wanted = {HOURS: RuleSetting(figures={"letters": 1, "portal": 1})}
    assert asked(night, Medium.LETTER, settings=wanted).keys() == {HOURS}
    assert asked(night, Medium.PORTAL, settings=wanted).keys() == {HOURS}


def test_an_agent_in_new_york_does_not_call_hawaii_in_its_morning():
    hawaii = Debtor(state="HI", zip_code="96813", phones=(Phone("+18085550123"),))
    assert refused(local("2026-03-10 13:59"), hawaii) == local("2026-03-10 08:00", HONOLULU)
    assert refused(local("2026-03-10 14:00"), hawaii) == local("2026-03-10 14:00")
    assert "07:59 in Pacific/Honolulu" in asked(local("2026-03-10 13:59"), debtor=hawaii)[HOURS].detail


def test_it_has_to_be_right_for_the_number_of_one_zone_and_the_address_of_another():
    both = Debtor(state="CA", zip_code="94103", phones=(Phone("+12125550123"),))
    assert refused(local("2026-03-10 10:59"), both) == local("2026-03-10 08:00", LOS_ANGELES)
    assert refused(local("2026-03-10 20:59"), both) == local("2026-03-10 20:59")
    assert refused(local("2026-03-10 21:00"), both) == local("2026-03-11 08:00", LOS_ANGELES)


def test_the_number_that_is_dialled_counts_even_where_it_is_not_the_debtors():
    at = local("2026-03-10 08:30")
    assert HOURS not in asked(at)
    assert HOURS in asked(at, to="+13125550123")
    assert HOURS not in asked(at, Medium.EMAIL, to="+13125550123@example.com")


def test_where_nothing_is_known_it_has_to_be_right_in_all_zones_of_the_country():
    assert refused(local("2026-07-10 13:59"), Debtor()) == local("2026-07-10 14:00")  # 8:00 in Honolulu
    assert refused(local("2026-07-10 20:59"), Debtor()) == local("2026-07-10 20:59")
    assert refused(local("2026-07-10 21:00"), Debtor()) == local("2026-07-11 14:00")
    germany = Debtor(country="DE")
    assert refused(local("2026-03-10 08:00", "Europe/Berlin"), germany) == local("2026-03-10 08:00", "Europe/Berlin")
    assert refused(local("2026-03-10 21:00", "Europe/Berlin"), germany) == local("2026-03-11 08:00", "Europe/Berlin")


def test_a_number_without_a_place_says_nothing_of_the_zone():
    toll_free = Debtor(state="NJ", phones=(Phone("+18005550123"),))
    assert refused(local("2026-03-10 08:00"), toll_free) == local("2026-03-10 08:00")


@pytest.mark.parametrize(
    ("number", "zones"),
    [
        ("+18125981234", {NEW_YORK, CHICAGO}),
        ("+19305981234", {NEW_YORK, CHICAGO}),  # an overlay of 812
        ("+17292345678", {NEW_YORK, CHICAGO}),  # one of 423, of which the library knows no number yet
        ("+12703031234", {NEW_YORK, CHICAGO}),
        ("+18124241234", {CHICAGO}),  # Evansville
        ("+12125550123", {NEW_YORK}),
        ("+442079460000", {"Europe/London"}),
    ],
)
def test_a_number_of_an_area_in_two_zones_may_be_in_both(number: str, zones: set[str]):
    assert zones_of_number(number) == zones


@pytest.mark.parametrize(
    ("city", "is_in_it"),
    [("Rockaway Beach", True), ("St Albans", True), ("St. Albans", True), ("Brooklyn, NY", True), ("New  York", True),
     ("Far  Rockaway", True), ("Jackson Hts", True), ("Long Is City", True), ("E Elmhurst", True), ("NY", True),
     ("S Ozone Park", True), ("New York NY", True), ("Albany", False), ("Albany, NY", False), ("Yonkers", False),
     ("East Aurora", False)],
)  # fmt: skip
def test_new_york_city_is_known_by_its_names_as_they_are_written(city: str, is_in_it: bool):
    assert may_be_in_new_york_city("NY", None, city) is is_in_it


def test_a_known_zone_counts_beside_what_address_and_numbers_indicate():
    at = local("2026-03-10 08:30")
    assert refused(at, Debtor(time_zones=(NEW_YORK,))) == at
    assert refused(at, Debtor(state="NJ", time_zones=(CHICAGO,))) == local("2026-03-10 08:00", CHICAGO)


def test_clocks_that_change_move_the_hours():
    for day in ("2026-03-07", "2026-03-08", "2026-10-31", "2026-11-01"):
        assert refused(local(f"{day} 07:59"), JERSEY) == local(f"{day} 08:00")
    assert local("2026-03-08 08:00") - local("2026-03-07 08:00") == timedelta(hours=23)
    assert refused(local("2026-03-07 21:00"), JERSEY) == local("2026-03-08 08:00")


def test_arizona_keeps_its_clocks_and_the_navajo_nation_does_not():
    """In summer it is an hour later in the Navajo Nation than in Phoenix."""
    summer = local("2026-07-10 07:30", PHOENIX)
    assert zones_of_address("AZ", "85001") == {PHOENIX}
    assert zones_of_address("AZ", "86515") == {PHOENIX, DENVER}  # Window Rock
    assert zones_of_address("AZ", None) == {PHOENIX, DENVER}
    assert refused(summer, Debtor(state="AZ", zip_code="86515")) == local("2026-07-10 08:00", PHOENIX)
    evening = local("2026-07-10 20:30", PHOENIX)
    assert refused(evening, Debtor(state="AZ", zip_code="85001")) == evening
    assert refused(evening, Debtor(state="AZ", zip_code="86515")) == local("2026-07-11 08:00", PHOENIX)


def test_indiana_has_two_zones_and_most_zips_lie_in_one():
    assert zones_of_address("IN", "46204") == {NEW_YORK}  # Indianapolis
    assert zones_of_address("IN", "46402") == {CHICAGO}  # Gary
    assert zones_of_address("IN", None) == {NEW_YORK, CHICAGO}
    assert zones_of_address("IN", "46968") == {NEW_YORK, CHICAGO}  # Ora: a prefix with both
    at = local("2026-03-10 08:30")
    assert refused(at, Debtor(state="IN", zip_code="46204")) == at
    assert refused(at, Debtor(state="IN")) == local("2026-03-10 08:00", CHICAGO)


@pytest.mark.parametrize(
    ("zip_code", "state", "zones"),
    [
        ("32501", "FL", {CHICAGO}),  # Pensacola
        ("33101", "FL", {NEW_YORK}),  # Miami
        ("32456", "FL", {NEW_YORK, CHICAGO}),  # Port St. Joe: a prefix with both
        ("79901", "TX", {DENVER}),  # El Paso
        ("75201", "TX", {CHICAGO}),
        ("37402", "TN", {NEW_YORK}),  # Chattanooga
        ("37201", "TN", {CHICAGO}),  # Nashville
        ("97914", "OR", {LOS_ANGELES, DENVER}),  # Ontario
        ("96799", "AS", {"Pacific/Pago_Pago"}),
        ("96910", "GU", {"Pacific/Guam"}),
        ("00901", "PR", {"America/Puerto_Rico"}),
        ("99546", "AK", {"America/Anchorage", "America/Adak"}),
        ("09012", None, set()),  # armed forces
    ],
)
def test_a_zip_says_the_state_and_where_it_can_the_zone(zip_code: str, state: str | None, zones: set[str]):
    assert state_of_zip(zip_code) == state
    assert zones_of_address(None, zip_code) == zones
    assert zones_of_address(state, zip_code) == zones


def test_a_state_and_a_zip_of_another_count_both():
    assert zones_of_address("HI", "10001") == {HONOLULU, NEW_YORK}


def test_every_state_has_a_zone():
    assert len(STATES) == 56
    assert all(zones_of_address(state, None) for state in STATES)


@pytest.mark.parametrize(
    ("state", "zip_code", "city", "may_be"),
    [
        ("NY", "10001", None, True),
        ("NY", "11201", None, True),
        ("NY", "11004", None, True),
        ("NY", "11001", None, False),  # Floral Park
        ("NY", "12207", None, False),  # Albany
        ("NY", None, "Albany", False),
        ("NY", None, "Brooklyn", True),
        ("NY", None, "Long Island City", True),
        ("NY", None, None, True),
        ("KS", None, "Manhattan", False),
        ("NJ", None, None, False),
        (None, None, None, False),
    ],
)
def test_new_york_city_is_known_by_zip_or_name(state: str, zip_code: str | None, city: str | None, may_be: bool):
    assert may_be_in_new_york_city(state, zip_code, city) is may_be


def test_an_unknown_state_is_an_error():
    with pytest.raises(ValueError, match="state: expected"):
        Debtor(state="ZZ")


def test_consent_to_other_hours_lifts_them_until_it_is_withdrawn():
    night = local("2026-03-10 22:00")
    consent = said(local("2026-03-01 12:00"), Kind.HOURS_CONSENT)
    assert HOURS not in asked(night, history=[consent])
    withdrawn = said(local("2026-03-05 12:00"), Kind.WITHDRAWN, withdraws=Kind.HOURS_CONSENT)
    assert HOURS in asked(night, history=[consent, withdrawn])
    assert HOURS in asked(night, history=[consent], person="spouse")


def test_hours_are_law_for_agencies_since_ever_and_house_policy_for_creditors():
    assert asked(local("2010-03-10 22:00"))[HOURS].basis is Basis.LAW
    assert asked(local("2026-03-10 22:00"), role=FIRST)[HOURS].basis is Basis.HOUSE


# --- states ------------------------------------------------------------------------------------------------


def test_washington_begins_at_half_past_seven_for_agencies_only():
    seattle = Debtor(state="WA", zip_code="98101")
    assert "wa-hours" in asked(local("2026-03-10 07:29", LOS_ANGELES), debtor=seattle)
    refused = asked(local("2026-03-10 07:30", LOS_ANGELES), debtor=seattle)
    assert refused.keys() == {HOURS}  # the federal rule is stricter in the morning
    assert "wa-hours" not in asked(local("2026-03-10 20:59", LOS_ANGELES), debtor=seattle)
    evening = asked(local("2026-03-10 21:00", LOS_ANGELES), debtor=seattle)
    assert evening["wa-hours"].allowed_from == local("2026-03-11 07:30", LOS_ANGELES)
    assert evening[HOURS].allowed_from == local("2026-03-11 08:00", LOS_ANGELES)
    assert "wa-hours" not in asked(local("2026-03-10 21:00", LOS_ANGELES), debtor=seattle, role=FIRST)


def test_florida_binds_creditors_too_and_consent_lifts_it():
    miami = Debtor(state="FL", zip_code="33101")
    night = local("2026-03-10 21:00")
    assert asked(night, debtor=miami, role=FIRST)["fl-hours"].basis is Basis.LAW
    assert "fl-hours" not in asked(local("2026-03-10 20:59"), debtor=miami, role=FIRST)
    assert "fl-hours" not in asked(local("2026-03-11 08:00"), debtor=miami, role=FIRST)
    consent = said(local("2026-03-01 12:00"), Kind.HOURS_CONSENT)
    assert "fl-hours" not in asked(night, debtor=miami, history=[consent])


def test_florida_has_let_e_mail_go_at_night_since_its_day_in_2025():
    miami = Debtor(state="FL", zip_code="33101")
    assert "fl-hours" in asked(local("2025-05-15 22:00"), Medium.EMAIL, debtor=miami)
    assert "fl-hours" not in asked(local("2025-05-16 22:00"), Medium.EMAIL, debtor=miami)
    assert "fl-hours" in asked(local("2025-05-16 22:00"), Medium.SMS, debtor=miami)


def test_california_binds_creditors_and_since_july_2025_for_commercial_debt_of_persons():
    from decimal import Decimal

    from policies.contact.case import DebtType

    def basis(day: str, **more: object) -> Basis:
        debtor = Debtor(state="CA", zip_code="94103", **more)  # type: ignore[arg-type]
        return asked(local(f"{day} 22:00", LOS_ANGELES), debtor=debtor, role=FIRST)[HOURS].basis

    of_a_person = {"debt_type": DebtType.COMMERCIAL_NATURAL_PERSON}
    assert basis("2020-03-10") is Basis.LAW
    assert basis("2026-03-10", debt_type=DebtType.COMMERCIAL) is Basis.HOUSE
    assert basis("2025-06-30", **of_a_person) is Basis.HOUSE
    assert basis("2025-07-01", **of_a_person) is Basis.LAW
    assert basis("2026-03-10", amount=Decimal(500_000), **of_a_person) is Basis.LAW
    assert basis("2026-03-10", amount=Decimal("500000.01"), **of_a_person) is Basis.HOUSE
    assert basis("2026-03-10", entered_on=date(2025, 7, 1), **of_a_person) is Basis.LAW
    assert basis("2026-03-10", entered_on=date(2025, 6, 30), **of_a_person) is Basis.HOUSE
