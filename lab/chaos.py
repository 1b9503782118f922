"""What can break around a release, each by name: parts of the cluster, pods, and what a person's hands do by mistake.

Each fault is injected, lasts for as long as the dice say, and is mended, all in one call. While the operator is
`lab.faults.kept`, its death is a fault like the others.
"""

from __future__ import annotations

import contextlib
import json
import random
import time
from collections import Counter
from collections.abc import Callable, Sequence
from typing import Final, TypeAlias

from lab import waiting
from lab.cluster import ApiRefused, CommandFailed, Lab
from lab.observer import Observer
from lab.parts.gateway import Envoy
from lab.shop.shop import Shop
from lab.trials import PodKill

DOWN_SECONDS: Final = (0.5, 4.0)
"""How long what is stopped stays down."""
GATEWAY_AFTER_API_SECONDS: Final = 15.0
"""Until the gateway's controller, which waits longer after each failed try, has found the API server again."""
GATEWAY_AFTER_RESTART_SECONDS: Final = 10.0
"""Until Envoy has found the gateway's controller again."""
RESTARTS: Final = 2
"""Of one pod: at three it is called a version that crashes, and rightly."""

Fault: TypeAlias = Callable[["Chaos"], None]


class Chaos:
    """Faults for a lab that releases."""

    def __init__(
        self,
        lab: Lab,
        observer: Observer,
        shops: Sequence[Shop],
        dice: random.Random,
        *,
        down_seconds: tuple[float, float] = DOWN_SECONDS,
    ) -> None:
        self.lab = lab
        self.observer = observer
        self.shops = shops
        self.dice = dice
        self.injected: Counter[str] = Counter()
        """By name."""
        self.pod_kills: list[PodKill] = []
        self._down_seconds = down_seconds
        self._killed: Counter[str] = Counter()

    def inject(self, name: str) -> None:
        """Inject the fault of this name, and mend it."""
        FAULTS[name](self)
        self.injected[name] += 1

    def last(self) -> None:
        """Let the fault last."""
        time.sleep(self.dice.uniform(*self._down_seconds))

    def down(self, part: str) -> None:
        """`kill -9` a part, and start it again after a while."""
        self.lab.faults.kill9(part)
        self.last()
        self.lab.faults.start(part)

    def kill_pod(self, *, canary: bool) -> None:
        """`kill -9` a pod of one of the shops; none when there is none."""
        shop = self.dice.choice(self.shops)
        pods = [pod for pod in shop.pods(canary=canary) if self._killed[pod.uid] < RESTARTS]
        if not pods:
            return
        pod = self.dice.choice(pods)
        self._killed[pod.uid] += 1
        self.pod_kills.append(PodKill(shop.namespace, time.time()))
        with contextlib.suppress(KeyError):  # it is just being started, or has just ended
            self.lab.faults.kill9_pod(pod.uid)

    def patch(self, what: str, body: object, *arguments: str) -> None:
        """Patch an object of each shop as a person with all rights does; that it is not there just now is fine."""
        for shop in self.shops:
            with contextlib.suppress(CommandFailed):
                self.lab.kubectl(
                    "patch", what, "-n", shop.namespace, "--type=merge", "-p", json.dumps(body), *arguments
                )


def operator_killed(chaos: Chaos) -> None:
    """`kill -9`; whoever keeps it starts it again."""
    chaos.lab.faults.kill9("operator")


def operator_frozen(chaos: Chaos) -> None:
    """It stands still in the middle of whatever it does, and then goes on as if nothing had been."""
    with chaos.lab.faults.frozen("operator"):
        chaos.last()


def api_server_killed(chaos: Chaos) -> None:
    with chaos.observer.gateway_late(GATEWAY_AFTER_API_SECONDS):
        chaos.down("apiserver")


def etcd_killed(chaos: Chaos) -> None:
    with chaos.observer.gateway_late(GATEWAY_AFTER_API_SECONDS):
        chaos.down("etcd")
        waiting.until("the API server to serve again", lambda: chaos.lab.api("GET", "/readyz") == "ok")


def controllers_killed(chaos: Chaos) -> None:
    """Kubernetes' own: meanwhile no Deployment rolls and no endpoint changes."""
    chaos.down("controller-manager")


def node_agent_killed(chaos: Chaos) -> None:
    """The pods live on, as under a kubelet that restarts."""
    chaos.down("node")


