"""Kubernetes' quantities: `100m`, `2`, `1500Mi`, `1e3`."""

from __future__ import annotations

from decimal import Decimal, InvalidOperation

_SUFFIXES = {
    "n": Decimal("1e-9"),
    "u": Decimal("1e-6"),
    "m": Decimal("1e-3"),
    "k": Decimal(10**3),
    "M": Decimal(10**6),
    "G": Decimal(10**9),
    "T": Decimal(10**12),
    "P": Decimal(10**15),
    "E": Decimal(10**18),
    **{f"{unit}i": Decimal(1024**power) for power, unit in enumerate("KMGTPE", start=1)},
}


def amount(quantity: str | int) -> float:
    """Return a quantity's value.

    Raises
    ------
    ValueError
        It is not a quantity.
    """
    text = str(quantity)
    suffix = next((text[-n:] for n in (2, 1) if text[-n:] in _SUFFIXES), "")
    try:
        return float(Decimal(text.removesuffix(suffix)) * _SUFFIXES.get(suffix, Decimal(1)))
    except InvalidOperation as error:
        raise ValueError(f"{text!r} is no quantity") from error
