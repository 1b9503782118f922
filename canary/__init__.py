"""Canary: progressive delivery for Kubernetes whose source of truth stays Git."""

from __future__ import annotations

__version__ = "0.1.0"
