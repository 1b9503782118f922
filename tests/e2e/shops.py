"""Shops for the end-to-end tests: each in a namespace of its own, with short steps, closed without a trace."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import yaml
from typing_extensions import override

from lab import waiting
from lab.cluster import ApiRefused, Lab
from lab.parts.git import git
from lab.shop.files import App
from lab.shop.shop import Shop

POLL_SECONDS = 0.4
"""Between looks of a wait: many shops are open at once on two processors."""


@dataclass(frozen=True, slots=True)
class QuickApp(App):
    """An app with steps of seconds, and with what only tests want to say."""

    replicas: int = 2
    steps: tuple[tuple[int, str, str], ...] = ((5, "3s", "8s"), (50, "3s", "8s"))
    bake: str = "3s"
    template: str = "quick-errors"
    approval: bool = False
    """Whether somebody has to approve after the first step."""
    no_data_after: str = ""
    progress_deadline: str = ""
    git_mode: str = ""
    paused: str = ""
    """What the Deployment's file says about `paused`; empty: nothing."""
    labels: tuple[tuple[str, str], ...] = ()
    """Of the Deployment, as its file says."""

    @override
    def rollout(self) -> str:
        """The Rollout's file."""
        document = yaml.safe_load(App.rollout(self))
        spec = document["spec"]
        if self.approval:
            spec["strategy"]["canary"]["steps"].insert(1, {"approval": {}})
        if self.no_data_after:
            spec["analysis"]["noDataAfter"] = self.no_data_after
        if self.progress_deadline:
            spec["progressDeadline"] = self.progress_deadline
        if self.git_mode:
            spec["rollback"] = {"git": {"mode": self.git_mode}}
        return yaml.safe_dump(document, sort_keys=False)

    @override
    def deployment(self) -> str:
        """The Deployment's file."""
        text = App.deployment(self)
        if self.paused:
            text = text.replace("spec:\n  replicas", f"spec:\n  paused: {self.paused}\n  replicas", 1)
        if self.labels:
            text = text.replace("spec:\n", f"  labels: {json.dumps(dict(self.labels))}\nspec:\n", 1)
        return text


