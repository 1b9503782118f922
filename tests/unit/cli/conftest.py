from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from canary.cli.main import app
from canary.cli.session import Clock, Session
from tests.unit.cli.fake import FakeCluster
from tests.unit.cli.samples import NOW

Canary = Callable[..., Result]


class Time:
    """A clock that stands still, but for whoever sleeps."""

    def __init__(self) -> None:
        self.passed = 0.0

    def sleep(self, seconds: float) -> None:
        self.passed += seconds

    def clock(self) -> Clock:
        return Clock(now=lambda: NOW, monotonic=lambda: self.passed, sleep=self.sleep)


@pytest.fixture
def time() -> Time:
    return Time()


@pytest.fixture
def cluster() -> FakeCluster:
    return FakeCluster()


@pytest.fixture
def canary(cluster: FakeCluster, time: Time) -> Canary:
    """Runs the command as a shell would, against the fake cluster; a person answers when `answers` is given."""

    def run(*arguments: str, answers: str | None = None, **environment: Any) -> Result:
        session = Session(connect=cluster.connect, clock=time.clock(), interactive=lambda: answers is not None)
        env = {"COLUMNS": "80", "NO_COLOR": "1", "CANARY_DEBUG": None} | environment
        return CliRunner().invoke(app, list(arguments), input=answers, env=env, obj=session)

    return run
