"""Pictures say in words what they show; what they look like was looked at."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from canary.plots import detection, evidence, trials
from canary.plots.evidence import Drawn
from canary.plots.figure import save

FAILED = Drawn("http/errors", "Fail", (25, 297), (19, 1914), 10.0, (-0.1, 0.2, 1.1, 2.7), 2.0, 1.5)


def words(figure, tmp_path: Path) -> str:
    """What an SVG says, as text and not as outlines."""
    file = tmp_path / "a.svg"
    save(figure, file)
    return file.read_text()


def test_a_failure_shows_both_sides_the_tolerated_share_the_limits_and_the_moment(tmp_path):
    said = words(evidence.draw("http", [FAILED]), tmp_path)
    for part in (
        "http: Fail after 40 s, 8.5 times stable's bad share",
        "canary 8.42%  (25 of 297)",
        "stable 0.99%  (19 of 1,914)",
        "tolerated: 1.5 x stable",
        "bad requests, of all",
        "evidence against the canary (odds)",
        "fails at 100 to 1",
        "no raise from 10 to 1",
        "Fail at 40 s",
        "time since the canary had traffic",
    ):
        assert part in said


def test_the_same_figures_make_the_same_file(tmp_path):
    assert words(evidence.draw("http", [FAILED]), tmp_path) == words(evidence.draw("http", [FAILED]), tmp_path)


def test_without_requests_and_without_looks_there_is_a_picture_all_the_same(tmp_path):
    said = words(evidence.draw("http", [replace(FAILED, verdict="Error", canary=(0, 0), course=())]), tmp_path)
    assert "no requests were counted" in said
    assert "http: Error" in said


def test_of_many_metrics_the_first_ones_are_drawn_and_the_others_counted(tmp_path):
    many = [replace(FAILED, name=f"m{index}/errors") for index in range(8)]
    said = words(evidence.draw("http", many), tmp_path)
    assert "m5/errors" in said
    assert "m6/errors" not in said
    assert "2 more metrics are not shown" in said


def test_a_simulation_says_when_half_are_found_and_what_is_hardly_found(tmp_path):
    curves = [
        detection.Curve(1.0, tolerated=True, first=np.full(100, np.inf)),
        detection.Curve(2.0, tolerated=False, first=np.array([3000.0] * 10 + [np.inf] * 90)),
        detection.Curve(5.0, tolerated=False, first=np.linspace(50, 150, 100)),
    ]
    said = words(detection.draw("http/errors", curves, 3600, "1000 simulated releases"), tmp_path)
    for part in (
        "5 times worse",
        "101 s",
        "2 times worse: 10% in 60 min",
        "1000 simulated releases",
        "0.0% false alarms",
    ):
        assert part in said


def test_trials_say_how_many_false_alarms_and_how_many_releases_were_caught(tmp_path):
    points = [trials.Point(1e9 + 600 * i, 0.2, failed=False) for i in range(20)]
    points += [
        trials.Point(1e9 + 3000, 2.6, failed=True, release="6f8b5c4d7"),
        trials.Point(1e9, 0.0, False, "7c9d8e6f5"),
    ]
    said = words(trials.draw("http", points, 2.0), tmp_path)
    for part in ("http: 0 of 20 false alarms, 1 of 2 releases caught", "6f8b5c4d7", "7c9d8e6f5", "fails at 100 to 1"):
        assert part in said
    assert "nothing was tried" not in said
    assert "1 of 1 releases caught" in words(trials.draw("http", points[20:21], 2.0), tmp_path)


@pytest.mark.parametrize(("name", "begins"), [("a.png", b"\x89PNG"), ("A.SVG", b"<?xml")])
def test_the_files_name_tells_the_format(tmp_path, name: str, begins: bytes):
    save(evidence.draw("http", [FAILED]), tmp_path / name)
    assert (tmp_path / name).read_bytes().startswith(begins)
