"""The providers that are served, by their key in `spec.traffic`. A new one is one file and one line here."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType

from canary.api.traffic import GatewayAPI, Traffic
from canary.errors import SpecInvalid
from canary.traffic.gateway_api import AttachedRoute
from canary.traffic.gateway_api_managed import ManagedRoute
from canary.traffic.protocol import Provider, Split


def _gateway_api(traffic: Traffic, split: Split) -> Provider:
    settings = traffic.gateway_api or GatewayAPI()
    if settings.route is not None:
        return AttachedRoute(split, settings.route.name)
    if settings.gateway is None:
        raise SpecInvalid("spec.traffic.gatewayAPI: give route (attach to the one in Git) or gateway and hostnames")
    gateway = settings.gateway
    return ManagedRoute(split, gateway.name, gateway.namespace or "", gateway.section_name or "", settings.hostnames)


PROVIDERS: Mapping[str, Callable[[Traffic, Split], Provider]] = MappingProxyType({"gatewayAPI": _gateway_api})


def provider_of(traffic: Traffic, split: Split) -> Provider:
    """Return the provider that a Rollout names.

    Raises
    ------
    SpecInvalid
        This version does not serve it; the message lists those that it does.
    """
    make = PROVIDERS.get(traffic.provider)
    if make is None:
        served = ", ".join(sorted(PROVIDERS))
        raise SpecInvalid(f"spec.traffic.{traffic.provider} is not served yet: use one of {served}")
    return make(traffic, split)
