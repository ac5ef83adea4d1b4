"""In which stage an account is, and why."""

import pytest

from aggregates.account import Account
from aggregates.account.aging import AgeAccount
from aggregates.account.chase import JudgeCollection, MoveStage, ReviewScheduled, Stage, StageChanged, StepUnscheduled
from aggregates.account.command import account_id
from aggregates.account.customer import Opening
from aggregates.account.disputes import ResolveDispute
from aggregates.account.exclusion import ExcludeAccount, Excluded, ExclusionLifted, LiftExclusion
from aggregates.account.flags import SetFlag
from aggregates.account.holds import PlaceHold, ReleaseHold
from aggregates.account.receivables import ItemKind
from aggregates.campaign import EngagementRules, RetireCampaign, campaign_id
from aggregates.kernel.command import Command
from aggregates.office import ChangeOfficeSettings, FlagDefinition
from aggregates.promise import WithdrawPromise
from aggregates.values.business_time import day_starts
from aggregates.values.money import Money
from tests.builders import (
    ACCOUNT,
    APR,
    CAMPAIGN,
    DAY,
    MAR,
    OFFICE,
    PROMISE,
    a_campaign,
    a_corrected_invoice,
    a_dispute,
    a_payment,
    a_promise,
    a_reversal,
    a_revised_campaign,
    a_step,
    an_account,
    an_invoice,
    usd,
)
from tests.given import Given, Scenario, given, given_auto_collection, like, live

EXCLUDE, LIFT = ExcludeAccount(account_id=ACCOUNT), LiftExclusion(account_id=ACCOUNT)
OVERDUE: tuple[Given, ...] = (a_campaign(), an_invoice(due_on=MAR(2)), live(MAR(3)))
ENGAGED: tuple[Given, ...] = (*OVERDUE, live(MAR(5)))


def stage(scenario: Scenario) -> tuple[Stage | None, str | None]:
    chase = scenario.account.chase
    return chase.stage, chase.why.code if chase.why else None


# --- each stage ---


def test_who_owes_nothing_is_in_no_stage():
    scenario = given_auto_collection(*ENGAGED).when(a_payment(usd(100), on=MAR(6)))
    assert stage(scenario) == (None, "nothing-owed")
    assert scenario.account.chase.scheduled is None


def test_who_has_paid_ahead_owes_nothing_although_an_invoice_is_open():
    scenario = given_auto_collection(*ENGAGED, a_payment(usd(100), on=MAR(6), invoice="LATER"))
    assert stage(scenario) == (None, "nothing-owed")


def test_without_a_campaign_an_account_is_outstanding():
    scenario = given_auto_collection(an_invoice(due_on=MAR(2)), live(MAR(3)))
    assert stage(scenario) == (Stage.OUTSTANDING, "no-campaign")


def test_who_meets_no_rule_yet_is_outstanding_and_is_looked_at_again_when_it_can_be_met():
    scenario = given_auto_collection(a_campaign(), an_invoice(due_on=MAR(2)))
    assert stage(scenario) == (Stage.OUTSTANDING, "min-dpd")
    assert scenario.account.chase.review_at == day_starts(MAR(3), scenario.world.zone)


def test_who_meets_the_rules_is_scheduled_with_the_first_step():
    scenario = given_auto_collection(*OVERDUE)
    assert stage(scenario) == (Stage.SCHEDULED, "engaged")
    planned = scenario.account.chase.scheduled
    assert planned is not None
    assert (planned.step_id, planned.due_at) == ("friendly", scenario.world.at(MAR(5), 9))


def test_who_had_the_first_message_is_engaged():
    scenario = given_auto_collection(*ENGAGED)
    assert stage(scenario) == (Stage.ENGAGED, "engaged")
    assert scenario.account.chase.engaged_on == MAR(5)


def test_who_had_the_last_message_is_in_follow_up():
    scenario = given_auto_collection(*OVERDUE, live(MAR(24)))
    assert stage(scenario) == (Stage.FOLLOW_UP, "sequence-finished")


