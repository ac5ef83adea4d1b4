"""Bulk actions: which accounts a preview freezes, how they differ from it now, and what came of each."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Annotated, Any, Literal
from uuid import UUID

from psycopg import Connection
from psycopg.rows import dict_row

from aggregates.account.bulk_kinds import BULK_KINDS, MESSAGE
from aggregates.kernel.value import LATER
from aggregates.values.aging import BucketScheme
from aggregates.values.money import Money
from projections.answer import AmountText, Answer
from projections.collections_report.columns import STORED
from projections.questions.collections.defined import Defined, check_filters
from projections.questions.collections.filters import Filters, conditions, owing, parameters_of_search
from projections.questions.collections.report import selected
from projections.questions.collections.source import Source, source_of
from projections.questions.names import names
from projections.questions.paging import check_limit, cursor_after, key_after
from projections.questions.scope import BadQuestion, Scope, row, rows

BulkStateName = Literal["previewed", "running", "finished", "cancelled", "undoing", "undone"]
RowOutcome = Literal["done", "changed", "refused", "skipped", "failed"]

# --- what is frozen ----------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Shown:
    """An account of a preview."""

    account_id: UUID
    expected: str
    """The figures that are compared later, as the database writes JSON."""
    amount: int
    """In question, in minor units: the balance of the report's day, where the kind has no other."""


_FREEZE = """
SELECT wanted.account_id, {figures}::text AS expected, wanted.balance
FROM wanted
JOIN read_model.collections_report AS now USING (account_id)
WHERE NOT %(only_owing)s OR now.balance > 0
ORDER BY wanted.balance DESC, wanted.account_id DESC
"""

_POSITION = """
SELECT c.position FROM read_model.projections AS g JOIN read_model.checkpoints AS c USING (reader)
WHERE g.name = 'collections_report' AND g.state = 'live'
"""

_FETCHED = 2_000


def _figures(compares: Sequence[str]) -> str:
    """The columns of an account now as one JSON object; `compares` are names of stored columns."""
    assert set(compares) <= STORED.keys()  # noqa: S101 - they come from the catalogue
    pairs = ", ".join(f"'{name}', to_jsonb(now.{name})" for name in compares)
    return f"jsonb_build_object({pairs})"


def shown_position(connection: Connection[Any]) -> int:
    """Up to which place in the log the collections report is."""
    return int(row(connection, {}, _POSITION)["position"])


def named_accounts(connection: Connection[Any], office_id: UUID, called: Sequence[str]) -> dict[str, list[UUID]]:
    """The accounts of an office with these numbers or ids, by what they were called: a number may be there in several
    currencies. Raises BadQuestion where one is not there.
    """
    query = """
        SELECT account_id, number FROM read_model.collections_report
        WHERE office_id = %(office_id)s
          AND (number = ANY (%(numbers)s::text[]) OR account_id::text = ANY (%(ids)s::text[]))
    """
    wanted = [each.strip() for each in called]
    asked = {"office_id": office_id, "numbers": wanted, "ids": [each.lower() for each in wanted]}
    by_number, by_id = dict[str, list[UUID]](), dict[str, UUID]()
    for each in rows(connection, asked, query):
        by_number.setdefault(each["number"], []).append(each["account_id"])
        by_id[str(each["account_id"])] = each["account_id"]
    named = {
        name: [*by_number.get(name, ()), *([by_id[name.lower()]] if name.lower() in by_id else [])] for name in wanted
    }
    if missing := [name for name, ids in named.items() if not ids]:
        raise BadQuestion(f"account: there is no {missing[0]!r}")
    return named


def shown(
    connection: Connection[Any],
    scope: Scope,
    *,
    compares: Sequence[str],
    only_owing: bool = False,
    filters: Filters,
    among: Mapping[str, Sequence[UUID]] | None,
    today: date,
    as_of: date | None,
    scheme: BucketScheme,
    defined: Defined,
) -> Iterator[Shown]:
    """The accounts of a collections report in the order of their balances, read as they are asked for; `among` these,
    whether they owe something or not, by what they were called. What is compared later is what the account is now,
    whatever day the report is of. Raises BadQuestion, also where a named account is not in the report.
    """
    check_filters(connection, filters, scheme, defined)
    source = source_of(connection, scope, today=today, as_of=as_of, known_on=None, scheme=scheme)
    given = filters.given(scope.currency)
    those = [owing(given)] if among is None else ["account_id = ANY (%(among)s::uuid[])"]
    query = selected(source, [*those, *conditions(given, names(connection))])
    ids = [each for several in (among or {}).values() for each in several]
    asked = {**source.parameters, **given, **parameters_of_search(given), "among": ids}
    asked["only_owing"] = only_owing and among is None
    if among is not None:
        day = "" if as_of is None else f" of {as_of}"
        check_named(connection, source, those, among, where=f"{day} in {scope.currency}")
    with connection.cursor(name="bulk_rows", row_factory=dict_row) as cursor:
        cursor.itersize = _FETCHED
        cursor.execute("".join((*query, _FREEZE.replace("{figures}", _figures(compares)))).encode(), asked)
        for each in cursor:
            yield Shown(each["account_id"], each["expected"], each["balance"])


