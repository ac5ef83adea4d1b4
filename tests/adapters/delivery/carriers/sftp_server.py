"""An SFTP server for a test, with a host key of its own and one user, who logs in with a key."""

import asyncio
import os
import threading
from enum import Enum
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import asyncssh

from adapters.kafka.local import HOST
from tests.waiting import HANG

USER = "printer"


class Does(Enum):
    TAKES = "takes what it is given"
    DROPS = "drops the line while a file is written"
    DIES = "gives the file its name, and drops the line before it says so"


class SftpServer:
    """A context manager. Files are in `files`; `does` may be set while it runs."""

    def __init__(self, folder: Path) -> None:
        self.does = Does.TAKES
        self.files = folder / "sftp-files"
        (self.files / "letters").mkdir(parents=True)
        self.key = folder / "sftp.key"
        self.known_hosts = folder / "known_hosts"
        self._host_key = asyncssh.generate_private_key("ssh-ed25519")
        key = asyncssh.generate_private_key("ssh-ed25519")
        self.key.write_bytes(key.export_private_key())
        self._user_key = folder / "authorized_keys"
        self._user_key.write_bytes(key.export_public_key())
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="sftp", daemon=True)
        self._server: asyncssh.SSHAcceptor | None = None
        self.port = 0

    @property
    def url(self) -> str:
        return f"sftp://{USER}@{HOST}:{self.port}/letters"

    def __enter__(self) -> Self:
        self._thread.start()
        self._do(self._listen())
        self.trust(self._host_key)
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.stop()
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    def trust(self, key: asyncssh.SSHKey) -> None:
        """Writes the file of known hosts."""
        self.known_hosts.write_bytes(f"[{HOST}]:{self.port} ".encode() + key.export_public_key())

    def stop(self) -> None:
        self._do(self._stop())

    def _do(self, work: Any) -> None:
        asyncio.run_coroutine_threadsafe(work, self._loop).result(HANG)

    async def _listen(self) -> None:
        stand = self

        class Files(asyncssh.SFTPServer):
            def __init__(self, channel: asyncssh.SSHServerChannel[bytes]) -> None:
                self._channel_to = channel
                super().__init__(channel, chroot=os.fsencode(stand.files))

            def write(self, file_obj: object, offset: int, data: bytes) -> int:
                if stand.does is Does.DROPS:
                    self._channel_to.get_connection().abort()
                    raise asyncssh.SFTPFailure("dropped")
                return super().write(file_obj, offset, data)  # type: ignore[return-value]

            def rename(self, oldpath: bytes, newpath: bytes) -> None:
                super().rename(oldpath, newpath)
                if stand.does is Does.DIES:
                    self._channel_to.get_connection().abort()

        self._server = await asyncssh.listen(
            HOST,
            0,
            server_host_keys=[self._host_key],
            authorized_client_keys=str(self._user_key),
            sftp_factory=Files,
        )
        self.port = self._server.get_port()

    async def _stop(self) -> None:
        server, self._server = self._server, None
        if server is not None:
            server.close()
            await server.wait_closed()
        left = asyncio.all_tasks() - {asyncio.current_task()}
        for task in left:
            task.cancel()
        await asyncio.gather(*left, return_exceptions=True)
