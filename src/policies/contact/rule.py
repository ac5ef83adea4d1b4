"""What a row of the table is, and what its function is asked."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import date, datetime
from enum import StrEnum
from types import MappingProxyType
from typing import NamedTuple
from zoneinfo import ZoneInfo

from policies.contact.case import Asked, Debtor, DebtType, Entry, Medium, Place, Role, RuleSetting, Settings
from policies.contact.places import US
from policies.contact.record import Record

EVERY_ROLE = frozenset(Role)
EVERY_DEBT = frozenset(DebtType)
EVERY_MEDIUM = frozenset(Medium)
_AS_THE_TABLE = RuleSetting()


class Basis(StrEnum):
    """Why a rule holds for a contact."""

    LAW = "law"
    CHECK = "check"
    """A law of which not all is certain: a setting, with its source."""
    HOUSE = "house"
    """House policy: no law binds here. On by default; an office may turn it off."""


@dataclass(frozen=True, slots=True)
class Scope:
    """Whom a law binds, about which debts, where, and on which days (both included; None: always)."""

    places: frozenset[str] = frozenset({US})
    roles: frozenset[Role] = EVERY_ROLE
    debt_types: frozenset[DebtType] = EVERY_DEBT
    first_day: date | None = None
    last_day: date | None = None
    is_certain: bool = True
    source: str | None = None
    """Where it is another than the row's."""
    media: frozenset[Medium] = EVERY_MEDIUM
    covers: Callable[[Debtor], bool] = lambda _: True


@dataclass(frozen=True, slots=True)
class Figure:
    """A number in a rule that is not certain, or that a house chooses."""

    name: str
    default: int
    says: str
    least: int = 0
    most: int = 1_000


@dataclass(frozen=True, slots=True)
class No:
    """The rule refuses: with its counts, and from when it alone would allow (None: not by itself)."""

    detail: str
    allowed_from: datetime | None = None


class Situation(NamedTuple):
    """What a rule looks at. (A dataclass that is frozen takes four times as long to make, for each of many rules.)"""

    debtor: Debtor
    role: Role
    record: Record
    asked: Asked
    zones: tuple[ZoneInfo, ...]
    """Every zone in which the debtor may be; never empty."""
    places: frozenset[str]
    dates: frozenset[date]
    """That it may be where the debtor is."""
    figures: Mapping[str, int] = MappingProxyType({})
    """Of the rule that is asked."""

    def with_figures(self, figures: Mapping[str, int]) -> "Situation":
        """The same for a rule that has figures. (`_replace` takes three times as long.)"""
        return Situation(self.debtor, self.role, self.record, self.asked, self.zones, self.places, self.dates, figures)

    def each_debt(self) -> Iterator[str | None]:
        """The debts that the contact is about. Where it says none it may be any: all of them together (None), and each
        that the history names, because what was said of one of them frees no other."""
        if not self.asked.debts:
            yield None
        yield from self.asked.debts or self.record.debts

    def place_of(self, contact: Entry | Asked) -> Place | None:
        """Where it reaches the person: as it says, else as the number is known."""
        if contact.place is not None:
            return contact.place
        return next((each.place for each in self.debtor.phones if each.number == contact.to), None)


@dataclass(frozen=True, slots=True)
class ContactRule:
    """A row. `refuse` is pure; it is asked where the row applies."""

    id: str
    says: str
    source: str
    refuse: Callable[[Situation], No | None]
    binds: tuple[Scope, ...] = ()
    """Where it is law."""
    is_house: bool = True
    """Elsewhere it is house policy; else it does not apply there."""
    media: frozenset[Medium] = EVERY_MEDIUM
    is_on: bool = True
    """Of what is not certain, and of house policy: until the office says otherwise."""
    figures: tuple[Figure, ...] = ()
    may_override: bool = False
    """Whether a person may lift it, with a reason, where it is house policy. Nobody lifts a law."""

    @property
    def is_setting(self) -> bool:
        return self.is_house or not all(scope.is_certain for scope in self.binds)

    def within(self, medium: Medium, role: Role, debt_type: DebtType, places: frozenset[str]) -> "ContactRule | None":
        """The rule with those scopes alone that may hold there, whatever the day and the debtor; None where it has no
        part in such contacts."""
        binds = tuple(
            scope
            for scope in self.binds
            if role in scope.roles and debt_type in scope.debt_types and medium in scope.media and scope.places & places
        )
        has_part = medium in self.media and (binds or self.is_house)
        return replace(self, binds=binds) if has_part else None

    def basis(self, situation: Situation) -> tuple[Basis, str] | None:
        """Why the rule holds here, and its source; None where it does not hold."""
        if not self.binds:
            return (Basis.HOUSE, self.source) if self.is_house else None
        uncertain = None
        for scope in self.binds:
            if _is_in(scope, situation):
                if scope.is_certain:
                    return Basis.LAW, self._source(scope)
                uncertain = uncertain or scope
        if uncertain is not None:
            return Basis.CHECK, self._source(uncertain)
        return (Basis.HOUSE, self.source) if self.is_house else None

    def figures_by(self, settings: Settings) -> dict[str, int]:
        return {
            **{each.name: each.default for each in self.figures},
            **settings.get(self.id, _AS_THE_TABLE).figures,
        }

    def is_on_by(self, settings: Settings) -> bool:
        said = settings.get(self.id, _AS_THE_TABLE).is_on
        return self.is_on if said is None else said

    def _source(self, scope: Scope) -> str:
        return self.source if scope.source is None else f"{self.source}; {scope.source}"


def _is_in(scope: Scope, situation: Situation) -> bool:
    asked, debtor = situation.asked, situation.debtor
    if situation.role not in scope.roles or debtor.debt_type not in scope.debt_types:
        return False
    if asked.channel not in scope.media or not scope.places & situation.places:
        return False
    if scope.first_day is not None and max(situation.dates) < scope.first_day:
        return False
    if scope.last_day is not None and min(situation.dates) > scope.last_day:
        return False
    return scope.covers(debtor)


def later(one: No | None, other: No | None) -> No | None:
    """Of two refusals the one that lasts longer; never is longest."""
    if one is None or other is None:
        return one or other
    if one.allowed_from is None or other.allowed_from is None:
        return one if one.allowed_from is None else other
    return one if one.allowed_from >= other.allowed_from else other


def is_about(entry: Entry, debt: str | None) -> bool:
    """What names no debt is about every one."""
    return debt is None or not entry.debts or debt in entry.debts
