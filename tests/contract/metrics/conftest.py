from __future__ import annotations

import http.server
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field

import pytest
from typing_extensions import override

from tests.contract.metrics.exposition import CONTENT_TYPE
from tests.contract.running import LOCAL, running_prometheus


@dataclass
class Exporter:
    """A target that says what the test tells it to; None means that it is down."""

    port: int
    text: str | None = ""
    scrapes: int = field(default=0)
    binary: bytes | None = None
    """Said in protobuf in place of the text, as native histograms have to be."""


@pytest.fixture(scope="session")
def exporter() -> Iterator[Exporter]:
    state = Exporter(0)

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            state.scrapes += 1
            if state.text is None:
                self.send_error(503)
                return
            body = state.text.encode() if state.binary is None else state.binary
            self.send_response(200)
            self.send_header("Content-Type", "text/plain; version=0.0.4" if state.binary is None else CONTENT_TYPE)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        @override
        def log_message(self, *_: object) -> None:
            pass

    server = http.server.ThreadingHTTPServer((LOCAL, 0), Handler)
    state.port = server.server_address[1]
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield state
    server.shutdown()
    server.server_close()
    thread.join(5)


@pytest.fixture(scope="session")
def prometheus(exporter: Exporter, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Address of a real Prometheus that scrapes the exporter every second."""
    config = (
        "global: {scrape_interval: 1s, scrape_timeout: 1s}\n"
        f"scrape_configs: [{{job_name: app, static_configs: [{{targets: ['{LOCAL}:{exporter.port}']}}]}}]\n"
    )
    options = ("--query.max-samples=20000", "--enable-feature=native-histograms")
    with running_prometheus(tmp_path_factory.mktemp("prometheus"), config, *options) as url:
        yield url
