"""`--plot FILE`."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import replace

import pytest

from canary.analysis.verdict import combine
from canary.cli.exits import Exit
from canary.operator.report import report_of
from tests.unit.analysis.test_report import FAILED, SLOW
from tests.unit.cli import samples
from tests.unit.cli.test_simulate import QUICK, TEMPLATE


def put(cluster, *readings):
    report = report_of(combine(readings, 7.0)).model_dump(mode="json", by_alias=True, exclude_none=True)
    cluster.put(samples.in_step(report=report))


def test_why_draws_the_report_in_the_status(canary, cluster, tmp_path):
    put(cluster, FAILED, replace(FAILED, metric="grpc/errors"), SLOW)
    file = tmp_path / "why.svg"
    assert canary("why", "checkout", "--plot", str(file)).exit_code == Exit.OK
    said = file.read_text()
    assert "checkout: Fail after 50 s, 6 times stable's bad share" in said
    assert "grpc/errors" in said
    assert "jvm/heap" not in said


def test_why_without_anything_that_compares_says_so(canary, cluster, tmp_path):
    put(cluster, SLOW)
    done = canary("why", "checkout", "--plot", str(tmp_path / "why.svg"))
    assert done.exit_code == Exit.ERROR
    assert "there is nothing to draw" in done.stderr


def test_simulate_draws_what_it_prints(canary, tmp_path):
    file = tmp_path / "simulated.png"
    done = canary("simulate", TEMPLATE, *QUICK, "--ratio", "1", "--ratio", "10", "--plot", str(file))
    assert done.exit_code == Exit.OK, done.output
    assert file.read_bytes().startswith(b"\x89PNG")


@pytest.mark.parametrize(
    ("file", "word"),
    [("a.pdf", "must end in .svg or .png"), ("no-such-folder/a.svg", "there is no folder")],
)
def test_a_picture_that_cannot_be_is_refused_before_anything_is_done(canary, tmp_path, file, word):
    done = canary("simulate", TEMPLATE, "--plot", str(tmp_path / file))
    assert done.exit_code == Exit.USAGE
    assert word in done.stderr
    assert done.stdout == ""


def test_without_matplotlib_one_sentence_says_what_to_install(tmp_path):
    program = "import sys; sys.modules['matplotlib'] = None; from canary.cli.main import main; main()"
    done = subprocess.run(
        [sys.executable, "-c", program, "simulate", TEMPLATE, "--plot", str(tmp_path / "a.svg")],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == Exit.ERROR
    assert done.stderr == "error: --plot needs matplotlib: install it, or Canary with its extra `plots`\n"
