"""Prometheus' protobuf exposition, as much of it as a native histogram needs: io.prometheus.client.MetricFamily."""

from __future__ import annotations

import struct
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

CONTENT_TYPE = "application/vnd.google.protobuf; proto=io.prometheus.client.MetricFamily; encoding=delimited"
_HISTOGRAM = 4


@dataclass(frozen=True)
class Native:
    """A native histogram: the bucket of index i is of (2**((i-1)/2**schema), 2**(i/2**schema)]."""

    labels: Mapping[str, str]
    schema: int
    counts: Mapping[int, int]
    """By index."""


def exposed(name: str, histograms: Sequence[Native]) -> bytes:
    """One family of histograms."""
    metrics = b"".join(_message(4, _metric(each)) for each in histograms)
    family = _message(1, name.encode()) + _varint_field(3, _HISTOGRAM) + metrics
    return _varint(len(family)) + family


def _metric(native: Native) -> bytes:
    labels = b"".join(
        _message(1, _message(1, key.encode()) + _message(2, value.encode())) for key, value in native.labels.items()
    )
    return labels + _message(7, _histogram(native))


def _histogram(native: Native) -> bytes:
    first, last = (min(native.counts), max(native.counts)) if native.counts else (0, -1)
    counts = [native.counts.get(index, 0) for index in range(first, last + 1)]
    deltas = [after - before for before, after in zip([0, *counts], counts, strict=False)]
    parts = [
        _varint_field(1, sum(counts)),
        b"\x11" + struct.pack("<d", 1.0),
        _varint_field(5, _zigzag(native.schema)),
        b"\x31" + struct.pack("<d", 1e-128),
        _varint_field(7, 0),
    ]
    if counts:
        parts.append(_message(12, _varint_field(1, _zigzag(first)) + _varint_field(2, len(counts))))
    return b"".join([*parts, *(_varint_field(13, _zigzag(delta)) for delta in deltas)])


def _zigzag(number: int) -> int:
    return number * 2 if number >= 0 else -number * 2 - 1


def _varint(number: int) -> bytes:
    out = b""
    while number > 127:
        out += bytes([number & 127 | 128])
        number >>= 7
    return out + bytes([number])


def _varint_field(field: int, number: int) -> bytes:
    return _varint(field << 3) + _varint(number)


def _message(field: int, content: bytes) -> bytes:
    return _varint(field << 3 | 2) + _varint(len(content)) + content
