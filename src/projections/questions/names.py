"""Whether answers have names: while they are filled in again after a crash, account numbers stand in their place."""

from typing import Annotated, Any

from psycopg import Connection
from pydantic import Field

BEING_FILLED = "being filled"
FILLED = None

Names = Annotated[
    str | None,
    Field(
        exclude_if=lambda said: said is FILLED,
        description="`being filled` after a crash, until all names are there again: account numbers stand in their "
        "place, and search finds numbers alone. Left out otherwise.",
    ),
]
"""What an answer says of the names in it."""

_ARE_FILLED = """
    SELECT EXISTS (
        SELECT FROM personal.filling
        WHERE until <= coalesce((SELECT position FROM read_model.projections JOIN read_model.checkpoints USING (reader)
                                 WHERE name = 'people' AND state = 'live'), 0)
    )
"""


def names(connection: Connection[Any]) -> Names:
    """What an answer says of the names in it."""
    row = connection.execute(_ARE_FILLED, prepare=True).fetchone()
    return FILLED if row is not None and row[0] else BEING_FILLED