def test_until_the_last_message_has_left_the_account_is_engaged():
    scenario = given_auto_collection(*OVERDUE, live(MAR(20)))
    scenario.world.live(MAR(23), delivering=False)
    assert stage(scenario) == (Stage.ENGAGED, "engaged")


def test_nobody_sets_a_stage_by_hand_and_the_refusal_says_why_it_is_what_it_is():
    scenario = given_auto_collection(*ENGAGED).when(MoveStage(account_id=ACCOUNT, stage=Stage.BLOCKED))
    scenario.then_refused("stage-is-judged")
    assert "engaged because meets the rules of Reminders" in scenario.outcome.detail  # type: ignore[union-attr]


def test_judging_again_changes_nothing():
    given_auto_collection(*ENGAGED).when(JudgeCollection(account_id=ACCOUNT)).then_nothing_happened()


def test_a_reversal_brings_the_chase_back():
    scenario = given_auto_collection(*ENGAGED, a_payment(usd(100), on=MAR(6)), a_reversal(on=MAR(7)))
    assert stage(scenario)[0] is Stage.SCHEDULED


# --- what blocks ---


def test_an_exclusion_blocks_at_once_and_lifting_it_judges_anew():
    scenario = given_auto_collection(*ENGAGED).when(EXCLUDE)
    scenario.then(Excluded, StepUnscheduled, like(StageChanged, stage=Stage.BLOCKED, ends_engagement=False))
    assert stage(scenario) == (Stage.BLOCKED, "excluded")
    scenario.when(EXCLUDE).then_nothing_happened()
    scenario.when(LIFT).then_among_others(ExclusionLifted, like(StageChanged, stage=Stage.ENGAGED))
    scenario.when(LIFT).then_nothing_happened()


@pytest.mark.parametrize("command", [EXCLUDE, LIFT])
def test_people_say_why_they_exclude_an_account_or_let_it_in(command: Command):
    given_auto_collection(*ENGAGED).when(command, reason="").then_refused("reason-required")


def test_a_blocking_flag_blocks_and_another_does_not():
    scenario = given_auto_collection(*ENGAGED, SetFlag(account_id=ACCOUNT, flag="vip"))
    assert stage(scenario)[0] is Stage.ENGAGED
    scenario.when(SetFlag(account_id=ACCOUNT, flag="deceased"))
    assert stage(scenario) == (Stage.BLOCKED, "flag")


def test_a_flag_that_the_office_makes_blocking_blocks_who_has_it():
    scenario = given_auto_collection(*ENGAGED, SetFlag(account_id=ACCOUNT, flag="vip"))
    flags = {"vip": FlagDefinition(title="Leave alone", blocks=True)}
    scenario.when(ChangeOfficeSettings(office_id=OFFICE, flags=flags))
    assert stage(scenario) == (Stage.BLOCKED, "flag")


def test_a_timed_hold_ends_by_itself_after_its_last_day():
    scenario = given_auto_collection(*ENGAGED).when(PlaceHold(account_id=ACCOUNT, code="illness", until=MAR(9)))
    assert stage(scenario) == (Stage.BLOCKED, "hold")
    scenario.world.live(scenario.world.at(MAR(9), 23))
    assert stage(scenario) == (Stage.BLOCKED, "hold")
    scenario.world.live(scenario.world.at(MAR(10), 1))
    assert stage(scenario)[0] is Stage.ENGAGED


def test_a_hold_is_released_by_hand():
    scenario = given_auto_collection(*ENGAGED, PlaceHold(account_id=ACCOUNT, code="illness"))
    [hold_id] = scenario.account.holds.in_force
    scenario.when(ReleaseHold(account_id=ACCOUNT, hold_id=hold_id))
    assert stage(scenario)[0] is Stage.ENGAGED


