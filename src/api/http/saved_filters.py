"""Filters of the collections report that an office keeps by name."""

from typing import Annotated

from fastapi import Path, Query
from pydantic import Field

from aggregates.office import RemoveFilter, office_id
from aggregates.values.codes import Code
from api.application.issuing import Done
from api.application.saved_filters import SavedFilterView, save_filter, saved_filters_of
from api.http.bodies import Reason
from api.http.commands import MAY_BE_REFUSED, CallerOf, IssuingOf
from api.http.filters import FilterBody, filters_of
from api.http.problems import documented
from api.http.reading import OfficeOf, Readings
from api.http.report import columns_of
from api.http.routing import Router
from api.http.shapes import JsonBody
from projections.questions import Sort

router = Router(prefix="/v1/filters", tags=["reports"])

FilterName = Annotated[Code, Path(description="The filter's name in its office.")]


class FilterToSave(FilterBody):
    """Which accounts of whose office, and which columns of them in which order."""

    office: Code
    columns: tuple[Annotated[str, Field(max_length=100)], ...] | None = Field(None, max_length=100)
    sort: Sort | None = None
    descending: bool | None = None
    reason: Reason = None


@router.get("", responses=documented(404))
def list_filters(*, readings: Readings, office: OfficeOf = None) -> list[SavedFilterView]:
    """The filters that an office keeps, or all of them, by name."""
    return [each for found in readings.offices_named(office) for each in saved_filters_of(found)]


@router.put("/{name}", responses=MAY_BE_REFUSED)
def put_filter(
    *, name: FilterName, body: JsonBody[FilterToSave], readings: Readings, issuing: IssuingOf, caller: CallerOf
) -> Done:
    """Keep a selection under a name, instead of one that had it. A text to search for is not kept."""
    with readings.connection():  # what the report refuses is a problem
        return save_filter(
            issuing,
            caller,
            readings.office(body.office),
            name,
            filters_of(body),
            columns=columns_of(",".join(body.columns or ())),
            sort=body.sort,
            descending=body.descending,
            reason=body.reason,
        )


@router.delete("/{name}", responses=MAY_BE_REFUSED)
def delete_filter(
    *,
    name: FilterName,
    office: Annotated[Code, Query(description="Whose filter it is.")],
    issuing: IssuingOf,
    caller: CallerOf,
) -> Done:
    """Keep it no longer. What was done with it stays done."""
    return issuing.issue(RemoveFilter(office_id=office_id(office), name=name), caller)
