"""Kinds of bulk actions: what each does to an account, and how that is undone. One row each, in `BULK_KINDS`.

What a kind says it did is JSON, and all that its undo needs. Its `touches` name what that was (`vip`, of flags), so
that an account knows whether somebody changed the same since.
"""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum
from typing import Annotated, Any, Self
from uuid import UUID

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, model_validator
from pydantic.config import JsonDict

from aggregates.account.collections_stage import CollectionsStage, CollectionsStageChanged, CollectionsStages
from aggregates.account.customer import SubscriptionRecorded
from aggregates.account.fees import Fees
from aggregates.account.flags import FlagCleared, Flags, FlagSet
from aggregates.account.freezing import (
    AccountFrozen,
    AccountUnfrozen,
    Freeze,
    Freezing,
    LeftAsItIs,
    SubscriptionsFrozen,
    SubscriptionsUnfrozen,
)
from aggregates.account.holds import Holds
from aggregates.account.placement import Placed, PlacementEnd, PlacementEnded
from aggregates.account.placing import Placing
from aggregates.account.promises import Promises
from aggregates.account.receivables import Receivables
from aggregates.account.write_offs import WriteOffReversed, WriteOffs
from aggregates.account.writing import TEXT_DIGEST, Draft, SendMessage, Writing, in_a_line, in_lines, require_one_text
from aggregates.kernel.aggregate import Aggregate
from aggregates.kernel.command import Target
from aggregates.kernel.context import Context
from aggregates.kernel.event import Event
from aggregates.kernel.refusals import Refusal
from aggregates.office import Office
from aggregates.template import template_id
from aggregates.values.codes import Code
from aggregates.values.contact import Channel
from aggregates.values.fees import (
    AmountOfFee,
    Fee,
    FeeBasis,
    FeeTerms,
    PercentOfFee,
    lines_shown,
    minor_units,
)
from aggregates.values.money import MajorUnits

Figures = Mapping[str, Any]
"""What the report showed of an account, by the name of the report's column, as JSON."""
Did = Mapping[str, Any]
"""What an action changed, as JSON; empty: nothing."""


class BulkParameters(BaseModel):
    """What a kind is told besides the accounts."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    @property
    def why(self) -> str | None:
        """The reason that is recorded with what it does to each account, where people have to say one."""
        return None

    def check_amounts(self, currency: str) -> None:
        """Refuses an amount with more places than the currency: in major units any can be said."""


@dataclass(frozen=True, slots=True)
class Told:
    """What a kind is told of one account: by which action, what is asked of all, and what was shown of this one."""

    bulk_id: UUID
    parameters: Any
    """Of the kind's own class."""
    shown: Figures


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
    figures: Callable[[Aggregate, Told, Context], Figures]
    """The same of the account now, without what the action's own other accounts may have changed meanwhile."""
    does: Callable[[Aggregate, Told, Context], Did]
    """Changes the account and says what; refuses before it changes anything."""
    undoes: Callable[[Aggregate, Did, Collection[str], Context], Collection[str]]
    """Reverses what was done, but for the touched things that somebody changed since; which of them it reversed."""
    touches: Callable[[Did], Collection[str]]
    overtaken_by: Mapping[type[Event], Callable[[Any], Collection[str]]]
    """Events that change the same, and which of the touched things those are."""
    in_minor_units: tuple[str, ...] = ()
    """Figures that are amounts; people are told them as such."""
    ignores: Callable[[Figures, Office], Figures] = lambda figures, _: figures
    """The figures that are compared, without what does not count."""
    keeps: Callable[[Aggregate, Did], Mapping[str, str]] = lambda _, __: {}
    """Touched things that cannot be reversed as the account is now, each with why."""
    remarks: Callable[[Did], str | None] = lambda _: None
    """What people are told of an account on which it was done."""
    only_owing: bool = False
    """Whether accounts that owe nothing now are left out of a preview, unless named."""
    has_amount: bool = False
    """Whether there is an amount in question."""
    amount_of: Callable[[Figures], int] | None = None
    """It, in minor units, of the figures that are compared; None: what the question shows."""
    amount_title: str = "Amount"
    """What people call it."""
    places: bool = False
    """Whether it places accounts with an agency, which gets a file of them."""
    file_layout: str | None = None
    """The layout of that file; None: the agency's own."""
    opaque: tuple[str, ...] = ()
    """Figures that are digests: that they differ can be said, and not how."""
    sees: Callable[[Mapping[str, Any], UUID], tuple[Target, ...]] = lambda _, __: ()
    """What an account looks at besides itself, by the parameters as they are stored and the office."""
    is_judged: bool = True
    """Whether the rules may judge an account otherwise after it, which they do with it."""
    writes_to_customers: bool = False
    """What keeps automatic messages back keeps a scheduled one back."""
    cannot_be_undone: str | None = None
    """Why what it did cannot be taken back, in words; None: it can."""


