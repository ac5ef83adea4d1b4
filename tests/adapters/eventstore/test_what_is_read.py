"""What a command reads besides its target: no more than it declares, and only as long as it is current."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import date
from typing import Any
from uuid import UUID, uuid4

import pytest

from adapters.eventstore.application import Arrears
from adapters.rules import RULES
from aggregates.account import Account
from aggregates.account.billing import BillInvoice
from aggregates.account.chase import JudgeCollection, Stage
from aggregates.account.command import account_id
from aggregates.account.customer import OpenAccount
from aggregates.account.flags import SetFlag
from aggregates.account.payments import ReceivePayment
from aggregates.campaign import (
    CampaignPlan,
    EngagementRules,
    LaunchCampaign,
    RetireCampaign,
    ReviseCampaign,
    Step,
    Template,
    campaign_id,
)
from aggregates.kernel.command import Accepted, Command, Outcome, Rejected
from aggregates.office import ChangeOfficeSettings, FlagDefinition, OpenOffice, PauseOfficeAutomation, office_id
from aggregates.values.contact import Channel
from aggregates.values.money import Money
from tests.adapters.eventstore.conftest import before_the_append_of, issue

OFFICE = office_id("main")
ACCOUNT = account_id(OFFICE, "A-1")
FIRST, SECOND = campaign_id(OFFICE, "First"), campaign_id(OFFICE, "Second")
STEP = Step(id="note", title="Note", days=1, channel=Channel.EMAIL, templates={"en": Template(body="Please pay.")})
PLAN = CampaignPlan(steps=(STEP,))


def do(app: Arrears, command: Command, **more: Any) -> Outcome:
    [outcome] = app.handle([issue(command, reason="a test", **more)])
    return outcome


@pytest.fixture
def arrears(new_app: Callable[..., Arrears]) -> Arrears:
    app = new_app(rules=RULES)
    for command in (
        OpenOffice(code="main", title="Main"),
        OpenAccount(office_id=OFFICE, number="A-1", customer_name="Ada", currency="USD"),
        LaunchCampaign(office_id=OFFICE, title="First", plan=PLAN),
        LaunchCampaign(office_id=OFFICE, title="Second", plan=PLAN),
        BillInvoice(
            account_id=ACCOUNT, number="I-1", issued_on=date(2026, 1, 1), due_on=date(2026, 1, 15), amount=usd(100)
        ),
    ):
        assert isinstance(do(app, command), Accepted)
    return app


def usd(amount: int) -> Money:
    return Money(amount * 100, "USD")


@contextmanager
def loads_of(app: Arrears) -> Iterator[list[set[UUID]]]:
    """The ids of each load; one round trip each."""
    load = app._log.load
    seen: list[set[UUID]] = []

    def noted(wanted: Any, command_ids: Any = (), **more: Any) -> Any:
        wanted = list(wanted)
        seen.append({each.aggregate_id for each in wanted})
        return load(wanted, command_ids, **more)

    app._log.load = noted  # type: ignore[method-assign]
    yield seen
    app._log.load = load  # type: ignore[method-assign]


@contextmanager
def round_trips_of(app: Arrears) -> Iterator[list[None]]:
    run = app._log._run
    made: list[None] = []

    def counted(*arguments: Any, **more: Any) -> Any:
        made.append(None)
        return run(*arguments, **more)

    app._log._run = counted  # type: ignore[method-assign]
    yield made
    app._log._run = run  # type: ignore[method-assign]


# --- only what is current ---


def test_a_flag_that_the_office_does_away_with_meanwhile_is_not_set(arrears: Arrears, new_app: Callable[..., Arrears]):
    """The batch has loaded the old settings when the change is stored, and every account has been judged since."""
    other = new_app(rules=RULES)
    change = ChangeOfficeSettings(office_id=OFFICE, flags={"legal": FlagDefinition(title="Legal action", blocks=True)})
    with before_the_append_of(arrears, lambda: do(other, change)):
        outcome = do(arrears, SetFlag(account_id=ACCOUNT, flag="vip"))
    assert isinstance(outcome, Rejected)
    assert outcome.reason_code == "unknown-flag"
    assert arrears.load(Account, ACCOUNT).flags.carried == set()


def test_a_judgement_by_a_campaign_that_is_revised_meanwhile_is_made_anew(
    arrears: Arrears, new_app: Callable[..., Arrears]
):
    other = new_app(rules=RULES)
    nobody = CampaignPlan(steps=(STEP,), rules=EngagementRules(min_amount=usd(1_000)))

    def revise() -> None:
        do(other, ReviseCampaign(campaign_id=FIRST, plan=nobody))
        do(other, ReviseCampaign(campaign_id=SECOND, plan=nobody))

    with before_the_append_of(arrears, revise):
        do(arrears, JudgeCollection(account_id=ACCOUNT))
    assert arrears.load(Account, ACCOUNT).chase.stage is Stage.OUTSTANDING


def test_a_refusal_by_settings_that_change_meanwhile_is_decided_anew(arrears: Arrears, new_app: Callable[..., Arrears]):
    other = new_app(rules=RULES)
    flags = {"gone-away": FlagDefinition(title="Gone away")}
    with before_the_append_of(arrears, lambda: do(other, ChangeOfficeSettings(office_id=OFFICE, flags=flags))):
        outcome = do(arrears, SetFlag(account_id=ACCOUNT, flag="gone-away"))
    assert isinstance(outcome, Accepted)
    assert arrears.load(Account, ACCOUNT).flags.carried == {"gone-away"}


def test_a_change_of_another_office_disturbs_nobody(arrears: Arrears, new_app: Callable[..., Arrears]):
    other = new_app(rules=RULES)
    elsewhere = OpenOffice(code="elsewhere", title="Elsewhere")
    with before_the_append_of(arrears, lambda: do(other, elsewhere)), loads_of(arrears) as loads:
        assert isinstance(do(arrears, SetFlag(account_id=ACCOUNT, flag="vip")), Accepted)
    assert len(loads) == 1


def test_commands_of_one_batch_go_by_the_settings_that_an_earlier_one_of_it_made(arrears: Arrears):
    flags = {"gone-away": FlagDefinition(title="Gone away")}
    outcomes = arrears.handle(
        [
            issue(ChangeOfficeSettings(office_id=OFFICE, flags=flags)),
            issue(SetFlag(account_id=ACCOUNT, flag="gone-away")),
        ]
    )
    assert all(isinstance(outcome, Accepted) for outcome in outcomes)


# --- no more than is needed ---


@pytest.mark.parametrize(
    "command",
    [
        SetFlag(account_id=ACCOUNT, flag="vip"),
        ReceivePayment(account_id=ACCOUNT, number="P-1", amount=usd(10), received_on=date(2026, 2, 1)),
    ],
    ids=lambda command: command.command_name,
)
def test_a_command_that_judges_nobody_loads_no_campaign(
    command: Command, arrears: Arrears, new_app: Callable[..., Arrears]
):
    for app in (arrears, new_app(rules=RULES)):
        with loads_of(app) as loads:
            do(app, command, command_id=uuid4())
        assert set().union(*loads) == {ACCOUNT, OFFICE}


def test_a_retired_campaign_is_not_looked_at_again(arrears: Arrears):
    do(arrears, RetireCampaign(campaign_id=FIRST))
    do(arrears, PauseOfficeAutomation(office_id=OFFICE))
    with loads_of(arrears) as loads:
        do(arrears, JudgeCollection(account_id=ACCOUNT))
    assert set().union(*loads) == {ACCOUNT, OFFICE, SECOND}


# Before commands declared what they see: 2 with everything at hand, 4 with nothing (office and campaigns by turns).
@pytest.mark.parametrize(
    "command",
    [
        SetFlag(account_id=ACCOUNT, flag="vip"),
        ReceivePayment(account_id=ACCOUNT, number="P-1", amount=usd(10), received_on=date(2026, 2, 1)),
    ],
    ids=lambda command: command.command_name,
)
def test_round_trips_of_a_command(command: Command, arrears: Arrears, new_app: Callable[..., Arrears]):
    with round_trips_of(arrears) as at_hand:
        do(arrears, command)
    with round_trips_of(afresh := new_app(rules=RULES)) as from_nothing:
        do(afresh, command, command_id=uuid4())
    assert (len(at_hand), len(from_nothing)) == (2, 3)
