"""Kinds of complaints, and the days in which the law of each wants an answer."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, timedelta


@dataclass(frozen=True, slots=True)
class ComplaintKind:
    """`days` are calendar days from the day after receipt; None: as many as the office says."""

    code: str
    title: str
    days: int | None = None
    source: str = ""


COMPLAINT_KINDS: Mapping[str, ComplaintKind] = {
    kind.code: kind
    for kind in (
        ComplaintKind("general", "Complaint"),
        ComplaintKind("billing-error", "Billing error of open-end credit", 30, "US, 12 CFR 1026.13(c)(1)"),
        ComplaintKind("cfpb", "Complaint to the CFPB", 15, "US, 12 U.S.C. 5534; the bureau's portal, first response"),
        ComplaintKind("credit-report", "Dispute of a credit report", 30, "US, 15 U.S.C. 1681i(a)(1), 1681s-2"),
        ComplaintKind("fca", "Complaint to a firm of the FCA", 56, "UK, DISP 1.6.2 R: eight weeks"),
        ComplaintKind("data-protection", "Request of a data subject", 28, "EU, GDPR article 12(3): one month at most"),
    )
}
"""A month is counted as its shortest, 28 days."""


def answer_by(kind: ComplaintKind, received_on: date, *, office_days: int) -> date:
    """The last day on which an answer is in time."""
    return received_on + timedelta(days=office_days if kind.days is None else kind.days)