_MOST_NAMED = 20


def several_in_words(those: Sequence[str]) -> str:
    """The first of them, with commas between them, and how many more there are: people read it in a line."""
    more = len(those) - _MOST_NAMED
    return ", ".join(those[:_MOST_NAMED]) + (f", and {more:,} more" if more > 0 else "")


FLAGS_OF_OFFICE: JsonDict = {"choices": "flags", "many": True}
"""Of a field: what people choose it from, and whether several of it."""
TEMPLATES_OF_OFFICE: JsonDict = {"choices": "templates"}

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


def _change_flags(account: Aggregate, told: Told, context: Context) -> Did:
    parameters: FlagParameters = told.parameters
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
    """What is about the customer comes off, or on, all their accounts: those too that became theirs since."""
    mine = account.part(Flags)
    office = mine.customer.office(context)
    changed = {UUID(each["account_id"]): each for each in did.get("others", ())}
    shared = {name: [flag for flag in did[name] if office.is_about_customer(flag)] for name in ("put_on", "taken_off")}
    _put_flags_back(mine, did, since)
    for other in mine.others(context):
        told = changed.get(other.id, {"put_on": [], "taken_off": []})
        those = {name: list(dict.fromkeys([*told[name], *shared[name]])) for name in shared}
        _put_flags_back(other.part(Flags), those, since)
    return [flag for flag in (*did["put_on"], *did["taken_off"]) if flag not in since]


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
    figures=lambda account, _, __: {"flags": sorted(account.part(Flags).carried)},
    ignores=_without_shared,
    does=_change_flags,
    undoes=_take_flags_back,
    touches=lambda did: (*did["put_on"], *did["taken_off"]),
    overtaken_by={FlagSet: lambda event: (event.flag,), FlagCleared: lambda event: (event.flag,)},
)

# --- collections stage -------------------------------------------------------------------------------


class StageParameters(BulkParameters):
    """The collections stage that every account gets."""

    to: CollectionsStage = Field(description="Where the accounts stand with an outside agency: not set, pending, sent.")


def _change_stage(account: Aggregate, told: Told, _: Context) -> Did:
    parameters: StageParameters = told.parameters
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
    figures=lambda account, _, __: {"collections_stage": account.part(CollectionsStages).stage.value},
    does=_change_stage,
    undoes=_take_stage_back,
    is_judged=False,
    touches=lambda _: _STAGE,
    overtaken_by={CollectionsStageChanged: lambda _: _STAGE, Placed: lambda _: _STAGE},
)

# --- freeze and rollback -----------------------------------------------------------------------------


class FreezeParameters(BulkParameters):
    """Why every account is frozen."""

    code: Code = Field(
        title="Reason", description="A reason of the office.", json_schema_extra={"choices": "freeze_reasons"}
    )


class NoParameters(BulkParameters):
    """Nothing has to be said."""


_FREEZE = "freeze"


def _subscription(number: str) -> str:
    return f"subscription {number}"


def _subscriptions(numbers: Collection[str]) -> tuple[str, ...]:
    return tuple(map(_subscription, numbers))


def _touched(did: Did) -> tuple[str, ...]:
    """The account, and the subscriptions that were frozen or made active with it."""
    return (_FREEZE, *_subscriptions(did.get("subscriptions", ())))