def gateway_controller_killed(chaos: Chaos) -> None:
    with chaos.observer.gateway_late(GATEWAY_AFTER_RESTART_SECONDS):
        chaos.down("contour")


def envoy_drained(chaos: Chaos) -> None:
    """One of the two, as when its node is drained; its counters end with it, and begin at 0 when it is back."""
    part = chaos.lab.parts[chaos.dice.choice(["envoy", "envoy-2"])]
    assert isinstance(part, Envoy)
    chaos.lab.faults.drain(part.name)
    chaos.last()
    part.start()
    waiting.until(f"{part.name} to serve", part.serves, seconds=60)


def prometheus_killed(chaos: Chaos) -> None:
    chaos.down("prometheus")


def prometheus_frozen(chaos: Chaos) -> None:
    with chaos.lab.faults.frozen("prometheus"):
        chaos.last()


def git_down(chaos: Chaos) -> None:
    with chaos.lab.faults.stopped("git"):
        chaos.last()


def flux_stopped(chaos: Chaos) -> None:
    with chaos.lab.faults.stopped("source-controller"), chaos.lab.faults.stopped("kustomize-controller"):
        chaos.last()


def stable_pod_killed(chaos: Chaos) -> None:
    chaos.kill_pod(canary=False)


def canary_pod_killed(chaos: Chaos) -> None:
    chaos.kill_pod(canary=True)


def copy_edited(chaos: Chaos) -> None:
    """A person tries something on the canary Deployment."""
    env = [{"name": "checkout", "env": [{"name": "TRIED_BY_HAND", "value": "yes"}]}]
    body = {"spec": {"template": {"spec": {"containers": env}}}}
    for shop in chaos.shops:
        with contextlib.suppress(CommandFailed):
            where = "deployment/checkout-canary", "-n", shop.namespace
            chaos.lab.kubectl("patch", *where, "--type=strategic", "-p", json.dumps(body))


def weights_edited(chaos: Chaos) -> None:
    """A person gives everything to the canary, or to stable."""
    canary = chaos.dice.choice([0, 100])
    for shop in chaos.shops:
        path = f"/apis/gateway.networking.k8s.io/v1/namespaces/{shop.namespace}/httproutes/checkout"
        with contextlib.suppress(ApiRefused, OSError):
            route = chaos.lab.api("GET", path)
            for backend in route["spec"]["rules"][0]["backendRefs"]:
                backend["weight"] = canary if backend["name"] == "checkout-canary" else 100 - canary
            if len(route["spec"]["rules"][0]["backendRefs"]) > 1:
                chaos.lab.api("PUT", path, route)


def selector_edited(chaos: Chaos) -> None:
    """A person takes the pin off the root Service."""
    chaos.patch("service/checkout", {"spec": {"selector": {"pod-template-hash": None}}})


def annotations_removed(chaos: Chaos) -> None:
    """A person takes what they don't know off the Deployment, the Service and the route."""
    for what, names in {
        "deployment/checkout": ("held",),
        "service/checkout": ("pin",),
        "httproute/checkout": ("split", "git-backends"),
    }.items():
        chaos.patch(what, {"metadata": {"annotations": {f"canary.delivery/{name}": None for name in names}}})


def status_edited(chaos: Chaos) -> None:
    """A person corrects what the status shows."""
    chaos.patch("rollout/checkout", {"status": {"weight": 77, "message": "by hand"}}, "--subresource=status")


FAULTS: Final[dict[str, Fault]] = {
    fault.__name__.replace("_", " "): fault
    for fault in (
        operator_killed,
        operator_frozen,
        api_server_killed,
        etcd_killed,
        controllers_killed,
        node_agent_killed,
        gateway_controller_killed,
        envoy_drained,
        prometheus_killed,
        prometheus_frozen,
        git_down,
        flux_stopped,
        stable_pod_killed,
        canary_pod_killed,
        copy_edited,
        weights_edited,
        selector_edited,
        annotations_removed,
        status_edited,
    )
}
"""By the name that is printed."""


def add_second_envoy(lab: Lab) -> None:
    """Start a second Envoy beside the first, scraped like it."""
    part = Envoy(lab, number=2)
    lab.add(part)
    lab.scrape(part.name, f"127.0.0.1:{part.admin_port}", path="/stats/prometheus")
    waiting.until(f"{part.name} to serve", part.serves, seconds=60)
