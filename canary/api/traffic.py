"""How traffic is split: exactly one provider."""

from __future__ import annotations

from typing import Annotated, Final, Self

from pydantic import ConfigDict, Field, model_validator

from canary.api.model import SpecModel, exactly_one, given, rules
from canary.api.text import Hostname, Label, ObjectName


class Unserved(SpecModel):
    """Settings of a part that this version does not serve: anything may stand here, and all of it is refused."""

    model_config = ConfigDict(extra="allow", json_schema_extra={"x-kubernetes-preserve-unknown-fields": True})


class RouteRef(SpecModel):
    """The HTTPRoute in Git that a Rollout attaches to."""

    name: ObjectName
    """Name of the HTTPRoute, in the Rollout's namespace. In Git it names the Service only; Canary adds the canary's
    backend while a release runs and takes it out again."""


class GatewayRef(SpecModel):
    """The Gateway under which Canary keeps an HTTPRoute of its own."""

    name: ObjectName
    """Name of the Gateway."""
    namespace: Label | None = None
    """Namespace of the Gateway. Absent: the Rollout's."""
    section_name: Label | None = None
    """The listener to attach to. Absent: every listener that allows the route."""


_ONE_MODE: Final = "give exactly one of route (attach to the HTTPRoute in Git) and gateway (Canary makes the HTTPRoute)"
_HOSTNAMES: Final = "hostnames belong to gateway: give at least one with gateway, none with route"


class GatewayAPI(SpecModel):
    """Gateway API: either attach to a route in Git, or let Canary manage a route."""

    model_config = ConfigDict(
        json_schema_extra=rules(
            (exactly_one("route", "gateway"), _ONE_MODE),
            ("has(self.gateway) == (has(self.hostnames) && size(self.hostnames) > 0)", _HOSTNAMES),
        )
    )

    route: RouteRef | None = None
    """Attach: split the HTTPRoute that is in Git. Exactly one of `route` and `gateway`."""
    gateway: GatewayRef | None = None
    """Managed: Canary makes and owns an HTTPRoute named as the Rollout under this Gateway. Exactly one of `route` and
    `gateway`."""
    hostnames: Annotated[
        tuple[Hostname, ...], Field(max_length=16, json_schema_extra={"x-kubernetes-list-type": "set"})
    ] = ()
    """Host names of the managed route, at least one: a route without would take every host of a shared Gateway.
    Absent with `route`."""

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        if len(given(self, "route", "gateway")) != 1:
            raise ValueError(_ONE_MODE)
        if (self.gateway is not None) != bool(self.hostnames):
            raise ValueError(_HOSTNAMES)
        return self


PROVIDERS: Final = {
    "gateway_api": "gatewayAPI",
    "none": "none",
    "istio": "istio",
    "linkerd": "linkerd",
    "contour": "contour",
    "traefik": "traefik",
    "nginx": "nginx",
    "skipper": "skipper",
    "apisix": "apisix",
    "kuma": "kuma",
    "gloo": "gloo",
    "smi": "smi",
    "knative": "knative",
    "alb": "alb",
    "emissary": "emissary",
}
"""Provider keys: the name in Python and the key in YAML."""
_ONE_PROVIDER: Final = "give exactly one traffic provider, for example gatewayAPI"


class Traffic(SpecModel):
    """Who splits the traffic: exactly one key."""

    model_config = ConfigDict(json_schema_extra=rules((exactly_one(*PROVIDERS.values()), _ONE_PROVIDER)))

    gateway_api: Annotated[GatewayAPI | None, Field(alias="gatewayAPI")] = None
    """Gateway API's HTTPRoute."""
    none: Unserved | None = None
    """No router: the share is that of the replicas, in steps of 1/(replicas+1). Not served yet."""
    istio: Unserved | None = None
    """Istio's VirtualService. Not served yet."""
    linkerd: Unserved | None = None
    """Linkerd's HTTPRoute. Not served yet."""
    contour: Unserved | None = None
    """Contour's HTTPProxy. Not served yet; Contour also serves gatewayAPI."""
    traefik: Unserved | None = None
    """Traefik's TraefikService. Not served yet; Traefik also serves gatewayAPI."""
    nginx: Unserved | None = None
    """ingress-nginx' canary annotations. Not served yet."""
    skipper: Unserved | None = None
    """Skipper's RouteGroup. Not served yet."""
    apisix: Unserved | None = None
    """APISIX' ApisixRoute. Not served yet."""
    kuma: Unserved | None = None
    """Kuma's TrafficRoute. Not served yet."""
    gloo: Unserved | None = None
    """Gloo's RouteTable. Not served yet."""
    smi: Unserved | None = None
    """SMI's TrafficSplit. Not served yet."""
    knative: Unserved | None = None
    """Knative's Service. Not served yet."""
    alb: Unserved | None = None
    """AWS' load balancer by Ingress annotations. Not served yet."""
    emissary: Unserved | None = None
    """Emissary's Mapping. Not served yet."""

    @model_validator(mode="after")
    def _one_provider(self) -> Self:
        if len(given(self, *PROVIDERS)) != 1:
            raise ValueError(_ONE_PROVIDER)
        return self

    @property
    def provider(self) -> str:
        """The key that is given, as in YAML."""
        return PROVIDERS[given(self, *PROVIDERS)[0]]
