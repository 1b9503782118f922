"""Pod addresses.

Handed out in a circle, not lowest first: an address comes back as late as possible, so that a proxy which still sends
to a pod that is gone meets nobody instead of another version.
"""

from __future__ import annotations

from ipaddress import IPv4Address, IPv4Network


class AddressesExhausted(Exception):
    """Every address of the network is in use."""


class Addresses:
    """The addresses of one network that are free.

    Invariant: an address is in `_used` from `take` or `claim` until `release`, so no two live pods share one.
    """

    def __init__(self, network: str, first: str | None = None) -> None:
        """`first` is where the circle starts; the 257th address (x.y.1.1 of a /16) when not given."""
        self._network = IPv4Network(network)
        base = int(self._network.network_address)
        self._low = int(IPv4Address(first)) if first else base + 257
        self._high = int(self._network.broadcast_address) - 1
        if not base < self._low <= self._high:
            raise ValueError(f"{network} has no addresses from {IPv4Address(self._low)} on")
        self._next = self._low
        self._used: set[int] = set()

    def take(self) -> str:
        """The next free address."""
        for _ in range(self._low, self._high + 1):
            candidate = self._next
            self._next = self._low if candidate == self._high else candidate + 1
            if candidate not in self._used and candidate & 0xFF not in (0, 255):
                self._used.add(candidate)
                return str(IPv4Address(candidate))
        raise AddressesExhausted(f"all addresses of {self._network} are in use")

    def claim(self, address: str) -> bool:
        """Mark one as used that a pod already has, and take later ones after it; False when another pod has it."""
        number = int(IPv4Address(address))
        if number in self._used or IPv4Address(address) not in self._network:
            return False
        self._used.add(number)
        if self._next <= number < self._high:
            self._next = number + 1
        return True

    def release(self, address: str) -> None:
        """Give one back; one that is not in use changes nothing."""
        self._used.discard(int(IPv4Address(address)))
