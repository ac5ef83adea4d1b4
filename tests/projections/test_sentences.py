"""Events as the audit trail and the activity history say them."""

from datetime import date
from typing import Any

import pytest

from aggregates.account.customer import Subscription, SubscriptionRecorded
from projections.sentences import sentence
from tests.builders import usd


@pytest.mark.parametrize(
    ("known", "said"),
    [
        ({}, "not cancelled"),
        ({"cancelled_on": date(2026, 3, 31)}, "cancelled on 2026-03-31"),
        ({"services_agreed": 10}, "0 of 10 services done, not cancelled"),
        ({"services_done": 3}, "3 services done, not cancelled"),
        (
            {
                "service_type": "tv",
                "started_on": date(2025, 1, 1),
                "ends_on": date(2026, 12, 31),
                "initial_discount": usd(20),
                "services_agreed": 10,
                "services_done": 4,
            },
            "tv, from 2025-01-01, to 2026-12-31, initial discount 20.00 USD, 4 of 10 services done, not cancelled",
        ),
    ],
)
def test_a_subscription_is_said_with_all_that_is_known_of_it(known: dict[str, Any], said: str):
    """One that was cancelled and is reinstated is seen from the two lines."""
    event = SubscriptionRecorded(subscription=Subscription(number="S-1", **known))
    assert sentence(event) == f"Subscription S-1 recorded: {said}"
