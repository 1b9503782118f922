"""A team's own judge, in a process of its own: what it is given, what it says, and everything that goes wrong with it."""

from __future__ import annotations

import os
import re
import time
from pathlib import Path

import pytest

from canary.analysis.custom import Broken, Judgement, Measurements, Opinion, Question
from canary.analysis.metric import Custom, ValueMetric
from canary.analysis.verdict import MetricReading, Outcome, Reason
from canary.metrics.custom import ask
from canary.metrics.session import AnalysisSession
from tests.unit.metrics.test_values import answered, noisy
from tests.unit.metrics.world import CANARY, STABLE, World, constant, errors

START = 900.0
DOCUMENT = (Path(__file__).parents[3] / "docs" / "custom-judges.md").read_text(encoding="utf-8")
BROKEN = """
import os, subprocess, sys, time
from canary.analysis.custom import Judgement, Opinion

def raises(measured):
    raise RuntimeError("no model for " + measured.metric)

def hangs(measured):
    child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"])
    open(measured.params["pid"], "w").write(str(child.pid))
    time.sleep(60)

def returns_a_word(measured):
    return "fine"

def leaves(measured):
    sys.exit(0)

def talks(measured):
    print("hello")
    return Judgement(Opinion.PASS, str(sorted(os.environ)))
"""


@pytest.fixture(autouse=True)
def installed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The document's judge and some that are broken, as a package installs them."""
    (example,) = re.findall(r"^```python\n(.*?)^```", DOCUMENT, flags=re.MULTILINE | re.DOTALL)
    (tmp_path / "house_judges.py").write_text(example)
    (tmp_path / "broken_judges.py").write_text(BROKEN)
    info = tmp_path / "house_judges-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: house-judges\nVersion: 1.0\n")
    names = re.findall(r"^def (\w+)", BROKEN, flags=re.MULTILINE)
    (info / "entry_points.txt").write_text(
        "\n".join(
            ["[canary.judges]", "mostly-bad = house_judges:mostly_bad", *(f"{n} = broken_judges:{n}" for n in names)]
        )
    )
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(tmp_path), str(Path(__file__).parents[3])]))
    monkeypatch.setenv("CANARY_SECRET", "hidden")


def question(judge: str, **params: str) -> Question:
    return Question(judge, Measurements("http/errors", params, 10.0, ((1.0, 10.0),) * 20, ((0.0, 90.0),) * 20), 1.0)


def test_the_document_s_judge_judges_by_its_parameters():
    assert ask(question("mostly-bad", limit="0.02")) == Judgement(
        Opinion.FAIL, "20 of the last 20 intervals had more than 2% bad"
    )
    assert ask(question("mostly-bad", limit="0.2")) == Judgement(
        Opinion.PASS, "0 of the last 20 intervals had more than 20% bad"
    )


@pytest.mark.parametrize(
    ("judge", "says"),
    [
        ("raises", "the judge 'raises' failed: RuntimeError: no model for http/errors"),
        ("returns_a_word", "it returned str, not a canary.analysis.custom.Judgement"),
        ("leaves", "the judge 'leaves' did not return a Judgement"),
        ("unheard-of", "no judge 'unheard-of' is installed beside the operator (installed: hangs, leaves, mostly-bad,"),
    ],
)
def test_a_judge_that_says_nothing_is_broken_and_the_reason_is_told(judge: str, says: str):
    said = ask(question(judge))
    assert isinstance(said, Broken)
    assert says in said.message


def test_a_judge_that_hangs_is_ended_with_all_that_it_started(tmp_path: Path):
    began = time.monotonic()
    said = ask(question("hangs", pid=str(tmp_path / "pid")), limit_seconds=2.0)
    assert said == Broken("the judge 'hangs' did not answer within 2 s")
    assert time.monotonic() - began < 30
    child = Path("/proc") / (tmp_path / "pid").read_text()
    end = time.monotonic() + 10
    while child.exists() and "State:\tZ" not in (child / "status").read_text() and time.monotonic() < end:
        time.sleep(0.05)
    assert not child.exists() or "State:\tZ" in (child / "status").read_text()


def test_what_a_judge_prints_is_no_answer_and_what_the_operator_knows_is_not_its_business():
    said = ask(question("talks"))
    assert isinstance(said, Judgement)
    assert said.opinion is Opinion.PASS
    assert "CANARY_SECRET" not in said.message


def judged(judge: str, bad: float, until: float = START + 200) -> MetricReading:
    world = World(2, lasts=1400)
    world.serve(STABLE, 2, constant(90), constant(0.001))
    world.serve(CANARY, 1, constant(20), constant(bad), born=START - 5)
    metric = errors(Custom(judge, (("limit", "0.05"),)))
    session, now = AnalysisSession.start([metric], started_at=START), START
    while now < until and session.judged[0].reading().outcome is not Outcome.FAIL:
        now += 100
        session = session.ingest(now, world.reply(session.needs(now)))
        questions = session.questions()
        session = session.answered({(q.measurements.metric, q.until): ask(q) for q in questions})
        assert session.questions() == ()
    return session.judged[0].reading()


def test_a_session_says_what_the_judge_says():
    failed = judged("mostly-bad", 0.3)
    assert (failed.outcome, failed.reason, failed.judge) == (Outcome.FAIL, Reason.JUDGED_BAD, "custom")
    assert "intervals had more than 5% bad" in failed.message
    passed = judged("mostly-bad", 0.0)
    assert (passed.outcome, passed.reason) == (Outcome.PASS, Reason.JUDGED_GOOD)


def test_a_broken_judge_is_an_error_until_it_answers_and_never_a_verdict():
    reading = judged("raises", 0.3)
    assert (reading.outcome, reading.reason) == (Outcome.ERROR, Reason.JUDGE_BROKEN)
    assert reading.no_data_since == START
    assert not reading.suspicious


def test_a_value_is_given_too_with_stable_s_where_the_template_asks_for_it():
    metric = ValueMetric("app/x", "main", "x", Custom("mostly-bad"), track=CANARY, stable_expression="x", stable=STABLE)
    session = AnalysisSession.start([metric], started_at=START)
    needs = session.judged[0].needs(START + 30)
    assert sorted(needs) == ["stable", "value"]
    (asked,) = session.ingest(START + 30, answered(needs, noisy(7, 1), noisy(5, 2))).questions()
    assert [(round(value), every) for value, every in asked.measurements.candidate] == [(7, 1.0)] * 3
    assert [(round(value), every) for value, every in asked.measurements.stable] == [(5, 1.0)] * 3
