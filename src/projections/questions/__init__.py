"""Reports: questions to the read models. Pure functions of a connection and arguments, answered as models.

A report may take several statements. Give a connection whose transaction is REPEATABLE READ where all figures of
an answer have to be of one moment while the projections go on.
"""

from projections.collections_report.columns import CollectionsRow, Sort
from projections.questions.activity import (
    Activity,
    ActivityReport,
    OfficeActivity,
    OfficeActivityReport,
    activities,
    activity,
    office_activity,
)
from projections.questions.aging import Aging, AgingBucket, aging
from projections.questions.audit import AuditReport, AuditRow, audit
from projections.questions.collections import (
    CHOICES,
    AccountsPage,
    BucketSum,
    CollectionsReport,
    Filters,
    Order,
    StageCount,
    Summary,
    accounts,
    collections,
    summary,
)
from projections.questions.kpi import Kpi, kpi
from projections.questions.offices import office_and_currency_of, office_ids
from projections.questions.promises import PromiseRow, PromisesReport, promises
from projections.questions.roll_rates import RollRates, roll_rates
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
    "CHOICES",
    "AccountsPage",
    "Activity",
    "ActivityReport",
    "Aging",
    "AgingBucket",
    "AuditReport",
    "AuditRow",
    "BadQuestion",
    "BucketSum",
    "CollectionsReport",
    "CollectionsRow",
    "Filters",
    "Kpi",
    "NoOffice",
    "OfficeActivity",
    "OfficeActivityReport",
    "Order",
    "PromiseRow",
    "PromisesReport",
    "ReportRefused",
    "RollRates",
    "SeveralCurrencies",
    "Sort",
    "StageCount",
    "Statement",
    "StatementItem",
    "Summary",
    "UnknownAccount",
    "UnknownOffice",
    "accounts",
    "activities",
    "activity",
    "aging",
    "audit",
    "collections",
    "find_account",
    "kpi",
    "office_activity",
    "office_and_currency_of",
    "office_ids",
    "promises",
    "roll_rates",
    "statement",
    "summary",
]