def check_named(
    connection: Connection[Any],
    source: Source,
    those: Sequence[str],
    among: Mapping[str, Sequence[UUID]],
    *,
    where: str,
) -> None:
    """Raises BadQuestion where a named account is not in the report; `where`: in which, in words."""
    there = "".join((*selected(source, those), "SELECT account_id FROM wanted"))
    ids = [each for several in among.values() for each in several]
    found = {each["account_id"] for each in rows(connection, {**source.parameters, "among": ids}, there)}
    if missing := [name for name, several in among.items() if found.isdisjoint(several)]:
        raise BadQuestion(f"account: {missing[0]!r} is not in the report{where}")


# --- whether it is so still --------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Frozen:
    """A row of a bulk action, and whether its account is not as it was shown any more."""

    account_id: UUID
    number: str
    expected: str
    amount_minor: int | None
    has_changed: bool


_COMPARE = """
SELECT r.account_id, coalesce(now.number, '') AS number, r.expected::text AS expected, r.amount_minor,
       coalesce(now.figures, '{}') || r.expected IS DISTINCT FROM now.figures AS has_changed
FROM read_model.bulk_rows AS r
LEFT JOIN (
    SELECT account_id, number, {figures} AS figures FROM read_model.collections_report AS now
) AS now USING (account_id)
WHERE r.bulk_id = %(bulk_id)s
ORDER BY r.place
"""


def compared(connection: Connection[Any], bulk_id: UUID, compares: Sequence[str]) -> Iterator[Frozen]:
    """Every row in its order, compared with the report as it is; what an earlier version did not show is not."""
    with connection.cursor(name="bulk_rows", row_factory=dict_row) as cursor:
        cursor.itersize = _FETCHED
        cursor.execute(_COMPARE.replace("{figures}", _figures(compares)).encode(), {"bulk_id": bulk_id})
        for each in cursor:
            yield Frozen(**each)


def accounts_of(connection: Connection[Any], bulk_id: UUID) -> list[UUID]:
    """All accounts of a bulk action, in no order."""
    query = "SELECT account_id FROM read_model.bulk_rows WHERE bulk_id = %(bulk_id)s AND place IS NOT NULL"
    return [each["account_id"] for each in rows(connection, {"bulk_id": bulk_id}, query)]


def account_called(connection: Connection[Any], bulk_id: UUID, called: str) -> UUID | None:
    """The account of a bulk action that has this number or id; None where there is none."""
    query = """
        SELECT r.account_id
        FROM read_model.bulk_rows AS r
        JOIN read_model.collections_report AS now USING (account_id)
        WHERE r.bulk_id = %(bulk_id)s AND (now.number = %(called)s OR r.account_id::text = lower(%(called)s))
        LIMIT 1
    """
    found = rows(connection, {"bulk_id": bulk_id, "called": called.strip()}, query)
    return found[0]["account_id"] if found else None


@dataclass(frozen=True, slots=True)
class DoneAccount:
    """An account that a bulk action changed."""

    place: int
    account_id: UUID
    number: str
    amount_minor: int | None
    is_undone: bool
    left: str | None
    """Where an undo left it as it was: why."""


def done_accounts(connection: Connection[Any], bulk_id: UUID, *, after: int, limit: int) -> list[DoneAccount]:
    """Accounts that a bulk action changed, in the order of its preview, from behind a place of it on."""
    query = """
        SELECT r.place, r.account_id, coalesce(now.number, '') AS number, r.amount_minor,
               coalesce(r.undo_outcome = 'done', false) AS is_undone,
               CASE WHEN r.undo_outcome = 'changed' THEN coalesce(r.undo_detail, '') END AS left
        FROM read_model.bulk_rows AS r
        LEFT JOIN read_model.collections_report AS now USING (account_id)
        WHERE r.bulk_id = %(bulk_id)s AND r.outcome = 'done' AND r.place > %(after)s
        ORDER BY r.place
        LIMIT %(limit)s
    """
    return [
        DoneAccount(**each) for each in rows(connection, {"bulk_id": bulk_id, "after": after, "limit": limit}, query)
    ]


