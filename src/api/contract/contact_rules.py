"""The page of contact rules: every row of the table, and how a case is written down."""

from collections.abc import Iterable, Sequence
from enum import StrEnum

from api.application.contact_check import FIELDS, REQUIRED
from policies.contact.case import DebtType, Flag, Kind, Medium, Place, Purpose, Recipient, Role, VoicemailPart
from policies.contact.rule import ContactRule, Scope

_HEAD = """# Contact rules

<!-- Written by `arrears schemas build` from the table in src/policies/contact/table.py; change that. -->

Whether a debtor may be contacted, by whom, how and when. Each rule stands once in a table, with its source. Where a law
binds, it is **law**, and nobody lifts it. A law of which not all is certain is marked **check**: it is on, and an
office may turn it off or change its figures. Elsewhere most rules are **house** policy (of creditors about their own
accounts, of commercial debt, of days before a law): on, unless the table says otherwise, and an office may turn them
off. This is no legal advice.

Every contact with the customer of an account asks all of them: [Contacts](contact.md).

## A case

`arrears contact check` judges a contact that somebody wrote down, and `POST /v1/contact/check` takes the same JSON.
Neither reads an account. A verdict lists every rule that refuses. `allowed_from` is the earliest moment at which that
rule alone would allow the contact, `null` where time alone never does; `basis` is `law`, `check` or `house`;
`may_override` says that a person may lift it, with a reason.

```console
$ printf '%s' '{"debtor": {"state": "HI", "zip": "96813", "phone": "+18085550123"}, "role": "third_party",' \\
    '"contact": {"at": "2026-03-02T15:00:00Z", "channel": "call", "debt": "D1"}}' > case.json
$ arrears contact check --case case.json --json || echo "ended with $?"
{
  "allowed": false,
  "refusals": [
    {
      "rule": "hours-8-to-21",
      "source": "12 CFR 1006.6(b)(1)",
      "basis": "law",
      "detail": "it is 05:00 in Pacific/Honolulu",
      "allowed_from": "2026-03-02T18:00:00Z",
      "may_override": false
    }
  ]
}
ended with 1
```

With several `--case FILE` the JSON is a list, and each verdict names its `case`. The exit code is 0 where every contact
is allowed, 1 where one is refused, 2 where a case cannot be read: then each place that is wrong is named, and nothing
is judged.

| field | says |
|---|---|
"""

_CASE = {
    "debtor": "`state`, `zip`, `city`, `country` (`US`; `AS`, `GU`, `MP`, `PR` and `VI` are states of it), "
    '`phone` or `phones` (`{"number", "place"}`), '
    "`debt_type` (`consumer`), `flags`, `time_zones` (where the debtor is known to be), `amount` (US dollars) and "
    "`entered_on` (the day on which the debt was entered, renewed, sold or assigned)",
    "role": "`first_party`: the creditor, in their own name; `third_party`",
    "history": "what happened, in any order; what is later than the contact is not looked at",
    "contact": "`at` and `channel`; `debt` or `debts` (none: any), `person` (none: the debtor), `to` (the number or "
    "e-mail address; none: the debtor's only number), `recipient`, `place`, `purpose`, `prerecorded`, `opt_out` (a way "
    "to opt out is in it: `true`), `voicemail` (the parts of one that is meant as a limited-content message), "
    "`can_be_kept` (`true`), `undisputed_part`, `offer`",
    "settings": 'by rule: `{"on": false}`, `{"figures": {"contacts": 4}}`',
}

_HISTORY = """
### What the history knows

Each entry has `at`, a moment with its offset, and `kind`, which is `contact` where none is said. What is in bold is
expected. An entry that names no debt is about every debt; one that names no `number` (or `address`, of e-mail) about
every one.

| kind | fields | says |
|---|---|---|
"""

