"""What may happen: events, state and decisions. Pure: no I/O, no clock, no random ids."""

from aggregates.account import Account
from aggregates.bulk import BulkAction, BulkPart, BulkSchedule
from aggregates.campaign import Campaign
from aggregates.kernel.aggregate import Aggregate
from aggregates.office import Office
from aggregates.placement_file import PlacementFile
from aggregates.promise import PromiseToPay
from aggregates.reader import Reader
from aggregates.template import OfficeTemplate
from aggregates.unmatched import UnmatchedMessage
from aggregates.work import Work
from aggregates.workday import Workday

AGGREGATES: tuple[type[Aggregate], ...] = (
    Account,
    BulkAction,
    BulkPart,
    BulkSchedule,
    Campaign,
    Office,
    OfficeTemplate,
    PlacementFile,
    PromiseToPay,
    Reader,
    UnmatchedMessage,
    Work,
    Workday,
)
"""Every aggregate. Whoever imports anything of this package knows all of their commands and events."""