def done_in_all(connection: Connection[Any], bulk_id: UUID) -> tuple[int, int | None]:
    """How many accounts a bulk action changed, and the sum of their amounts in question, in minor units; None where
    the kind has none."""
    query = """
        SELECT count(r.account_id) AS accounts,
               CASE WHEN b.total_minor IS NOT NULL THEN coalesce(sum(r.amount_minor), 0)::bigint END AS minor
        FROM read_model.bulk_actions AS b
        LEFT JOIN read_model.bulk_rows AS r ON r.bulk_id = b.bulk_id AND r.outcome = 'done' AND r.place IS NOT NULL
        WHERE b.bulk_id = %(bulk_id)s
        GROUP BY b.bulk_id, b.total_minor
    """
    found = rows(connection, {"bulk_id": bulk_id}, query)
    return (found[0]["accounts"], found[0]["minor"]) if found else (0, None)


# --- what came of it ---------------------------------------------------------------------------------


class Leaving(Answer):
    """How messages would leave that were confirmed now, where no other messages of the office wait."""

    per_minute: int | None
    """The office's pace. None: they take no turn."""
    in_first_minute: int
    all_left_at: datetime | None
    """When the last has left; None where not all of them do before `until`."""
    until: datetime
    """When the hours or the day of the office end: what has not left by then is withdrawn."""
    in_time: int
    """How many leave before that."""


class BulkView(Answer):
    """A bulk action. `asked` is how many accounts have an outcome by now; of what has not ended counts are null."""

    id: UUID
    kind: str
    state: BulkStateName
    accounts: int
    total: AmountText | None
    currency: str
    office: str
    parameters: dict[str, Any]
    filters: dict[str, Any]
    as_of: date
    digest: str
    asked: int
    done: int
    changed: int
    refused: int
    skipped: int
    undone: int
    """Accounts on which it was reversed."""
    kept: int
    """Accounts on which somebody had changed the same since, or that could not reverse it as they were, so that it was
    not reversed, or not all of it."""
    without_changed: bool | None
    previewed_at: datetime
    previewed_by: str
    confirmed_at: datetime | None
    confirmed_by: str | None
    ended_at: datetime | None
    cancelled_by: str | None
    undo_begun_at: datetime | None
    undo_begun_by: str | None
    undone_at: datetime | None
    schedule_id: Annotated[UUID | None, LATER] = None
    """The schedule that made it. Where it stands `previewed` it is too large, and waits for a person."""
    may_leave: int | None = None
    """Of messages: how many nothing would keep from leaving. Counted where one action is asked for; else null."""
    leaving: Leaving | None = None
    """Of messages that are previewed: how those would leave that may. Where one action is asked for; else null."""
    refused_by: dict[str, int] | None = None
    """Of messages: by the id of a contact rule or wish how many it would refuse. One that several refuse counts for
    each. Counted where one action is asked for; else null."""
    too_long: int | None = None
    """Of messages: how many are longer than an SMS may be. Counted where one action is asked for; else null."""


class BulkRow(Answer):
    """An account of a bulk action. `outcome` is null before it was asked; `undone` says what came of the undo.

    Of messages `refused_by` has the contact rules and wishes that would refuse it, and `too_long` says whether it is
    longer than an SMS may be.
    """

    account: str
    account_id: UUID
    amount: AmountText | None
    expected: dict[str, Any]
    outcome: RowOutcome | None
    reason: str | None
    reason_code: str | None
    undone: Literal["done", "changed", "failed"] | None
    undone_reason: str | None
    refused_by: tuple[str, ...] | None
    too_long: bool | None


class BulkPage(Answer):
    rows: tuple[BulkView, ...]
    next_cursor: str | None


class BulkRowsPage(Answer):
    rows: tuple[BulkRow, ...]
    next_cursor: str | None


