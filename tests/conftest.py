"""What tests of several folders share."""

from __future__ import annotations

import os

import pytest
from hypothesis import settings

from canary.git.kustomize import Kustomize, find_kustomize
from lab import binaries

settings.register_profile("deep", max_examples=10 * settings().max_examples, deadline=None, print_blob=True)


@pytest.fixture(scope="session")
def kustomize() -> Kustomize:
    """The real program: named by CANARY_KUSTOMIZE, on PATH, or the lab's. In CI it must be there."""
    found = find_kustomize() or find_kustomize(str(binaries.present("kustomize") or ""))
    if found is None:
        said = "no kustomize program: set CANARY_KUSTOMIZE, or run `make programs`"
        if os.environ.get("CI"):
            pytest.fail(said)
        pytest.skip(said)
    return found
