"""Which database we talk to, and how connections are made."""

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import Any, Literal, Self

import psycopg
from psycopg import IsolationLevel
from psycopg.conninfo import conninfo_to_dict, make_conninfo
from psycopg_pool import ConnectionPool

from adapters.postgres.embedded import EmbeddedPostgres
from adapters.postgres.errors import ConnectionFailed, DataFolderUnusable, WrongPostgresVersion, explained

Connection = psycopg.Connection[Any]
Pool = ConnectionPool[Connection]
"""A connection, for those who only hand it on."""

Role = Literal["arrears_app", "arrears_sealer", "arrears_reader"]

URL_VARIABLE = "ARREARS_DATABASE_URL"
DATA_VARIABLE = "ARREARS_DATA"
OLDEST_SERVER = 16

_SILENT = {"idle": "30", "interval": "10", "count": "3"}
_UNANSWERED_MS = "60000"
# A host that vanishes says no goodbye. By TCP's own defaults its locks would be held for two hours, and nobody would
# seal or publish meanwhile; with these the server lets go of them, and a client of its server, after about a minute.
# While it works on a statement the server does not listen, so it is told to look whether anybody is there.
_SERVER_NOTICES = [
    *(f"-c tcp_keepalives_{name}={value}" for name, value in _SILENT.items()),
    f"-c tcp_user_timeout={_UNANSWERED_MS}",
    "-c client_connection_check_interval=10s",
]
_CLIENT_NOTICES = {
    **{f"keepalives_{name}": value for name, value in _SILENT.items()},
    "tcp_user_timeout": _UNANSWERED_MS,
    "connect_timeout": "10",  # whoever takes a connection and says nothing: by itself a client waits for two minutes
}


class Database:
    """A PostgreSQL database: where it is, and connections to it in a role.

    Without a role a connection has all the rights of the user in the DSN; services take a role, which holds the
    grants that keep the log append-only.
    """

    def __init__(self, dsn: str, *, embedded: EmbeddedPostgres | None = None) -> None:
        self.dsn = dsn
        self._embedded = embedded
        self._pools: list[ConnectionPool] = []

    @property
    def embedded(self) -> EmbeddedPostgres | None:
        """The server of the data folder that it lives in, if it lives in one."""
        return self._embedded

    @property
    def is_embedded(self) -> bool:
        """Whether it lives in a data folder of its own."""
        return self._embedded is not None

    @explained()
    def connect(self, role: Role | None = None, *, autocommit: bool = False) -> psycopg.Connection:
        """A new connection. Raises a `DatabaseProblem` when the server cannot be reached or the role is missing."""
        return psycopg.connect(self.conninfo(role), autocommit=autocommit)

    @contextmanager
    def snapshot(self, role: Role | None = None) -> Iterator[Connection]:
        """A connection for reading: all that it answers is of one moment, while others write."""
        with self.connect(role) as connection:
            connection.isolation_level = IsolationLevel.REPEATABLE_READ
            connection.read_only = True
            yield connection

    def pool(
        self, role: Role | None = None, *, min_size: int = 1, max_size: int = 8, autocommit: bool = False
    ) -> ConnectionPool:
        """An open pool, closed with the database at the latest. Broken connections are noticed when handed out."""
        pool = ConnectionPool(
            self.conninfo(role),
            min_size=min_size,
            max_size=max_size,
            kwargs={"autocommit": autocommit},
            check=ConnectionPool.check_connection,
            open=True,
        )
        self._pools.append(pool)
        return pool

    def conninfo(self, role: Role | None = None) -> str:
        """What psycopg connects with; the role is taken by the server before the first statement.

        The DSN's own words about keepalives win.
        """
        given = conninfo_to_dict(self.dsn)
        options = [*_SERVER_NOTICES, *([str(given["options"])] if given.get("options") else [])]
        if role:
            options.append(f"-c role={role}")
        return make_conninfo(
            self.dsn,
            application_name=given.get("application_name") or role or "arrears",
            options=" ".join(options),
            **{name: value for name, value in _CLIENT_NOTICES.items() if name not in given},
        )

    def close(self) -> None:
        """Close the pools, and stop the embedded server if nobody else uses it."""
        while self._pools:
            self._pools.pop().close()
        if self._embedded is not None:
            self._embedded.stop()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()


def open_database(
    data_dir: Path | None = None, env: Mapping[str, str] = os.environ, *, reading: bool = False
) -> Database:
    """The database of this installation.

    `ARREARS_DATABASE_URL` names a server and wins; else PostgreSQL runs in `data_dir` or `ARREARS_DATA`.
    `reading=True` joins a data folder that another process owns instead of being refused with `DataFolderInUse`.
    """
    if url := env.get(URL_VARIABLE):
        return _server(url)
    folder = data_dir or (Path(env[DATA_VARIABLE]) if env.get(DATA_VARIABLE) else None)
    if folder is None:
        raise DataFolderUnusable(
            "No database was named",
            hint=f"Give a data folder (--data DIR or {DATA_VARIABLE}) or a server ({URL_VARIABLE}).",
        )
    embedded = EmbeddedPostgres.attach(folder) if reading else EmbeddedPostgres(folder)
    embedded.start()
    return Database(embedded.dsn, embedded=embedded)


def _server(url: str) -> Database:
    try:
        database = Database(url)
        with database.connect() as connection:
            version = connection.info.server_version // 10_000
    except psycopg.ProgrammingError as error:
        raise ConnectionFailed(f"{URL_VARIABLE} is not a PostgreSQL address: {error}") from error
    if version < OLDEST_SERVER:
        raise WrongPostgresVersion(f"The server runs PostgreSQL {version}; Arrears needs {OLDEST_SERVER} or newer")
    return database
