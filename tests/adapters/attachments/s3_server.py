"""A server that answers as S3 does, as far as putting, getting, listing and deleting objects go."""

import hashlib
import threading
from datetime import UTC, datetime
from email.utils import format_datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any, Self
from urllib.parse import parse_qs, unquote, urlsplit
from xml.sax.saxutils import escape

HOST, BUCKET, ACCESS_KEY = "127.0.0.1", "files", "access-key-of-the-test"


class S3Server:
    """A context manager; `objects` is what it has, by key."""

    def __init__(self) -> None:
        self.objects: dict[str, bytes] = {}
        server = self

        class Handler(_Handler):
            stand = server

        self._server = ThreadingHTTPServer((HOST, 0), Handler)
        self._server.daemon_threads = True
        self.endpoint = f"http://{HOST}:{self._server.server_port}"
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


class _Handler(BaseHTTPRequestHandler):
    stand: S3Server
    protocol_version = "HTTP/1.1"

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the library's name
        pass

    @property
    def _key(self) -> str:
        return unquote(urlsplit(self.path).path).removeprefix(f"/{BUCKET}").removeprefix("/")

    def do_PUT(self) -> None:
        content = self.rfile.read(int(self.headers["Content-Length"]))
        if f"Credential={ACCESS_KEY}/" not in self.headers.get("Authorization", ""):
            self._say(403, b"<Error><Code>InvalidAccessKeyId</Code></Error>")
            return
        self.stand.objects[self._key] = content
        self._say(200, etag=content)

    def do_GET(self) -> None:
        asked = parse_qs(urlsplit(self.path).query)
        if "list-type" in asked:
            prefix = asked.get("prefix", [""])[0]
            self._say(200, _listed({k: each for k, each in self.stand.objects.items() if k.startswith(prefix)}))
        elif self._key in self.stand.objects:
            content = self.stand.objects[self._key]
            self._say(200, content, etag=content)
        else:
            self._say(404, b"<Error><Code>NoSuchKey</Code></Error>")

    def do_DELETE(self) -> None:
        self.stand.objects.pop(self._key, None)
        self._say(204)

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"])).decode()
        keys = [each.partition("</Key>")[0] for each in body.split("<Key>")[1:]]
        for key in keys:
            self.stand.objects.pop(key, None)
        deleted = "".join(f"<Deleted><Key>{key}</Key></Deleted>" for key in keys)
        self._say(200, f'<?xml version="1.0"?><DeleteResult>{deleted}</DeleteResult>'.encode())

    def _say(self, status: int, body: bytes = b"", *, etag: bytes | None = None) -> None:
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        if etag is not None:
            self.send_header("ETag", f'"{hashlib.sha256(etag).hexdigest()}"')
            self.send_header("Last-Modified", format_datetime(datetime.now(UTC), usegmt=True))
        self.end_headers()
        self.wfile.write(body)


def _listed(objects: dict[str, bytes]) -> bytes:
    found = "".join(
        f"<Contents><Key>{escape(key)}</Key><Size>{len(content)}</Size><ETag>x</ETag>"
        "<LastModified>2026-11-29T12:00:00.000Z</LastModified></Contents>"
        for key, content in sorted(objects.items())
    )
    return f'<?xml version="1.0"?><ListBucketResult><IsTruncated>false</IsTruncated>{found}</ListBucketResult>'.encode()
