"""The columns of the collections report: what each means, how it is stored, and how it is read.

A column that is stored is a field of `StoredRow`; one that is worked out when somebody looks stands in `_WORKED_OUT`.
What the report answers with is `CollectionsRow`. Everything else is made from these: the table and its comments, the
history of accounts, the SQL of today and of a past day, HTTP, pages, files at the command line, and the dashboard's
view.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from datetime import date, datetime
from enum import StrEnum
from typing import Annotated, Any, get_type_hints
from uuid import UUID

from aggregates.account.chase import Stage
from aggregates.account.collections_stage import CollectionsStage
from aggregates.account.shields import Why
from aggregates.kernel.value import LATER
from aggregates.values.aging import CURRENT
from projections.answer import AmountText, Answer


class Sort(StrEnum):
    """What rows are ordered by; the account's id decides between equals."""

    BALANCE = "balance"
    OUTSTANDING = "outstanding"
    PAST_DUE = "past_due"
    DAYS_PAST_DUE = "days_past_due"
    NUMBER = "number"
    CUSTOMER_NAME = "customer_name"
    STAGE = "stage"
    NEXT_ACTION = "next_action"
    LAST_PAYMENT = "last_payment"


@dataclass(frozen=True, slots=True)
class Column:
    """A column: of the table, of the report, or of both.

    `today` and `past` are SQL: over a row `r` of `read_model.collections_report`; and over what the ledger says of the
    day (`owed`) and the account's last `change` of `read_model.account_history` that was recorded by then. Both have
    the account's `person` of `personal.people`, or none while that is filled again.
    """

    kind: str
    """The type in SQL."""
    means: str
    """A sentence for whoever looks at the table or at a dashboard."""
    today: str = ""
    """Where it is not the stored column."""
    past: str = ""
    """Where it is neither recorded nor a column of `owed` with the same name."""
    amount: bool = False
    """Minor units of the row's currency; people are shown major units."""
    recorded: bool = False
    """Kept in the history of accounts: on a past day it is what was recorded by the end of that day."""
    title: str = ""
    """Its heading on a page."""
    sort: Sort | None = None
    sort_key: str = ""
    """What rows are ordered by, where the column may be missing or its letters differ; over the report's columns."""
    ascending: bool = False
    """Which way people look at it first."""
    dashboard: str = ""
    """Its name in `dashboard.accounts`, where that differs."""
    view: str = ""
    """SQL in that view, where it is not the stored column: over a row `r`, the office's business date `d` and the
    person `p`."""

    @property
    def is_figure(self) -> bool:
        """Aligned to the right where people see it."""
        return self.kind in {"bigint", "integer"}


_DISPUTED_THEN = """
    CASE WHEN change.disputed_items <> '{}' THEN (
        SELECT coalesce(sum(least(item.minor, (change.disputed_parts ->> item.id::text)::bigint)), 0)::bigint
        FROM unnest(owed.item_ids, owed.item_minors) AS item (id, minor)
        WHERE item.id = ANY (change.disputed_items)
    ) ELSE 0 END"""
"""An item that is disputed whole has no part: `least` passes over null."""


