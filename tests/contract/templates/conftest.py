from __future__ import annotations

import fcntl
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from canary.metrics.prometheus import PrometheusSource
from canary.metrics.source import SourceConfig
from tests.contract.running import prometheus_binary, running_prometheus
from tests.contract.templates.exposition import open_metrics
from tests.contract.templates.files import LIBRARY, TEMPLATES, scenarios_of
from tests.contract.templates.worlds import BEFORE, LASTS, START

FOR_EVER = "--storage.tsdb.retention.time=100y"


def _promtool() -> Path:
    beside = prometheus_binary().with_name("promtool")
    found = beside if beside.is_file() else shutil.which("promtool")
    if found is None:
        pytest.fail("no promtool beside Prometheus: install it, too; they come in one package")
    return Path(found)


def _run(*command: Path | str) -> None:
    done = subprocess.run([str(part) for part in command], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-500:]


def _record(promtool: Path, blocks: Path, folder: Path) -> None:
    """Add what the library's recording rules make of the series."""
    rules = sorted({LIBRARY / "rules" / name for each in TEMPLATES if (name := scenarios_of(each).rules)})
    shutil.copytree(blocks, folder / "data")
    with running_prometheus(folder, "global: {}\n", FOR_EVER) as url:
        span = [f"--start={START - BEFORE}", f"--end={START + LASTS}", "--eval-interval=15s"]
        _run(promtool, "tsdb", "create-blocks-from", "rules", f"--url={url}", f"--output-dir={blocks}", *span, *rules)


@pytest.fixture(scope="session")
def blocks(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of Prometheus' blocks with every scenario of every template; made once, whichever process comes first."""
    promtool = _promtool()
    shared = tmp_path_factory.getbasetemp()
    if shared.name.startswith("popen-"):  # of one process among several
        shared = shared.parent
    made = shared / "library-blocks"
    with (shared / "library.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not made.is_dir():
            text, work = shared / "library.om", shared / "library-blocks.part"
            with text.open("w") as file:
                for template in TEMPLATES:
                    file.writelines(f"{line}\n" for line in open_metrics(template))
                file.write("# EOF\n")
            _run(promtool, "tsdb", "create-blocks-from", "openmetrics", "--quiet", text, work)
            text.unlink()
            _record(promtool, work, tmp_path_factory.mktemp("recording"))
            work.rename(made)
    return made


@pytest.fixture(scope="session")
def source(blocks: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[PrometheusSource]:
    """A Prometheus that has them all."""
    folder = tmp_path_factory.mktemp("library")
    shutil.copytree(blocks, folder / "data")
    with running_prometheus(folder, "global: {}\n", FOR_EVER) as url:
        made = PrometheusSource(SourceConfig("default", url))
        yield made
        made.close()
