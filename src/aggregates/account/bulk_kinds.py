"""Kinds of bulk actions: what each does to an account, and how that is undone. One row each, in `BULK_KINDS`.

What a kind says it did is JSON, and all that its undo needs. Its `touches` name what that was (`vip`, of flags), so
that an account knows whether somebody changed the same since.
"""

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from typing import Any, Self
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field, model_validator
from pydantic.config import JsonDict

from aggregates.account.collections_stage import CollectionsStage, CollectionsStageChanged, CollectionsStages
from aggregates.account.flags import FlagCleared, Flags, FlagSet
from aggregates.account.freezing import AccountFrozen, AccountUnfrozen, Freezing
from aggregates.account.holds import Holds
from aggregates.account.placement import Placed, PlacementEnd, PlacementEnded
from aggregates.account.placing import Placing
from aggregates.account.promises import Promises
from aggregates.account.receivables import Receivables
from aggregates.kernel.aggregate import Aggregate
from aggregates.kernel.context import Context
from aggregates.kernel.event import Event
from aggregates.kernel.refusals import Refusal
from aggregates.office import Office
from aggregates.values.codes import Code

Figures = Mapping[str, Any]
"""What the report showed of an account, by the name of the report's column, as JSON."""
Did = Mapping[str, Any]
"""What an action changed, as JSON; empty: nothing."""


class BulkParameters(BaseModel):
    """What a kind is told besides the accounts."""

    model_config = ConfigDict(frozen=True, extra="forbid")


@dataclass(frozen=True, slots=True)
class BulkKind:
    """A kind of bulk action. Everything that it does to an account is decided by the account."""

    name: str
    subject: str
    """What its touched things are, such as flags: kinds of one subject change the same."""
    title: str
    """On a button."""
    means: str
    """A sentence, for whoever chooses."""
    parameters: type[BulkParameters]
    check: Callable[[Any, Office], None]
    """Refuses parameters that the office does not know."""
    compares: tuple[str, ...]
    """Columns of the report whose values have to be what the preview showed."""
    figures: Callable[[Aggregate, Context], Figures]
    """The same of the account now, without what the action's own other accounts may have changed meanwhile."""
    does: Callable[[Aggregate, Any, Context], Did]
    """Changes the account and says what; refuses before it changes anything."""
    undoes: Callable[[Aggregate, Did, Collection[str], Context], Collection[str]]
    """Reverses what was done, but for the touched things that somebody changed since; which of them it reversed."""
    touches: Callable[[Did], Collection[str]]
    overtaken_by: Mapping[type[Event], Callable[[Any], str]]
    """Events that change the same, and which of the touched things that is."""
    ignores: Callable[[Figures, Office], Figures] = lambda figures, _: figures
    """The figures that are compared, without what does not count."""
    has_amount: bool = False
    """Whether it is about the account's balance."""


FLAGS_OF_OFFICE: JsonDict = {"choices": "flags", "many": True}
"""Of a field: what people choose it from, and whether several of it."""

# --- flags -------------------------------------------------------------------------------------------


class FlagParameters(BulkParameters):
    """Flags that are put on every account, and flags that are taken off."""

    add: tuple[Code, ...] = Field(
        (), max_length=20, description="Flags of the office to put on.", json_schema_extra=FLAGS_OF_OFFICE
    )
    remove: tuple[Code, ...] = Field(
        (), max_length=20, description="Flags to take off.", json_schema_extra=FLAGS_OF_OFFICE
    )

    @model_validator(mode="after")
    def _says_something_once(self) -> Self:
        if not self.add and not self.remove:
            raise ValueError("add: expected at least one flag to add or to remove")
        named = [*self.add, *self.remove]
        if len(set(named)) < len(named):
            raise ValueError("add: expected each flag once")
        return self


def _check_flags(parameters: FlagParameters, office: Office) -> None:
    for flag in parameters.add:
        office.require_flag(flag)


def _without_shared(figures: Figures, office: Office) -> Figures:
    """A flag about the customer is carried by all their accounts, and comes to the second with the first."""
    return {**figures, "flags": [flag for flag in figures["flags"] if not office.is_about_customer(flag)]}


