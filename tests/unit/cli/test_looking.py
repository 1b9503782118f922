"""`get`, `status` and `why`."""

from __future__ import annotations

import json
from itertools import product
from typing import Never

import pytest
import yaml
from rich.console import Console
from typing_extensions import override

from canary.analysis.report import report
from canary.analysis.verdict import combine
from canary.cli.lookup import bare
from canary.cli.overview import overview
from canary.cli.reading import read
from canary.cli.state import where
from canary.core.phases import Phase, Stage
from canary.errors import Forbidden, SpecInvalid
from tests.unit.analysis.test_report import FAILED
from tests.unit.cli import samples
from tests.unit.cli.conftest import Canary
from tests.unit.cli.fake import FakeCluster

EVERY_PHASE = [
    *(samples.in_step(phase=phase.value) for phase in Phase),
    *(samples.promoting(stage.value) for stage in Stage),
    samples.stable(),
    samples.awaiting_approval(),
    samples.awaiting_git(),
    samples.refused(),
    samples.rollout(spec={"later": {}}, phase="Step", step=1, release=samples.release()),
    samples.rollout() | {"status": {}},
]


def test_get_lists_what_kubectl_would_list_and_more(canary: Canary, cluster: FakeCluster):
    cluster.put(samples.in_step())
    cluster.put(samples.stable("basket"))
    cluster.put(samples.stable("web", "infra"))
    lines = [line.split() for line in canary("get").stdout.splitlines()]
    assert lines[0] == ["NAME", "PHASE", "WEIGHT", "STABLE", "CANDIDATE", "REASON", "AGE"]
    assert lines[1] == ["basket", "Stable", "-", "checkout:v1.4.2", "+1", "-", "Released", "12d"]
    assert lines[2] == ["checkout", "Step", "2/4", "10%", "checkout:v1.4.2", "checkout:v1.5.0", "Progressing", "12d"]
    assert len(lines) == 3


def test_get_of_all_namespaces_says_which(canary: Canary, cluster: FakeCluster):
    cluster.put(samples.in_step())
    cluster.put(samples.stable("web", "infra"))
    lines = canary("get", "-A").stdout.splitlines()
    assert lines[0].startswith("NAMESPACE")
    assert [line.split()[0] for line in lines[1:]] == ["infra", "shop"]


def test_a_list_into_a_pipe_is_never_cut(canary: Canary, cluster: FakeCluster):
    cluster.put(samples.in_step() | {"metadata": samples.rollout("a" * 63)["metadata"]})
    assert "a" * 63 in canary("get", "-o", "wide", COLUMNS="40").stdout


def test_names_can_be_given_back_to_every_command(canary: Canary, cluster: FakeCluster):
    cluster.put(samples.in_step())
    name = canary("get", "-o", "name").stdout.strip()
    assert name == "rollout.canary.delivery/checkout"
    assert canary("status", name).exit_code == 0
    assert bare("other/checkout") == "other/checkout"


def test_json_is_the_object_without_the_bookkeeping_of_apply(canary: Canary, cluster: FakeCluster):
    cluster.put(samples.in_step())
    one = json.loads(canary("get", "checkout", "-o", "json").stdout)
    assert (one["kind"], one["status"]["weight"]) == ("Rollout", 10)
    assert "managedFields" not in one["metadata"]
    both = yaml.safe_load(canary("get", "-o", "yaml").stdout)
    assert (both["kind"], both["items"]) == ("List", [one])


def test_an_empty_list_is_said_on_standard_error(canary: Canary):
    result = canary("get")
    assert (result.exit_code, result.stdout, result.stderr) == (0, "", "No Rollouts found in namespace shop.\n")


def test_status_shows_the_step_the_weights_and_what_comes_next(canary: Canary, cluster: FakeCluster):
    cluster.put(samples.in_step(weightWanted=50))
    text = canary("status", "checkout").stdout
    assert "10 % in force, 50 % asked" in text
    assert "The watch begins when 50 % is in force at the gateway." in text
    marked = [line for line in text.splitlines() if "▶" in line]
    assert len(marked) == 1
    assert "10 %  1m to 10m, 42s so far" in marked[0]


def test_status_says_when_the_step_may_end_and_when_it_must(canary: Canary, cluster: FakeCluster):
    cluster.put(samples.in_step())
    text = " ".join(canary("status", "checkout").stdout.split())
    assert "raised to 50 % in 18s, if the evidence is good; in 9m18s if nothing speaks against the canary." in text
    assert "Else it holds and tells." in text


def test_what_stands_in_the_way_of_the_next_release_is_told_before_it_comes(canary: Canary, cluster: FakeCluster):
    cluster.put(samples.stable(stalled=True, message="No ClusterAnalysisTemplate 'default' exists: apply one."))
    text = " ".join(canary("status", "checkout").stdout.split())
    assert "A new version would wait, held, until that is mended." in text


def test_status_marks_the_step_in_which_a_release_failed(canary: Canary, cluster: FakeCluster):
    cluster.put(samples.awaiting_git())
    text = canary("status", "checkout").stdout
    assert [line.split()[1] for line in text.splitlines() if "✗" in line] == ["10"]
    assert "feedc0d reverts 0badf00" in text


@pytest.mark.parametrize(("document", "columns"), list(product(EVERY_PHASE, [40, 80, 120])))
def test_every_state_fits_the_screen_and_has_a_next_thing(document, columns, canary: Canary, cluster: FakeCluster):
    cluster.put(document)
    for command in ("status", "why"):
        result = canary(command, "checkout", COLUMNS=str(columns))
        assert result.exit_code == 0, result.output
        assert max(len(line) for line in result.stdout.splitlines()) <= columns
        assert "Next" in result.stdout
    assert where(read(document))


