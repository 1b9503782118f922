"""A real Prometheus with two hours of the past: a stable version, a bad release, a good one, and a quiet one."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from canary.analysis.samples import TrackLabel
from tests.contract.running import prometheus_binary, running_prometheus
from tests.unit.cli.conftest import Time, canary, cluster, time
from tests.unit.cli.samples import NOW
from tests.unit.metrics.world import World, constant

__all__ = ["Time", "canary", "cluster", "time"]

END = NOW.timestamp() + 600
START = END - 7800
BAD = (START + 2400, START + 3600)
GOOD = (START + 4200, START + 6000)
NEAR = NOW.timestamp() - 300
"""When the pods of the canary that runs `now` were born; it is as bad."""


def track(version: str) -> tuple[TrackLabel, ...]:
    return (TrackLabel("namespace", "shop"), TrackLabel("pod_template_hash", version))


def history() -> World:
    world = World(7, begins=START, lasts=7800)
    world.serve(track("old"), 6, constant(60.0), constant(0.01))
    world.serve(track("bad"), 1, constant(10.0), constant(0.08), born=BAD[0], dies=BAD[1])
    world.serve(track("good"), 1, constant(10.0), constant(0.01), born=GOOD[0], dies=GOOD[1])
    world.serve(track("now"), 1, constant(10.0), constant(0.08), born=NEAR)
    return world


def promtool() -> Path:
    beside = prometheus_binary().with_name("promtool")
    found = beside if beside.is_file() else shutil.which("promtool")
    if found is None:
        pytest.fail("no promtool beside Prometheus: install it, too; they come in one package")
    return Path(found)


@pytest.fixture(scope="session")
def past(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Address of the Prometheus."""
    folder = tmp_path_factory.mktemp("past")
    with (folder / "history.om").open("w") as file:
        for series in history().series(START, END):
            labels = ",".join(f'{name}="{value}"' for name, value in series.labels)
            for at, value in zip(series.times.tolist(), series.values.tolist(), strict=True):
                file.write(f"http_requests_total{{{labels}}} {value:.0f} {at:.3f}\n")
        file.write("# EOF\n")
    command = [promtool(), "tsdb", "create-blocks-from", "openmetrics", "--quiet", file.name, folder / "data"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-500:]
    with running_prometheus(folder, "global: {}\n", "--storage.tsdb.retention.time=100y") as url:
        yield url