def _change_flags(account: Aggregate, parameters: FlagParameters, context: Context) -> Did:
    mine = account.part(Flags)
    office = mine.customer.office(context)
    _check_flags(parameters, office)
    put_on = [flag for flag in parameters.add if flag not in mine.carried]
    taken_off = [flag for flag in parameters.remove if flag in mine.carried]
    others: list[dict[str, Any]] = []
    for each in [mine, *(other.part(Flags) for other in mine.others(context))]:
        meant = [flag for flag in parameters.add if each is mine or office.is_about_customer(flag)]
        added = [flag for flag in meant if flag not in each.carried]
        gone = [flag for flag in parameters.remove if each is mine or office.is_about_customer(flag)]
        gone = [flag for flag in gone if flag in each.carried]
        for flag in added:
            each.emit(FlagSet(flag=flag))
        for flag in gone:
            each.emit(FlagCleared(flag=flag))
        if each is not mine and (added or gone):
            others.append({"account_id": str(each.whole.id), "put_on": added, "taken_off": gone})
    if not put_on and not taken_off and not others:
        return {}
    return {"put_on": put_on, "taken_off": taken_off, **({"others": others} if others else {})}


def _take_flags_back(account: Aggregate, did: Did, since: Collection[str], context: Context) -> Collection[str]:
    mine = account.part(Flags)
    others = {other.id: other.part(Flags) for other in mine.others(context)}
    back = [flag for flag in (*did["put_on"], *did["taken_off"]) if flag not in since]
    _put_flags_back(mine, did, since)
    for each in did.get("others", ()):
        if (other := others.get(UUID(each["account_id"]))) is not None:
            _put_flags_back(other, each, since)
    return back


def _put_flags_back(flags: Flags, did: Did, since: Collection[str]) -> None:
    for flag in did["put_on"]:
        if flag not in since and flag in flags.carried:
            flags.emit(FlagCleared(flag=flag))
    for flag in did["taken_off"]:
        if flag not in since and flag not in flags.carried:
            flags.emit(FlagSet(flag=flag))


FLAGS = BulkKind(
    name="flags",
    subject="flags",
    title="Flags",
    means="Put flags of the office on accounts, or take them off.",
    parameters=FlagParameters,
    check=_check_flags,
    compares=("flags",),
    figures=lambda account, _: {"flags": sorted(account.part(Flags).carried)},
    ignores=_without_shared,
    does=_change_flags,
    undoes=_take_flags_back,
    touches=lambda did: (*did["put_on"], *did["taken_off"]),
    overtaken_by={FlagSet: lambda event: event.flag, FlagCleared: lambda event: event.flag},
)

# --- collections stage -------------------------------------------------------------------------------


class StageParameters(BulkParameters):
    """The collections stage that every account gets."""

    to: CollectionsStage = Field(description="Where the accounts stand with an outside agency: not set, pending, sent.")


def _change_stage(account: Aggregate, parameters: StageParameters, _: Context) -> Did:
    stages = account.part(CollectionsStages)
    before = stages.stage
    stages.require_unplaced()
    if before is parameters.to:
        return {}
    stages.emit(CollectionsStageChanged(stage=parameters.to, previous=before))
    return {"before": before.value}


def _take_stage_back(account: Aggregate, did: Did, since: Collection[str], _: Context) -> Collection[str]:
    if since:
        return ()
    stages, before = account.part(CollectionsStages), CollectionsStage(did["before"])
    stages.emit(CollectionsStageChanged(stage=before, previous=stages.stage))
    return _STAGE


_STAGE = ("collections stage",)

STAGE = BulkKind(
    name="stage",
    subject="collections stage",
    title="Collections stage",
    means="Say where accounts stand with an outside agency.",
    parameters=StageParameters,
    check=lambda _, __: None,
    compares=("collections_stage",),
    figures=lambda account, _: {"collections_stage": account.part(CollectionsStages).stage.value},
    does=_change_stage,
    undoes=_take_stage_back,
    touches=lambda _: _STAGE,
    overtaken_by={CollectionsStageChanged: lambda _: _STAGE[0], Placed: lambda _: _STAGE[0]},
)

# --- freeze and rollback -----------------------------------------------------------------------------


class FreezeParameters(BulkParameters):
    """Why every account is frozen."""

    code: Code = Field(
        title="Reason", description="A reason of the office.", json_schema_extra={"choices": "freeze_reasons"}
    )


class NoParameters(BulkParameters):
    """Nothing has to be said."""


_FREEZE = ("freeze",)


def _frozen(account: Aggregate, _: Context) -> Figures:
    freeze = account.part(Freezing).current
    return {"frozen": freeze.code if freeze is not None else None}


def _check_freeze(parameters: FreezeParameters, office: Office) -> None:
    office.require_freeze_reason(parameters.code)


def _freeze(account: Aggregate, parameters: FreezeParameters, context: Context) -> Did:
    return {"code": parameters.code} if account.part(Freezing).freeze_for(parameters.code, context) else {}


def _take_freeze_back(account: Aggregate, _: Did, since: Collection[str], __: Context) -> Collection[str]:
    if since:
        return ()
    account.part(Freezing).emit(AccountUnfrozen())
    return _FREEZE


