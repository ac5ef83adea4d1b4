"""An id that is known as something else names nothing: for decisions, for who looks, and beside others' commands."""

from collections.abc import Callable
from uuid import UUID, uuid4

import pytest

from adapters.eventstore.application import AggregateNotFoundError, Arrears
from aggregates.account.customer import OpenAccount
from aggregates.account.flags import SetFlag
from aggregates.account.payments import ReceivePayment
from aggregates.kernel.command import Accepted, Command, Outcome, Rejected
from aggregates.office import ChangeOfficeSettings, Office, OpenOffice, PauseOfficeAutomation
from aggregates.promise import Instalment, MakePromise, PromiseToPay
from tests.adapters.eventstore.conftest import NOON, issue
from tests.builders import ACCOUNT, OFFICE, an_account, an_invoice, an_office, usd

TODAY = NOON.date()


@pytest.fixture
def app(app: Arrears) -> Arrears:
    """An office and an account with an open invoice."""
    for command in (an_office(currency="USD"), an_account(), an_invoice(due_on=TODAY)):
        assert isinstance(do(app, command), Accepted)
    return app


def do(app: Arrears, command: Command) -> Outcome:
    [outcome] = app.handle([issue(command, reason="a test")])
    return outcome


def code_of(outcome: Outcome) -> str:
    assert isinstance(outcome, Rejected), outcome
    return outcome.reason_code


def promise(promise_id: UUID, account_id: UUID = ACCOUNT) -> MakePromise:
    instalment = Instalment(due_on=TODAY, amount=usd(10))
    return MakePromise(promise_id=promise_id, account_id=account_id, instalments=(instalment,))


def payment(account_id: UUID) -> ReceivePayment:
    return ReceivePayment(account_id=account_id, number=f"P-{uuid4()}", amount=usd(1), received_on=TODAY)


STRANGE = {
    "an office where an account is wanted": (SetFlag(account_id=OFFICE, flag="vip"), "unknown-account"),
    "an account where an office is wanted": (PauseOfficeAutomation(office_id=ACCOUNT), "unknown-office"),
    "an account where an office is looked at": (
        OpenAccount(office_id=ACCOUNT, number="A-9", customer_name="Ada", currency="USD"),
        "unknown-office",
    ),
    "an account where a promise is made": (promise(ACCOUNT), "unknown-promise"),
    "an account that is a promise too": (promise(OFFICE, OFFICE), "unknown-promise"),
}


@pytest.mark.parametrize("what", STRANGE)
@pytest.mark.parametrize("is_cold", [False, True], ids=["at hand", "from the log"])
def test_what_is_known_as_something_else_is_not_there(
    app: Arrears, new_app: Callable[..., Arrears], what: str, is_cold: bool
):
    command, code = STRANGE[what]
    assert code_of(do(new_app() if is_cold else app, command)) == code


@pytest.mark.parametrize("is_cold", [False, True], ids=["at hand", "from the log"])
def test_who_is_wrong_about_an_id_does_no_harm_to_who_is_right(
    app: Arrears, new_app: Callable[..., Arrears], is_cold: bool
):
    commands = [PauseOfficeAutomation(office_id=ACCOUNT), payment(ACCOUNT), promise(ACCOUNT), payment(OFFICE)]
    asked = new_app() if is_cold else app
    wrong, right, *others = asked.handle([issue(command, reason="a test") for command in commands])
    assert isinstance(right, Accepted)
    assert [code_of(each) for each in (wrong, *others)] == ["unknown-office", "unknown-promise", "unknown-account"]


def test_an_id_that_is_nothing_yet_may_become_either(app: Arrears):
    promise_id = uuid4()
    commands = [payment(promise_id), promise(promise_id), payment(promise_id)]
    before, made, after = app.handle([issue(command, reason="a test") for command in commands])
    assert isinstance(made, Accepted)
    assert {code_of(before), code_of(after)} == {"unknown-account"}


def test_a_snapshot_of_another_kind_is_not_taken_for_its_own(app: Arrears, new_app: Callable[..., Arrears]):
    app.handle([issue(payment(ACCOUNT)) for _ in range(110)])
    commands = [PauseOfficeAutomation(office_id=ACCOUNT), promise(ACCOUNT), payment(ACCOUNT)]
    wrong, other, right = new_app().handle([issue(command, reason="a test") for command in commands])
    assert [code_of(each) for each in (wrong, other)] == ["unknown-office", "unknown-promise"]
    assert isinstance(right, Accepted)


def test_what_is_known_as_something_else_cannot_be_loaded(app: Arrears):
    for kind, aggregate_id in ((Office, ACCOUNT), (PromiseToPay, ACCOUNT), (PromiseToPay, OFFICE)):
        with pytest.raises(AggregateNotFoundError):
            app.load(kind, aggregate_id)
        assert app.history(kind, aggregate_id) == []


def test_settings_of_what_is_no_office_are_not_changed(app: Arrears):
    assert code_of(do(app, ChangeOfficeSettings(office_id=ACCOUNT))) == "unknown-office"
    assert isinstance(do(app, OpenOffice(code="other", title="Other", currency="USD", time_zone="UTC")), Accepted)