_STATE = """
    CASE WHEN b.undone_attempt >= b.undo_attempt THEN 'undone' WHEN b.undo_begun_at IS NOT NULL THEN 'undoing'
         WHEN b.cancelled_at IS NOT NULL THEN 'cancelled' WHEN b.finished_at IS NOT NULL THEN 'finished'
         WHEN b.confirmed_at IS NOT NULL THEN 'running' ELSE 'previewed' END
"""

_ACTION = f"""
    SELECT b.*, {_STATE} AS state, office.code AS office, coalesce(b.finished_at, b.cancelled_at) AS ended_at,
           b.rows_done + b.rows_changed + b.rows_refused + b.rows_skipped AS asked
    FROM read_model.bulk_actions AS b
    LEFT JOIN read_model.ledger_offices AS office USING (office_id)
    WHERE b.previewed_at IS NOT NULL
"""  # noqa: S608 - constants

_ACTIONS = f"""
    {_ACTION}
      AND (NOT %(waiting)s OR b.schedule_id IS NOT NULL AND b.confirmed_at IS NULL AND b.cancelled_at IS NULL)
      AND (%(office_id)s::uuid IS NULL OR b.office_id = %(office_id)s)
      AND (%(at)s::timestamptz IS NULL OR (b.previewed_at, b.bulk_id) < (%(at)s::timestamptz, %(id)s::uuid))
    ORDER BY b.previewed_at DESC, b.bulk_id DESC
    LIMIT %(limit)s
"""

_OUTCOME = """
    CASE WHEN r.outcome IS NULL AND b.finished_at IS NOT NULL THEN 'failed' ELSE r.outcome END
"""
_UNDONE = """
    CASE WHEN r.outcome = 'done' AND r.undo_outcome IS NULL AND b.undone_attempt >= b.undo_attempt THEN 'failed'
         ELSE r.undo_outcome END
"""

TOO_LONG = "sms-too-long"
"""What keeps a message that is longer than an SMS may be, beside the ids of rules."""

_ROWS = f"""
    SELECT r.place, r.account_id, coalesce(now.number, '') AS account, r.amount_minor, b.currency, b.kind, r.expected,
           {_OUTCOME} AS outcome, coalesce(r.detail, r.expected ->> 'note') AS reason, r.reason_code,
           {_UNDONE} AS undone, r.undo_detail AS undone_reason,
           r.expected -> 'refused_by' AS refused_by, (r.expected ->> 'too_long')::boolean AS too_long
    FROM read_model.bulk_rows AS r
    JOIN read_model.bulk_actions AS b USING (bulk_id)
    LEFT JOIN read_model.collections_report AS now USING (account_id)
    WHERE r.bulk_id = %(bulk_id)s AND r.place IS NOT NULL
      AND (%(outcome)s::text IS NULL OR {_OUTCOME} = %(outcome)s)
      AND (%(rule)s::text IS NULL OR r.expected -> 'refused_by' ? %(rule)s
           OR %(rule)s = '{TOO_LONG}' AND (r.expected ->> 'too_long')::boolean)
      AND (%(place)s::bigint IS NULL OR r.place > %(place)s::bigint)
    ORDER BY r.place
    LIMIT %(limit)s
"""  # noqa: S608 - constants


def bulk_action(connection: Connection[Any], bulk_id: UUID) -> BulkView | None:
    """One bulk action; None where there is none of this id, or it is not shown yet."""
    found = rows(connection, {"id": bulk_id}, _ACTION + " AND b.bulk_id = %(id)s")
    return _view(found[0]) if found else None


_WOULD = """
    SELECT r.expected -> 'refused_by' AS refused_by, r.expected ->> 'problem' IS NULL AS can_be_made,
           (r.expected ->> 'too_long')::boolean AS too_long, count(*) AS accounts
    FROM read_model.bulk_rows AS r
    WHERE r.bulk_id = %(bulk_id)s
    GROUP BY 1, 2, 3
"""
"""Rows are read once; of how they were refused there are few kinds, however many rows there are."""


def bulk_action_in_full(connection: Connection[Any], bulk_id: UUID) -> BulkView | None:
    """The same, and of messages what would become of them, counted from the rows."""
    found = bulk_action(connection, bulk_id)
    if found is None or found.kind != MESSAGE.name:
        return found
    kinds = rows(connection, {"bulk_id": bulk_id}, _WOULD)
    rules = Counter[str]()
    for each in kinds:
        for rule in each["refused_by"] or ():
            rules[rule] += each["accounts"]
    return found.model_copy(
        update={
            "may_leave": sum(each["accounts"] for each in kinds if each["refused_by"] == [] and each["can_be_made"]),
            "too_long": sum(each["accounts"] for each in kinds if each["too_long"]),
            "refused_by": dict(sorted(rules.items(), key=lambda each: (-each[1], each[0]))),
        }
    )


