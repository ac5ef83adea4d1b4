"""Read models that hold personal data: in unlogged tables, which PostgreSQL empties after a crash."""

from abc import abstractmethod
from typing import Any, ClassVar
from uuid import UUID

from psycopg import Connection

from projections.batch import TableProjection

FILLING = "filling"
"""The table that says whether the others still hold what they held: it is emptied together with them."""

_FILLING = f"""
CREATE UNLOGGED TABLE {FILLING} (
    only_one boolean PRIMARY KEY DEFAULT true CHECK (only_one),
    until    bigint  NOT NULL
);

COMMENT ON TABLE  {FILLING}       IS 'One row. None: the tables were emptied, and nobody fills them again yet.';
COMMENT ON COLUMN {FILLING}.until IS 'Place in the log up to which they are filled again; 0: never emptied.';

INSERT INTO {FILLING} (until) VALUES (0);
"""  # noqa: S608


class PersonalProjection(TableProjection):
    """A projection whose tables hold personal data. Its `schema.sql` creates them UNLOGGED, and nothing else.

    Its generations, and the views on them, are in schemas of their own, whose rows are left out of backups. Once they
    were emptied, its reader begins anew.
    """

    is_personal: ClassVar[bool] = True

    def create(self, connection: Connection[Any]) -> None:
        super().create(connection)
        connection.execute(_FILLING)

    @abstractmethod
    def erase(self, account_id: UUID, connection: Connection[Any]) -> None:
        """Takes out what the tables hold of a person, in the transaction that destroys the person's key."""