def _roll_back(account: Aggregate, _: NoParameters, __: Context) -> Did:
    freezing = account.part(Freezing)
    if (freeze := freezing.current) is None:
        return {}
    freezing.emit(AccountUnfrozen())
    return freeze.model_dump(mode="json")


def _freeze_again(account: Aggregate, did: Did, since: Collection[str], _: Context) -> Collection[str]:
    if since:
        return ()
    account.part(Freezing).emit(AccountFrozen.model_validate(did))
    return _FREEZE


_FREEZES: Mapping[type[Event], Callable[[Any], str]] = dict.fromkeys(
    (AccountFrozen, AccountUnfrozen), lambda _: _FREEZE[0]
)

FREEZE = BulkKind(
    name="freeze",
    subject="freeze",
    title="Freeze",
    means="Freeze accounts for a reason of the office: their chase rests.",
    parameters=FreezeParameters,
    check=_check_freeze,
    compares=("frozen",),
    figures=_frozen,
    does=_freeze,
    undoes=_take_freeze_back,
    touches=lambda _: _FREEZE,
    overtaken_by=_FREEZES,
)

ROLLBACK = BulkKind(
    name="rollback",
    subject="freeze",
    title="Rollback",
    means="Roll frozen accounts back to active. Others are skipped.",
    parameters=NoParameters,
    check=lambda _, __: None,
    compares=("frozen",),
    figures=_frozen,
    does=_roll_back,
    undoes=_freeze_again,
    touches=lambda _: _FREEZE,
    overtaken_by=_FREEZES,
)

# --- placement ---------------------------------------------------------------------------------------


class PlacementParameters(BulkParameters):
    """The agency that gets every account."""

    agency: Code = Field(description="An agency of the office.", json_schema_extra={"choices": "agencies"})


_PLACEMENT = ("placement",)


def _check_agency(parameters: PlacementParameters, office: Office) -> None:
    office.require_agency(parameters.agency)


def _shown_of_placement(account: Aggregate, _: Context) -> Figures:
    """The balance, the stage, and what may hold an account back."""
    receivables, freeze = account.part(Receivables), account.part(Freezing).current
    current = account.part(Placing).current
    disputed = (receivables.disputed_of(item).minor for item in receivables.items.values())
    return {
        "balance": receivables.balance.minor,
        "collections_stage": account.part(CollectionsStages).stage.value,
        "agency": current.agency if current is not None else None,
        "flags": sorted(account.part(Flags).carried),
        "frozen": freeze.code if freeze is not None else None,
        "held": any(hold.item_ids is None for hold in account.part(Holds).in_force.values()),
        "open_promises": len(account.part(Promises).open),
        "disputed": sum(disputed),
    }


def _place(account: Aggregate, parameters: PlacementParameters, context: Context) -> Did:
    placing = account.part(Placing)
    placing.place(parameters.agency, context, bulk_id=context.bulk_id)
    return {"placement_id": str(placing.current.id)} if placing.current is not None else {}


def _take_placement_back(account: Aggregate, _: Did, since: Collection[str], context: Context) -> Collection[str]:
    if since:
        return ()
    account.part(Placing).end(PlacementEnd.RECALLED, context, code="undone")
    return _PLACEMENT


_PLACES: Mapping[type[Event], Callable[[Any], str]] = dict.fromkeys((Placed, PlacementEnded), lambda _: _PLACEMENT[0])


def _placement_kind(name: str, title: str, means: str) -> BulkKind:
    return BulkKind(
        name=name,
        subject="placement",
        title=title,
        means=means,
        parameters=PlacementParameters,
        check=_check_agency,
        compares=(
            "balance", "collections_stage", "agency", "flags", "frozen", "held", "open_promises", "disputed",
        ),
        figures=_shown_of_placement,
        does=_place,
        undoes=_take_placement_back,
        touches=lambda _: _PLACEMENT,
        overtaken_by=_PLACES,
        ignores=_without_shared,
        has_amount=True,
    )  # fmt: skip


ARM = _placement_kind("arm", "Send to ARM", "Place accounts with an agency, which gets the report's file.")
PLACEMENT = _placement_kind("placement", "Place", "Place accounts with an agency, which gets a file of its layout.")

# --- all of them -------------------------------------------------------------------------------------

BULK_KINDS: Mapping[str, BulkKind] = {each.name: each for each in (FLAGS, STAGE, FREEZE, ROLLBACK, ARM, PLACEMENT)}
"""By name, in the order in which people are offered them."""


def bulk_kind(name: str) -> BulkKind:
    """Refuses what is none."""
    if name not in BULK_KINDS:
        raise Refusal("unknown-bulk-kind", f"kind: expected one of {', '.join(BULK_KINDS)}")
    return BULK_KINDS[name]
