"""`canary simulate`: what a template would find."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from canary.cli.exits import Exit

TEMPLATE = str(Path(__file__).parents[3] / "analysis/contour-envoy-errors.yaml")
QUICK = ("--releases", "200", "--for", "10m")


def test_a_much_worse_canary_is_found_soon_and_a_tolerated_one_hardly_ever(canary):
    rows = json.loads(
        canary("simulate", TEMPLATE, *QUICK, "--ratio", "10", "--ratio", "1.5", "--rate", "500", "-o", "json").stdout
    )
    tolerated, worse = rows
    assert [(row["ratio"], row["tolerated"]) for row in rows] == [(1.5, True), (10.0, False)]
    assert tolerated["condemned"] <= 0.03  # alpha is 1 %; 200 releases
    assert tolerated["median_seconds"] is None
    assert worse["condemned"] == 1.0
    assert 40 <= worse["median_seconds"] <= worse["ninety_seconds"] <= 120  # the warm-up is 30 s


def test_the_same_numbers_come_out_each_time(canary):
    first, second = (canary("simulate", TEMPLATE, *QUICK, "--ratio", "3").stdout for _ in range(2))
    assert first == second


def test_a_person_reads_times_and_which_rows_are_false_alarms(canary):
    lines = canary("simulate", TEMPLATE, *QUICK, "--rate", "1000").stdout.splitlines()
    assert lines[0].startswith("200 simulated releases of 10m each, at 1000 requests/s, 5 % to the canary")
    assert [line.split()[0] for line in lines[4:]] == ["1", "1.5", "2", "3", "5", "10"]
    assert "false alarms" in lines[5]
    assert "false alarms" not in lines[6]


@pytest.mark.parametrize(
    ("arguments", "word"),
    [
        (("nowhere.yaml",), "nowhere.yaml cannot be read"),
        ((TEMPLATE, "--bad-share", "1"), "--bad-share must be above 0"),
        ((TEMPLATE, "--for", "soon"), "must be a duration such as 90s"),
        ((TEMPLATE, "--arg", "x"), "write NAME=VALUE"),
        ((TEMPLATE, "-o", "yaml"), "--output is json"),
        ((str(Path(TEMPLATE).parent.parent / "crds/canary.delivery_rollouts.yaml"),), "has no AnalysisTemplate"),
    ],
)
def test_what_cannot_be_simulated_is_one_sentence(canary, arguments, word):
    done = canary("simulate", *arguments)
    assert done.exit_code == Exit.USAGE
    assert word in done.stderr


def test_a_template_without_a_comparison_has_nothing_to_simulate(canary, tmp_path):
    file = tmp_path / "a.yaml"
    file.write_text(
        "apiVersion: canary.delivery/v1alpha1\nkind: ClusterAnalysisTemplate\nmetadata: {name: a}\nspec:\n"
        "  metrics:\n  - {name: up, value: {query: sum(up)}, threshold: {min: '1'}}\n"
    )
    assert (
        "has nothing to simulate: a/up does not compare the canary with stable" in canary("simulate", str(file)).stderr
    )


def test_a_histogram_is_simulated_by_its_objective_with_half_of_the_weight(canary, tmp_path):
    file, judges = tmp_path / "a.yaml", "compare: {alpha: '%s'}"
    file.write_text(
        "apiVersion: canary.delivery/v1alpha1\nkind: ClusterAnalysisTemplate\nmetadata: {name: a}\nspec:\n"
        "  identity: {labels: [{name: app, stable: a, canary: b}]}\n  metrics:\n"
        f"  - {{name: latency, histogram: {{buckets: s_bucket, bound: '1'}}, {judges % '0.02'}}}\n"
        f"  - {{name: errors, counter: {{bad: b, total: t}}, {judges % '0.01'}}}\n"
        "  - {name: orders, counter: {bad: o, total: t}, compare: {direction: decrease}}\n"
    )
    quick = ("--releases", "50", "--ratio", "5", "--for", "10m")
    rows = json.loads(canary("simulate", str(file), *quick, "-o", "json").stdout)
    assert [row.pop("metric") for row in rows] == ["a/latency", "a/errors"]
    assert rows[0] == rows[1], "alpha 0.02, of which half is the objective's"
    assert "not simulated: a/orders compares a value, or a decrease" in canary("simulate", str(file), *quick).stdout


def test_an_argument_that_the_template_lacks_is_named(canary):
    done = canary("simulate", TEMPLATE, "--arg", "handler=/pay")
    assert done.exit_code == Exit.ERROR
    assert "argument 'handler' is not one of the template's" in done.stderr
