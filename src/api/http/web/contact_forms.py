"""The forms of an account's page about contacts: calls, what was done outside, and what was said about contact."""

from collections.abc import Callable, Mapping
from zoneinfo import ZoneInfo

from aggregates.account import Account
from aggregates.account.activities import CorrectActivity, EndCall, RecordActivity
from aggregates.account.calls import StartCall
from aggregates.account.command import AccountCommand
from aggregates.account.contact import ChangeContactDetails, OptInToContact, OptOutOfContact, RecordConsent
from aggregates.account.contact_history import (
    FACTS,
    FactFields,
    RecordContactFact,
    RestorePoint,
    RetirePoint,
    WithdrawContactFact,
)
from aggregates.office import Office
from aggregates.values.contact import Channel, Consent
from api.application.account_contact import AccountContactVerdict, check_account
from api.application.contact_details import DetailsChange, changed, require_point
from api.application.dialling import dialler_of, fitting
from api.http.problems import FieldProblem
from api.http.web.forms import made, moment_of
from api.processes.service import Service

Fields = Mapping[str, str]


def started(account: Account, fields: Fields) -> StartCall:
    """The call that a form of the page begins."""
    return made(
        StartCall,
        account_id=account.id,
        point_id=fields.get("point") or None,
        override=fields.get("override") == "yes",
    )


def _end(account: Account, fields: Fields, zone: ZoneInfo) -> EndCall:
    return made(EndCall, account_id=account.id, call_id=fields.get("call", ""), **_said(fields, zone))


def _correct(account: Account, fields: Fields, zone: ZoneInfo) -> CorrectActivity:
    return made(
        CorrectActivity,
        account_id=account.id,
        activity_id=fields.get("activity", ""),
        at=moment_of("at", fields, zone),
        **_said(fields, zone),
    )


def _activity(account: Account, fields: Fields, zone: ZoneInfo) -> RecordActivity:
    kind = fields.get("kind", "")
    direction = "internal" if kind in {"note", "task"} else fields.get("direction") or "outbound"
    return made(
        RecordActivity,
        account_id=account.id,
        kind=kind,
        direction=direction,
        at=moment_of("at", fields, zone),
        **_said(fields, zone),
    )


def _fact(account: Account, fields: Fields, zone: ZoneInfo) -> RecordContactFact:
    """Fields of other kinds are empty in the form, and are not said."""
    said = {name: fields.get(name) or None for name in FactFields.model_fields if name != "at"}
    yes_or_no = {name: None if said[name] is None else said[name] == "yes" for name in _YES_OR_NO}
    return made(RecordContactFact, account_id=account.id, **{**said, **yes_or_no}, at=moment_of("at", fields, zone))


_YES_OR_NO = ("refusal_to_pay", "clear", "reassigned")


def _withdraw(account: Account, fields: Fields, _: ZoneInfo) -> WithdrawContactFact:
    return made(WithdrawContactFact, account_id=account.id, fact_id=fields.get("fact", ""))


def _retire(account: Account, fields: Fields, _: ZoneInfo) -> RetirePoint:
    return made(RetirePoint, account_id=account.id, point_id=fields.get("point", ""))


def _restore(account: Account, fields: Fields, _: ZoneInfo) -> RestorePoint:
    return made(RestorePoint, account_id=account.id, point_id=fields.get("point", ""))


def _wish(account: Account, fields: Fields, _: ZoneInfo) -> AccountCommand:
    """What the customer wishes of a number or address, or of a whole medium: a wish and a channel in one field."""
    wish, *channel = fields.get("wish", "").split(" ", 1)
    if wish not in WISHES:
        raise FieldProblem("wish", f"expected one of {', '.join(WISHES)}, and a channel")
    command, more = WISHES[wish]
    point_id = fields.get("point") or None
    wished = made(command, account_id=account.id, channel="".join(channel), point_id=point_id, **more)
    if isinstance(wished, OptOutOfContact):
        require_point(account, wished.channel, point_id)
    return wished


WISHES: Mapping[str, tuple[type[AccountCommand], Mapping[str, str]]] = {
    "opt-out": (OptOutOfContact, {}),
    "opt-in": (OptInToContact, {}),
    "given": (RecordConsent, {"consent": Consent.GIVEN}),
    "refused": (RecordConsent, {"consent": Consent.REFUSED}),
}


def _details(account: Account, fields: Fields, _: ZoneInfo) -> ChangeContactDetails:
    said = {name: fields.get(name) or None for name in DetailsChange.model_fields}
    change = made(DetailsChange, **{**said, "remove": [said["remove"]] if said["remove"] else ()})
    return made(
        ChangeContactDetails,
        account_id=account.id,
        contact=changed(account.contact.details, account.contact.country, change),
    )


CONTACT_FORMS: Mapping[str, Callable[[Account, Fields, ZoneInfo], AccountCommand]] = {
    "end": _end,
    "correct": _correct,
    "activity": _activity,
    "fact": _fact,
    "withdraw": _withdraw,
    "retire": _retire,
    "restore": _restore,
    "wish": _wish,
    "details": _details,
}
OF_CALLS = frozenset({"end", "correct", "activity"})
"""Those that stand beside the calls."""
"""By the last part of a form's address."""


def phone_calls(service: Service, account: Account) -> dict[str, AccountContactVerdict]:
    """Of each number of the account, whether it may be called now."""
    points = account.contact.details.points(Channel.VOICE)
    return {point: check_account(service, account.id, channel=Channel.VOICE, point_id=point) for point in points}


def calls_placed(service: Service, account: Account, office: Office) -> dict[str, object]:
    """Whether a carrier places calls, and how those ended that it placed, by the office's dispositions."""
    fits = {call_id: fitting(each, office.dispositions) for call_id, each in account.dialling.calls_dialled.items()}
    return {"places_calls": dialler_of(service) is not None, "fits": fits}


def fact_choices() -> list[tuple[str, str, str]]:
    """Each kind of fact, what it says, and the fields that go with it."""
    return [(each.kind.value, each.says, ", ".join(each.fields).replace("_", " ")) for each in FACTS.values()]


def _said(fields: Fields, zone: ZoneInfo) -> dict[str, object]:
    """What the form says of how a contact ended and who comes back to it."""
    return {
        "disposition": fields.get("disposition") or None,
        "notes": fields.get("notes") or None,
        "assignee": fields.get("assignee") or None,
        "follow_up_on": fields.get("follow_up_on") or None,
        "follow_up_at": moment_of("follow_up_at", fields, zone),
    }