class QuickShop(Shop):
    """A shop whose waits leave the processors to the shops beside it."""

    app: QuickApp

    def __init__(self, lab: Lab, app: QuickApp) -> None:
        super().__init__(lab, app)

    def write(self, **changes: Any) -> None:
        """Apply a change of the app (fields of `QuickApp`) without Git."""
        before = self.app.files()
        self.app = replace(self.app, **changes)
        self.lab.apply("---\n".join(text for path, text in self.app.files().items() if text != before[path]))

    def wait(self, what: str, look: Any, *, seconds: float = 60) -> Any:
        """Wait until the look gives something true; what was seen last, and the operator's log of it, end the wait."""
        return waiting.until(what, look, seconds=seconds, every_seconds=POLL_SECONDS, context=self.story)

    @override
    def wait_for_phase(self, *phases: str, seconds: float = 60) -> dict[str, Any]:
        """Wait for one of these phases and give the status."""
        found: dict[str, Any] = {}

        def look() -> bool:
            found.clear()
            found.update(self.status())
            return found.get("phase") in phases

        self.wait(f"phase {' or '.join(phases)}", look, seconds=seconds)
        return found

    def wait_until_adopted(self) -> None:
        """Wait until the operator has adopted the version that serves, and holds the next."""
        self.wait_for_phase("Stable", seconds=120)
        self.wait(
            "ready pods", lambda: self.deployment()["status"].get("readyReplicas") == self.app.replicas, seconds=90
        )
        # An app that is told to fail some requests may fail this one, too; the next is another.
        self.wait("an answer through the gateway", self.served)
        self.wait("the label", lambda: "canary.delivery/rollout" in (self.deployment()["metadata"].get("labels") or {}))

    def wait_for_reason(self, reason: str, *, seconds: float = 60) -> dict[str, Any]:
        """Wait until the status gives this reason."""
        self.wait(f"reason {reason}", lambda: self.status().get("reason") == reason, seconds=seconds)
        return self.status()

    def wait_for_outcome(self, outcome: str, *, seconds: float = 240) -> dict[str, Any]:
        """Wait until the newest release of the history ended in this way, and nothing of a canary is left."""

        def look() -> bool:
            status = self.status()
            past = status.get("history") or [{}]
            return past[0].get("outcome") == outcome and self.weight() is None and not self.copy()

        self.wait(f"a release {outcome}", look, seconds=seconds)
        return self.status()

    def settle(self, image: str, *, releases: int = 1, seconds: float = 240) -> dict[str, Any]:
        """Wait until so many releases have ended, the Rollout is Stable at the image and no canary is left."""

        def look() -> bool:
            status = self.status()
            return (
                len(status.get("history") or ()) >= releases
                and status.get("phase") == "Stable"
                and not status.get("release")
                and self.image() == image
                and not self.held()
                and self.weight() is None
                and not self.copy()
            )

        self.wait(f"{image} to be stable", look, seconds=seconds)
        return self.status()

    def story(self) -> str:
        """Its status, and what the operator wrote of it."""
        log = self.lab.logs / "operator.log"
        lines = [line for line in log.read_text(errors="replace").splitlines() if f"{self.namespace}/" in line]
        return "\n".join([json.dumps(self.status(), indent=1), *(line[:600] for line in lines[-40:])])

    def canary(self, *arguments: str) -> str:
        """Run the `canary` command as somebody with all rights, and give what it prints."""
        command = [str(Path(sys.executable).with_name("canary")), "-n", self.namespace, *arguments]
        environment = os.environ | {"KUBECONFIG": str(self.lab.kubeconfig), "COLUMNS": "100"}
        done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False, timeout=60)
        assert done.returncode == 0, f"{arguments}: {done.stdout}{done.stderr}"
        return done.stdout

    def get(self, api_version: str, plural: str, name: str = "checkout") -> dict[str, Any] | None:
        """An object of the shop; None when there is none."""
        try:
            return self.lab.get(api_version, plural, name, self.namespace)
        except ApiRefused as error:
            if error.status == 404:
                return None
            raise

    def copy(self) -> dict[str, Any] | None:
        """The canary copy."""
        return self.get("apps/v1", "deployments", "checkout-canary")

    def service(self) -> dict[str, Any]:
        """The root Service."""
        return self.lab.get("v1", "services", "checkout", self.namespace)

    def pinned(self) -> bool:
        """Whether the root Service selects one pod-template-hash only."""
        return "pod-template-hash" in self.service()["spec"]["selector"]

    def items(self, path: str) -> list[dict[str, Any]]:
        """A list of the namespace, for example `api/v1 pods`."""
        version, _, rest = path.partition(" ")
        found: list[dict[str, Any]] = self.lab.api("GET", f"/{version}/namespaces/{self.namespace}/{rest}")["items"]
        return found

    def replica_sets(self) -> dict[str, int]:
        """Images of the ReplicaSets of the Deployment in Git, with the pods that each wants."""
        uid = self.deployment()["metadata"]["uid"]
        return {
            rs["spec"]["template"]["spec"]["containers"][0]["image"]: int(rs["spec"]["replicas"])
            for rs in self.items("apis/apps/v1 replicasets")
            if any(owner["uid"] == uid for owner in rs["metadata"].get("ownerReferences", []))
        }

    def endpoints(self, service: str = "checkout") -> set[str]:
        """Ready addresses of a Service."""
        slices = self.items(
            f"apis/discovery.k8s.io/v1 endpointslices?labelSelector=kubernetes.io/service-name={service}"
        )
        return {
            address
            for item in slices
            for endpoint in item.get("endpoints") or []
            if endpoint.get("conditions", {}).get("ready")
            for address in endpoint["addresses"]
        }

    def events(self) -> dict[str, str]:
        """Events on the Rollout: the newest message by reason."""
        found = sorted(self.items("api/v1 events"), key=lambda e: str(e.get("lastTimestamp") or e.get("eventTime")))
        return {e["reason"]: e["message"] for e in found if e["involvedObject"]["kind"] == "Rollout"}

    def note(self, commit: str = "") -> str:
        """What Git's notes say of a commit, or of the newest, as a person sees it; empty when there is none."""
        on = commit or self.repository.head()
        return git("-C", self.repository.bare, "notes", "--ref=canary", "show", on, check=False)

    def condition(self, kind: str) -> dict[str, Any]:
        """A condition; empty when there is none of that type."""
        return next((c for c in self.status().get("conditions") or [] if c["type"] == kind), {})

    def answers(self, version: str, clients: Any, *, seconds: float = 60) -> None:
        """Wait until clients get answers of a version."""
        before = clients.counts().of(version)
        self.wait(f"an answer of {version}", lambda: clients.counts().of(version) > before, seconds=seconds)


