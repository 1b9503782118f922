"""The lab for the end-to-end tests: started once, mended after each test.

`python -m lab exec -- pytest tests/e2e` runs them. Outside of the lab's network they are skipped with one loud line,
but never with CI=true or CANARY_LAB=1: there a missing lab is a failure.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator

import pytest

from lab import namespace as lab_namespace
from lab.cluster import Lab

HOW = "python -m lab exec -- pytest tests/e2e"


def _must_run() -> bool:
    return os.environ.get("CI") == "true" or os.environ.get("CANARY_LAB") == "1"


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    skipped = [
        item for item in terminalreporter.stats.get("skipped", []) if "the lab is not there" in str(item.longrepr)
    ]
    if skipped:
        terminalreporter.write_line(
            f"{len(skipped)} TESTS OF THE LAB DID NOT RUN. Run them: {HOW}", red=True, bold=True
        )


@pytest.fixture(scope="session")
def running_lab() -> Iterator[Lab]:
    """Everything that the lab has, for the whole session."""
    if not lab_namespace.inside():
        text = f"the lab is not there; run: {HOW}"
        if _must_run():
            pytest.fail(text)
        pytest.skip(text)
    with Lab.start() as lab:
        yield lab


@pytest.fixture
def lab(running_lab: Lab) -> Iterator[Lab]:
    """The lab, whole at the start of every test."""
    running_lab.faults.mend()
    yield running_lab
    running_lab.faults.mend()


@pytest.fixture
def namespace(lab: Lab, request: pytest.FixtureRequest) -> Iterator[str]:
    """A fresh namespace's name, made when the test applies it or asks for `made_namespace`; deleted afterwards."""
    words = re.sub(r"[^a-z0-9]+", "-", request.node.name.removeprefix("test_").lower())
    name = f"{words[:40].strip('-')}-{os.urandom(2).hex()}"
    yield name
    lab.kubectl("delete", "namespace", name, "--ignore-not-found", "--wait=false")


@pytest.fixture
def made_namespace(lab: Lab, namespace: str) -> str:
    """A fresh namespace."""
    lab.kubectl("create", "namespace", namespace)
    return namespace
