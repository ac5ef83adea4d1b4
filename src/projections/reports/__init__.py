"""Reports: questions to the read models. Pure functions of a connection and arguments, answered as models.

A report may take several statements. Give a connection whose transaction is REPEATABLE READ where all figures of
an answer have to be of one moment while the projections go on.
"""

from projections.reports.activity import Activity, ActivityReport, activity
from projections.reports.aging import Aging, BucketAmount, aging
from projections.reports.audit import AuditReport, AuditRow, audit
from projections.reports.collections import CollectionsReport, CollectionsRow, Filters, Sort, collections
from projections.reports.kpi import Kpi, kpi
from projections.reports.promises import PromiseRow, PromisesReport, promises
from projections.reports.scope import (
    BadQuestion,
    NoOffice,
    ReportRefused,
    SeveralCurrencies,
    UnknownAccount,
    UnknownOffice,
)
from projections.reports.statement import Statement, StatementItem, find_account, statement

__all__ = [
    "Activity",
    "ActivityReport",
    "Aging",
    "AuditReport",
    "AuditRow",
    "BadQuestion",
    "BucketAmount",
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
