"""The shop on a running lab: its repository, Flux's objects, its load, and what can be read of it."""

from __future__ import annotations

import re
import urllib.request
from dataclasses import dataclass, field, replace
from typing import Any

from lab import waiting
from lab.api import ApiRefused
from lab.cluster import Lab
from lab.load import Load
from lab.shop.files import App, flux_objects

RESTING = ("Stable", "Held", "AwaitingGit", "Paused", "Pending")


@dataclass(frozen=True, slots=True)
class Pod:
    """What a rollback must not change."""

    name: str
    uid: str
    restarts: int
    ready: bool = field(compare=False)


class Shop:
    """One app in one namespace, as its team has it."""

    def __init__(self, lab: Lab, app: App | None = None) -> None:
        self.lab = lab
        self.app = app or App()
        self.namespace = self.app.namespace

    # --- the team's hands

    def install(self, *, credentials: tuple[str, str] | None = None, interval: str = "10m") -> None:
        """Put the app into Git and let Flux apply it."""
        self.repository = self.lab.create_repo(self.namespace, self.app.files(), credentials=credentials)
        self.lab.apply(flux_objects(self.namespace, self.lab.git_url(self.namespace), interval=interval))

    def push(self, message: str, **changes: Any) -> str:
        """Commit a change of the app (fields of `App`) and push it; give the commit's id."""
        before = self.app.files()
        self.app = replace(self.app, **changes)
        changed = {path: text for path, text in self.app.files().items() if text != before[path]}
        return self.repository.commit(message, changed)

    def served(self) -> bool:
        """Whether the gateway answers for the app: it opens its listener with the first route, and not at once."""
        request = urllib.request.Request(f"{self.lab.gateway_url}/", headers={"Host": self.app.host})
        with urllib.request.urlopen(request, timeout=2) as response:
            return int(response.status) == 200

    def load(self, rate: int = 200) -> Load:
        """Clients at a constant rate through the gateway; start it with `with`."""
        return Load(
            self.lab.folder, f"{self.lab.gateway_url}/", self.app.host, rate=rate, name=f"load-{self.namespace}"
        )

    def service_load(self, rate: int = 50) -> Load:
        """Clients inside the cluster, which ask the Service by its cluster address: half of them connect each time."""
        address = self.lab.get("v1", "services", "checkout", self.namespace)["spec"]["clusterIP"]
        name = f"service-load-{self.namespace}"
        return Load(self.lab.folder, f"http://{address}/", self.app.host, rate=rate, name=name, fresh=8)

    # --- what can be read

    def rollout(self) -> dict[str, Any]:
        """The Rollout as the API has it; empty when there is none."""
        try:
            return self.lab.get("canary.delivery/v1alpha1", "rollouts", "checkout", self.namespace)
        except ApiRefused:
            return {}

    def status(self) -> dict[str, Any]:
        """Its status; empty before the operator wrote one."""
        status: dict[str, Any] = self.rollout().get("status") or {}
        return status

    def phase(self) -> str:
        """Its phase; empty before there is one."""
        return str(self.status().get("phase") or "")

    def deployment(self) -> dict[str, Any]:
        """The Deployment in Git, as the API has it."""
        return self.lab.get("apps/v1", "deployments", "checkout", self.namespace)

    def image(self) -> str:
        """The image that the Deployment says."""
        return str(self.deployment()["spec"]["template"]["spec"]["containers"][0]["image"])

    def held(self) -> bool:
        """Whether the Deployment is held."""
        return "canary.delivery/held" in (self.deployment()["metadata"].get("annotations") or {})

    def weight(self) -> int | None:
        """The canary's share in percent in the route; None when the route is as Git has it."""
        route = self.lab.get("gateway.networking.k8s.io/v1", "httproutes", "checkout", self.namespace)
        backends = {b["name"]: b.get("weight", 1) for b in route["spec"]["rules"][0]["backendRefs"]}
        if "checkout-canary" not in backends:
            return None
        share: int = round(100 * backends["checkout-canary"] / max(1, sum(backends.values())))
        return share

    def pods(self, *, canary: bool = False) -> list[Pod]:
        """Pods of the Deployment in Git, or of the canary copy."""
        selector = "app=checkout,canary.delivery/track" + ("=canary" if canary else "!=canary")
        found = self.lab.api("GET", f"/api/v1/namespaces/{self.namespace}/pods?labelSelector={selector}")["items"]
        return [
            Pod(
                item["metadata"]["name"],
                item["metadata"]["uid"],
                sum(c.get("restartCount", 0) for c in item.get("status", {}).get("containerStatuses", [])),
                any(
                    (condition["type"], condition["status"]) == ("Ready", "True")
                    for condition in item.get("status", {}).get("conditions", [])
                ),
            )
            for item in found
        ]

    def trailers(self, commit: str) -> dict[str, str]:
        """The trailers of a commit's message."""
        message = self.repository.log("-1", "--format=%B", branch=commit)
        return dict(re.findall(r"^(Rollout[A-Za-z-]*): (.+)$", message, flags=re.MULTILINE))

    # --- waiting

    def wait_for_phase(self, *phases: str, seconds: float = 60) -> dict[str, Any]:
        """Wait for one of these phases and give the status."""

        def context() -> str:
            return str(self.status())

        waiting.until(f"phase {' or '.join(phases)}", lambda: self.phase() in phases, seconds=seconds, context=context)
        return self.status()

    def wait_for_release(self, image: str, *, attempts: int, seconds: float = 400) -> dict[str, Any]:
        """Wait until a release has begun after so many attempts, has ended, and the Deployment settled at the image."""

        def begun() -> bool:
            return int(self.status().get("attempts") or 0) > attempts

        waiting.until("a release to begin", begun, seconds=60, context=lambda: str(self.status()))
        return self.wait_until_settled(image, seconds=seconds)

    def attempts(self) -> int:
        """How many releases there were so far."""
        return int(self.status().get("attempts") or 0)

    def wait_until_settled(self, image: str, *, seconds: float = 300) -> dict[str, Any]:
        """Wait until the Rollout is Stable, the Deployment says the image and nothing of a canary is left."""

        def settled() -> bool:
            status = self.status()
            return (
                status.get("phase") == "Stable"
                and not status.get("release")
                and self.image() == image
                and not self.held()
                and self.weight() is None
                and not self.pods(canary=True)
            )

        def context() -> str:
            return str(self.status())

        waiting.until(f"{image} to be stable", settled, seconds=seconds, context=context)
        return self.status()
