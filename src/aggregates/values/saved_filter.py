"""A selection of the collections report that is kept under a name."""

from pydantic import Field

from aggregates.kernel.value import Value


class SavedFilter(Value):
    """Filters of the report, and which columns it shows in which order. What is None is as the report has it."""

    filters: dict[str, str] = Field(default_factory=dict)
    """By the filter's name its value as people write it. Names and values are checked where it is saved and used: the
    report belongs to what can be seen, not to what may happen."""
    columns: tuple[str, ...] = ()
    sort: str | None = None
    descending: bool | None = None
