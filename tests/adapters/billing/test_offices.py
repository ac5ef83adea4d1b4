"""Codes of offices: legal, always the same, and different for names that are."""

import pytest
from pydantic import TypeAdapter

from adapters.billing.identity import folded
from adapters.billing.offices import earlier_code, office_code
from aggregates.values.codes import Code

NAMES = [
    "main", "Main Street 5", "Zürich", "Łódź", "東京", "大阪", "东京", "Москва", "Москва 1", "Казань 1", "Αθήνα",
    "Πάτρα", "الرياض", "x" * 41, "x" * 40 + "y", "!!!", "???", "1",
]  # fmt: skip


@pytest.mark.parametrize("name", NAMES)
def test_a_code_is_legal_and_the_same_for_every_spelling(name: str):
    code = office_code(name)
    assert TypeAdapter(Code).validate_python(code) == code
    assert office_code(f" {name.upper()} ") == code


def test_offices_of_different_names_have_different_codes():
    assert len({office_code(name) for name in NAMES}) == len(NAMES)


def test_a_code_is_the_same_for_ever():
    codes = {name: office_code(name) for name in ("Main Street 5", "Zürich", "Łódź", "東京", "Москва")}
    assert codes == {
        "Main Street 5": "main-street-5",
        "Zürich": "zurich",
        "Łódź": "lodz",
        "東京": "dongjing-130016",
        "Москва": "moskva-4ed060",
    }


def test_the_code_of_an_earlier_release_is_remembered():
    assert [earlier_code(name) for name in ("Zürich", "東京", "Main Street 5")] == ["z-rich", "", "main-street-5"]


@pytest.mark.parametrize("other", ["inv-001", "INV-001 ", "ＩＮＶ-００１", " Inv-001"])
def test_spellings_of_one_number_are_folded_alike(other: str):
    assert folded(other) == folded("INV-001")