def _frozen(account: Aggregate, _: Told, __: Context) -> Figures:
    freezing = account.part(Freezing)
    freeze = freezing.current
    return {"frozen": freeze.code if freeze is not None else None, "subscriptions": freezing.statuses()}


def _cancelled(account: Aggregate, did: Did) -> Mapping[str, str]:
    known = account.part(Freezing).customer.subscriptions
    gone = [each for each in did.get("subscriptions", ()) if known[each].cancelled_on is not None]
    return dict.fromkeys(_subscriptions(gone), "cancelled")


def _check_freeze(parameters: FreezeParameters, office: Office) -> None:
    office.require_freeze_reason(parameters.code)


def _freeze(account: Aggregate, told: Told, context: Context) -> Did:
    """What is frozen stays so, for whichever reason."""
    parameters: FreezeParameters = told.parameters
    freezing = account.part(Freezing)
    is_new = freezing.current is None and freezing.freeze_for(parameters.code, context)
    return {"code": parameters.code, **_those(subscriptions=list(freezing.taken_along))} if is_new else {}


def _those(**said: Any) -> dict[str, Any]:
    """What there is of it: most accounts have no subscriptions."""
    return {name: value for name, value in said.items() if value}


def _take_freeze_back(account: Aggregate, did: Did, since: Collection[str], _: Context) -> Collection[str]:
    """Of an account that was rolled back since, and maybe frozen again, nothing is left to be reversed."""
    freezing = account.part(Freezing)
    if _FREEZE in since:
        return ()
    back = freezing.brought_back()
    freezing.roll_back()
    return (_FREEZE, *_subscriptions([each for each in did.get("subscriptions", ()) if each in back]))


def _roll_back(account: Aggregate, _: Told, __: Context) -> Did:
    freezing = account.part(Freezing)
    if (freeze := freezing.current) is None:
        return {}
    back, left = list(freezing.brought_back()), {number: why.value for number, why in freezing.left().items()}
    freezing.roll_back()
    return {**freeze.model_dump(mode="json"), **_those(subscriptions=back, left=left)}


def _freeze_again(account: Aggregate, did: Did, since: Collection[str], _: Context) -> Collection[str]:
    """As it was before: for the same reason, since the same day."""
    freezing = account.part(Freezing)
    if _FREEZE in since:
        return ()
    again = freezing.active_among([each for each in did.get("subscriptions", ()) if _subscription(each) not in since])
    freezing.freeze_with(Freeze(code=did["code"], since=did["since"]), again)
    return (_FREEZE, *_subscriptions(again))


def _left_as_they_are(did: Did) -> str | None:
    left = did.get("left", {})
    said = [f"{_subscription(number)} ({LeftAsItIs(why).in_words})" for number, why in left.items()]
    return f"left as it is: {several_in_words(said)}" if left else None


_FREEZES: Mapping[type[Event], Callable[[Any], Collection[str]]] = {
    AccountFrozen: lambda _: (_FREEZE,),
    AccountUnfrozen: lambda _: (_FREEZE,),
    SubscriptionsFrozen: lambda event: _subscriptions(event.numbers),
    SubscriptionsUnfrozen: lambda event: _subscriptions(event.numbers),
    SubscriptionRecorded: lambda event: _subscriptions(
        [event.subscription.number] if event.subscription.cancelled_on is not None else []
    ),
}

FREEZE = BulkKind(
    name="freeze",
    subject="freeze",
    title="Freeze",
    means="Freeze accounts and all their subscriptions for a reason of the office: their chase rests.",
    parameters=FreezeParameters,
    check=_check_freeze,
    compares=("frozen", "subscriptions"),
    figures=_frozen,
    does=_freeze,
    undoes=_take_freeze_back,
    touches=_touched,
    overtaken_by=_FREEZES,
    keeps=_cancelled,
)

