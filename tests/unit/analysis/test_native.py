from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from canary.analysis.histograms import Mismatch, Rows, tracks
from canary.analysis.native import NativeSeries, as_buckets, nearest_boundary, schema_of
from canary.analysis.verdict import Reason


def native(pod: str, schema: int, *counts: dict[int, float]) -> NativeSeries:
    """One sample for each `counts`, by index; the bucket i ends at 2**(i / 2**schema)."""
    base = 2.0 ** (2.0**-schema)
    buckets = tuple(
        np.array([[base ** (index - 1), base**index, n] for index, n in sorted(each.items())]).reshape(-1, 3)
        for each in counts
    )
    times = np.array([10.0 * index for index in range(len(counts))])
    return NativeSeries((("pod", pod),), times, np.array([float(sum(each.values())) for each in counts]), buckets)


def rows(candidate: NativeSeries, stable: NativeSeries, bound: float = 1.0, **more: object) -> Rows | Mismatch:
    return tracks([candidate], [stable], bound, **more)  # type: ignore[arg-type]


observed = st.dictionaries(st.integers(-40, 40), st.integers(1, 100), max_size=8)


@given(observed, st.integers(0, 4), st.integers(-40, 40))
def test_the_count_up_to_a_boundary_is_exact_whether_its_bucket_was_filled_or_not(
    counts: dict[int, int], schema: int, index: int
):
    bound = 2.0 ** (index / 2.0**schema)
    made = as_buckets(native("a", schema, {i: float(n) for i, n in counts.items()}), [bound], "le")
    assert [each.label("le") for each in made] == [f"{bound:.9g}", "+Inf"]
    assert made[0].values[0] == sum(n for i, n in counts.items() if i <= index)
    assert made[1].values[0] == sum(counts.values())


def test_pods_that_filled_other_buckets_have_all_of_them_in_common():
    found = rows(native("new", 3, {-16: 5.0}, {-16: 6.0}), native("old", 3, {-20: 1.0, 8: 1.0}, {-20: 2.0, 8: 3.0}))
    assert isinstance(found, Rows)
    assert found.pin == 1.0
    assert len(found.above) == 4
    assert [len(row) for row in (*found.found.candidate_bad, *found.found.stable_bad)] == [1] * 8


def test_the_bound_is_moved_to_the_nearest_boundary_of_the_coarsest_histogram():
    found = rows(native("new", 3, {2: 1.0}), native("old", 2, {1: 1.0}), bound=0.3)
    assert isinstance(found, Rows)
    assert found.pin == pytest.approx(nearest_boundary(0.3, 2), rel=1e-8)


def test_a_resolution_that_is_reduced_in_mid_release_is_a_change_of_buckets_and_no_count():
    # Of schema 0, one bucket holds what schema 3 has in eight: how many are below 2**(3/8) nobody knows.
    changing = native("new", 3, {3: 5.0}, {3: 6.0})
    coarse = np.array([[1.0, 2.0, 7.0]])
    changing = NativeSeries(
        changing.labels, np.array([0.0, 10.0, 20.0]), np.array([5.0, 6.0, 7.0]), (*changing.buckets, coarse)
    )
    pin = float(f"{2 ** (3 / 8):.9g}")
    found = rows(changing, native("old", 3, {3: 5.0}), bound=pin, fixed=((pin,), pin))
    assert isinstance(found, Mismatch)
    assert found.reason is Reason.BUCKETS_CHANGED


def test_histograms_in_which_nothing_was_observed_are_no_data():
    found = rows(native("new", 3, {}), native("old", 3, {}))
    assert isinstance(found, Mismatch)
    assert found.reason is Reason.NO_DATA


def test_custom_buckets_are_refused_with_the_mend():
    custom = NativeSeries((), np.array([0.0]), np.array([3.0]), (np.array([[0.1, 0.25, 3.0]]),))
    found = rows(custom, custom)
    assert isinstance(found, Mismatch)
    assert "select the classic _bucket series" in found.message


@pytest.mark.parametrize("schema", range(-4, 9))
def test_the_schema_is_read_from_the_buckets(schema: int):
    assert schema_of([native("a", schema, {1: 1.0, 4: 2.0})]) == schema


def test_boundaries_of_a_coarser_schema_are_those_of_a_finer_one_too():
    for coarse, fine in pairwise(range(9)):
        for bound in (0.3, 1.7, 42.0):
            at = nearest_boundary(bound, coarse)
            assert nearest_boundary(at, fine) == pytest.approx(at, rel=1e-12)


def test_a_piece_of_the_past_keeps_its_buckets_and_pieces_join_again():
    whole = native("a", 3, {1: 1.0}, {1: 2.0, 3: 1.0}, {1: 3.0, 3: 4.0})
    joined = whole.between(0, 1).followed_by(whole.between(1, 3))
    assert isinstance(joined, NativeSeries)
    assert joined.values.tolist() == [1.0, 3.0, 7.0]
    assert [len(each) for each in joined.buckets] == [1, 2, 2]
    assert as_buckets(joined, [2 ** (1 / 8)], "le")[0].values.tolist() == [1.0, 2.0, 3.0]
