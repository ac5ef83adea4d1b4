"""Reports: questions to the read models. Pure functions of a connection and arguments, answered as models.

A report may take several statements. Give a connection whose transaction is REPEATABLE READ where all figures of
an answer have to be of one moment while the projections go on.
"""

from projections.questions.activity import Activity, ActivityReport, activity
from projections.questions.aging import Aging, AgingBucket, aging
from projections.questions.audit import AuditReport, AuditRow, audit
from projections.questions.collections import CollectionsReport, CollectionsRow, Filters, Sort, collections
from projections.questions.kpi import Kpi, kpi
from projections.questions.promises import PromiseRow, PromisesReport, promises
from projections.questions.scope import (
    BadQuestion,
    NoOffice,
    ReportRefused,
    SeveralCurrencies,
    UnknownAccount,
    UnknownOffice,
)
from projections.questions.statement import Statement, StatementItem, find_account, statement

__all__ = [
    "Activity",
    "ActivityReport",
    "Aging",
    "AgingBucket",
    "AuditReport",
    "AuditRow",
    "BadQuestion",
    "CollectionsReport",
    "CollectionsRow",
    "Filters",
    "Kpi",
    "NoOffice",
    "PromiseRow",
    "PromisesReport",
    "ReportRefused",
    "SeveralCurrencies",
    "Sort",
    "Statement",
    "StatementItem",
    "UnknownAccount",
    "UnknownOffice",
    "activity",
    "aging",
    "audit",
    "collections",
    "find_account",
    "kpi",
    "promises",
    "statement",
]