ROLLBACK = BulkKind(
    name="rollback",
    subject="freeze",
    title="Rollback",
    means="Roll frozen accounts back to active, with the subscriptions frozen with them. Others are skipped.",
    parameters=NoParameters,
    check=lambda _, __: None,
    compares=("frozen", "subscriptions"),
    figures=_frozen,
    does=_roll_back,
    undoes=_freeze_again,
    touches=_touched,
    overtaken_by=_FREEZES,
    keeps=_cancelled,
    remarks=_left_as_they_are,
)

# --- write-off ---------------------------------------------------------------------------------------


class Claim(StrEnum):
    KEEP = "keep"
    RELEASE = "release"


class WriteOffParameters(BulkParameters):
    """Why all that every account owes is written off, and which accounts owe too much for it."""

    code: Code = Field(
        title="Reason", description="A reason of the office.", json_schema_extra={"choices": "write_off_reasons"}
    )
    below: MajorUnits | None = Field(
        None, title="Only below", description="Accounts that owe as much or more are refused."
    )
    claim: Annotated[Claim, BeforeValidator(lambda said: said or Claim.KEEP)] = Field(
        Claim.KEEP, description="Kept: what comes in later pays what was written off. Released: it is the customer's."
    )

    def check_amounts(self, currency: str) -> None:
        if self.below is not None:
            _minor(self.below, currency, "below")


def _minor(text: str, currency: str, name: str) -> int:
    """Refuses an amount with more places than the currency."""
    try:
        return minor_units(text, currency)
    except ValueError as error:
        raise Refusal("amount-too-fine", f"{name}: {error}") from None


def _check_write_off(parameters: WriteOffParameters, office: Office) -> None:
    office.require_write_off_reason(parameters.code)


def _write_off(account: Aggregate, told: Told, context: Context) -> Did:
    parameters: WriteOffParameters = told.parameters
    write_offs = account.part(WriteOffs)
    balance = write_offs.receivables.balance
    if parameters.below is not None and balance.minor >= _minor(parameters.below, balance.currency, "below"):
        raise Refusal("not-a-small-balance", f"{balance} is owed: expected less than {parameters.below}")
    keeps_claim = parameters.claim is Claim.KEEP
    write_off = write_offs.write_off_for(parameters.code, context, keeps_claim=keeps_claim)
    return {"number": write_off.number, "amount": write_off.amount.minor}


def _reverse_write_off(account: Aggregate, did: Did, since: Collection[str], context: Context) -> Collection[str]:
    if since:
        return ()
    account.part(WriteOffs).reverse(did["number"], context)
    return _numbered(did)


def _recovered(account: Aggregate, did: Did) -> Mapping[str, str]:
    standing = account.part(WriteOffs).standing(did["number"])
    if standing is None or standing.stands:
        return {}
    return dict.fromkeys(_numbered(did), "all of it was recovered")


def _numbered(did: Did) -> tuple[str]:
    return (f"write-off {did['number']}",)


WRITE_OFF = BulkKind(
    name="write-off",
    subject="write-off",
    title="Write-off",
    means="Write off all that accounts owe, for a reason of the office.",
    parameters=WriteOffParameters,
    check=_check_write_off,
    compares=("balance",),
    in_minor_units=("balance",),
    figures=lambda account, _, __: {"balance": account.part(WriteOffs).receivables.balance.minor},
    does=_write_off,
    undoes=_reverse_write_off,
    touches=_numbered,
    overtaken_by={WriteOffReversed: lambda event: (f"write-off {event.number}",)},
    keeps=_recovered,
    only_owing=True,
    has_amount=True,
    amount_of=lambda figures: figures["balance"],
)

# --- fees --------------------------------------------------------------------------------------------

FEES_OF_OFFICE: JsonDict = {"choices": "fee_service_types"}


