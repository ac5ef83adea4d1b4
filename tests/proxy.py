"""A proxy for TCP connections, through which a server goes away, hangs, or answers slowly, whatever it really does."""

import asyncio
import threading
from collections.abc import Coroutine
from contextlib import suppress
from types import TracebackType
from typing import Any, Self

from psycopg.conninfo import conninfo_to_dict, make_conninfo

from adapters.kafka.local import HOST, free_ports

_CHUNK = 65_536


class Proxy:
    """Listens on a port of its own and passes everything on to another, or to a socket's path; a context manager.

    `delay` is how many seconds each piece of an answer is held back; it may be set while it runs.
    """

    def __init__(self, target: tuple[str, int] | str, *, listens: int | None = None) -> None:
        """`listens`: the port, where it has to be known before."""
        self._target = target
        self.port = listens if listens is not None else free_ports(1)[0]
        self.delay = 0.0
        self.connections = 0
        """How many were made by now."""
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="proxy", daemon=True)
        self._server: asyncio.Server | None = None
        self._open: set[asyncio.StreamWriter] = set()

    def __enter__(self) -> Self:
        self._thread.start()
        self.restore()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.cut()
        self._do(self._finish())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    def cut(self) -> None:
        """Ends every connection; no new one is taken."""
        self._do(self._cut())

    def restore(self) -> None:
        """Takes connections again."""
        self._do(self._listen())

    # --- inside ---

    def _do(self, work: Coroutine[Any, Any, None]) -> None:
        asyncio.run_coroutine_threadsafe(work, self._loop).result()

    async def _listen(self) -> None:
        if self._server is None:
            self._server = await asyncio.start_server(self._connected, HOST, self.port)

    async def _cut(self) -> None:
        server, self._server = self._server, None
        if server is not None:
            server.close()
        for writer in list(self._open):
            writer.transport.abort()
        self._open.clear()
        await asyncio.sleep(0)

    async def _finish(self) -> None:
        """Nothing of it is left to be told to the loop that ends."""
        left = asyncio.all_tasks() - {asyncio.current_task()}
        for task in left:
            task.cancel()
        await asyncio.gather(*left, return_exceptions=True)

    async def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        try:
            if isinstance(self._target, str):
                server_reader, server_writer = await asyncio.open_unix_connection(self._target)
            else:
                server_reader, server_writer = await asyncio.open_connection(*self._target)
        except OSError:
            writer.transport.abort()
            return
        self._open |= {writer, server_writer}
        await asyncio.gather(
            self._pass_on(reader, server_writer, slowly=False), self._pass_on(server_reader, writer, slowly=True)
        )
        self._open -= {writer, server_writer}

    async def _pass_on(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, *, slowly: bool) -> None:
        with suppress(OSError):
            while chunk := await reader.read(_CHUNK):
                if slowly and self.delay:
                    await asyncio.sleep(self.delay)
                writer.write(chunk)
                await writer.drain()
        writer.transport.abort()


def before_postgres(dsn: str) -> tuple[Proxy, str]:
    """A proxy, not entered yet, for the server of a DSN, and the DSN that leads through it."""
    said = conninfo_to_dict(dsn)
    host, port = str(said["host"]), int(str(said.get("port") or 5432))
    proxy = Proxy(f"{host}/.s.PGSQL.{port}" if host.startswith("/") else (host, port))
    return proxy, make_conninfo(dsn, host=HOST, port=proxy.port)
