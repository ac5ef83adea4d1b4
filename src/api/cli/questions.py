"""What commands ask, and how a question is refused; who answers is in `asking`."""

from typing import Any, Protocol

from api.cli.options import is_id
from api.cli.problems import Problem


class Ask(Protocol):
    """Answers `GET path`; what stands in the path in braces is taken from `asked`, the rest are its parameters.

    `limit` None: every row. `next` of an answer is not null where there is more than was wanted. Raises Refused.
    """

    def __call__(self, path: str, *, limit: int | None = None, **asked: Any) -> Any: ...


class Refused(Problem):
    """The question has no answer as it was asked; `field` is what is wrong in it."""

    def __init__(
        self, message: str, *, reason_code: str = "", field: str = "", currencies: tuple[str, ...] = (), hint: str = ""
    ) -> None:
        super().__init__(message, hint=hint or _HINTS.get(reason_code, ""))
        self.reason_code, self.field, self.currencies = reason_code, field, currencies


def no_office(code: object) -> Refused:
    return Refused(f"there is no office {code!r}", reason_code="unknown-office")


_HINTS = {"no-office": "arrears import FILE --profile P", "unknown-office": "arrears office show"}


def with_office(ask: Ask, path: str, office: str | None) -> list[dict[str, Any]]:
    """What a path lists of one office, or of all, each with its office's code."""
    codes = {each["id"]: each["code"] for each in ask("/v1/offices")}
    return [{**view, "office": codes[view["office_id"]]} for view in ask(path, office=office)]


def by_currency(ask: Ask, path: str, **asked: Any) -> list[Any]:
    """The answer, or one for each currency where there are several and none was named: they are never added up."""
    try:
        return [ask(path, **asked)]
    except Refused as refusal:
        if not refusal.currencies or asked.get("currency") is not None:
            raise
        return [ask(path, **{**asked, "currency": each}) for each in refusal.currencies]


def account_id(ask: Ask, text: str, *, office: str | None) -> str:
    """The id of the account with this number (`1001`, in another currency than its office's `1001/EUR`), or this id.

    Raises Refused, also where two offices have the number, or another account has the number `1001/EUR` itself.
    """
    text = text.strip()
    if not text:
        raise Refused("account: expected a number or an id, not an empty text")
    if is_id(text):
        return text.lower()
    found = ask("/v1/accounts", number=text, office=office)["items"]
    ids = {str(each["account_id"]): str(each["office"]) for each in found}
    if not ids:
        raise Refused(f"account: there is no {text!r}")
    if len(set(ids.values())) < len(ids):
        raise Refused(f"account: several are called {text!r}, name one by its id: {', '.join(sorted(ids))}")
    if len(ids) > 1:
        raise Refused(f"account: {text!r} is in several offices, name one of {', '.join(sorted(ids.values()))}")
    return next(iter(ids))
