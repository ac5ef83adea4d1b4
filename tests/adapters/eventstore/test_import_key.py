"""The import key: one for an installation, of no use without its master key."""

import pytest

from adapters.eventstore.connections import Connections
from adapters.eventstore.keys import KeyRing, MasterKeyError
from adapters.postgres.database import Database


def test_an_installation_has_one_import_key_and_keeps_it(database: Database):
    connections = Connections(lambda: database.connect("arrears_app", autocommit=True))
    ring = KeyRing(connections, bytes(32))
    assert ring.import_key() is None, "asking makes none"
    key = ring.ensure_import_key()
    assert len(key) == 32
    assert KeyRing(connections, bytes(32)).ensure_import_key() == key
    connections.close()


def test_the_import_key_is_kept_wrapped_and_opens_with_its_master_key_alone(database: Database):
    connections = Connections(lambda: database.connect("arrears_app", autocommit=True))
    key = KeyRing(connections, bytes(32)).ensure_import_key()
    with connections.use() as connection:
        row = connection.execute("SELECT wrapped_key FROM arrears.import_key").fetchone()
    assert row is not None
    assert key not in bytes(row[0])
    with pytest.raises(MasterKeyError):
        KeyRing(connections, b"\1" * 32).import_key()
    connections.close()
