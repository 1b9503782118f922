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
from collections.abc import Callable, Iterator, Sequence
from typing import Final, TypeAlias

from lab import waiting
from lab.cluster import ApiRefused, CommandFailed, Lab
from lab.observer import Observer
from lab.parts.gateway import Envoy
from lab.shop.shop import Pod, Shop
from lab.trials import PodKill

DOWN_SECONDS: Final = (0.5, 4.0)
"""How long what is stopped stays down."""
GATEWAY_AFTER_API_SECONDS: Final = 15.0
"""Until the gateway's controller, which waits longer after each failed try, has found the API server again."""
GATEWAY_AFTER_RESTART_SECONDS: Final = 10.0
"""Until Envoy has found the gateway's controller again."""
RELEASE_SECONDS: Final = 120.0
"""Within these the next release begins, if there is one, and a hand's edit is put right, whatever else is broken."""
RESTARTS: Final = 2
"""Of one pod: at three it is called a version that crashes, and rightly."""

_BY_HAND: Final = "TRIED_BY_HAND"

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
        self.seconds: dict[str, float] = {}
        """How long the last of each took, with the wait until what was broken served again."""
        self.pod_kills: list[PodKill] = []
        self.touched: Counter[str] = Counter()
        """Objects that a person's hand really changed, or tried to, by kind: what is not there cannot be edited."""
        self._down_seconds = down_seconds
        self._killed: Counter[str] = Counter()

    def inject(self, name: str) -> None:
        """Inject the fault of this name, and mend it."""
        began = time.monotonic()
        FAULTS[name](self)
        self.injected[name] += 1
        self.seconds[name] = time.monotonic() - began

    def last(self) -> None:
        """Let the fault last."""
        time.sleep(self.dice.uniform(*self._down_seconds))

    def down(self, part: str) -> None:
        """`kill -9` a part, and start it again after a while."""
        self.lab.faults.kill9(part)
        self.last()
        self.lab.faults.start(part)

    def under_way(self) -> list[Shop]:
        """Wait until a release is, and give the shops in which one is; none when nobody releases any more."""

        def releasing() -> list[Shop]:
            return [shop for shop in self.shops if shop.weight() is not None]

        try:
            return waiting.until("a release under way", releasing, seconds=RELEASE_SECONDS, every_seconds=0.25)
        except waiting.NotInTime:
            return []

    def kill_pod(self, shops: Sequence[Shop], *, canary: bool) -> None:
        """`kill -9` a pod of one of these shops, while the gateway hears of it; none when there is none to kill."""
        waiting.until("the gateway to hear", lambda: not self.observer.gateway_is_late, seconds=RELEASE_SECONDS)
        pods: list[tuple[Shop, Pod]] = []
        for shop in shops:
            with contextlib.suppress(OSError, ApiRefused):  # the API server is what is broken just now
                pods += [(shop, pod) for pod in shop.pods(canary=canary) if self._killed[pod.uid] < RESTARTS]
        if not pods:
            return
        shop, pod = self.dice.choice(pods)
        self._killed[pod.uid] += 1
        kill = PodKill(shop.namespace, time.time())
        self.pod_kills.append(kill)
        with contextlib.suppress(KeyError):  # it is just being started, or has just ended
            self.lab.faults.kill9_pod(pod.uid)
            self._await_made_up(shop, pod, canary=canary)
        kill.made_up_at = time.time()

    def _await_made_up(self, shop: Shop, pod: Pod, *, canary: bool) -> None:
        """Wait until nobody is sent to a dead pod: it serves again or is gone, or a canary has no weight.

        An operator that is dead or frozen at that moment takes the weight of a canary without pods off when it is back.
        """

        def made_up() -> bool:
            with contextlib.suppress(OSError, ApiRefused):  # the API server is what is broken just now
                now = {one.uid: one for one in shop.pods(canary=canary)}.get(pod.uid)
                return now is None or (now.ready and now.restarts > pod.restarts) or (canary and not shop.weight())
            return False

        waiting.until(f"{pod.name} to be made up for", made_up, seconds=RELEASE_SECONDS, every_seconds=0.1)

    def patch(self, shop: Shop, what: str, body: object, *arguments: str) -> None:
        """Patch an object as a person with all rights does; that it is gone, or the API server is, is fine."""
        with contextlib.suppress(CommandFailed):
            self.lab.kubectl("patch", what, "-n", shop.namespace, "-p", json.dumps(body), *arguments)
            self.touched[what] += 1


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
    chaos.lab.faults.start(part.name)
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
    chaos.kill_pod(chaos.under_way(), canary=False)