class FeeParameters(BulkParameters):
    """What the fees are taken of, and how much."""

    basis: FeeBasis = Field(description="What a fee is taken of.")
    amount: AmountOfFee | None = Field(None, description="Of a fixed one, such as 10.00.")
    percent: PercentOfFee | None = Field(None, description="Of any other, such as 5 or 1.5.")
    service_type: Code = Field(
        title="Service type", description="One of the office's service types of fees.", json_schema_extra=FEES_OF_OFFICE
    )
    include_fees: bool = Field(False, description="Take it of fee invoices too.")
    include_disputed: bool = Field(False, description="Take it of disputed amounts too.")
    include_unfulfilled: bool = Field(
        False, description="Of an initial discount: of subscriptions that are not fulfilled too."
    )
    without_paid_since: bool = Field(False, description="Leave out who has paid since the day of the report.")

    @model_validator(mode="after")
    def _says_how_much(self) -> Self:
        wanted, other = ("amount", "percent") if self.basis.is_fixed else ("percent", "amount")
        said = getattr(self, wanted)
        if said is None or not Decimal(said):
            raise ValueError(f"{wanted}: expected more than zero for {self.basis}")
        if getattr(self, other) is not None:
            raise ValueError(f"{other}: expected none for {self.basis}")
        return self

    def check_amounts(self, currency: str) -> None:
        self.terms(currency)

    def terms(self, currency: str) -> FeeTerms:
        """In minor units. Refuses an amount with more places than the currency."""
        amount = _minor(self.amount, currency, "amount") if self.amount else 0
        return FeeTerms(
            basis=self.basis,
            amount=amount,
            percent=Decimal(self.percent or 0),
            with_fees=self.include_fees,
            with_disputed=self.include_disputed,
            with_unfulfilled=self.include_unfulfilled,
        )


def _check_fees(parameters: FeeParameters, office: Office) -> None:
    office.require_fee_service_type(parameters.service_type)


def _due_today(account: Aggregate, _: Told, __: Context) -> Figures:
    return {"due_today": str(account.part(Receivables).balance.decimal())}


def _add_fee(account: Aggregate, told: Told, context: Context) -> Did:
    parameters: FeeParameters = told.parameters
    fees = account.part(Fees)
    if not (lines := lines_shown(told.shown, fees.customer.currency)):
        return {}
    fee = Fee(basis=parameters.basis, as_of=told.shown["as_of"], lines=lines)
    item = fees.charge(told.bulk_id, parameters.service_type, fee, context)
    return {"fee": item.number, "item_id": str(item.id)}


def _withdraw_fee(account: Aggregate, did: Did, since: Collection[str], context: Context) -> Collection[str]:
    fees = account.part(Fees)
    if since or (fee := fees.unpaid(UUID(did["item_id"]))) is None:
        return ()
    fees.withdraw(fee, context)
    return (did["fee"],)


def _paid_fee(account: Aggregate, did: Did) -> Mapping[str, str]:
    if account.part(Fees).unpaid(UUID(did["item_id"])) is not None:
        return {}
    return {did["fee"]: "it was paid, credited or withdrawn, in part or whole"}


FEES = BulkKind(
    name="fees",
    subject="fees",
    title="Add fees",
    means="Add a fee to accounts, on a new invoice of a fee service type.",
    parameters=FeeParameters,
    check=_check_fees,
    compares=(),
    figures=_due_today,
    ignores=lambda figures, _: {"due_today": figures["due_today"]},
    does=_add_fee,
    undoes=_withdraw_fee,
    touches=lambda did: (did["fee"],),
    keeps=_paid_fee,
    overtaken_by={},
    has_amount=True,
    amount_title="Fees to apply",
)
"""What it shows and compares is worked out by a question of its own (`projections.questions.fees`)."""

# --- placement ---------------------------------------------------------------------------------------


class PlacementParameters(BulkParameters):
    """The agency that gets every account."""

    agency: Code = Field(description="An agency of the office.", json_schema_extra={"choices": "agencies"})


_PLACEMENT = ("placement",)


def _check_agency(parameters: PlacementParameters, office: Office) -> None:
    office.require_agency(parameters.agency)


