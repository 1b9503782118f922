from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from canary.analysis.compare import divisor
from canary.analysis.dispersion import of_stable, pearson

BLOCKS, RELEASES = 10, 400


def bad(phi: float, pods: int, mean: float, seed: int = 1) -> NDArray[np.float64]:
    """Bad requests whose variance is phi times their mean: Poisson, or negative binomial by a gamma's mixture."""
    rng = np.random.default_rng(seed)
    shape = (RELEASES, BLOCKS, pods)
    rate = np.full(shape, mean) if phi == 1 else rng.gamma(mean / (phi - 1), phi - 1, size=shape)
    return rng.poisson(rate).astype(np.float64)


@pytest.mark.parametrize("phi", [1.0, 2.0, 5.0, 10.0])
def test_the_estimate_is_right_on_average(phi: float):
    drawn = bad(phi, pods=10, mean=20)
    found = pearson(drawn, np.full(drawn.shape, 2000.0))
    # 90 degrees of freedom: a release's estimate has a standard error of phi*sqrt(2/90), the mean of 400 a twentieth.
    assert found.estimate.mean() == pytest.approx(phi, rel=4 * np.sqrt(2 / 90 / RELEASES) + 0.05)


def test_well_behaved_stable_pods_cost_nothing():
    drawn = bad(1, pods=10, mean=20)
    used = of_stable(drawn, np.full(drawn.shape, 2000.0)).used
    # phi = 1 is refused in 5 % of the cases by the pods, and in some more by the halves.
    assert (used == 1.0).mean() >= 0.90 - 3 * np.sqrt(0.1 * 0.9 / RELEASES)


@pytest.mark.parametrize("phi", [5.0, 10.0])
def test_wild_ones_are_not_taken_for_tamer_than_they_are(phi: float):
    drawn = bad(phi, pods=10, mean=20)
    used = of_stable(drawn, np.full(drawn.shape, 2000.0)).used
    # The upper bound of 90 % is one for a chi-square; a negative binomial's tails are heavier (20 % seen at phi of 10),
    # which is what the divisor's margin is for.
    assert (divisor(used) < phi).mean() <= 0.05
    assert np.median(used) < 2 * phi


def test_what_neighbours_share_is_seen_by_the_halves():
    # Five pods of one zone fail together, by turns with the five of the other.
    together = np.zeros((1, BLOCKS, 10))
    together[:, ::2, ::2] = 40
    together[:, 1::2, 1::2] = 40
    n = np.full(together.shape, 2000.0)
    assert of_stable(together, n).used[0] > pearson(together, n).used[0]


def test_with_one_pod_or_few_errors_nothing_is_concluded():
    one = bad(5, pods=1, mean=20)
    assert np.isnan(of_stable(one, np.full(one.shape, 2000.0)).used).all()
    assert np.isnan(of_stable(np.full((1, 2, 2), 4.0), np.full((1, 2, 2), 100.0)).used).all()


def test_a_pod_that_was_not_there_in_a_block_is_left_out():
    drawn = bad(1, pods=3, mean=50)
    n = np.full(drawn.shape, 5000.0)
    drawn[:, :5, 2] = 0
    n[:, :5, 2] = 0
    assert np.nanmean(pearson(drawn, n).estimate) == pytest.approx(1.0, abs=0.15)


def test_pods_of_different_sizes_are_compared_by_their_share():
    n = np.tile([1000.0, 5000.0], (1, BLOCKS, 1))
    assert pearson(n * 0.01, n).estimate[0] == pytest.approx(0.0, abs=1e-9)