@dataclass(slots=True)
class StoredRow:
    """A row of `collections_report` while it is worked on, in the order of the table.

    The defaults are those of an account that was just opened; None: the column may be missing. Ids, days and moments
    are text where they come from the table, and go back as they came.
    """

    account_id: Annotated[str, Column("uuid", "The account's stable id.")] = ""
    office_id: Annotated[str, Column("uuid", "Stable id of the office that works it.")] = ""
    number: Annotated[
        str,
        Column(
            "text", "Number of the account in the customer's own systems.",
            sort=Sort.NUMBER, ascending=True, dashboard="account_number",
        ),
    ] = ""  # fmt: skip
    currency: Annotated[str, Column("text", "ISO 4217 code that all amounts of the row are in.")] = ""
    customer_kind: Annotated[str, Column("text", "consumer or commercial.")] = ""
    segment: Annotated[str | None, Column("text", "Segment that billing gave the customer.")] = None
    country: Annotated[str | None, Column("text", "ISO 3166 code of the customer's country.")] = None
    balance: Annotated[
        int,
        Column(
            "bigint", "Outstanding less unapplied, in minor units; negative where the customer has credit.",
            amount=True, title="Balance", sort=Sort.BALANCE,
        ),
    ] = 0  # fmt: skip
    outstanding: Annotated[
        int, Column("bigint", "Sum of open items, due or not, in minor units.", amount=True, sort=Sort.OUTSTANDING)
    ] = 0
    unapplied: Annotated[
        int,
        Column(
            "bigint",
            "Payments and credits not allocated yet, in minor units.",
            amount=True,
        ),
    ] = 0
    past_due: Annotated[
        int,
        Column(
            "bigint", "Sum of open items in any bucket but current, in minor units.", amount=True, sort=Sort.PAST_DUE
        ),
    ] = 0
    buckets: Annotated[
        dict[str, int],
        Column("jsonb", "Open amount by aging bucket, in minor units, without empty ones."),
    ] = field(default_factory=dict)
    bucket: Annotated[str, Column("text", "Aging bucket of the oldest open item.", title="Age")] = CURRENT
    oldest_due_on: Annotated[str | None, Column("date", "Due date of the oldest open item.")] = None
    open_items: Annotated[int, Column("integer", "How many items are open.")] = 0
    disputed: Annotated[
        int,
        Column("bigint", "What is disputed of open items, in minor units.", amount=True, past=_DISPUTED_THEN),
    ] = 0
    stage: Annotated[
        Stage | None,
        Column(
            "text",
            "Auto-collection stage: outstanding, scheduled, engaged, follow-up or blocked; null where nothing is owed.",
            recorded=True, title="Stage and why",
            sort=Sort.STAGE, sort_key="coalesce(stage, '')", ascending=True,
        ),
    ] = None  # fmt: skip
    why_code: Annotated[str | None, Column("text", "Stable code of the reason for the stage.", recorded=True)] = None
    why_detail: Annotated[str | None, Column("text", "The reason in a sentence.", recorded=True)] = None
    campaign_id: Annotated[UUID | str | None, Column("uuid", "The campaign that the account is in.", recorded=True)] = (
        None
    )
    plan_version: Annotated[
        int | None,
        Column(
            "integer", "Version of the campaign by which it was judged last.",
            recorded=True, dashboard="campaign_version",
        ),
    ] = None  # fmt: skip
    flags: Annotated[list[str], Column("text[]", "Flags that the account carries.", recorded=True)] = field(
        default_factory=list
    )
    next_action: Annotated[str | None, Column("text", "Title of the next planned step, or Review.", recorded=True)] = (
        None
    )
    next_action_at: Annotated[
        Any,
        Column(
            "timestamptz", "When it is planned.", recorded=True, title="Next",
            sort=Sort.NEXT_ACTION, sort_key="coalesce(next_action_at, 'infinity')", ascending=True,
        ),
    ] = None  # fmt: skip
    next_step: Annotated[str | None, Column("text", "Id of the step that is planned.")] = None
    review_at: Annotated[Any, Column("timestamptz", "When it is judged again although nothing may have happened.")] = (
        None
    )
    last_payment_on: Annotated[
        str | None,
        Column(
            "date", "Day of the latest payment that was not taken back.", recorded=True, title="Last payment",
            sort=Sort.LAST_PAYMENT, sort_key="coalesce(last_payment_on, '-infinity')",
        ),
    ] = None  # fmt: skip
    last_payment_minor: Annotated[
        int | None, Column("bigint", "Its amount in minor units.", amount=True, dashboard="last_payment")
    ] = None
    last_contact_on: Annotated[str | None, Column("date", "Day of the latest contact.", recorded=True)] = None
    broken_promises: Annotated[int, Column("integer", "How many the customer has broken.", recorded=True)] = 0
    open_promises: Annotated[int, Column("integer", "How many promises to pay are open.", recorded=True)] = 0
    excluded: Annotated[bool, Column("boolean", "Whether a person took it out of auto-collection.", recorded=True)] = (
        False
    )
    held: Annotated[bool, Column("boolean", "Whether a hold lets the chase rest.", recorded=True)] = False
    collections_stage: Annotated[
        str, Column("text", "Where it stands with an outside agency: not set, pending or sent.", recorded=True)
    ] = "not set"
    frozen: Annotated[
        str | None, Column("text", "Code of the reason for which it is frozen; null where it is active.", recorded=True)
    ] = None
    subscriptions: Annotated[
        dict[str, str],
        Column("jsonb", "What the customer subscribes to: active, frozen or cancelled, by its number.", recorded=True),
    ] = field(default_factory=dict)
    written_off: Annotated[
        int,
        Column(
            "bigint", "Written off with the claim kept, less what was recovered since, in minor units.",
            amount=True, title="Written off",
        ),
    ] = 0  # fmt: skip
    agency: Annotated[
        str | None, Column("text", "Code of the agency that has it; null where it is not placed.", recorded=True)
    ] = None
    last_position: Annotated[
        int, Column("bigint", "Place in the log of the latest event about the account that is shown here.")
    ] = 0
    updated_at: Annotated[Any, Column("timestamptz", "When the latest event shown in the row was recorded.")] = ""
    memory: Annotated[
        dict[str, Any],
        Column(
            "jsonb", "What later events of the account need: holds, open promises, latest payments, disputed parts."
        ),
    ] = field(default_factory=lambda: {"holds": [], "promises": [], "payments": []})