def _shown_of_placement(account: Aggregate, _: Told, __: Context) -> Figures:
    """The balance, the stage, and what may hold an account back."""
    receivables, freeze = account.part(Receivables), account.part(Freezing).current
    current = account.part(Placing).current
    disputed = (receivables.disputed_of(item).minor for item in receivables.items.values())
    return {
        "balance": receivables.balance.minor,
        "written_off": receivables.claims.minor,
        "collections_stage": account.part(CollectionsStages).stage.value,
        "agency": current.agency if current is not None else None,
        "flags": sorted(account.part(Flags).carried),
        "frozen": freeze.code if freeze is not None else None,
        "held": any(hold.item_ids is None for hold in account.part(Holds).in_force.values()),
        "open_promises": len(account.part(Promises).open),
        "disputed": sum(disputed),
    }


def _place(account: Aggregate, told: Told, context: Context) -> Did:
    parameters: PlacementParameters = told.parameters
    placing, before = account.part(Placing), account.part(CollectionsStages).stage
    placing.place(parameters.agency, context, bulk_id=told.bulk_id)
    return {"placement_id": str(placing.current.id), "before": before.value} if placing.current is not None else {}


def _take_placement_back(account: Aggregate, did: Did, since: Collection[str], context: Context) -> Collection[str]:
    """The stage that was set by hand is back; what was placed by an earlier release has not noted it."""
    if since:
        return ()
    before = CollectionsStage(did.get("before", CollectionsStage.NOT_SET))
    account.part(Placing).end(PlacementEnd.RECALLED, context, code="undone", stage=before)
    return _PLACEMENT


_PLACES: Mapping[type[Event], Callable[[Any], Collection[str]]] = dict.fromkeys(
    (Placed, PlacementEnded), lambda _: _PLACEMENT
)


def _placement_kind(name: str, title: str, means: str, *, file_layout: str | None = None) -> BulkKind:
    return BulkKind(
        name=name,
        subject="placement",
        title=title,
        means=means,
        parameters=PlacementParameters,
        check=_check_agency,
        compares=(
            "balance", "written_off", "collections_stage", "agency", "flags", "frozen", "held", "open_promises",
            "disputed",
        ),
        in_minor_units=("balance", "written_off"),
        figures=_shown_of_placement,
        does=_place,
        undoes=_take_placement_back,
        touches=lambda _: _PLACEMENT,
        overtaken_by=_PLACES,
        ignores=_without_shared,
        has_amount=True,
        amount_of=lambda figures: figures["balance"] + figures["written_off"],
        places=True,
        file_layout=file_layout,
    )  # fmt: skip


ARM = _placement_kind(
    "arm", "Send to ARM", "Place accounts with an agency, which gets the report's file.", file_layout="arm"
)
PLACEMENT = _placement_kind("placement", "Place", "Place accounts with an agency, which gets a file of its layout.")

# --- messages ----------------------------------------------------------------------------------------

LINES: JsonDict = {"lines": True}
"""Of a field: that it is a text of several lines."""
_COMPARED_OF_MESSAGE = ("template", "language", "to", "refused_by", "amount_due", "text")


class MessageParameters(BulkParameters):
    """What is said to the customer of every account, and over which channel."""

    channel: Channel = Field(description="Over which it is sent.")
    template: Code | None = Field(
        None,
        description="A template of the office, in each customer's language.",
        json_schema_extra=TEMPLATES_OF_OFFICE,
    )
    text: Annotated[str, Field(max_length=20_000), AfterValidator(in_lines)] | None = Field(
        None,
        description="What it says, where it has no template. It may have the placeholders of templates.",
        json_schema_extra=LINES,
    )
    subject: Annotated[str, Field(min_length=1, max_length=200), AfterValidator(in_a_line)] | None = Field(
        None, description="Of an e-mail or a letter; a template has its own."
    )
    ignore_preferences: bool = Field(False, description="Send it though the customer prefers another channel.")
    reason: Annotated[str, Field(max_length=1_000), AfterValidator(in_lines)] | None = Field(
        None, description="Why preferences are ignored. It is recorded with each message."
    )
    ignore_max_per_minute: bool = Field(False, description="Send without a turn among the office's messages a minute.")

    @model_validator(mode="after")
    def _goes_together(self) -> Self:
        require_one_text(self.channel, text=self.text, template=self.template, subject=self.subject)
        if self.ignore_preferences and self.reason is None:
            raise ValueError("reason: expected why preferences are ignored")
        if self.reason is not None and not self.ignore_preferences:
            raise ValueError("reason: expected only where preferences are ignored")
        return self

    @property
    def why(self) -> str | None:
        return self.reason

    def to(self, account: Aggregate) -> SendMessage:
        """The message to the customer of an account, as if a person wrote it by hand."""
        office_id = account.part(Writing).customer.office_id
        named = None if self.template is None or office_id is None else template_id(office_id, self.template)
        return SendMessage(
            account_id=account.id,
            channel=self.channel,
            text=self.text,
            subject=self.subject,
            template_id=named,
            ignore_preferences=self.ignore_preferences,
            ignore_max_per_minute=self.ignore_max_per_minute,
        )


