"""Bodies follow from commands: every field of a command can be said, or it is stated where it comes from."""

import json
from datetime import date
from pathlib import Path

import pytest
from pydantic import AwareDatetime, BaseModel, Field, ValidationError

from aggregates.account.bulk_kinds import BULK_KINDS
from aggregates.campaign import PauseCampaign
from aggregates.kernel.command import public_commands
from aggregates.kernel.personal import Personal
from aggregates.office import PauseOfficeAutomation
from aggregates.values.money import Money
from api.http.any_command import list_commands
from api.http.app import ROUTERS
from api.http.bodies import BODIES, CommandBody, body_of, from_body
from api.http.bulk import body_name
from api.http.shapes import Body, read_strictly
from tests.api.http.client import usd

OPENAPI = Path(__file__).parents[3] / "schemas" / "openapi.json"
OF_THE_DOOR = {"NewCall": {"agent_phone"}, "SubscriptionBody": {"reinstated"}}
"""What a body says besides what it is made of: where the agent is whom a carrier rings, and that a subscription is not
cancelled after all."""
OURS = sorted((body for body in BODIES if body.__module__.startswith("api.")), key=lambda body: body.__name__)


@pytest.mark.parametrize("body", OURS, ids=lambda body: body.__name__)
def test_every_field_of_a_command_is_in_its_body_or_stated(body: type[Body]):
    made = BODIES[body]
    missing = made.model.model_fields.keys() - body.model_fields.keys()
    assert missing == made.address | made.without | made.instead.keys()
    assert set(made.instead.values()) <= body.model_fields.keys()
    more = body.model_fields.keys() - made.model.model_fields.keys() - set(made.instead.values())
    assert more - OF_THE_DOOR.get(body.__name__, set()) == ({"reason"} if issubclass(body, CommandBody) else set())


def test_every_body_of_a_command_is_made_from_it_or_is_its_value():
    """So that a field that a command gets is not forgotten here."""
    assert ROUTERS
    bodies = {name.removesuffix("-Input") for name in _bodies_in_openapi()}
    no_command = {
        "ContactCase",
        "MessageRetry",
        "PlanToCheck",
        "PlanToTry",
        "Confirmation",
        "AgencyRetirement",
        "Answers",
        "DayToClose",
        "Export",
        "FilterToSave",
        "NewSchedule",
    }
    no_command |= {body_name(kind) for kind in BULK_KINDS.values()}  # made from the catalogue of kinds
    assert bodies - {body.__name__ for body in OURS} == {"AnyCommand", "ContactDetails", *no_command}


def _bodies_in_openapi() -> set[str]:
    operations = [each for methods in json.loads(OPENAPI.read_text())["paths"].values() for each in methods.values()]
    bodies = [each["requestBody"]["content"].get("application/json") for each in operations if "requestBody" in each]
    return {body["schema"]["$ref"].rpartition("/")[2] for body in bodies if body is not None}  # files are no JSON


def test_what_is_offered_nowhere_else_can_be_sent_by_name():
    by_name = {each.name: each.body["properties"].keys() for each in list_commands()}
    assert by_name == {name: command.model_fields.keys() for name, command in public_commands().items()}


def test_the_public_commands_are_those_of_the_contract():
    schema = json.loads(OPENAPI.read_text())["components"]["schemas"]["AnyCommand"]
    assert schema["properties"]["name"]["enum"] == list(public_commands())


def test_campaigns_and_offices_are_paused_by_the_same_body():
    fields = PauseCampaign.model_fields.keys() - {"campaign_id"}
    assert fields == PauseOfficeAutomation.model_fields.keys() - {"office_id"}


# --- how one is made ---


class Promised(BaseModel):
    due_on: date
    amount: Money


class Visit(BaseModel):
    """As a command would be."""

    account_id: int
    at: AwareDatetime | None = None
    seen: Personal | None = Field(None, max_length=5)
    places: tuple[str, ...] = ()
    promised: tuple[Promised, ...] = ()


@body_of(Promised)
class PromisedBody(Body):
    """What was promised."""


@body_of(Visit, address={"account_id"}, instead={"places": "streets"}, nested={Promised: PromisedBody})
class VisitBody(CommandBody):
    """A visit."""

    streets: str


def test_a_body_has_the_fields_of_the_command_as_this_door_writes_them():
    said = read_strictly(
        VisitBody,
        {
            "streets": "High Street",
            "at": "2026-03-16T09:00:00+01:00",
            "promised": [{"due_on": "2026-03-20", "amount": usd("12.50")}],
            "reason": "asked",
        },
    )
    visit = from_body(Visit, said, account_id=7, places=(said.streets,))
    assert visit.promised == (Promised(due_on=date(2026, 3, 20), amount=Money(1250, "USD")),)
    assert type(visit.promised[0]) is Promised
    assert (visit.account_id, visit.places, said.reason) == (7, ("High Street",), "asked")
    assert visit.at is not None
    assert visit.at.isoformat() == "2026-03-16T08:00:00+00:00"


@pytest.mark.parametrize(
    ("more", "field"),
    [
        ({"seen": "too long"}, "seen"),
        ({"at": "2026-03-16"}, "at"),
        ({"account_id": 7}, "account_id"),
        ({"places": ["x"]}, "places"),
        ({"promised": [{"due_on": 20260320, "amount": usd("1.00")}]}, "promised"),
        ({"promised": [{"due_on": "2026-03-20", "amount": {"minor": 1, "currency": "USD"}}]}, "promised"),
    ],
)
def test_a_body_refuses_what_the_command_would_and_what_is_written_otherwise(more: dict[str, object], field: str):
    with pytest.raises(ValidationError) as caught:
        read_strictly(VisitBody, {"streets": "High Street", **more})
    assert caught.value.errors()[0]["loc"][0] == field


def test_personal_text_is_text_in_a_body():
    assert "x-personal" in json.dumps(Visit.model_json_schema())
    assert "x-personal" not in json.dumps(VisitBody.model_json_schema())


def test_a_body_cannot_leave_out_what_its_command_has_not():
    with pytest.raises(LookupError, match="Visit has no number"):
        body_of(Visit, without={"number"})