def test_a_promise_of_everything_blocks_until_it_is_withdrawn():
    scenario = given_auto_collection(*ENGAGED, a_promise(usd(100), due_on=MAR(20)))
    assert stage(scenario) == (Stage.BLOCKED, "promise")
    scenario.when(WithdrawPromise(promise_id=PROMISE, account_id=ACCOUNT))
    assert stage(scenario)[0] is Stage.ENGAGED


def test_a_promise_of_everything_blocks_until_it_is_broken():
    scenario = given_auto_collection(*ENGAGED, a_promise(usd(100), due_on=MAR(20)), live(MAR(23)))
    assert stage(scenario) == (Stage.BLOCKED, "promise")
    scenario.world.live(scenario.world.at(MAR(24), 1))
    assert stage(scenario)[0] is Stage.ENGAGED


def test_a_promise_of_a_part_leaves_the_rest_to_be_chased():
    scenario = given_auto_collection(*ENGAGED, a_promise(usd(99), due_on=MAR(20)))
    assert stage(scenario)[0] is Stage.ENGAGED


def test_a_dispute_of_everything_blocks_until_it_is_resolved():
    scenario = given_auto_collection(*ENGAGED, a_dispute())
    assert stage(scenario) == (Stage.BLOCKED, "dispute")
    [dispute_id] = scenario.account.disputes.open
    scenario.when(ResolveDispute(account_id=ACCOUNT, dispute_id=dispute_id, resolution="unfounded"))
    assert stage(scenario)[0] is Stage.ENGAGED


def test_a_dispute_of_one_invoice_leaves_the_others_to_be_chased():
    scenario = given_auto_collection(*ENGAGED, an_invoice("B", due_on=MAR(4), issued_on=MAR(1)), a_dispute("INV-1"))
    scenario.world.live(MAR(6))
    assert stage(scenario)[0] is Stage.ENGAGED
    assert scenario.account.chase.scheduled is not None
    assert scenario.account.receivables.items[scenario.account.chase.scheduled.anchor_item_id].item.number == "B"


def test_money_that_waits_for_an_invoice_shields_what_it_could_pay():
    """A is disputed and B is covered by what waits for C: nothing is left to be chased, though something is owed."""
    scenario = given_auto_collection(
        a_campaign(), an_invoice("A", due_on=MAR(2)), an_invoice("B", due_on=MAR(3)), live(MAR(6)), a_dispute("A"),
        a_payment(usd(100), on=MAR(6), invoice="C"),
    )  # fmt: skip
    assert stage(scenario)[0] is Stage.BLOCKED


def test_unapplied_money_covers_in_the_order_of_its_allocation_fees_last():
    scenario = given_auto_collection(
        a_campaign(),
        an_invoice("FEE", due_on=MAR(2), kind=ItemKind.FEE, amount=usd(10)),
        an_invoice("INV", due_on=MAR(4)),
        live(MAR(6)),
        a_promise(usd(100), due_on=MAR(20)),
    )
    assert scenario.account.chase.scheduled is not None
    assert scenario.account.receivables.items[scenario.account.chase.scheduled.anchor_item_id].item.number == "FEE"


def test_amounts_of_a_campaign_engage_no_account_in_another_currency():
    euros = account_id(OFFICE, "A-1", "EUR")
    opens = Opening(office_id=OFFICE, number="A-1", currency="EUR", other_currency=True)
    for rules, expected in ((EngagementRules(min_amount=usd(10)), "other-currency"), (EngagementRules(), None)):
        scenario = given_auto_collection(
            a_campaign(rules=rules),
            an_invoice(account_id=euros, amount=Money(100_00, "EUR"), due_on=MAR(2), opens=opens),
            live(MAR(6)),
        )
        chase = scenario.world.get(Account, euros).chase
        assert (chase.why.code if chase.why is not None and chase.stage is Stage.OUTSTANDING else None) == expected


# --- rules, one by one ---

