"""The namespace's list of rejected versions: a ConfigMap that outlives the Rollout, and with it its status.

Two keys for each Rollout, written under a field manager of their own, so that writing one Rollout's list neither needs
to read nor can lose another's. The first is named after the Rollout, its value a JSON list, newest last. The second is
for the admission policy, which can neither read JSON nor compute a hash: `hold_<Deployment>`, its value lines, of which
the first is the Rollout's name and each other the images of a rejected version. An underscore is in no Rollout's name.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from hashlib import sha256
from typing import Any

from canary.api.names import FIELD_MANAGER, REJECTED_CONFIGMAP
from canary.api.patch import CONFIG_MAP, ContentType, Manifest, ObjectRef, Patch
from canary.core.state import REJECTED_LENGTH, Rejected

_REASON_LENGTH = 200
"""Characters of a reason that are kept, so that a namespace's lists stay far below the 1 MiB of a ConfigMap."""


HOLD_PREFIX = "hold_"


@dataclass(frozen=True, slots=True)
class Listed:
    """Whose list it is."""

    namespace: str
    rollout: str
    workload: str
    """Name of the Deployment."""


def read(config_map: Manifest | None, rollout_name: str) -> tuple[Rejected, ...]:
    """Return a Rollout's rejected versions, oldest first; entries that are not ours to read are passed over."""
    text = ((config_map or {}).get("data") or {}).get(rollout_name, "")
    try:
        entries = json.loads(text) if text else []
    except ValueError:
        return ()
    return tuple(r for e in entries if isinstance(e, dict) and (r := _entry(e))) if isinstance(entries, list) else ()


def hashes(config_map: Manifest | None, rollout_name: str) -> tuple[str, ...]:
    """Return the template and version hashes on a Rollout's list."""
    return tuple(h for r in read(config_map, rollout_name) for h in (r.template_hash, r.version_hash))


def add(config_map: Manifest | None, whose: Listed, rejected: Rejected) -> Patch:
    """Return the write that puts a version on the list; the oldest go when there are more than fifty."""
    others = tuple(r for r in read(config_map, whose.rollout) if r.template_hash != rejected.template_hash)
    return _write(whose, (*others, rejected)[-REJECTED_LENGTH:])


def forget(config_map: Manifest | None, whose: Listed, *, template_hash: str, version_hash: str) -> Patch | None:
    """Return the write that takes a version off the list; None when it is not on it.

    A merge patch: apply would leave a key that somebody else wrote, as the restore of a backup does.
    """
    present = read(config_map, whose.rollout)
    kept = tuple(r for r in present if r.template_hash != template_hash and r.version_hash != version_hash)
    if kept == present:
        return None
    gone: dict[str, str | None] = dict.fromkeys((whose.rollout, HOLD_PREFIX + whose.workload))
    body = {"data": {**gone, **_data(whose, kept)}}
    return Patch(_ref(whose), body, ContentType.MERGE, _manager(whose))


def _write(whose: Listed, entries: tuple[Rejected, ...]) -> Patch:
    ref = _ref(whose)
    body = {
        "apiVersion": ref.api_version,
        "kind": ref.kind,
        "metadata": {"name": ref.name, "namespace": whose.namespace},
        "data": _data(whose, entries),
    }
    return Patch(ref, body, ContentType.APPLY, _manager(whose))


def _ref(whose: Listed) -> ObjectRef:
    return ObjectRef(*CONFIG_MAP, whose.namespace, REJECTED_CONFIGMAP)


def _manager(whose: Listed) -> str:
    """A manager's name may have 128 characters, a Rollout's 253."""
    return f"{FIELD_MANAGER}-rejected-{sha256(whose.rollout.encode()).hexdigest()[:12]}"


def _data(whose: Listed, entries: tuple[Rejected, ...]) -> dict[str, str]:
    rows = [{**asdict(r), "reason": r.reason[:_REASON_LENGTH]} for r in entries]
    images = dict.fromkeys(" ".join(r.images) for r in entries if r.images)
    data = {whose.rollout: json.dumps(rows, sort_keys=True)} if rows else {}
    if images:
        data[HOLD_PREFIX + whose.workload] = "\n".join((whose.rollout, *images))
    return data


def _entry(entry: dict[str, Any]) -> Rejected | None:
    try:
        return Rejected(
            template_hash=str(entry["template_hash"]),
            version_hash=str(entry["version_hash"]),
            at=float(entry["at"]),
            commit=str(entry.get("commit", "")),
            reason=str(entry.get("reason", "")),
            images=tuple(str(image) for image in entry.get("images") or ()),
        )
    except (KeyError, TypeError, ValueError):
        return None
