"""How the messages of a bulk action would leave, in words."""

from datetime import UTC, datetime

from api.application.leaving_words import leaving_in_words
from projections.questions.bulk import leaving

NOON, NINE = datetime(2026, 3, 16, 12, tzinfo=UTC), datetime(2026, 3, 16, 21, tzinfo=UTC)


def words(count: int, per_minute: int | None) -> str:
    found = leaving(count, per_minute=per_minute, now=NOON, until=NINE)
    return str(leaving_in_words(found.model_dump(), count, lambda at: f"{at:%H:%M}"))


def test_it_is_said_when_the_last_leaves_or_how_many_would_not():
    assert words(1_500, None) == "all leave at once"
    assert words(61, 60) == "60 leave in the first minute, at 60 a minute, the last by 12:01"
    assert words(1_500, 2) == (
        "2 leave in the first minute, at 2 a minute; 420 would not have left by 21:00 and be withdrawn"
    )
