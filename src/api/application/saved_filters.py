"""Filters of the collections report that an office keeps by name, for every door."""

from collections.abc import Sequence

from pydantic import BaseModel

from adapters.bulk import freezing
from aggregates.kernel.command import Rejected
from aggregates.kernel.deciding import rejected
from aggregates.kernel.refusals import Refusal
from aggregates.office import Office, SaveFilter
from aggregates.values.saved_filter import SavedFilter
from api.application.issuing import Caller, Done, Issuing, Refused, for_the_system
from projections.questions import Filters, Order, Sort
from projections.questions.collections.defined import check_filters, defined_by


class SavedFilterView(BaseModel):
    """A filter that an office keeps. What it does not say of columns and order is as the report has it."""

    name: str
    office: str
    filters: dict[str, str]
    columns: list[str]
    sort: Sort | None
    descending: bool | None


def saved_filters_of(office: Office) -> list[SavedFilterView]:
    """By name."""
    return [
        SavedFilterView(
            name=name,
            office=office.code,
            filters=each.filters,
            columns=list(each.columns),
            sort=sort_of(each),
            descending=each.descending,
        )
        for name, each in sorted(office.saved_filters.items())
    ]


def saved_filter(office: Office, name: str) -> SavedFilter:
    """Raises Refused where the office keeps none of this name."""
    try:
        return office.require_filter(name)
    except Refusal as refusal:
        raise Refused(rejected(refusal)) from None


def filters_with(saved: SavedFilter, given: Filters) -> Filters:
    """Those of a saved filter, and instead of or beside them those that are given. Raises Refused where this release
    has what was saved no more."""
    try:
        return freezing.filters_with(saved, given)
    except Refusal as refusal:
        raise Refused(rejected(refusal)) from None


def sort_of(saved: SavedFilter) -> Sort | None:
    """None also where a later release knows it no more."""
    return next((each for each in Sort if each == saved.sort), None)


def order_of(saved: SavedFilter, sort: Sort | None = None, *, descending: bool | None = None) -> Order:
    """What rows are ordered by: as it is asked for, else as the saved filter says, else as the report has it."""
    standard = Order()
    way = saved.descending if descending is None else descending
    return Order(sort or sort_of(saved) or standard.sort, standard.descending if way is None else way)


def save_filter(
    issuing: Issuing,
    caller: Caller,
    office: Office,
    name: str,
    filters: Filters,
    *,
    columns: Sequence[str] = (),
    sort: Sort | None = None,
    descending: bool | None = None,
    reason: str | None = None,
) -> Done:
    """Keeps a selection under a name, instead of one that had it. Raises NotIssued, also where it holds a text to
    search for: that may be a customer's name, and settings are not erased with a customer. Raises BadQuestion for a
    value that can select nothing."""
    if filters.search is not None:
        raise Refused(Rejected("filter-keeps-no-text", "search: expected none, for it may be a customer's name"))
    with issuing.service.database.connect("arrears_app") as connection:
        check_filters(connection, filters, office.scheme, defined_by([office]))
    said = filters.model_dump(mode="json", exclude_none=True)
    kept = SavedFilter(
        filters={each: str(value) for each, value in said.items()},
        columns=tuple(columns),
        sort=sort,
        descending=descending,
    )
    command = SaveFilter(office_id=office.id, name=name, filter=kept)
    return issuing.issue(command, for_the_system(caller), reason=reason)
