"""Aging buckets: how old the past-due amounts are, by days past due (by due date, never invoice date)."""

from collections.abc import Sequence
from datetime import date, timedelta
from functools import cached_property
from itertools import pairwise
from typing import Self

from pydantic import Field, model_validator

from aggregates.kernel.value import Value

CURRENT = "current"


class Bucket(Value):
    """A range of days past due, both ends included. `current` has no lower end, the oldest has no upper end."""

    name: str = Field(min_length=1, max_length=40)
    from_dpd: int | None
    to_dpd: int | None


class BucketScheme(Value):
    """An office's buckets, youngest first: without overlap or gap, `current` up to 0 days, the last open."""

    buckets: tuple[Bucket, ...] = Field(min_length=2, max_length=20)

    @model_validator(mode="after")
    def _whole(self) -> Self:
        first = self.buckets[0]
        if first.from_dpd is not None or first.to_dpd != 0:
            raise ValueError("the first bucket holds what is not past due: from_dpd null, to_dpd 0")
        if first.name != CURRENT:
            raise ValueError(f"the first bucket is named {CURRENT!r}, as it is in every report")
        if self.buckets[-1].to_dpd is not None:
            raise ValueError("the last bucket is open: to_dpd null")
        for younger, older in pairwise(self.buckets):
            if younger.to_dpd is None or older.from_dpd != younger.to_dpd + 1:
                raise ValueError(f"bucket {older.name!r} must start the day after {younger.name!r} ends")
            if older.to_dpd is not None and older.to_dpd < older.from_dpd:
                raise ValueError(f"bucket {older.name!r} ends before it starts")
        if len({b.name for b in self.buckets}) < len(self.buckets):
            raise ValueError("two buckets have the same name")
        return self

    @classmethod
    def of(cls, upper_bounds: Sequence[int]) -> Self:
        """From the last day of each closed past-due bucket: `of([30, 60])` is current, 1-30, 31-60, 61+."""
        edges = [0, *upper_bounds]
        closed = [Bucket(name=f"{low + 1}-{high}", from_dpd=low + 1, to_dpd=high) for low, high in pairwise(edges)]
        current = Bucket(name=CURRENT, from_dpd=None, to_dpd=0)
        oldest = Bucket(name=f"{edges[-1] + 1}+", from_dpd=edges[-1] + 1, to_dpd=None)
        return cls(buckets=(current, *closed, oldest))

    @cached_property
    def names(self) -> tuple[str, ...]:
        return tuple(b.name for b in self.buckets)

    def bucket_of(self, dpd: int) -> str:
        """The bucket of an item that is `dpd` days past due; 0 and less is current."""
        return next(b.name for b in self.buckets if b.to_dpd is None or dpd <= b.to_dpd)

    def rank(self, bucket: str) -> int:
        """0 for current, growing with age; the oldest for a name that an earlier scheme had."""
        return self.names.index(bucket) if bucket in self.names else len(self.names) - 1

    def next_boundary(self, due_on: date, today: date) -> date | None:
        """The next day on which an item due on `due_on` moves to an older bucket; None in the oldest."""
        dpd = (today - due_on).days
        ends = (b.to_dpd for b in self.buckets if b.to_dpd is not None and dpd <= b.to_dpd)
        end = next(ends, None)
        return None if end is None else due_on + timedelta(days=end + 1)


STANDARD_BUCKETS = BucketScheme.of([30, 60, 90, 120])
