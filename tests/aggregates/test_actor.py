"""Who acts is written in one way and read in one place."""

import pytest

from aggregates.kernel.actor import Actor, ActorKind


@pytest.mark.parametrize(
    ("text", "actor"),
    [
        ("person:ada", Actor.person("ada")),
        ("person:ada@example.com", Actor.person("ada@example.com")),
        ("service:delivery", Actor.service("delivery")),
        ("policy:auto-collection@12", Actor.policy("auto-collection", 12)),
    ],
)
def test_an_actor_is_read_as_it_is_written(text: str, actor: Actor):
    assert Actor.parse(text) == actor
    assert str(actor) == text


@pytest.mark.parametrize(
    "text", ["", "ada", ":ada", "person:", "robot:r2", "policy:aging", "policy:@1", "policy:aging@", "policy:aging@x"]
)
def test_what_names_no_actor_is_refused(text: str):
    with pytest.raises(ValueError, match="expected"):
        Actor.parse(text)


def test_only_a_person_is_a_person():
    assert [Actor(kind, "x", 1).is_person for kind in ActorKind] == [True, False, False]
    assert [Actor(kind, "x", 1).is_policy for kind in ActorKind] == [False, False, True]