_FROZEN_AMONG = """
    CASE WHEN {row}.subscriptions <> '{{}}' THEN (
        SELECT array_agg(each.key ORDER BY each.key) FROM jsonb_each_text({row}.subscriptions) AS each
        WHERE each.value = 'frozen'
    ) END"""

_WORKED_OUT: Mapping[str, Column] = {
    "customer_name": Column(
        "text", "Personal; reads erased once the person was erased.",
        today="coalesce(person.customer_name, r.number)", past="coalesce(person.customer_name, owed.number)",
        view="coalesce(p.customer_name, r.number)", title="Account",
        sort=Sort.CUSTOMER_NAME, sort_key="lower(customer_name)", ascending=True,
    ),
    "office": Column(
        "text", "Short code of the office that works it.", today="office.code", past="owed.office", view="d.office"
    ),
    "days_past_due": Column(
        "integer", "Days from the oldest open item's due date to the business date; 0 where nothing is past due.",
        today="greatest(0, coalesce(%(as_of)s::date - r.oldest_due_on, 0))",
        past="greatest(0, coalesce(%(as_of)s::date - owed.oldest_due_on, 0))",
        view="greatest(0, coalesce(d.business_date - r.oldest_due_on, 0))",
        title="Overdue", sort=Sort.DAYS_PAST_DUE,
        sort_key="coalesce(%(as_of)s::date - oldest_due_on, -100000)",
    ),
    "items": Column("integer", "How many items are open.", today="r.open_items", past="owed.open_items"),
    "why": Column(
        "jsonb", "The reason for the stage: its code, and a sentence.",
        today="CASE WHEN r.why_code IS NOT NULL THEN"
        " jsonb_build_object('code', r.why_code, 'detail', coalesce(r.why_detail, '')) END",
        past="CASE WHEN change.why_code IS NOT NULL THEN"
        " jsonb_build_object('code', change.why_code, 'detail', coalesce(change.why_detail, '')) END",
    ),
    "paid_since": Column(
        "bigint", "What came in after a past day and was not taken back, in minor units.",
        today="NULL::bigint", past="nullif(owed.paid_since, 0)", amount=True, title="Paid since",
    ),
    "frozen_subscriptions": Column(
        "text[]", "Numbers of its subscriptions that are frozen, with it or singly; null where none is.",
        today=_FROZEN_AMONG.format(row="r"), past=_FROZEN_AMONG.format(row="change"),
    ),
    "campaign": Column(
        "text", "Title of the campaign that the account is in.", today="campaign.title", past="campaign.title",
        view="(SELECT c.title FROM read_model.campaigns c WHERE c.campaign_id = r.campaign_id)",
    ),
}  # fmt: skip
"""Columns that no table holds."""


class CollectionsRow(Answer):
    """An account in the report, amounts in its currency. `balance` is `outstanding` less `unapplied`."""

    account_id: UUID
    number: str
    customer_name: str
    office: str | None
    currency: str
    balance: AmountText
    outstanding: AmountText
    unapplied: AmountText
    buckets: dict[str, AmountText]
    bucket: str
    days_past_due: int
    oldest_due_on: date | None
    items: int
    past_due: AmountText
    disputed: AmountText
    stage: Stage | None
    why: Why | None
    campaign: str | None
    flags: list[str]
    next_action: str | None
    next_action_at: datetime | None
    last_payment_on: date | None
    last_contact_on: date | None
    open_promises: int
    broken_promises: int
    collections_stage: Annotated[CollectionsStage | None, LATER] = None
    """Not there where it is not set."""
    frozen: Annotated[str | None, LATER] = None
    written_off: Annotated[AmountText | None, LATER] = None
    """With the claim kept: what an agency would be given besides the balance. Not there where nothing is."""
    agency: Annotated[str | None, LATER] = None
    segment: Annotated[str | None, LATER] = None
    """As it is now."""
    excluded: Annotated[bool | None, LATER] = None
    """Not there where nobody took it out of auto-collection."""
    paid_since: Annotated[AmountText | None, LATER] = None
    """Of a past day: what came in after it and stayed. Not there where nothing did."""
    frozen_subscriptions: Annotated[list[str] | None, LATER] = None
    """Numbers of subscriptions that are frozen, with the account or singly. Not there where none is."""


