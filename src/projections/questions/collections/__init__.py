"""The collections report: where every account stands, why, and what is next; today, or as of a past day."""

from projections.questions.collections.filters import CHOICES, Filters, Order, YesNo
from projections.questions.collections.report import AccountsPage, CollectionsReport, accounts, collections
from projections.questions.collections.summary import BucketSum, StageCount, Summary, summary

__all__ = [
    "CHOICES",
    "AccountsPage",
    "BucketSum",
    "CollectionsReport",
    "Filters",
    "Order",
    "StageCount",
    "Summary",
    "YesNo",
    "accounts",
    "collections",
    "summary",
]