def _check_message(parameters: MessageParameters, office: Office) -> None:
    if parameters.template is not None and template_id(office.id, parameters.template) not in office.template_ids:
        raise Refusal("unknown-template", f"template: the office has no {parameters.template!r}")


def figures_of_message(account: Aggregate, draft: Draft, context: Context) -> Figures:
    """What is compared of a message: its text, where it goes, what it is about, and which rules refuse it."""
    writing = account.part(Writing)
    office = writing.customer.office(context)
    return {
        "template": draft.template.template_version if draft.template is not None else None,
        "language": draft.language,
        "to": draft.point_id or None,
        "refused_by": [each.rule_id for each in draft.refused],
        "amount_due": str(draft.amount(writing.customer.currency).decimal()),
        "text": context.rule(TEXT_DIGEST)(account, office, draft, context.today),
    }


def _shown_of_message(account: Aggregate, told: Told, context: Context) -> Figures:
    parameters: MessageParameters = told.parameters
    draft = account.part(Writing).draft(parameters.to(account), context)
    return figures_of_message(account, draft, context)


def _send(account: Aggregate, told: Told, context: Context) -> Did:
    parameters: MessageParameters = told.parameters
    writing = account.part(Writing)
    message = parameters.to(account)
    draft = writing.draft(message, context)
    if not draft.refused and (problem := told.shown.get("problem")) is not None:
        if told.shown.get("too_long"):
            raise Refusal("sms-too-long", f"the text is too long: {problem}")
        raise Refusal("faulty-text", f"the text cannot be sent: {problem}")
    return {"message_id": str(writing.queue(message, draft, context))}


def _templates_named(parameters: Mapping[str, Any], office_id: UUID) -> tuple[Target, ...]:
    name = parameters.get("template")
    return () if name is None else (Target("template", template_id(office_id, name)),)


MESSAGE = BulkKind(
    name="message",
    subject="message",
    title="Send message",
    means="Send a message to the customer of each account. Contact rules and opt-outs hold as for every message.",
    parameters=MessageParameters,
    check=_check_message,
    compares=(),
    figures=_shown_of_message,
    ignores=lambda figures, _: {name: figures[name] for name in _COMPARED_OF_MESSAGE},
    does=_send,
    undoes=lambda _, __, ___, ____: (),
    touches=lambda _: (),
    overtaken_by={},
    has_amount=True,
    amount_title="Amount due",
    opaque=("text",),
    sees=_templates_named,
    is_judged=False,
    writes_to_customers=True,
    cannot_be_undone="a message that left cannot be taken back; one that is queued still: arrears message withdraw",
)
"""What it shows and compares is worked out by a question of its own (`api.application.bulk_messages`)."""

# --- all of them -------------------------------------------------------------------------------------

BULK_KINDS: Mapping[str, BulkKind] = {
    each.name: each for each in (FLAGS, FEES, STAGE, WRITE_OFF, ARM, PLACEMENT, FREEZE, ROLLBACK, MESSAGE)
}
"""By name, in the order in which people are offered them."""


def bulk_kind(name: str) -> BulkKind:
    """Refuses what is none."""
    if name not in BULK_KINDS:
        raise Refusal("unknown-bulk-kind", f"kind: expected one of {', '.join(BULK_KINDS)}")
    return BULK_KINDS[name]
