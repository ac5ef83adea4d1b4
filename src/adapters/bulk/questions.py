"""What bulk actions show of each account, and whether it is so still: by the columns of the report, or by a question
that a kind has of its own."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from adapters.bulk.asked import Among, Asked, report_shown
from adapters.bulk.messages import messages_compared, messages_shown
from aggregates.account.bulk_kinds import FEES, MESSAGE, BulkKind
from projections.questions.bulk import Frozen, Shown, compared
from projections.questions.collections import Filters
from projections.questions.fees import FeesAsked, fees_compared, fees_shown


@dataclass(frozen=True, slots=True)
class BulkQuestion:
    """How the accounts of a preview are found, and how its rows are compared before they are confirmed."""

    shown: Callable[[Asked, Filters, Among], Iterator[Shown]]
    """Read as they are asked for. Raises ReportRefused, Refusal."""
    compared: Callable[[Asked, UUID, Mapping[str, Any]], Iterator[Frozen]]
    """The rows of an action in their order, with its filters as they were kept. Raises Refusal."""


def _report_compared(asked: Asked, bulk_id: UUID, _: Mapping[str, Any]) -> Iterator[Frozen]:
    return compared(asked.connection, bulk_id, asked.kind.compares)


# --- fees --------------------------------------------------------------------------------------------


def _of_fees(asked: Asked) -> FeesAsked:
    as_of = asked.as_of or asked.today
    return FeesAsked(asked.parameters, asked.office, asked.currency, as_of=as_of, today=asked.today)


def _fees_shown(asked: Asked, filters: Filters, among: Among) -> Iterator[Shown]:
    return fees_shown(asked.connection, _of_fees(asked), filters=filters, among=among)


def _fees_compared(asked: Asked, bulk_id: UUID, filters: Mapping[str, Any]) -> Iterator[Frozen]:
    return fees_compared(asked.connection, _of_fees(asked), bulk_id=bulk_id, filters=filters)


# --- messages ----------------------------------------------------------------------------------------


def _messages_shown(asked: Asked, filters: Filters, among: Among) -> Iterator[Shown]:
    return messages_shown(asked, report_shown(asked, filters, among))


def _messages_compared(asked: Asked, bulk_id: UUID, _: Mapping[str, Any]) -> Iterator[Frozen]:
    return messages_compared(asked, bulk_id)


# --- which kind has which ----------------------------------------------------------------------------

_OF_REPORT = BulkQuestion(report_shown, _report_compared)

QUESTIONS: Mapping[str, BulkQuestion] = {
    FEES.name: BulkQuestion(_fees_shown, _fees_compared),
    MESSAGE.name: BulkQuestion(_messages_shown, _messages_compared),
}
"""Of the kinds that have their own, by name; the others compare columns of the report."""


def has_question(kind: BulkKind) -> bool:
    """Whether it compares more than its accounts can compare themselves."""
    return kind.name in QUESTIONS


def question_of(kind: BulkKind) -> BulkQuestion:
    """The kind's own question, or that of the report."""
    return QUESTIONS.get(kind.name, _OF_REPORT)
