"""A server that plays a metrics system: it says what the test says, and remembers what it was asked."""

from __future__ import annotations

import http.server
import json
import ssl
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qs, urlsplit

from requests.structures import CaseInsensitiveDict
from typing_extensions import override

LOCAL = "127.0.0.1"


@dataclass(frozen=True)
class Asked:
    """One request."""

    method: str
    path: str
    query: dict[str, list[str]]
    headers: Mapping[str, str]
    body: bytes
    certificate: str = ""
    """Common name of the client's certificate."""

    @property
    def json(self) -> Any:
        return json.loads(self.body)

    @property
    def form(self) -> dict[str, list[str]]:
        return parse_qs(self.body.decode())


@dataclass(frozen=True)
class Say:
    """One answer."""

    body: object
    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)


@dataclass
class Played:
    """The server: `says` may be changed between requests."""

    url: str
    says: Say | Callable[[Asked], Say]
    asked: list[Asked] = field(default_factory=list)


@contextmanager
def playing(says: Say | Callable[[Asked], Say], *, context: ssl.SSLContext | None = None) -> Iterator[Played]:
    played = Played("", says)

    class Handler(http.server.BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def _serve(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            parts = urlsplit(self.path)
            asked = Asked(
                self.command,
                parts.path,
                parse_qs(parts.query),
                CaseInsensitiveDict(self.headers.items()),
                body,
                common_name(self.connection),
            )
            played.asked.append(asked)
            say = played.says(asked) if callable(played.says) else played.says
            raw = say.body if isinstance(say.body, bytes) else json.dumps(say.body).encode()
            self.send_response(say.status)
            for name, value in {"Content-Length": str(len(raw)), **say.headers}.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(raw)

        def do_GET(self) -> None:
            self._serve()

        def do_POST(self) -> None:
            self._serve()

        @override
        def log_message(self, *_: object) -> None:
            pass

    class Server(http.server.ThreadingHTTPServer):
        @override
        def get_request(self) -> tuple[Any, Any]:
            connection, address = super().get_request()
            # The handshake is the connection's own thread's business: one that is refused stops no other.
            wrap = context and context.wrap_socket(connection, server_side=True, do_handshake_on_connect=False)
            return wrap or connection, address

        @override
        def handle_error(self, *_: object) -> None:
            pass

    server = Server((LOCAL, 0), Handler)
    played.url = f"{'https' if context else 'http'}://{LOCAL}:{server.server_address[1]}"
    thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    try:
        yield played
    finally:
        server.shutdown()
        server.server_close()
        thread.join(5)


def common_name(connection: object) -> str:
    if not isinstance(connection, ssl.SSLSocket):
        return ""
    names = dict(pair[0] for pair in (connection.getpeercert() or {}).get("subject", ()))  # type: ignore[misc]  # typeshed's shape is wider
    return str(names.get("commonName", ""))
