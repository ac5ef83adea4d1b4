"""Work over many accounts at the command line."""

from uuid import uuid4

from api.processes.step_by_step import StepByStep
from tests.api.cli.conftest import Arrears
from tests.work import begun


def test_what_a_rule_change_asked_is_listed_and_shown(portfolio: Arrears):
    assert portfolio("work", "list").out == "No work is open.\n"
    portfolio("office", "set", "main", "--buckets", "10,20,30")
    (work,) = [row for row in portfolio("work", "list", "--all", "--json").json if row["command"] == "age-account"]
    assert (work["state"], work["accounts"], work["done"], work["left"]) == ("finished", 2, 2, 0)
    assert portfolio("work", "show", work["id"], "--json").json == work
    assert "age-account" in portfolio("work", "show", work["id"]).out
    assert "finished" in portfolio("work", "list", "--all", "--office", "main").out


def test_work_is_cancelled_with_a_reason(portfolio: Arrears):
    with StepByStep.open(None) as service:
        work = begun(service)
    assert [row["id"] for row in portfolio("work", "list", "--json").json] == [str(work)]
    assert "say why" in portfolio("work", "cancel", work, code=1).err
    assert portfolio("work", "cancel", work, "--reason", "Wrong buckets").out == "cancelled: 0 accounts were asked\n"
    assert portfolio("work", "show", work, "--json").json["state"] == "cancelled"
    assert portfolio("work", "list").out == "No work is open.\n"


def test_there_is_no_such_work(portfolio: Arrears):
    for verb in (("show",), ("cancel", "--reason", "Why not")):
        assert "there is no such work" in portfolio("work", verb[0], uuid4(), *verb[1:], code=1).err
    assert "UUID" in portfolio("work", "show", "x", code=2).err
