"""A tiny domain for tests of the store: cases with notes, and a shelf that two commands share."""

from typing import Any, ClassVar, Self
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field

from aggregates.kernel.aggregate import Aggregate, applies, decides
from aggregates.kernel.command import Command, Target
from aggregates.kernel.context import Context, NeedsHistory
from aggregates.kernel.event import REGISTRY, Event
from aggregates.kernel.personal import Personal
from aggregates.kernel.refusals import Refusal


class OddRefusal(Refusal):
    """With a code that is in no catalogue, so that the product's is the same whatever tests ran before."""

    def __init__(self, reason_code: str, detail: str) -> None:
        Exception.__init__(self, f"{reason_code}: {detail}")
        self.reason_code, self.detail = reason_code, detail


class Contact(BaseModel):
    model_config = ConfigDict(extra="forbid")

    phones: list[Personal] = Field(default_factory=list)


class CaseOpened(Event, name="test-case.opened", version=3):
    """Version 1 had `title`, version 2 renamed it to `label`, version 3 has contact data."""

    label: str
    who: Personal | None = None
    contact: Contact = Contact()


@REGISTRY.upcasts("test-case.opened", from_version=1)
def _title_is_called_label(data: dict[str, Any]) -> dict[str, Any]:
    return {"label": data["title"], "who": data.get("who")}


@REGISTRY.upcasts("test-case.opened", from_version=2)
def _with_contact(data: dict[str, Any]) -> dict[str, Any]:
    return {**data, "contact": {"phones": []}}


class Counted(Event, name="test-case.counted"):
    by: int


class Noted(Event, name="test-case.noted"):
    text: Personal


class Shelved(Event, name="test-shelf.shelved"):
    case_id: UUID


class Remarked(Event, name="test-remark.remarked"):
    account_id: UUID
    text: Personal


class Case(Aggregate):
    """Stands for an account: its events have an account id."""

    kind: ClassVar[str] = "test-case"

    remembers: bool = False
    label: str = ""
    who: Personal | None = None
    total: int = 0
    last_note: Personal | None = None
    every_count: list[int] = Field(default_factory=list)
    """Only where it remembers."""

    @classmethod
    def blank(cls, aggregate_id: UUID, *, whole: bool = False) -> Self:
        return cls(id=aggregate_id, remembers=whole)

    @property
    def about_account(self) -> UUID:
        return self.id

    @applies(CaseOpened)
    def _opened(self, event: CaseOpened) -> None:
        self.label, self.who = event.label, event.who

    @applies(Counted)
    def _counted(self, event: Counted) -> None:
        self.total += event.by
        if self.remembers:
            self.every_count.append(event.by)

    @applies(Noted)
    def _noted(self, event: Noted) -> None:
        self.last_note = event.text


class Shelf(Aggregate):
    """Has no account: nothing of it is encrypted."""

    kind: ClassVar[str] = "test-shelf"

    cases: list[UUID] = Field(default_factory=list)

    @applies(Shelved)
    def _shelved(self, event: Shelved) -> None:
        self.cases.append(event.case_id)


class Remark(Aggregate):
    """Is about an account without being one."""

    kind: ClassVar[str] = "test-remark"

    account_id: UUID | None = None

    @property
    def about_account(self) -> UUID | None:
        return self.account_id

    @applies(Remarked)
    def _remarked(self, event: Remarked) -> None:
        self.account_id = event.account_id


class CaseCommand(Command):
    case_id: UUID

    def targets(self) -> tuple[Target, ...]:
        return (Target("test-case", self.case_id),)


class OpenCase(CaseCommand, name="test-open-case", internal=True):
    label: str = "a case"
    who: str | None = None
    phones: list[str] = Field(default_factory=list)


class Count(CaseCommand, name="test-count", internal=True):
    by: int = 1
    limit: int | None = None


class CountTwiceThenRefuse(CaseCommand, name="test-count-then-refuse", internal=True):
    """Breaks the rule that decisions check first: its two events must leave no trace."""


class Break(CaseCommand, name="test-break", internal=True):
    """A decision with a defect."""


class Repeat(CaseCommand, name="test-repeat", may_need_history=True, internal=True):
    """Counts what was counted as the nth, which only a remembering case knows."""

    nth: int


class HandOver(CaseCommand, name="test-hand-over", may_need_history=True, internal=True, reaches=("test-case",)):
    """Counts move to another case, which the decision asks for when it has begun; `nth`: as many as were counted there
    as the nth, which only a remembering case knows."""

    to_id: UUID
    by: int = 1
    nth: int | None = None
    limit: int | None = None


class Note(CaseCommand, name="test-note", internal=True):
    text: str


class Shelve(Command, name="test-shelve", internal=True):
    case_id: UUID
    shelf_id: UUID

    def targets(self) -> tuple[Target, ...]:
        return (
            Target("test-case", self.case_id),
            Target("test-shelf", self.shelf_id),
        )


class MakeRemark(Command, name="test-make-remark", internal=True):
    remark_id: UUID
    account_id: UUID
    text: str

    def targets(self) -> tuple[Target, ...]:
        return (Target("test-remark", self.remark_id),)


@decides(MakeRemark)
def _remark(remark: Remark, command: MakeRemark, context: Context) -> None:
    remark.emit(Remarked(account_id=command.account_id, text=command.text))


@decides(OpenCase)
def _open(case: Case, command: OpenCase, context: Context) -> None:
    if case.exists:
        raise OddRefusal("test-case-exists", "it is open already")
    case.emit(CaseOpened(label=command.label, who=command.who, contact=Contact(phones=command.phones)))


@decides(Count)
def _count(case: Case, command: Count, context: Context) -> None:
    if command.limit is not None and case.total >= command.limit:
        raise OddRefusal("test-limit-reached", f"{case.total} were counted already")
    if command.by:
        case.emit(Counted(by=command.by))


@decides(CountTwiceThenRefuse)
def _count_then_refuse(case: Case, command: CountTwiceThenRefuse, context: Context) -> None:
    case.emit(Counted(by=1000))
    case.emit(Counted(by=1000))
    raise OddRefusal("test-changed-my-mind", "after emitting")


@decides(Break)
def _break(case: Case, command: Break, context: Context) -> None:
    case.emit(Counted(by=1000))
    raise ZeroDivisionError


@decides(Repeat)
def _repeat(case: Case, command: Repeat, context: Context) -> None:
    if not case.remembers:
        raise NeedsHistory
    case.emit(Counted(by=case.every_count[command.nth - 1]))


@decides(Note)
def _note(case: Case, command: Note, context: Context) -> None:
    case.emit(Noted(text=command.text))


@decides(Shelve)
def _shelve(case: Case, shelf: Shelf, command: Shelve, context: Context) -> None:
    shelf.emit(Shelved(case_id=case.id))
    case.emit(Counted(by=1))


@decides(HandOver)
def _hand_over(case: Case, command: HandOver, context: Context) -> None:
    case.emit(Counted(by=-command.by))  # undone where the decision begins anew
    other = context.find(Case, command.to_id)
    if other is None:
        raise OddRefusal("test-no-case", "there is no other case")
    if command.nth is not None and not other.remembers:
        raise NeedsHistory
    other.emit(Counted(by=command.by if command.nth is None else other.every_count[command.nth - 1]))
    if command.limit is not None and other.total > command.limit:
        raise OddRefusal("test-limit-reached", f"{other.total} would be counted there")