def leaving(count: int, *, per_minute: int | None, now: datetime, until: datetime) -> Leaving:
    """How so many messages would leave from now on; `per_minute` None: without a turn."""
    if per_minute is None:
        return Leaving(per_minute=None, in_first_minute=count, all_left_at=now, until=until, in_time=count)
    apart = timedelta(minutes=1) / per_minute
    in_time = min(count, max(0, -((now - until) // apart)))
    last_at = now + max(count - 1, 0) * apart
    return Leaving(
        per_minute=per_minute,
        in_first_minute=min(count, per_minute),
        all_left_at=last_at if in_time == count else None,
        until=until,
        in_time=in_time,
    )


def bulk_actions(
    connection: Connection[Any],
    *,
    office_id: UUID | None = None,
    waiting: bool = False,
    limit: int = 50,
    cursor: str | None = None,
) -> BulkPage:
    """Bulk actions of one office, or of all, the newest first; `waiting`: only those that a schedule made and that are
    too large to be done without a person. Raises BadQuestion."""
    at, last = key_after(cursor, "previewed", 2)
    asked = {"office_id": office_id, "waiting": waiting, "at": at, "id": last, "limit": check_limit(limit) + 1}
    found = [_view(each) for each in rows(connection, asked, _ACTIONS)]
    page = found[:limit]
    following = cursor_after("previewed", page[-1].previewed_at, page[-1].id) if len(found) > limit else None
    return BulkPage(rows=tuple(page), next_cursor=following)


def bulk_rows(
    connection: Connection[Any],
    bulk_id: UUID,
    *,
    outcome: RowOutcome | None = None,
    rule: str | None = None,
    limit: int = 50,
    cursor: str | None = None,
) -> BulkRowsPage:
    """Accounts of a bulk action in the order of its preview, of any outcome or of one; `rule`: only those whose message
    it would refuse, or `sms-too-long`. Raises BadQuestion, also for a rule that refuses none of them."""
    (place,) = key_after(cursor, "place", 1)
    asked = {"bulk_id": bulk_id, "outcome": outcome, "rule": rule, "place": place, "limit": check_limit(limit) + 1}
    found = rows(connection, asked, _ROWS)
    if rule not in {None, TOO_LONG} and not found and place is None and outcome is None:
        _require_refusing(connection, bulk_id, rule)
    page = found[:limit]
    following = cursor_after("place", page[-1]["place"]) if len(found) > limit else None
    return BulkRowsPage(rows=tuple(map(_row, page)), next_cursor=following)


def _require_refusing(connection: Connection[Any], bulk_id: UUID, rule: str | None) -> None:
    """That no row has the rule may be because nobody is called so. Raises BadQuestion."""
    counted = bulk_action_in_full(connection, bulk_id)
    refusing = sorted((counted.refused_by if counted is not None else None) or ())
    if rule not in refusing:
        raise BadQuestion(f"rule: expected one of {', '.join([*refusing, TOO_LONG])}")


def _view(found: Mapping[str, Any]) -> BulkView:
    total = found["total_minor"]
    counts = {name: found[f"rows_{name}"] for name in ("done", "changed", "refused", "skipped", "undone", "kept")}
    said = {
        name: found[name]
        for name in BulkView.model_fields
        if name not in {"id", "total"} and name in found  # messages are counted where one is asked for
    }
    amount = None if total is None else Money(total, found["currency"]).decimal()
    undone_at = found["undone_at"] if found["state"] == "undone" else None  # else it was before it was begun again
    return BulkView(id=found["bulk_id"], total=amount, **{**said, **counts, "undone_at": undone_at})


def _row(found: Mapping[str, Any]) -> BulkRow:
    minor = found["amount_minor"]
    said = {name: found[name] for name in BulkRow.model_fields if name != "amount"}
    for name in BULK_KINDS[found["kind"]].in_minor_units if found["kind"] in BULK_KINDS else ():
        if name in said["expected"]:
            amount = Money(said["expected"][name], found["currency"]).decimal()
            said["expected"] = {**said["expected"], name: str(amount)}
    return BulkRow(amount=None if minor is None else Money(minor, found["currency"]).decimal(), **said)
