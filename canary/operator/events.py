"""Kubernetes Events, each told once: the name follows from what is said."""

from __future__ import annotations

import hashlib
from datetime import UTC, datetime
from typing import Final

import structlog

from canary.errors import ApiConflict, CanaryError
from canary.operator.client import Api
from canary.operator.kinds import EVENT, Obj

COMPONENT: Final = "canary"
BUCKET_SECONDS: Final = 600
"""The same thing said again within this is one Event: a crash between telling and writing status tells it once."""
_log = structlog.get_logger(__name__)


def event(about: Obj, reason: str, message: str, *, warning: bool, now: float) -> Obj:
    """Return the Event."""
    meta = about["metadata"]
    said = f"{meta.get('uid')}/{reason}/{message}/{int(now // BUCKET_SECONDS)}"
    time = datetime.fromtimestamp(int(now), UTC).isoformat().replace("+00:00", "Z")
    return {
        "apiVersion": EVENT.api_version,
        "kind": EVENT.kind,
        "metadata": {
            "namespace": meta["namespace"],
            "name": f"{meta['name']}.{hashlib.sha256(said.encode()).hexdigest()[:16]}",
        },
        "involvedObject": {
            "apiVersion": about["apiVersion"],
            "kind": about["kind"],
            "namespace": meta["namespace"],
            "name": meta["name"],
            "uid": meta.get("uid", ""),
        },
        "reason": reason[:128],
        "message": message[:1024],
        "type": "Warning" if warning else "Normal",
        "source": {"component": COMPONENT},
        "reportingComponent": COMPONENT,
        "reportingInstance": COMPONENT,
        "firstTimestamp": time,
        "lastTimestamp": time,
        "count": 1,
    }


async def emit(api: Api, about: Obj, reason: str, message: str, *, warning: bool, now: float) -> None:
    """Tell; what cannot be told is logged, and never stands in the way of what is done."""
    try:
        await api.create(EVENT, event(about, reason, message, warning=warning, now=now), manager=COMPONENT)
    except ApiConflict:
        return  # told before
    except CanaryError as error:
        _log.warning("event not told", reason=reason, error=str(error))
