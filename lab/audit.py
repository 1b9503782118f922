"""Who wrote what, as the API server recorded it: the operator's own writes, told apart by the token that was used."""

from __future__ import annotations

import base64
import json
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Final
from urllib.parse import parse_qs, urlsplit

import yaml

_CREDENTIAL: Final = "authentication.kubernetes.io/credential-id"
POLICY: Final = """\
apiVersion: audit.k8s.io/v1
kind: Policy
omitStages: [RequestReceived]
rules:
- level: Metadata
  users: ["system:serviceaccount:canary-system:canary"]
  verbs: [create, update, patch, delete]
- level: None
"""


@dataclass(frozen=True, slots=True)
class Write:
    """A request to change something, that was answered."""

    at: float
    """Seconds since the epoch, of the answer."""
    token: str
    """The id of the token that was used: each process of the operator has its own."""
    verb: str
    resource: str
    """Plural, with the subresource after a slash."""
    namespace: str
    name: str
    code: int
    """HTTP status."""
    dry_run: bool = False
    """Whether only what would become of it was asked for."""

    @property
    def done(self) -> bool:
        """Whether anything was changed by it."""
        return self.code < 300 and not self.dry_run


def writes(file: Path, *, since: float = 0.0) -> list[Write]:
    """Read the writes that were answered since then, oldest first; a line that is being written is left for later."""
    lines = file.read_text().split("\n")[:-1] if file.exists() else []
    found = [_write(json.loads(line)) for line in lines]
    return sorted((write for write in found if write.at >= since), key=lambda write: write.at)


def token_of(kubeconfig: Path) -> str:
    """Give the id of a kubeconfig's ServiceAccount token."""
    token = str(yaml.safe_load(kubeconfig.read_text())["users"][0]["user"]["token"])
    payload = token.split(".")[1]
    return str(json.loads(base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4)))["jti"])


def _write(event: dict[str, object]) -> Write:
    user, ref, answer = event["user"], event.get("objectRef") or {}, event.get("responseStatus") or {}
    assert isinstance(user, dict)
    assert isinstance(ref, dict)
    assert isinstance(answer, dict)
    credential = (user.get("extra") or {}).get(_CREDENTIAL) or [""]
    sub = ref.get("subresource")
    return Write(
        at=datetime.fromisoformat(str(event["stageTimestamp"])).timestamp(),
        token=str(credential[0]).removeprefix("JTI="),
        verb=str(event["verb"]),
        resource=f"{ref.get('resource')}/{sub}" if sub else str(ref.get("resource")),
        namespace=str(ref.get("namespace", "")),
        name=str(ref.get("name", "")),
        code=int(answer.get("code", 0)),
        dry_run="dryRun" in parse_qs(urlsplit(str(event.get("requestURI", ""))).query),
    )
