from __future__ import annotations

from typing import Any, cast

from typing_extensions import override

from benchmarks.history import Change, History
from benchmarks.release import BAD_RATIO, GOOD_RATIO, Team, Told, Watching, Workload
from lab.cluster import Lab
from lab.load import Counts, Load

STABLE, BAD = "shop/checkout:v1", "shop/checkout:bad-1"


class Written(History[Any]):
    def __init__(self, changes):
        self.changes = changes

    @override
    def of(self, namespace, *, since=0.0):
        return [Change(at, seen) for at, seen in self.changes if at >= since]


class Clients:
    def counts(self):
        return Counts(versions={"bad-1": {"requests": 40, "last": 112.25, "first": 100.0}})


def read(weights, monkeypatch):
    statuses = [
        (101.0, Told("Step", judging=True, verdict_at=None, report_failed_at=None)),
        (112.1, Told("RollingBack", judging=True, verdict_at=112.0, report_failed_at=111.9)),
        (112.4, Told("Reverting", judging=True, verdict_at=112.0, report_failed_at=111.9)),
    ]
    workloads = [
        (90.0, Workload(STABLE, held=False)),
        (99.0, Workload(BAD, held=True)),
        (114.0, Workload(STABLE, held=True)),
        (114.5, Workload(STABLE, held=False)),
    ]
    watching = Watching(*(Written(changes) for changes in (weights, statuses, workloads)))
    team = Team(cast("Lab", None), "shop", watching)
    team.load = cast("Load", Clients())
    monkeypatch.setattr("benchmarks.release.pushed_at", lambda _: 113.0)
    return team._read("bad-1", 95.0, 0)


def test_a_rollback_is_read_from_what_was_told(monkeypatch):
    seen = read([(100.0, 10), (112.05, 0)], monkeypatch)
    assert (seen.verdict_at, seen.judged_at, seen.zero_written_at) == (112.0, 111.9, 112.05)
    assert (seen.zero_served_at, seen.confirmed_at, seen.pushed_at) == (112.25, 112.4, 113.0)
    assert (seen.applied_at, seen.converged_at, seen.raises) == (114.0, 114.5, 0)


def test_a_weight_that_rises_between_the_look_and_the_verdict_counts_as_raised(monkeypatch):
    assert read([(100.0, 10), (111.95, 30), (112.05, 0)], monkeypatch).raises == 1


def test_a_weight_that_rises_before_the_look_does_not_count(monkeypatch):
    assert read([(100.0, 10), (111.0, 30), (112.05, 0)], monkeypatch).raises == 0


def test_a_weight_that_comes_back_after_the_rollback_counts_as_raised(monkeypatch):
    assert read([(100.0, 10), (112.05, 0), (113.0, 5)], monkeypatch).raises == 1


def test_the_bad_version_is_so_bad_that_the_first_look_finds_it_in_its_warm_up():
    assert BAD_RATIO > 10 * GOOD_RATIO  # a cold canary's requests count only against ten times stable's share
