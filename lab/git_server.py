"""A Git server over smart HTTP: `git http-backend` behind a small CGI server.

    python -m lab.git_server --root FOLDER --address HOST --port N

Repositories are the bare ones below the root; pushing to `/NAME.git` makes one that is not there. A file `credentials` in
a repository ("user:password") asks for exactly that; without it everybody may read and push.
"""

from __future__ import annotations

import argparse
import base64
import hmac
import os
import re
import subprocess
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import ClassVar
from urllib.parse import unquote, urlsplit

from typing_extensions import override

_BEGINNING_OF_A_PUSH = re.compile(r"/([A-Za-z0-9][\w.-]*\.git)/info/refs\?service=git-receive-pack")
_MAKING = threading.Lock()


def make_repository(folder: Path) -> None:
    """Make an empty bare repository that may be pushed to, and fetched from as from the large hosts."""
    environment = {"PATH": os.environ["PATH"], "HOME": str(folder.parent), "GIT_CONFIG_NOSYSTEM": "1"}
    init: list[str | Path] = ["git", "init", "--quiet", "--bare", "--initial-branch=main", folder]
    subprocess.run(init, env=environment, check=True, capture_output=True)
    for key in ("http.receivepack", "uploadpack.allowFilter", "uploadpack.allowAnySHA1InWant"):
        config: list[str | Path] = ["git", "-C", folder, "config", key, "true"]
        subprocess.run(config, env=environment, check=True, capture_output=True)


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    root: ClassVar[Path]

    def do_GET(self) -> None:
        self._serve(b"")

    def do_POST(self) -> None:
        self._serve(self._body())

    def _serve(self, body: bytes) -> None:
        url = urlsplit(self.path)
        path = unquote(url.path)
        if url.path == "/healthz":
            self._answer(200, [("Content-Type", "text/plain")], b"ok")
        elif ".." in path.split("/"):
            self._answer(400, [], b"")
        elif not self._admitted(path):
            self._answer(401, [("WWW-Authenticate", 'Basic realm="lab"')], b"authentication required\n")
        else:
            self._make_for_a_push()
            self._backend(path, url.query, body)

    def _make_for_a_push(self) -> None:
        begun = _BEGINNING_OF_A_PUSH.fullmatch(self.path)
        if begun is not None:
            with _MAKING:
                if not (self.root / begun[1]).exists():
                    make_repository(self.root / begun[1])

    def _admitted(self, path: str) -> bool:
        repository = self.root / path.lstrip("/").split(".git/")[0].removesuffix(".git")
        file = repository.with_name(repository.name + ".git") / "credentials"
        if not file.is_file():
            return True
        wanted = base64.b64encode(file.read_bytes().strip())
        return hmac.compare_digest(self.headers.get("Authorization", "").encode(), b"Basic " + wanted)

    def _body(self) -> bytes:
        if "chunked" not in self.headers.get("Transfer-Encoding", ""):
            return self.rfile.read(int(self.headers.get("Content-Length", 0)))
        chunks = []
        while size := int(self.rfile.readline().split(b";")[0], 16):
            chunks.append(self.rfile.read(size))
            self.rfile.readline()
        self.rfile.readline()
        return b"".join(chunks)

    def _backend(self, path: str, query: str, body: bytes) -> None:
        environment = {
            "PATH": os.environ["PATH"],
            "HOME": str(self.root),
            "GIT_CONFIG_NOSYSTEM": "1",
            "GIT_PROJECT_ROOT": str(self.root),
            "GIT_HTTP_EXPORT_ALL": "1",
            "GIT_PROTOCOL": self.headers.get("Git-Protocol", ""),
            "HTTP_CONTENT_ENCODING": self.headers.get("Content-Encoding", ""),
            "REQUEST_METHOD": self.command,
            "PATH_INFO": path,
            "QUERY_STRING": query,
            "CONTENT_TYPE": self.headers.get("Content-Type", ""),
            "CONTENT_LENGTH": str(len(body)),
            "REMOTE_ADDR": self.client_address[0],
            "REMOTE_USER": "lab",
        }
        done = subprocess.run(["git", "http-backend"], input=body, env=environment, capture_output=True, check=False)
        head, _, content = done.stdout.partition(b"\r\n\r\n")
        headers = [
            (name, value.strip()) for name, _, value in (line.partition(":") for line in head.decode().splitlines())
        ]
        status = next((value for name, value in headers if name == "Status"), "200")
        if done.returncode and not head:
            self.log_error("git http-backend: %s", done.stderr.decode(errors="replace"))
            status = "500"
        self._answer(int(status.split()[0]), [item for item in headers if item[0] not in ("Status", "")], content)

    def _answer(self, status: int, headers: list[tuple[str, str]], content: bytes) -> None:
        self.send_response(status)
        for name, value in headers:
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    @override
    def log_message(self, format: str, *args: object) -> None:
        if "/healthz" not in self.path:
            super().log_message(format, *args)


def main() -> None:
    parser = argparse.ArgumentParser(description="Serve the bare Git repositories of a folder over HTTP.")
    parser.add_argument("--root", type=Path, required=True)
    parser.add_argument("--address", default="127.0.0.1")
    parser.add_argument("--port", type=int, required=True)
    given = parser.parse_args()
    _Handler.root = given.root
    ThreadingHTTPServer.request_queue_size = 128
    ThreadingHTTPServer((given.address, given.port), _Handler).serve_forever()


if __name__ == "__main__":
    main()
