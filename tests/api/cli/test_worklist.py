"""`arrears worklist`: what is to be done, put off, given to others; closing the day."""

import getpass
from datetime import UTC, datetime, timedelta

from tests.api.cli.conftest import Arrears

ME = getpass.getuser()


def test_what_is_to_be_done_is_listed_put_off_given_to_others_and_keeps_the_day_open(portfolio: Arrears):
    assert portfolio("worklist", "--agent", "kim").out == "Nothing is to be done.\n"
    portfolio("activity", "add", "A-1", "--kind", "letter")
    today = str(datetime.now(UTC).date())
    portfolio("activity", "add", "A-2", "--kind", "task", "--follow-up", today, "--assignee", "kim")
    [letter] = portfolio("worklist", "--kind", "undocumented", "--json").json["rows"]
    [task] = portfolio("worklist", "--kind", "follow-up", "--agent", "kim", "--json").json["rows"]
    assert (letter["number"], letter["assignee"], task["number"], task["assignee"]) == ("A-1", ME, "A-2", "kim")
    shown = portfolio("worklist", "--wide").lines
    assert [line.split()[:2] for line in shown[1:]] == [[str(each["score"]), each["number"]] for each in (letter, task)]

    said = portfolio("worklist", "close-day", "--agent", ME, code=1)
    assert said.lines[0] == f"The day of {ME} stays open: 1 contact is not documented (letter with A-1)."
    refused = portfolio("worklist", "close-day", "--agent", ME, "--json", code=1).json
    assert [each["id"] for each in refused["undocumented"]] == [letter["item_id"]]
    portfolio("activity", "correct", "A-1", letter["item_id"], "--disposition", "delivered")
    assert portfolio("worklist", "close-day", "--agent", ME).out == f"The day of {ME} is closed.\n"
    [day] = portfolio("worklist", "closed-days", "--agent", ME, "--json").json["rows"]
    assert (day["agent"], day["contacts"], day["remaining"]) == (ME, 1, 0)
    assert ME in portfolio("worklist", "closed-days").out

    assert portfolio("worklist", "assign", "A-2", task["item_id"], "--to", "lee").out == "It is given to lee.\n"
    assert portfolio("worklist", "--agent", "kim").out == "Nothing is to be done.\n"
    later = f"{datetime.now(UTC) + timedelta(hours=2):%Y-%m-%dT%H:%MZ}"
    snooze = ("worklist", "snooze", "A-2", task["item_id"], "--until", later)
    assert "--reason" in portfolio(*snooze, code=1).err
    portfolio(*snooze, "--reason", "lunch")
    assert portfolio("worklist", "--agent", "lee").out == "Nothing is to be done.\n"


def test_what_is_wrong_is_said(portfolio: Arrears):
    assert "kind: expected one of undocumented" in portfolio("worklist", "--kind", "fax", code=1).err
    assert "agent: expected one of" in portfolio("worklist", "close-day", "--agent", "nobody", code=1).err
    assert "there is no office" in portfolio("worklist", "--office", "other", code=1).err
    nothing = "00000000-0000-0000-0000-000000000001"
    assert "nothing with this id" in portfolio("worklist", "assign", "A-1", nothing, "--to", "lee", code=1).err
