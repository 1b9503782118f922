"""`canary backtest` on a real Prometheus."""

from __future__ import annotations

import json
from datetime import datetime

import pytest

from canary.cli.exits import Exit
from canary.metrics.backtest import Backtest
from canary.metrics.lifetimes import lives
from canary.metrics.prometheus import PrometheusSource
from canary.metrics.source import SourceConfig
from tests.contract.past.conftest import BAD, GOOD, NEAR, START
from tests.contract.past.test_analyze import TEMPLATE, iso

SHOP = ("--set", "namespace=shop", "--from", iso(START + 720))


def seconds(text: str) -> float:
    return datetime.fromisoformat(text).timestamp()


def test_stable_against_itself_raises_no_alarm_and_every_release_is_found_and_judged(canary, past, tmp_path):
    picture = tmp_path / "trials.svg"
    asked = "--for", "15m", "--splits", "4", "-o", "json", "--plot", str(picture)
    done = canary("backtest", TEMPLATE, "--prometheus", past, *SHOP, *asked)
    assert done.exit_code == Exit.OK, done.output
    assert "app-requests: 0 of 4 false alarms, 2 of 3 releases caught" in picture.read_text()
    told = json.loads(done.stdout)
    splits = [trial for trial in told["trials"] if trial["kind"] == "split"]
    assert len(splits) == 4
    assert told["falseAlarms"]["alarms"] == 0
    assert {trial["stable"] for trial in splits} == {"old"}
    # A fifth of six pods is one of them; a template passes it, or cannot say.
    assert all(trial["canary"].startswith("old-") and "," not in trial["canary"] for trial in splits)
    assert {trial["report"]["verdict"] for trial in splits} <= {"Pass", "Inconclusive"}

    releases = {trial["canary"]: trial for trial in told["trials"] if trial["kind"] == "release"}
    assert {name: trial["report"]["verdict"] for name, trial in releases.items()} == {
        "bad": "Fail",
        "good": "Pass",
        "now": "Fail",
    }
    for name, begins in (("bad", BAD[0]), ("good", GOOD[0]), ("now", NEAR)):
        assert seconds(releases[name]["from"]) == pytest.approx(begins, abs=75)
        assert releases[name]["stable"] == "old"
    assert 0 < releases["bad"]["decidedAfterSeconds"] < 300


def test_a_release_may_be_named_and_its_times_may_have_colons(canary, past):
    named = f"{iso(BAD[0])}..{iso(BAD[1])}:bad:old"
    done = canary("backtest", TEMPLATE, "--prometheus", past, *SHOP, "--splits", "0", "--release", named)
    assert done.exit_code == Exit.OK, done.output
    row = done.stdout.splitlines()[-1]
    assert row.split()[:5] == [iso(BAD[0]).replace("+00:00", "Z"), "20m", "bad", "old", "Fail"]


def test_a_person_reads_the_rate_of_false_alarms_with_its_interval(canary, past):
    done = canary("backtest", TEMPLATE, "--prometheus", past, *SHOP, "--for", "10m", "--to", iso(BAD[0] - 60))
    lines = done.stdout.splitlines()
    assert lines[1].startswith(
        "0 false alarms in 2 pretended releases of 10m (95 %: 0.0% to 65.8%; promised: at most 1.0%)"
    )
    assert lines[-1] == "none in this time: no younger version lived beside an older one"


def test_the_lives_of_versions_are_known_to_the_minute_and_end(past):
    source = PrometheusSource(SourceConfig("main", past))
    selector = 'http_requests_total{namespace="shop",code="200"}'
    found = lives(source, "main", selector, "pod_template_hash", START, NEAR + 60)
    source.close()
    assert [life.name for life in found] == ["old", "bad", "good", "now"]
    assert found[1].begins == pytest.approx(BAD[0], abs=75)
    assert found[1].ends == pytest.approx(BAD[1], abs=75)


@pytest.mark.parametrize(
    ("arguments", "code", "word"),
    [
        (("--split-by", "zone"), Exit.ERROR, "nowhere in this time had its series two values of the label 'zone'"),
        (("--release", "x"), Exit.USAGE, "write FROM..TO:CANARYHASH:STABLEHASH"),
        (("--for", "24h"), Exit.USAGE, "--for 24h is longer than the time between"),
        (("--share", "1"), Exit.USAGE, "--alpha and --share must be above 0 and below 1"),
    ],
)
def test_what_cannot_be_tried_is_one_sentence(canary, past, arguments, code, word):
    done = canary("backtest", TEMPLATE, "--prometheus", past, *SHOP, *arguments)
    assert done.exit_code == code
    assert word in done.stderr


def test_a_template_that_counts_nothing_cannot_be_tried(past):
    with pytest.raises(Exception, match="no counter or histogram"):
        Backtest(PrometheusSource(SourceConfig("main", past)), lambda _stable, _canary: (), START, NEAR).versions()
