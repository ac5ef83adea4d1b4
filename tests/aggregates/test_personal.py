"""Where personal data is in a model, so that the store finds every bit of it."""

from collections.abc import Mapping

from pydantic import BaseModel

from aggregates.account import Account
from aggregates.account.billing import InvoiceBilled
from aggregates.account.contact import ContactDetailsChanged
from aggregates.account.customer import AccountOpened
from aggregates.account.deferred import FactDeferred
from aggregates.account.messages import MessageSent
from aggregates.kernel.event import Meta
from aggregates.kernel.personal import Personal, personal_paths


class Inner(BaseModel):
    secret: Personal
    plain: str


class Outer(BaseModel):
    one: Inner
    maybe: Inner | None
    many: list[Inner]
    by_name: dict[str, Inner]
    texts: tuple[Personal, ...]
    maybe_text: Personal | None = None
    plain: int


def test_personal_fields_are_found_through_models_options_lists_and_mappings():
    assert personal_paths(Outer) == (
        ("one", "secret"),
        ("maybe", "secret"),
        ("many", "*", "secret"),
        ("by_name", "*", "secret"),
        ("texts", "*"),
        ("maybe_text",),
    )


def test_what_identifies_a_customer_is_personal():
    assert set(personal_paths(AccountOpened)) == {("customer_name",), ("information", "*")}
    assert set(personal_paths(ContactDetailsChanged)) == {
        ("contact", "addresses", "*", "lines", "*"),
        ("contact", "addresses", "*", "city"),
        ("contact", "addresses", "*", "postal_code"),
        ("contact", "phones", "*", "number"),
        ("contact", "emails", "*", "address"),
    }
    assert personal_paths(InvoiceBilled) == (("item", "information", "*"),)
    assert set(personal_paths(MessageSent)) == {("subject",), ("body",)}
    assert personal_paths(Meta) == (("reason",),)


def test_a_fact_that_waits_keeps_personal_information_apart_from_the_rest():
    assert personal_paths(FactDeferred) == (("information", "*"),)


def test_a_snapshot_of_an_account_has_the_same_personal_fields_as_its_events():
    paths = set(personal_paths(Account))
    assert ("customer", "name") in paths
    assert ("deferred", "facts", "*", "information", "*") in paths
    assert ("receivables", "items", "*", "item", "information", "*") in paths


def test_no_personal_text_hides_in_an_abstract_mapping():
    """Only lists, tuples, sets and dicts are looked into."""

    def mappings(model: type[BaseModel]) -> list[str]:
        return [
            name
            for name, field in model.model_fields.items()
            if getattr(field.annotation, "__origin__", None) is Mapping
        ]

    from aggregates.kernel.event import REGISTRY

    assert [name for name in REGISTRY.names() if mappings(REGISTRY.current(name))] == []
