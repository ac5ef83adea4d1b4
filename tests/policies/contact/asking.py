"""What tests ask the contact rules: a contact with sane defaults, of which a test says what matters to it."""

from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Any
from zoneinfo import ZoneInfo

from policies.contact.case import Asked, Debtor, Entry, Kind, Medium, Role, Settings
from policies.contact.table import TABLE, Refused, judge

NEW_YORK, CHICAGO, HONOLULU = "America/New_York", "America/Chicago", "Pacific/Honolulu"
JERSEY = Debtor(state="NJ")
"""One zone, and no law of its own in the table."""
THIRD, FIRST = Role.THIRD_PARTY, Role.FIRST_PARTY
PHONE, MAIL = "+12015550123", "bo@example.com"


def local(text: str, zone: str = NEW_YORK) -> datetime:
    """`local("2026-03-10 14:00")`: the UTC moment of a wall-clock time."""
    return datetime.fromisoformat(text).replace(tzinfo=ZoneInfo(zone)).astimezone(UTC)


NOW = local("2026-03-10 14:00")


def asked(
    at: datetime = NOW,
    channel: Medium = Medium.CALL,
    *,
    debtor: Debtor = JERSEY,
    role: Role = THIRD,
    history: Iterable[Entry] = (),
    settings: Settings | None = None,
    debts: tuple[str, ...] = ("D1",),
    **more: Any,
) -> dict[str, Refused]:
    """What refuses the contact, by rule."""
    history, question = tuple(history), Asked(at, channel, debts, **more)
    found = judge(debtor, role, history, question, settings)
    assert found == judge(debtor, role, history, question, settings, table=list(TABLE)), (
        "rules of elsewhere refuse nothing"
    )
    assert len({each.rule for each in found}) == len(found)
    return {each.rule: each for each in found}


def call(at: datetime, **more: Any) -> Entry:
    return Entry(at, channel=Medium.CALL, **{"debts": ("D1",), **more})


def sent(at: datetime, channel: Medium, **more: Any) -> Entry:
    return Entry(at, channel=channel, **{"debts": ("D1",), **more})


def said(at: datetime, kind: Kind, **more: Any) -> Entry:
    return Entry(at, kind, **more)


def calls(*days: int, hour: int = 12, month: int = 3, year: int = 2026, zone: str = NEW_YORK) -> list[Entry]:
    """A call at noon of each of these days of March."""
    return [call(local(f"{year}-{month:02}-{day:02} {hour:02}:00", zone)) for day in days]
