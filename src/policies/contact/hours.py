"""Rules about the time of day where the debtor is: it has to be right in every zone in which they may be."""

from collections.abc import Callable
from datetime import datetime, time, timedelta
from zoneinfo import ZoneInfo

from aggregates.values.business_time import local_times, moment_at
from policies.contact.case import Kind, Medium
from policies.contact.rule import No, Situation

_ROUNDS = 50
"""Openings that are looked at, of all zones: the hours of the two farthest zones meet within a day, or never."""


def between(opens: time, closes: time, *, consent_lifts: bool = True) -> Callable[[Situation], No | None]:
    """A rule: from `opens`, before `closes`; where `consent_lifts`, not for whom consented to other hours."""

    def refuse(situation: Situation) -> No | None:
        if not _has_hours(situation):
            return None
        at = situation.asked.at
        for zone, local in zip(situation.zones, local_times(at, situation.zones), strict=True):
            if not opens <= local.time() < closes:
                if consent_lifts and _has_consent(situation):
                    return None
                return No(f"it is {local:%H:%M} in {zone.key}", first_open(at, situation.zones, opens, closes))
        return None

    return refuse


def first_open(at: datetime, zones: tuple[ZoneInfo, ...], opens: time, closes: time) -> datetime | None:
    """The first moment from `at` on at which it is within the hours in every zone; None where there is none."""
    for _ in range(_ROUNDS):
        closed = next((each for each in zones if not opens <= at.astimezone(each).time() < closes), None)
        if closed is None:
            return at
        at = _next_opening(at.astimezone(closed), closed, opens)
    return None


def _next_opening(local: datetime, zone: ZoneInfo, opens: time) -> datetime:
    day = local.date() if local.time() < opens else local.date() + timedelta(days=1)
    return moment_at(day, opens, zone)


def _has_hours(situation: Situation) -> bool:
    """Letters and the portal have none, unless the office wants it."""
    match situation.asked.channel:
        case Medium.LETTER:
            return situation.figures.get("letters", 0) > 0
        case Medium.PORTAL:
            return situation.figures.get("portal", 0) > 0
        case _:
            return True


def _has_consent(situation: Situation) -> bool:
    """12 CFR 1006.6(b)(4)(i): given directly, and not withdrawn."""
    person = situation.asked.person
    return situation.record.standing(Kind.HOURS_CONSENT, lambda each: each.person == person) is not None
