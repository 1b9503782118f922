from __future__ import annotations

from typing import Any

import numpy as np

from canary.analysis.samples import Series, Track, TrackLabel
from canary.metrics.planner import LONGEST_QUERY, CounterNeed, ValueNeed, plan, window_for
from canary.metrics.promql import Selector
from canary.metrics.source import Kind, NoData, Partial, Sample, Unavailable


def need(number: int, **more: Any) -> CounterNeed:
    tracks = tuple(
        (TrackLabel("namespace", f"team-{number}"), TrackLabel("hash", f"{track}{number}")) for track in ("old", "new")
    )
    given = {"source": "main", "selector": Selector("http_requests_total", ""), "window_seconds": 60, "at": 100.0}
    return CounterNeed(tracks=tracks, **{**given, **more})


def series(number: int, track: str) -> Series:
    labels = (("hash", f"{track}{number}"), ("namespace", f"team-{number}"), ("pod", "p"))
    return Series(labels, np.array([1.0]), np.array([2.0]))


def test_releases_of_one_template_share_a_query():
    planned = plan([need(1), need(2)])
    assert [query.expression for query in planned.queries] == [
        'http_requests_total{namespace=~"team-1|team-2",hash=~"new1|new2|old1|old2"}[60s]'
    ]
    assert planned.queries[0].kind is Kind.SAMPLES


def test_another_source_window_time_or_selector_is_another_query():
    others = [
        need(1),
        need(1, source="other"),
        need(1, window_seconds=120),
        need(1, at=101.0),
        need(1, selector=Selector("http_requests_total", 'code=~"5.."')),
    ]
    assert len(plan(others).queries) == 5


def test_each_release_gets_its_own_series_and_nobody_gets_the_rest():
    planned = plan([need(1), need(2), need(3)])
    stray = Series((("hash", "new1"), ("namespace", "team-2")), np.array([1.0]), np.array([2.0]))
    answer = Sample((series(1, "old"), series(1, "new"), series(2, "new"), stray))
    replies = planned.replies({planned.queries[0]: answer})
    assert replies == {
        need(1): Sample((series(1, "old"), series(1, "new"))),
        need(2): Sample((series(2, "new"),)),
        need(3): NoData(),
    }


def test_a_broken_answer_is_everybody_s_and_a_missing_one_is_not_silence():
    planned = plan([need(1), need(2)])
    partial = Partial(("w",))
    assert set(planned.replies({planned.queries[0]: partial}).values()) == {partial}
    assert set(planned.replies({}).values()) == {Unavailable("the query was not sent")}


def test_a_thousand_releases_of_three_metrics_are_ten_queries_at_most():
    selectors = [Selector(name, "") for name in ("a", "b", "c")]
    needs = [need(number, selector=selector) for number in range(1000) for selector in selectors]
    planned = plan(needs)
    assert len(planned.queries) <= 10
    assert all(len(query.expression) <= LONGEST_QUERY + 200 for query in planned.queries)
    assert set(planned.served_by) == set(needs)


def test_a_source_s_own_limit_splits_its_queries_and_nobody_else_s():
    needs = [need(number, source=source) for number in range(200) for source in ("victoria", "main")]
    planned = plan(needs, {"victoria": 1000})
    asked = {source: [q for q in planned.queries if q.source == source] for source in ("victoria", "main")}
    assert len(asked["main"]) == 1
    assert len(asked["victoria"]) > 4
    assert all(
        len(query.expression) <= 1000 + len("http_requests_total{namespace=~,hash=~}[60s]") + 4
        for query in asked["victoria"]
    )
    assert set(planned.served_by) == set(needs)
    answers = {query: Sample(tuple(series(number, "new") for number in range(200))) for query in planned.queries}
    assert planned.replies(answers) == {each: Sample((series_of(each),)) for each in needs}


def series_of(wanted: CounterNeed) -> Series:
    return series(int(wanted.tracks[0][0].value.removeprefix("team-")), "new")


def test_what_one_release_needs_is_never_split():
    (query,) = plan([need(1)], {"main": 1}).queries
    assert "new1|old1" in query.expression


def test_templates_that_cannot_be_grouped_still_get_their_answers():
    own = [need(number, selector=Selector("rq", f'path="/{number}"')) for number in range(3)]
    values = [ValueNeed("main", f'up{{h="{number}"}}', (60.0,)) for number in range(3)]
    planned = plan([*own, *values])
    assert len(planned.queries) == 6
    answers = {query: Sample((series(number % 3, "new"),)) for number, query in enumerate(planned.queries)}
    replies = planned.replies(answers)
    assert [replies[each] for each in own] == [Sample((series(number, "new"),)) for number in range(3)]
    assert all(isinstance(replies[each], Sample) for each in values)


def test_equal_needs_are_one_however_they_were_made():
    assert need(1) == need(1)
    assert hash(need(1)) == hash(need(1))
    assert need(1) != need(1, at=101.0)
    assert len({need(1), need(1), need(2)}) == 2


def test_a_label_that_is_a_pattern_is_matched_as_one_and_an_absent_one_as_empty():
    track = (TrackLabel("cluster", "shop_checkout-canary_.*", regex=True), TrackLabel("track", ""))
    wanted = CounterNeed("main", Selector("rq", ""), (track,), 60, 1.0)
    planned = plan([wanted])
    assert planned.queries[0].expression == 'rq{cluster=~"(?:shop_checkout-canary_.*)",track=~""}[60s]'
    mine = Series((("cluster", "shop_checkout-canary_80"),), np.array([1.0]), np.array([1.0]))
    other = Series((("cluster", "shop_checkout_80"),), np.array([1.0]), np.array([1.0]))
    assert planned.replies({planned.queries[0]: Sample((mine, other))})[wanted] == Sample((mine,))


def test_tracks_that_are_told_by_patterns_alone_get_every_series_of_theirs_and_no_other():
    def track(name: str) -> Track:
        return (TrackLabel("service", f"{name}-[0-9]+@.*", regex=True), TrackLabel("code", "2..|5..", regex=True))

    def told(service: str, code: str) -> Series:
        return Series((("code", code), ("service", service)), np.array([1.0]), np.array([1.0]))

    needs = [CounterNeed("main", Selector("rq", ""), (track(f"{ns}-shop"),), 60, 1.0) for ns in "ab"]
    planned = plan(needs)
    mine = {ns: [told(f"{ns}-shop-80@k8s", "200"), told(f"{ns}-shop-80@k8s", "503")] for ns in "ab"}
    others = [told("a-shop-canary-80@k8s", "200"), told("a-shop-80@k8s", "404")]
    replies = planned.replies({query: Sample((*mine["a"], *others, *mine["b"])) for query in planned.queries})
    assert [replies[each] for each in needs] == [Sample(tuple(mine[ns])) for ns in "ab"]


def test_a_value_is_asked_once_for_all_and_missed_instants_in_one_query():
    planned = plan(
        [ValueNeed("main", "up", (60.0,), (TrackLabel("h", h),)) for h in "abc"] + [ValueNeed("main", "x", (1.0, 3.0))]
    )
    assert [(q.expression, q.kind, q.start, q.at, q.step_seconds) for q in planned.queries] == [
        ("up", Kind.VALUE, 0.0, 60.0, 0.0),
        ("x", Kind.VALUES, 1.0, 3.0, 2.0),
    ]


def test_windows_are_few_so_that_releases_share_them():
    assert [window_for(seconds) for seconds in (1, 30, 31, 700, 99_999)] == [30, 30, 60, 900, 7200]
