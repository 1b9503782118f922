"""`canary analyze` on a real Prometheus."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest
import yaml
from typing_extensions import override

from canary.cli.exits import Exit
from canary.metrics.looks import first_seen, looks
from canary.metrics.past import PastSource
from canary.metrics.prometheus import PrometheusSource
from canary.metrics.session import AnalysisSession
from canary.metrics.source import NoData, Partial, Query, Sample, SourceConfig
from tests.contract.past.conftest import BAD, GOOD, track
from tests.unit.metrics.world import errors

TEMPLATE = str(Path(__file__).parents[3] / "analysis/app-requests.yaml")


def iso(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).isoformat()


def over(window: tuple[float, float]) -> tuple[str, ...]:
    return ("--from", iso(window[0]), "--to", iso(window[1]))


def shop(canary_hash: str) -> tuple[str, ...]:
    return ("--set", "namespace=shop", "--stable", "old", "--canary", canary_hash)


def test_a_bad_release_of_the_past_fails_and_the_exit_code_says_so(canary, past):
    done = canary("analyze", TEMPLATE, "--prometheus", past, *shop("bad"), *over(BAD))
    assert done.exit_code == Exit.JUDGED_BAD, done.output
    lines = done.stdout.splitlines()
    assert lines[0] == "Fail: the canary is worse than stable."
    assert lines[2] == "app-requests/errors: Fail (EvidenceAgainst)"
    heads = [line[2:12].strip() for line in lines[3:11]]
    assert heads == ["canary", "stable", "ratio", "evidence", "", "course", "why", "else"]
    assert lines[-1].startswith("Next: Look at the canary's bad requests")


def test_a_good_release_of_the_past_passes_and_its_picture_says_when(canary, past, tmp_path):
    picture = tmp_path / "good.svg"
    names = (*shop("good"), *over(GOOD), "--plot", str(picture))
    done = canary("analyze", TEMPLATE, "--prometheus", past, *names)
    assert done.exit_code == Exit.OK, done.output
    assert "Pass at " in picture.read_text()
    assert "Pass: the canary is no worse than is tolerated." in done.stdout


def test_what_has_no_series_has_no_verdict_and_a_code_of_its_own(canary, past):
    done = canary("analyze", TEMPLATE, "--prometheus", past, *shop("gone"), *over((GOOD[0], GOOD[0] + 120)))
    assert done.exit_code == Exit.NO_DATA
    assert "NoCandidateData" in done.stdout


def test_a_short_look_at_a_fair_canary_is_inconclusive(canary, past):
    done = canary("analyze", TEMPLATE, "--prometheus", past, *shop("good"), *over((GOOD[0] + 60, GOOD[0] + 90)))
    assert done.exit_code == Exit.UNDECIDED


def test_now_it_watches_until_the_fail_and_no_longer(canary, past, time):
    done = canary("analyze", TEMPLATE, "--prometheus", past, *shop("now"), "--for", "10m")
    assert done.exit_code == Exit.JUDGED_BAD, done.output
    assert 0 < time.passed < 300


def test_now_it_watches_for_as_long_as_it_is_told_or_until_a_pass_when_asked(canary, past, time):
    canary("analyze", TEMPLATE, "--prometheus", past, "--stable", "old", "--canary", "none", "--for", "45s", "--set",
           "namespace=shop")  # fmt: skip
    assert time.passed == pytest.approx(45)


@pytest.mark.parametrize(("form", "load"), [("json", json.loads), ("yaml", yaml.safe_load)])
def test_programs_get_both_sides_with_intervals_and_the_course(canary, past, form, load):
    told = load(canary("analyze", TEMPLATE, "--prometheus", past, *shop("bad"), *over(BAD), "-o", form).stdout)
    (metric,) = told["metrics"]
    assert (told["verdict"], metric["reason"]) == ("Fail", "EvidenceAgainst")
    for side in ("canary", "stable"):
        share = metric[side]["share"]
        assert share["low"] < share["value"] < share["high"]
        assert share["value"] == pytest.approx(metric[side]["bad"] / metric[side]["requests"], rel=0.01)
    assert metric["ratio"]["low"] > metric["toleratedRatio"]
    course = metric["evidence"]["course"]
    assert course["against"][-1] == pytest.approx(metric["evidence"]["against"], abs=0.01)
    assert all(value < metric["evidence"]["failsAt"] for value in course["against"][:-1])


def test_the_past_is_judged_as_look_by_look_but_with_few_queries(past):
    asked: list[Query] = []

    class Counting(PrometheusSource):
        @override
        def ask(self, query: Query) -> Sample | NoData | Partial:
            asked.append(query)
            return super().ask(query)

    metric = replace(errors(), candidate=track("good"), stable=track("old"), interval_seconds=10.0)
    end = GOOD[0] + 400
    found = {}
    with_few = Counting(SourceConfig("main", past))
    for name, source in (("few", PastSource(with_few, until=end, steps={})), ("many", with_few)):
        asked.clear()
        sources = {"main": source}
        session = AnalysisSession.start([metric], started_at=GOOD[0])
        session = session.with_ready_pods(first_seen((metric,), sources, GOOD[0], end))
        said = [(now, each.verdict) for now, each in looks(session, sources, end)]
        found[name] = said, len(asked)
    with_few.close()
    assert found["few"][0] == found["many"][0]
    assert len(found["few"][0]) == 40
    assert found["few"][1] <= 6 < 70 < found["many"][1]


def test_pods_that_are_new_are_known_by_their_first_sample(past):
    metric = replace(errors(), candidate=track("bad"), stable=track("old"))
    source = PrometheusSource(SourceConfig("main", past))
    new = first_seen((metric,), {"main": source}, BAD[0], BAD[1])
    old = first_seen((replace(metric, candidate=track("old")),), {"main": source}, BAD[0], BAD[1])
    source.close()
    assert list(new.values()) == [pytest.approx(BAD[0], abs=16)]
    assert old == {}


@pytest.mark.parametrize(
    ("arguments", "code", "word"),
    [
        ((), Exit.USAGE, "template app-requests uses ${namespace}: give --set namespace=VALUE"),
        (("--set", "nmespace=x"), Exit.USAGE, "there is no such variable; known are namespace"),
        (("--set", "namespace"), Exit.USAGE, "--set namespace: write NAME=VALUE"),
        ((*shop("x"), "--arg", "a=b"), Exit.USAGE, "no template has such an argument"),
        ((*shop("x"), "--from", "yesterday"), Exit.USAGE, "write a time such as"),
        ((*shop("x"), "--from", "1h", "--to", "2h"), Exit.USAGE, "--from must be before --to"),
        ((*shop("x"), "--for", "5s"), Exit.USAGE, "watch for longer"),
        ((*shop("x"), "--alpha", "2"), Exit.USAGE, "--alpha must be above 0"),
        ((*shop("old"), "--for", "10m"), Exit.ERROR, "the identity labels do not tell the tracks apart"),
    ],
)
def test_what_cannot_be_analysed_is_one_sentence(canary, past, arguments, code, word):
    done = canary("analyze", TEMPLATE, "--prometheus", past, *arguments)
    assert done.exit_code == code
    assert word in done.stderr
    assert done.stderr.count("\n") == 1


def test_a_prometheus_that_is_not_there_is_no_verdict_about_the_canary(canary):
    done = canary("analyze", TEMPLATE, "--prometheus", "http://127.0.0.1:9", *shop("bad"), "--for", "30s")
    assert done.exit_code == Exit.NO_DATA
    assert "cannot be reached" in done.stdout


def test_all_templates_of_the_library_at_once_have_a_verdict_where_most_have_no_data(canary, past):
    library = sorted(Path(TEMPLATE).parent.glob("*.yaml"))
    declared = [yaml.safe_load(path.read_text())["spec"] for path in library]
    names = {argument["name"] for spec in declared for argument in spec.get("args", ()) if "default" not in argument}
    asked = (
        "--set",
        "rollout=checkout",
        "--set",
        "servicePort=80",
        *(f"--arg={name}={name}" for name in sorted(names)),
    )
    window = over((GOOD[0], GOOD[0] + 70))
    files = [str(path) for path in library]
    done = canary("analyze", *files, "--prometheus", past, *shop("good"), *asked, *window, "-o", "json")
    assert done.exit_code == Exit.NO_DATA, done.output
    told = json.loads(done.stdout)["metrics"]
    assert len({metric["name"].partition("/")[0] for metric in told}) == len(library)
    assert [metric["name"] for metric in told if metric["reason"] == "QueryInvalid"] == []