_KINDS = {
    Kind.CONTACT: "A contact, `direction` `out` (or `in`). Of a call: `connected` to the dialled number (`true`: rang "
    "out, voicemail, answered; `false`: busy, not in service), `conversation`, `message` (left on a voicemail), "
    "`limited_content` (no more than such a message). `words` of an inbound one are searched for stop words, of "
    "whatever channel. One out with `purpose` `validation-notice` or `verification` is that notice or answer too.",
    Kind.CONSENT: "Consent to the medium, at the number or address; a later one renews it and takes an opt-out back.",
    Kind.CALL_CONSENT: "Direct prior consent to a call: at most seven days, of which its own is the first, and "
    "until the next conversation about the debt.",
    Kind.HOURS_CONSENT: "Consent to contacts at other hours.",
    Kind.ESIGN_CONSENT: "Consent to electronic records (15 USC 7001(c)).",
    Kind.OPT_OUT: "Not by this medium (none: by any), or not at this number or address.",
    Kind.REVOCATION: "Consent to texts and recorded voices revoked in other words; `clear` `false`: perhaps. `channel` "
    "is what may not be used any more (none: neither texts nor recorded voices), whichever way it was said.",
    Kind.CEASE: "`form` `written` (or `verbal`); `refusal_to_pay`.",
    Kind.ATTORNEY: "The debtor is represented.",
    Kind.ATTORNEY_CONSENT: "The attorney consents to contact with the debtor.",
    Kind.ATTORNEY_SILENT: "The attorney did not respond in reasonable time.",
    Kind.BANKRUPTCY: "A petition was filed.",
    Kind.DECEASED: "The debtor's death was reported.",
    Kind.WRONG_NUMBER: "The number is somebody else's.",
    Kind.DISPUTE: "A dispute, `form` `written` (or `verbal`).",
    Kind.VERIFICATION: "The debt was verified, or the dispute answered.",
    Kind.PLACEMENT: "The debt came to whoever collects: only then is a missing validation notice known to be missing.",
    Kind.VALIDATION_NOTICE: "The validation notice was sent.",
    Kind.REASSIGNMENT_CHECK: "The number was looked up in a database of reassigned numbers.",
    Kind.EMAIL_NOTICE: "The creditor gave notice that the address will be used.",
    Kind.PRIOR_COLLECTOR: "A prior collector used the address.",
    Kind.WITHDRAWN: "`what` (a kind) does not stand any more: a cease was withdrawn, a bankruptcy was closed.",
}

_TABLE = """
## The rules

*Binds* says whom the rule binds as law. Dates are the first and last day on which it does.

| rule | says | source | binds | elsewhere | media | override |
|---|---|---|---|---|---|---|
"""


def contact_rules_page(table: Iterable[ContactRule]) -> str:
    """The page, in Markdown, in the order of the table."""
    table = list(table)
    return "".join([
        _HEAD,
        *(f"| `{name}` | {says} |\n" for name, says in _CASE.items()),
        "\n",
        *_values(),
        _HISTORY,
        *(f"| `{kind.value}` | {_fields(kind)} | {_KINDS[kind]} |\n" for kind in Kind),
        _TABLE,
        *map(_row, table),
        "\n## Figures that are settings\n\n| rule | figure | default | says |\n|---|---|---:|---|\n",
        *(f"| `{r.id}` | `{f.name}` | {f.default} | {f.says} |\n" for r in table for f in r.figures),
    ])  # fmt: skip


def _values() -> Iterable[str]:
    yield "| value | one of |\n|---|---|\n"
    named: Sequence[tuple[str, type[StrEnum]]] = (
        ("channel", Medium),
        ("debt_type", DebtType),
        ("flags", Flag),
        ("place", Place),
        ("purpose", Purpose),
        ("recipient", Recipient),
        ("voicemail", VoicemailPart),
    )
    for name, values in named:
        yield f"| `{name}` | {', '.join(f'`{each.value}`' for each in values)} |\n"


def _fields(kind: Kind) -> str:
    required = REQUIRED.get(kind, ())
    return ", ".join(f"**`{each}`**" if each in required else f"`{each}`" for each in sorted(FIELDS[kind]))


def _row(rule: ContactRule) -> str:
    binds = "<br>".join(map(_scope, rule.binds)) or "nobody"
    house = ("house" if rule.is_on else "house, off") if rule.is_house else "does not apply"
    override = "where it is house policy" if rule.may_override else "nobody"
    cells = (f"`{rule.id}`", rule.says, rule.source, binds, house, _named(rule.media, Medium), override)
    return f"| {' | '.join(cells)} |\n"


def _scope(scope: Scope) -> str:
    parts = [
        ", ".join(sorted(scope.places)),
        _named(scope.roles, Role).replace("_", " "),
        _named(scope.debt_types, DebtType),
    ]
    parts += [f"by {_named(scope.media, Medium)}"] if scope.media != frozenset(Medium) else []
    parts += [f"from {scope.first_day}"] if scope.first_day else []
    parts += [f"until {scope.last_day}"] if scope.last_day else []
    parts += [scope.source] if scope.source else []
    return f"{'law' if scope.is_certain else 'check'}: {'; '.join(parts)}"


def _named(some: frozenset[StrEnum], every: type[StrEnum]) -> str:
    if some == frozenset(every):
        return {Role: "every role", DebtType: "every debt", Medium: "every medium"}[every]
    return ", ".join(each.value for each in every if each in some)