# --- what is shown where, in which order ---------------------------------------------------------------

ON_PAGE = ("customer_name", "balance", "days_past_due", "bucket", "stage", "next_action_at", "last_payment_on")

_LATER_IN_FILES = ("past_due", "disputed")
"""Came to CSV files later than `why`; a new column of the report comes after all others by itself."""

ON_DASHBOARD = (
    "account_id", "office", "number", "customer_name", "customer_kind", "segment", "country", "currency", "balance",
    "outstanding", "unapplied", "past_due", "disputed", "open_items", "oldest_due_on", "days_past_due", "bucket",
    "stage", "why_code", "why_detail", "campaign", "plan_version", "flags", "next_action", "next_action_at",
    "last_payment_on", "last_payment_minor", "last_contact_on", "open_promises", "broken_promises", "excluded", "held",
    "collections_stage", "updated_at", "written_off",
)  # fmt: skip
"""`dashboard.accounts`: others rely on it; a new column comes last."""

# --- what is made of it ----------------------------------------------------------------------------------


def _named(name: str, column: Column, default: Any) -> Column:
    past = column.past or f"owed.{name}"
    if column.recorded:
        past = f"change.{name}" if default is None else f"coalesce(change.{name}, {_literal(default)})"
    return replace(column, today=column.today or f"r.{name}", past=past)


def _literal(default: Any) -> str:
    match default:
        case bool() | int():
            return str(default).lower()
        case list():
            return "'{}'"
        case _:
            return f"'{default}'"


_OPENED = StoredRow()
_HINTS = get_type_hints(StoredRow, include_extras=True)

STORED: Mapping[str, Column] = {
    each.name: _named(each.name, _HINTS[each.name].__metadata__[0], getattr(_OPENED, each.name))
    for each in fields(StoredRow)
}
"""In the order of the table."""

MAY_BE_MISSING = frozenset(name for name in STORED if getattr(_OPENED, name) is None)
RECORDED = tuple(name for name, column in STORED.items() if column.recorded)
"""What the history of accounts keeps."""

COLUMNS: Mapping[str, Column] = {**STORED, **_WORKED_OUT}
IN_REPORT = tuple(CollectionsRow.model_fields)

REPORT_VERSION = 10
"""Of the collections report: raised with its stored columns, or with what events say of them; it is built anew then."""
HISTORY_VERSION = 7
"""Of the history of accounts: raised with the recorded columns in the same way."""

IN_FILES = tuple(sorted(IN_REPORT, key=lambda name: name in _LATER_IN_FILES))
SORT_KEYS: Mapping[Sort, tuple[str, str]] = {
    column.sort: (column.sort_key or name, column.kind) for name, column in COLUMNS.items() if column.sort is not None
}
"""By sort the expression over the report's columns, and its type."""


def report_of(day: str) -> str:
    """The report's columns as a SELECT list; `day` is `today` or `past`."""
    return ",\n       ".join(f"{getattr(COLUMNS[name], day)} AS {name}" for name in IN_REPORT)


def definitions(names: Sequence[str]) -> str:
    """Stored columns as CREATE TABLE has them."""
    return ",\n    ".join(f"{n} {STORED[n].kind}{'' if n in MAY_BE_MISSING else ' NOT NULL'}" for n in names)


def comments(table: str, names: Sequence[str]) -> str:
    """COMMENT statements for stored columns of a table."""
    return "\n".join(_comment(f"{table}.{name}", STORED[name].means) for name in names)


def dashboard_columns() -> str:
    """The SELECT list of `dashboard.accounts`."""
    return ",\n       ".join(f"{_view_of(name)} AS {COLUMNS[name].dashboard or name}" for name in ON_DASHBOARD)


def dashboard_comments() -> str:
    return "\n".join(
        _comment(f"dashboard.accounts.{column.dashboard or name}", column.means.replace("minor units", "major units"))
        for name, column in ((name, COLUMNS[name]) for name in ON_DASHBOARD)
    )


def _view_of(name: str) -> str:
    column = COLUMNS[name]
    return column.view or (f"dashboard.major_units(r.{name}, r.currency)" if column.amount else f"r.{name}")


def _comment(column: str, means: str) -> str:
    return f"COMMENT ON COLUMN {column} IS '{means.replace(chr(39), chr(39) * 2)}';"
