"""Bulk actions among people who change the same accounts, and customers who pay, in any order: against a simple oracle.

The oracle keeps for each account and flag who changed it to what, the latest last. An action may change an account only
if its flags are those of the preview; its undo takes back exactly those changes of its own that are the latest.
"""

from collections import defaultdict
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule, run_state_machine_as_test

from aggregates.account import Account
from aggregates.account.bulk import ApplyBulkAction, BulkActionApplied, BulkActionUndone, UndoBulkAction
from aggregates.account.chase import JudgeCollection
from aggregates.account.command import account_id
from aggregates.account.flags import ClearFlag, SetFlag
from aggregates.account.payments import ReceivePayment
from aggregates.kernel.command import Accepted, identifier
from tests.builders import MAR, OFFICE, an_account, an_office, usd
from tests.examples import examples
from tests.given import World

NUMBERS = ("A-1", "A-2")
FLAGS = ("vip", "legal")
HAND = "by hand"

numbers, flags = st.sampled_from(NUMBERS), st.sampled_from(FLAGS)


@dataclass
class Frozen:
    """A bulk action: what it does, how the accounts were shown, who was asked, and who was asked to reverse it."""

    id: UUID
    add: list[str]
    remove: list[str]
    shown: dict[str, list[str]]
    applied: set[str] = field(default_factory=set)
    undone: set[str] = field(default_factory=set)