def canary_pod_killed(chaos: Chaos) -> None:
    chaos.kill_pod(chaos.under_way(), canary=True)


def copy_edited(chaos: Chaos) -> None:
    """A person tries something on the canary Deployment; it is another version now, until it is put right."""
    env = [{"name": "checkout", "env": [{"name": _BY_HAND, "value": "yes"}]}]
    body = {"spec": {"template": {"spec": {"containers": env}}}}
    shops = chaos.under_way()
    for shop in shops:
        chaos.patch(shop, "deployment/checkout-canary", body, "--type=strategic")

    def edited() -> list[str]:
        copies = chaos.lab.api("GET", "/apis/apps/v1/deployments")["items"]
        return [item["metadata"]["namespace"] for item in copies if _BY_HAND in json.dumps(item["spec"]["template"])]

    waiting.until("what was edited by hand to be put right", lambda: not edited(), seconds=RELEASE_SECONDS)


def weights_edited(chaos: Chaos) -> None:
    """A person gives everything to the canary, or to stable."""
    canary = chaos.dice.choice([0, 100])
    body = [
        {"op": "replace", "path": f"/spec/rules/0/backendRefs/{number}/weight", "value": weight}
        for number, weight in enumerate((100 - canary, canary))
    ]
    for shop in chaos.under_way():
        chaos.patch(shop, "httproute/checkout", body, "--type=json")


def selector_edited(chaos: Chaos) -> None:
    """A person takes the pin off the root Service."""
    for shop in chaos.under_way():
        chaos.patch(shop, "service/checkout", {"spec": {"selector": {"pod-template-hash": None}}}, "--type=merge")


def annotations_removed(chaos: Chaos) -> None:
    """A person takes what they don't know off the Deployment, the Service and the route."""
    for shop in chaos.under_way():
        for what, names in {
            "deployment/checkout": ("held",),
            "service/checkout": ("pin",),
            "httproute/checkout": ("split", "git-backends"),
        }.items():
            body = {"metadata": {"annotations": {f"canary.delivery/{name}": None for name in names}}}
            chaos.patch(shop, what, body, "--type=merge")


def status_edited(chaos: Chaos) -> None:
    """A person corrects what the status shows."""
    body = {"status": {"weight": 77, "message": "by hand"}}
    for shop in chaos.under_way():
        chaos.patch(shop, "rollout/checkout", body, "--type=merge", "--subresource=status")


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

_PODS: Final = ("stable pod killed", "canary pod killed")
LANES: Final = (
    (
        *_PODS,
        "api server killed",
        "etcd killed",
        "controllers killed",
        "node agent killed",
        "gateway controller killed",
    ),
    ("envoy drained", "prometheus killed", "prometheus frozen"),
    ("operator killed", "git down", "flux stopped", "operator frozen"),
)
"""Those of one lane are about the same part, or need it: a pod that dies without its node's agent stays dead, and a
gateway without its controller goes on sending it requests. Different lanes may be injected at once."""


@contextlib.contextmanager
def second_envoy(lab: Lab) -> Iterator[None]:
    """Inside the block a second Envoy serves beside the first, scraped like it."""
    part = Envoy(lab, number=2)
    lab.add(part)
    lab.scrape(part.name, f"127.0.0.1:{part.admin_port}", path="/stats/prometheus")
    waiting.until(f"{part.name} to serve", part.serves, seconds=60)
    try:
        yield
    finally:
        lab.faults.drain(part.name)
        lab.scrape_no_more(part.name)
        del lab.parts[part.name]
