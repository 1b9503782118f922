"""Which failed requests count, when a pod was killed on purpose."""

from __future__ import annotations

from lab.load import Counts
from lab.trials import KILL_SECONDS, PodKill, failed

KILL = PodKill("shop", 100.0, made_up_at=101.0)


def counts(*times: float, more: int = 0) -> Counts:
    failures = [{"time": time, "kind": "status 503"} for time in times]
    return Counts(failed=len(failures) + more, failures=failures)


def test_requests_that_fail_when_no_pod_was_killed_all_count() -> None:
    ours, with_pods = failed("shop", counts(99.0, 100.5))
    assert (len(ours), with_pods) == (2, 0)
    assert "status 503" in ours[0]


def test_requests_that_die_with_a_killed_pod_of_the_same_shop_are_told_apart() -> None:
    assert failed("shop", counts(100.01, 101.0 + KILL_SECONDS), [KILL]) == ([], 2)
    assert len(failed("shop", counts(99.0, 101.1 + KILL_SECONDS), [KILL])[0]) == 2
    assert len(failed("other", counts(100.01), [KILL])[0]) == 1


def test_requests_die_with_a_pod_until_it_is_made_up_for() -> None:
    assert failed("shop", counts(160.0), [PodKill("shop", 100.0)]) == ([], 1)
    assert len(failed("shop", counts(160.0), [KILL])[0]) == 1


def test_failures_that_are_only_counted_are_never_put_down_to_a_pod() -> None:
    ours, with_pods = failed("shop", counts(100.01, more=3), [KILL])
    assert (len(ours), with_pods) == (3, 1)