def test_status_as_data_has_what_comes_next_too(canary: Canary, cluster: FakeCluster):
    cluster.put(samples.awaiting_approval())
    said = json.loads(canary("status", "checkout", "-o", "json").stdout)
    assert said["status"]["phase"] == "Step"
    assert said["next"] == "It waits at 50 % for `canary approve checkout`."


def test_a_spec_of_another_version_is_shown_and_said(canary: Canary, cluster: FakeCluster):
    cluster.put(samples.in_step() | {"spec": {"later": {}}})
    text = canary("status", "checkout").stdout
    assert "spec.workload is missing" in text
    assert "10 % in force" in text


def test_a_field_that_is_not_served_yet_is_said(canary: Canary, cluster: FakeCluster):
    document = samples.in_step()
    cluster.put(document | {"spec": document["spec"] | {"notify": [{"channel": "team"}]}})
    assert "not served" in " ".join(canary("status", "checkout").stdout.split())


def test_a_status_of_a_newer_operator_asks_for_a_newer_command(canary: Canary, cluster: FakeCluster):
    cluster.put(samples.rollout(phase="Levitating"))
    result = canary("status", "checkout")
    assert result.exit_code == SpecInvalid("").exit_code
    assert "as new as the operator" in result.stderr


class Ascii(Console):
    @property
    @override
    def encoding(self) -> str:
        return "ascii"


def test_a_terminal_without_unicode_gets_signs_that_it_has():
    to = Ascii(width=80)
    with to.capture() as captured:
        to.print(overview(read(samples.in_step()), samples.NOW, to))
    assert captured.get().isascii()
    assert "###---" in captured.get()


def test_why_tells_each_metric_the_report_and_the_revert_in_full(canary: Canary, cluster: FakeCluster):
    cluster.put(samples.awaiting_git())
    text = " ".join(canary("why", "checkout").stdout.split())
    assert "57 of 1,140 requests bad (5.0 %), stable 11 of 21,660" in text
    assert "Rolled back: AnalysisFailed Decided 20s ago." in text
    assert "feedc0defeedc0defeedc0defeedc0defeedc0de" in text
    assert str(samples.CANDIDATE["commit"]) in text
    cluster.put(samples.in_step())
    assert "http-health/latency pass as fast as stable" in " ".join(canary("why", "checkout").stdout.split())


def test_why_prints_the_whole_report_as_it_stands_in_the_commit(canary: Canary, cluster: FakeCluster):
    details = report(combine([FAILED], 7.0)).details
    status = samples.in_step()["status"]["report"]
    cluster.put(samples.in_step(report=status | {"details": details}))
    printed = [line.rstrip() for line in canary("why", "checkout").stdout.splitlines()]
    first = printed.index("  http/errors: Fail (EvidenceAgainst)")
    told = [f"  {line}".rstrip() for line in details.splitlines()]
    assert printed[first : first + len(told)] == told


def test_while_traffic_returns_the_sides_of_the_report_are_named(canary: Canary, cluster: FakeCluster):
    for command in ("status", "why"):
        cluster.put(samples.promoting("Return"))
        assert "`canary` is the Deployment's new pods" in " ".join(canary(command, "checkout").stdout.split())
        cluster.put(samples.promoting("Bake"))
        assert "new pods" not in " ".join(canary(command, "checkout").stdout.split())


def test_new_pods_that_were_found_worse_are_told_with_when_they_are_tried_again(canary: Canary, cluster: FakeCluster):
    cluster.put(samples.promoting("Repin", reason="ReturnWorse", release=samples.release(since=samples.ago(20))))
    for command in ("status", "why"):
        text = " ".join(canary(command, "checkout").stdout.split())
        assert "tried again in 40s" in text
        assert "`stable` the canary copy" in text


def test_why_as_data_carries_the_report(canary: Canary, cluster: FakeCluster):
    cluster.put(samples.awaiting_git())
    said = json.loads(canary("why", "checkout", "-o", "json").stdout)
    assert said["report"]["verdict"] == "fail"
    assert said["report"]["metrics"][0]["name"] == "http-health/errors"
    assert said["revert"]["culprits"] == [samples.CANDIDATE["commit"]]
    assert said["verdictReason"] == "AnalysisFailed"


@pytest.mark.parametrize(
    ("document", "words"),
    [
        (samples.rollout() | {"status": {}}, "no operator has seen this Rollout yet"),
        (samples.stable(), "no release has been analysed yet"),
        (samples.in_step(report=None), "have not looked at this release yet"),
    ],
    ids=["unseen", "stable", "young"],
)
def test_why_without_a_verdict_says_why_there_is_none(document, words, canary: Canary, cluster: FakeCluster):
    cluster.put(document)
    assert words in canary("why", "checkout").stdout


def test_an_unknown_name_is_answered_with_the_nearest(canary: Canary, cluster: FakeCluster):
    cluster.put(samples.stable("checkout"))
    cluster.put(samples.stable("web", "infra"))
    near = canary("status", "chekout")
    assert near.exit_code == 3
    assert near.stderr == 'error: no Rollout "chekout" in namespace "shop"; did you mean checkout?\n'
    assert "it is in namespace infra: add `-n infra`" in canary("status", "web").stderr
    assert "there are: checkout" in canary("status", "zzz").stderr
    assert "`canary get -A` lists all" in canary("-n", "empty", "status", "zzz").stderr


def test_who_may_not_list_is_told_of_the_name_alone(canary: Canary, cluster: FakeCluster):
    class OneByOne(FakeCluster):
        @override
        def list_rollouts(self, namespace: str | None) -> Never:
            raise Forbidden("not allowed")

    cluster.__class__ = OneByOne
    result = canary("status", "checkout")
    assert result.exit_code == 3
    assert 'no Rollout "checkout"' in result.stderr