RULES = [
    (EngagementRules(min_amount=usd(101)), "min-amount"),
    (EngagementRules(max_amount=usd(99)), "max-amount"),
    (EngagementRules(min_dpd=5), "min-dpd"),
    (EngagementRules(max_dpd=3), "max-dpd"),
    (EngagementRules(buckets=frozenset({"31-60"})), "bucket"),
    (EngagementRules(flags_any=frozenset({"legal"})), "flags-any"),
    (EngagementRules(flags_none=frozenset({"vip"})), "flags-none"),
    (EngagementRules(segments=frozenset({"silver"})), "segment"),
    (EngagementRules(countries=frozenset({"DE"})), "country"),
]
MET = EngagementRules(
    min_amount=usd(100), max_amount=usd(100), min_dpd=4, max_dpd=4, buckets=frozenset({"1-30"}),
    flags_any=frozenset({"vip"}), flags_none=frozenset({"legal"}), segments=frozenset({"gold"}),
    countries=frozenset({"US"}),
)  # fmt: skip


def judged_by(rules: EngagementRules) -> Scenario:
    """A gold customer from the US, flagged, 100 dollars four days past due."""
    return given(
        a_campaign(rules=rules),
        an_account(segment="gold", country="US"),
        SetFlag(account_id=ACCOUNT, flag="vip"),
        an_invoice(due_on=MAR(2)),
        MAR(6),
    ).when(JudgeCollection(account_id=ACCOUNT))


@pytest.mark.parametrize(("rules", "code"), RULES, ids=[code for _, code in RULES])
def test_a_rule_that_fails_is_named(rules: EngagementRules, code: str):
    scenario = judged_by(rules)
    assert stage(scenario) == (Stage.OUTSTANDING, code)
    assert scenario.account.chase.why is not None
    assert scenario.account.chase.why.detail.startswith("Reminders: ")


@pytest.mark.parametrize(("of_account", "of_rule", "is_engaged"), [
    ("GB", "UK", True), ("UK", "GB", True), ("UK", "UK", True), ("XX", "XX", True), ("XX", "YY", False),
    ("GB", "GR", False), ("GR", "EL", True), (None, "UK", False), (None, "XX", False),
])  # fmt: skip
def test_a_country_is_the_same_as_an_earlier_release_took_it(
    monkeypatch: pytest.MonkeyPatch, of_account: str | None, of_rule: str, is_engaged: bool
):
    """What a rule and an account of then say is compared with what either says now."""
    monkeypatch.setattr("aggregates.campaign.is_country", lambda _: True)
    with monkeypatch.context() as earlier:
        earlier.setattr("aggregates.values.countries.is_country", lambda _: True)
        scenario = given(
            a_campaign(rules=EngagementRules(countries=frozenset({of_rule}))),
            an_account(country=of_account),
            an_invoice(due_on=MAR(2)),
            MAR(6),
        )
    judged = stage(scenario.when(JudgeCollection(account_id=ACCOUNT)))
    assert judged == ((Stage.SCHEDULED, "engaged") if is_engaged else (Stage.OUTSTANDING, "country"))


def test_all_rules_together_can_be_met():
    assert stage(judged_by(MET))[0] is Stage.SCHEDULED


@pytest.mark.parametrize(
    ("rules", "again"),
    [
        (EngagementRules(min_dpd=9), MAR(2) + 9 * DAY),
        (EngagementRules(min_dpd=-2), None),
        (EngagementRules(max_dpd=7), MAR(2) + 8 * DAY),
        (EngagementRules(max_dpd=3), None),
        (EngagementRules(min_amount=usd(101)), None),
    ],
)
def test_it_is_looked_at_again_on_the_day_a_count_of_days_comes_true(rules: EngagementRules, again):
    scenario = judged_by(rules)
    expected = again and day_starts(again, scenario.world.zone)
    assert scenario.account.chase.review_at == expected


