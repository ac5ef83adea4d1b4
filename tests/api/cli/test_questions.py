"""What the command line knows of HTTP without importing it is what HTTP says."""

import re
from typing import Any, get_args
from uuid import uuid4

import pytest
from fastapi.routing import APIRoute

from aggregates.account.command import account_id
from aggregates.account.messages import MessageOutcome
from aggregates.office import office_id
from aggregates.promise import PromiseStatus
from aggregates.values.contact import Channel
from api.cli import answers, asking, kafka, messages, options, placements, reports
from api.cli.filters import FILTERS
from api.http.app import ROUTERS
from api.http.middleware import LOCAL
from projections.collections_report.columns import IN_REPORT
from projections.messages.projection import Standing
from projections.questions import Filters
from projections.questions.placements import PlacementState

ROUTES = {
    route.path: route
    for router in ROUTERS
    for route in router.routes
    if isinstance(route, APIRoute) and "GET" in (route.methods or ())
}


def named_alike(path: str) -> str:
    """Whatever stands in braces is the id."""
    return re.sub(r"{[^}]*}", "{id}", path)


@pytest.mark.parametrize("path", sorted(answers.ANSWERS))
def test_what_is_answered_here_is_answered_by_http(path: str):
    assert named_alike(path) in map(named_alike, ROUTES)


def test_what_comes_in_pages_is_what_http_answers_in_pages():
    by_http = {
        named_alike(path)
        for path, route in ROUTES.items()
        if any(parameter.name == "limit" for parameter in route.dependant.query_params)
    }
    assert {path for path in answers.ANSWERS if path in by_http} == asking.PAGED
    assert asking.PAGED == answers.PAGED


def test_the_header_of_the_folders_service_has_one_name():
    assert asking.LOCAL == LOCAL


def test_filters_and_states_are_those_of_the_questions():
    assert list(FILTERS) == list(Filters.model_fields)
    assert list(reports.STATES) == list(PromiseStatus)
    assert [*map(str, messages.Standing)] == [*map(str, Standing)]
    assert tuple(map(str, placements.Standing)) == get_args(PlacementState)
    assert [*map(str, messages.Over)] == [*map(str, Channel)]
    assert [*map(str, messages.Outcome)] == [*map(str, MessageOutcome)]


def test_the_table_of_collections_shows_columns_of_the_report():
    assert set(reports.IN_TABLE) <= set(reports.COLUMNS) == set(IN_REPORT)
    assert set(reports.AMOUNTS) <= set(IN_REPORT)


@pytest.mark.parametrize("name", Filters.model_fields)
def test_every_filter_is_a_parameter_of_http(name: str):
    parameters = ROUTES["/v1/report/collections"].dependant
    known = {each.name for part in [parameters, *_parts(parameters)] for each in part.query_params}
    assert ("q" if name == "search" else name) in known


def _parts(dependant: Any) -> list[Any]:
    found: list[Any] = []
    for each in dependant.dependencies:
        found += [each, *_parts(each)]
    return found


# --- accounts by number or id ---


def test_an_id_is_told_from_a_number():
    account = uuid4()
    assert options.is_id(str(account))
    assert options.is_id(str(account).upper())
    assert not options.is_id(account.hex)  # thirty-two digits may be somebody's number
    assert not options.is_id("104168")


def test_tail_needs_to_ask_nobody_for_an_id_or_a_number_of_an_office():
    account = uuid4()
    assert kafka.id_of(str(account), None, None) == account
    assert kafka.id_of("104168", "main", None) == account_id(office_id("main"), "104168")