class Shops:
    """Opens shops, from several threads if need be, and closes them all."""

    def __init__(self, lab: Lab) -> None:
        self.lab = lab
        self._open: list[QuickShop] = []
        self._lock = threading.Lock()

    def open(self, name: str, *, adopted: bool = True, kind: type[QuickApp] = QuickApp, **changes: Any) -> QuickShop:
        """A shop of version v1 that Flux has applied and, if so asked, the operator has adopted."""
        shop = self._make(name, changes, kind)
        shop.install()
        if adopted:
            shop.wait_until_adopted()
        return shop

    def by_hand(self, name: str, **changes: Any) -> QuickShop:
        """A shop like `open`'s without Git and Flux: `write` applies its changes, and a rollback reverts nothing."""
        shop = self.bare(name, **{"git_mode": "off", **changes})
        self.lab.apply("---\n".join(shop.app.files().values()))
        shop.wait_until_adopted()
        return shop

    def bare(self, name: str, **changes: Any) -> QuickShop:
        """A namespace for a shop whose files are applied by hand."""
        shop = self._make(name, changes)
        self.lab.kubectl("create", "namespace", shop.namespace)
        return shop

    def _make(self, name: str, changes: dict[str, Any], kind: type[QuickApp] = QuickApp) -> QuickShop:
        shop = QuickShop(self.lab, replace(kind(namespace=f"{name[:40]}-{os.urandom(2).hex()}"), **changes))
        with self._lock:
            self._open.append(shop)
        return shop

    def close(self) -> None:
        """Stop everything, and wait until the operator has let go of the last Rollout."""
        shops, self._open = self._open, []
        if not shops:
            return
        names = [shop.namespace for shop in shops]
        for shop in shops:
            self._empty(shop.namespace)

        def left() -> list[str]:
            items = self.lab.api("GET", "/apis/canary.delivery/v1alpha1/rollouts")["items"]
            return [item["metadata"]["namespace"] for item in items if item["metadata"]["namespace"] in names]

        waiting.until(
            "the operator to let go of every Rollout",
            lambda: not left(),
            seconds=90,
            every_seconds=0.5,
            context=lambda: "\n".join(shop.story() for shop in shops if shop.namespace in left()),
        )

    def _empty(self, namespace: str) -> None:
        """Delete what runs in a namespace and what keeps it running; the rest goes with the lab.

        A namespace's own end asks the API server for every kind that there is, in a lab that has ninety of them.
        """
        flux = "namespaces/flux-system"
        paths = [
            f"/apis/kustomize.toolkit.fluxcd.io/v1/{flux}/kustomizations/{namespace}",
            f"/apis/source.toolkit.fluxcd.io/v1/{flux}/gitrepositories/{namespace}",
            f"/apis/canary.delivery/v1alpha1/namespaces/{namespace}/rollouts",
            f"/apis/autoscaling/v2/namespaces/{namespace}/horizontalpodautoscalers",
            f"/apis/apps/v1/namespaces/{namespace}/deployments",
            f"/apis/gateway.networking.k8s.io/v1/namespaces/{namespace}/httproutes",
        ]
        for path in paths:
            try:
                self.lab.api("DELETE", path, {"propagationPolicy": "Background"})
            except ApiRefused as error:
                if error.status != 404:  # not every shop has each
                    raise