def test_who_is_too_old_for_the_campaign_leaves_it_by_itself():
    scenario = given_auto_collection(
        a_campaign(rules=EngagementRules(max_dpd=7)), an_invoice(due_on=MAR(2)), live(MAR(9))
    )
    assert stage(scenario)[0] is Stage.ENGAGED
    scenario.world.live(MAR(10))
    assert stage(scenario) == (Stage.OUTSTANDING, "max-dpd")
    assert scenario.account.chase.engaged_on is None


def test_the_bucket_is_that_of_the_oldest_item_now_not_of_the_last_aging():
    """Paying the oldest leaves the account's last aging behind."""
    scenario = given_auto_collection(
        a_campaign(rules=EngagementRules(buckets=frozenset({"31-60"}))),
        an_invoice("A", due_on=MAR(2)),
        an_invoice("B", due_on=MAR(30)),
        live(APR(10)),
    )
    assert stage(scenario)[0] is not Stage.OUTSTANDING
    scenario.when(a_payment(usd(100), on=APR(10), invoice="A"))
    assert stage(scenario) == (Stage.OUTSTANDING, "bucket")


def test_only_what_can_be_chased_counts_towards_the_amount():
    scenario = given_auto_collection(
        a_campaign(rules=EngagementRules(min_amount=usd(150))),
        an_invoice("A", due_on=MAR(2)),
        an_invoice("B", due_on=MAR(2)),
        live(MAR(3)),
    )
    assert stage(scenario)[0] is Stage.SCHEDULED
    scenario.when(a_dispute("A"))
    assert stage(scenario) == (Stage.OUTSTANDING, "min-amount")


# --- which campaign ---

FIRST, SECOND = campaign_id(OFFICE, "First"), campaign_id(OFFICE, "Second")
GOLD = EngagementRules(segments=frozenset({"gold"}))


def test_the_office_s_first_campaign_that_fits_engages():
    scenario = given_auto_collection(
        a_campaign(title="First", rules=GOLD), a_campaign(title="Second"), an_invoice(due_on=MAR(2)), live(MAR(3))
    )
    assert scenario.account.chase.campaign_id == SECOND


def test_an_account_stays_in_its_campaign_while_it_fits_through_a_block():
    scenario = given_auto_collection(
        a_campaign(title="First", rules=GOLD), a_campaign(title="Second"), an_invoice(due_on=MAR(2)), live(MAR(6))
    )
    scenario.having(an_account(segment="gold"), EXCLUDE)
    assert scenario.account.chase.campaign_id == SECOND
    scenario.having(LIFT)
    assert scenario.account.chase.campaign_id == SECOND


def test_a_retired_campaign_gives_its_accounts_to_the_next_that_fits():
    scenario = given_auto_collection(
        a_campaign(title="First"), a_campaign(title="Second"), an_invoice(due_on=MAR(2)), live(MAR(3))
    )
    assert scenario.account.chase.campaign_id == FIRST
    scenario.when(RetireCampaign(campaign_id=FIRST))
    assert scenario.account.chase.campaign_id == SECOND


def test_a_launch_and_a_revision_judge_everybody():
    scenario = given_auto_collection(an_invoice(due_on=MAR(2)), MAR(4), AgeAccount(account_id=ACCOUNT))
    scenario.when(a_campaign(a_step("only", 30)))
    assert stage(scenario)[0] is Stage.SCHEDULED
    scenario.when(a_revised_campaign(rules=GOLD))
    assert stage(scenario) == (Stage.OUTSTANDING, "segment")


def test_another_version_is_named_in_the_stage():
    scenario = given_auto_collection(*ENGAGED).when(a_revised_campaign(a_step("other", 40)))
    scenario.then_among_others(
        like(StageChanged, stage=Stage.ENGAGED, campaign_id=CAMPAIGN, plan_version=2, ends_engagement=False)
    )


def test_a_corrected_due_date_is_judged():
    scenario = given_auto_collection(*OVERDUE).when(a_corrected_invoice(due_on=APR(2), issued_on=MAR(1)))
    scenario.then_among_others(ReviewScheduled, like(StageChanged, stage=Stage.OUTSTANDING))
