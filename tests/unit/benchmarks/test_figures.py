from __future__ import annotations

import json

import pytest

from benchmarks.__main__ import BENCHMARKS, main
from benchmarks.figures import Figure, show, write


def test_a_figure_at_its_bound_meets_the_goal():
    assert Figure.at_most("wait", 2.0, "s", 2).met
    assert not Figure.at_most("wait", 2.0004, "s", 2).met


def test_a_count_meets_its_goal_only_exactly():
    assert Figure.exactly("failed", 0, "", 0).met
    assert not Figure.exactly("failed", 1, "", 0).met


def test_the_file_is_a_list_of_figures_with_their_goals(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    file = write("some", [Figure.at_most("wait", 1.23456, "s", 2)])
    assert json.loads((tmp_path / "build/bench/some.json").read_text()) == [
        {"figure": "wait", "value": 1.235, "unit": "s", "goal": "<= 2", "met": True}
    ]
    assert file.name == "some.json"


def test_the_table_says_what_was_missed_and_leaves_explanations_out_of_the_count(capsys):
    show("some", [Figure.at_most("wait", 3, "s", 2), Figure.exactly("failed", 0, "", 0), Figure.seen("why", 1, "s")])
    text = capsys.readouterr().out
    assert "MISSED" in next(line for line in text.splitlines() if "wait" in line)
    assert "1 of 2 goals met; load average" in text


def test_an_unknown_name_is_told_the_names_there_are(capsys):
    assert main(["speed"]) == 2
    said = capsys.readouterr().err
    assert all(name in said for name in BENCHMARKS)


@pytest.mark.parametrize("outcome", ["a goal is missed", "an error"])
def test_only_an_error_is_an_error(outcome, tmp_path, monkeypatch, capsys):
    def run(*, quick):
        if outcome == "an error":
            raise RuntimeError("no such thing")
        return [Figure.exactly("failed", 1, "", 0)]

    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("benchmarks.statistics.run", run)
    assert main(["statistics"]) == (1 if outcome == "an error" else 0)
    assert ("no such thing" in capsys.readouterr().err) == (outcome == "an error")
