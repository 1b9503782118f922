"""The lab for the end-to-end tests: started once, mended after each test.

`python -m lab exec -- pytest tests/e2e` runs them; `python -m tests.e2e` does so in several labs. Outside of the lab's
network they are skipped with one loud line, but never with CI=true or CANARY_LAB=1: there a missing lab is a failure.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from lab import namespace as lab_namespace
from lab.cluster import Lab
from lab.parts.operator import Operator
from tests.e2e.operators import running
from tests.e2e.shares import dealt
from tests.e2e.shops import Shops
from tests.e2e.stories import AT_ONCE, Outcomes, story_of

HOW = "python -m lab exec -- pytest tests/e2e"


def _must_run() -> bool:
    return os.environ.get("CI") == "true" or os.environ.get("CANARY_LAB") == "1"


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--stories", choices=("only", "none"), help="only the tests that are told at the same time, or none of them"
    )
    parser.addoption("--share", metavar="N/OF", help="only one share of the modules, dealt out by how long they take")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    half = config.getoption("--stories", default=None)
    left = [item for item in items if half is not None and (_story(item) is None) == (half == "only")]
    kept = [item for item in items if item not in left]
    if (share := config.getoption("--share", default=None)) is not None:
        number, of = (int(text) for text in share.split("/"))
        mine = dealt({item.path.stem for item in kept}, of)[number - 1]
        left += [item for item in kept if item.path.stem not in mine]
    items[:] = [item for item in items if item not in left]
    config.hook.pytest_deselected(items=left)


def _story(item: pytest.Item) -> Any:
    return story_of(getattr(item, "obj", None))


def _for_how_long(fixture_name: str, config: pytest.Config) -> Any:
    """The operator's life: one for all stories; elsewhere each module's tests may stop theirs."""
    return "session" if config.getoption("--stories", default=None) == "only" else "module"


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


@pytest.fixture(scope=_for_how_long)
def operator(running_lab: Lab) -> Iterator[Operator]:
    """The operator with exactly the rights of deploy/, for one module: other tests write Rollouts in its place."""
    part = Operator(running_lab)
    with running(running_lab, part):
        yield part


@pytest.fixture(scope="module")
def shops(running_lab: Lab, operator: Operator) -> Iterator[Shops]:
    """Opens shops that the operator looks after; all are closed at the end of the module."""
    opened = Shops(running_lab)
    yield opened
    running_lab.faults.mend()
    opened.close()


@pytest.fixture(scope=_for_how_long)
def at_once(request: pytest.FixtureRequest, running_lab: Lab, operator: Operator) -> Iterator[Outcomes]:
    """The stories of the module, or of all modules, under way."""
    wide = request.scope == "session"
    items = [item for item in request.session.items if wide or item.path == request.path]
    with ThreadPoolExecutor(AT_ONCE) as pool:
        outcomes = Outcomes(running_lab, pool)
        outcomes.begin(story for item in items if (story := _story(item)) is not None)
        yield outcomes
        pool.shutdown(cancel_futures=True)