class Interleaved(RuleBasedStateMachine):
    def __init__(self) -> None:
        super().__init__()
        self.world = World()
        for command in (an_office(), *(an_account(number=number) for number in NUMBERS)):
            assert isinstance(self.world.do(command), Accepted)
        self.actions: list[Frozen] = []
        self.changes: dict[tuple[str, str], list[tuple[Any, bool]]] = defaultdict(list)
        self.payments = 0

    # --- the oracle ---

    def carries(self, number: str, flag: str) -> bool:
        changes = self.changes[number, flag]
        return changes[-1][1] if changes else False

    def expected(self, number: str) -> list[str]:
        return sorted(flag for flag in FLAGS if self.carries(number, flag))

    def account(self, number: str) -> Account:
        return self.world.get(Account, account_id(OFFICE, number))

    # --- what happens ---

    @rule(what=st.integers(0, 9), number=numbers, flag=flags, on=st.booleans(), place=st.integers(0, 3))
    def something_happens(self, *, what: int, number: str, flag: str, on: bool, place: int) -> None:
        """One rule for all: hypothesis leaves out single rules, and most of what matters takes several of them."""
        if what < 2:
            self.somebody_changes_a_flag(number, flag, on=on)
        elif what < 3:
            self.the_customer_pays(number)
        elif what < 4:
            self.an_action_is_previewed({flag: on})
        elif what < 5:
            self.an_account_is_asked(number, place)
        elif what < 7:
            self.an_action_is_previewed_and_an_account_is_asked_at_once(number, flag)
        else:
            self.an_account_is_asked_to_reverse_one(number, place)

    def somebody_changes_a_flag(self, number: str, flag: str, *, on: bool) -> None:
        command = SetFlag if on else ClearFlag
        self.world.do(command(account_id=account_id(OFFICE, number), flag=flag))
        if self.carries(number, flag) is not on:
            self.changes[number, flag].append((HAND, on))

    def the_customer_pays(self, number: str) -> None:
        """No figure of the action: it is no obstacle, and nothing that an undo takes back."""
        self.payments += 1
        paid = ReceivePayment(
            account_id=account_id(OFFICE, number), number=f"P-{self.payments}", amount=usd(1), received_on=MAR(1)
        )
        assert isinstance(self.world.do(paid), Accepted)

    def an_action_is_previewed(self, wanted: dict[str, bool]) -> None:
        self.actions.append(
            Frozen(
                identifier("bulk", len(self.actions)),
                sorted(flag for flag, on in wanted.items() if on),
                sorted(flag for flag, on in wanted.items() if not on),
                {number: self.expected(number) for number in NUMBERS},
            )
        )

    def an_account_is_asked(self, number: str, place: int) -> None:
        left = [each for each in self.actions if number not in each.applied]
        if not left:
            return
        self.ask(left[-1 - place % len(left)], number)

    def an_action_is_previewed_and_an_account_is_asked_at_once(self, number: str, flag: str) -> None:
        """It changes what an earlier one may have changed: to be taken back one after the other."""
        self.an_action_is_previewed({flag: not self.carries(number, flag)})
        self.ask(self.actions[-1], number)

    def ask(self, action: Frozen, number: str) -> None:
        action.applied.add(number)
        is_as_shown = self.expected(number) == action.shown[number]
        before = {flag: self.carries(number, flag) for flag in FLAGS}
        outcome = self.came(
            ApplyBulkAction(
                account_id=account_id(OFFICE, number),
                bulk_id=action.id,
                kind="flags",
                parameters={"add": action.add, "remove": action.remove},
                expected={"flags": action.shown[number]},
            ),
            BulkActionApplied,
        )
        wanted = {**dict.fromkeys(action.add, True), **dict.fromkeys(action.remove, False)}
        changes = {flag: on for flag, on in wanted.items() if before[flag] is not on}
        if not is_as_shown:
            assert outcome == "changed"
            return
        assert outcome == ("done" if changes else "skipped")
        for flag, on in changes.items():
            self.changes[number, flag].append((action.id, on))
        if changes:
            self.is_judged(number)

    def is_judged(self, number: str) -> None:
        """With what it did, or reversed: another judgement says nothing new."""
        before = len(self.world.log)
        assert isinstance(self.world.do(JudgeCollection(account_id=account_id(OFFICE, number))), Accepted)
        assert len(self.world.log) == before

    def an_account_is_asked_to_reverse_one(self, number: str, place: int) -> None:
        """Mostly the latest."""
        did = [
            each
            for each in self.actions
            if number not in each.undone
            and any((each.id, on) in self.changes[number, flag] for flag in FLAGS for on in (True, False))
        ]
        if not did:
            return
        action = did[-1 - place % len(did)]
        action.undone.add(number)
        all_changes = {flag: self.changes[number, flag] for flag in FLAGS}
        mine = {flag: each for flag, each in all_changes.items() if any(by == action.id for by, _ in each)}
        latest = {flag for flag, changes in mine.items() if changes[-1][0] == action.id}
        outcome = self.came(UndoBulkAction(account_id=account_id(OFFICE, number), bulk_id=action.id), BulkActionUndone)
        assert outcome == ("done" if latest == mine.keys() else "changed")
        for flag, changes in mine.items():
            if flag in latest:
                changes.pop()
            else:  # it stands for good, like somebody's own
                self.changes[number, flag] = [(HAND if by == action.id else by, on) for by, on in changes]
        if latest:
            self.is_judged(number)

    def came(self, command: ApplyBulkAction | UndoBulkAction, event: type[Any]) -> str:
        """The outcome that the account recorded, once, even where it is asked again by the same command."""
        before = len(self.world.log)
        command_id = identifier("asked", type(command).__name__, command.bulk_id, command.account_id)
        for _ in range(2):
            assert isinstance(self.world.do(command, command_id=command_id), Accepted)
        (recorded,) = [each.event for each in self.world.log[before:] if isinstance(each.event, event)]
        outcome: str = recorded.outcome
        return outcome

    @invariant()
    def every_account_carries_what_the_oracle_says(self) -> None:
        for number in NUMBERS:
            assert sorted(self.account(number).flags.carried) == self.expected(number)


def test_whatever_comes_between_only_what_was_shown_is_changed_and_only_that_is_reversed():
    run_state_machine_as_test(
        Interleaved,
        settings=settings(max_examples=examples(60), stateful_step_count=30, deadline=None, derandomize=True),
    )
