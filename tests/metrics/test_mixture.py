"""Modes of a mixture: the definition by hand, and the perfect sampler's published values."""

import math

import numpy as np
import pytest

from minigan.data import grid, ring
from minigan.metrics import mode_coverage, perfect_mode_coverage

CENTERS = np.array([[0.0, 0.0], [10.0, 0.0], [0.0, 10.0]])


def test_by_hand():
    samples = [[0, 0], [0, 2.9], [2.9, 0.0], [0, 3.1], [10, 0.5], [5.1, 0]]
    found = mode_coverage(samples, CENTERS, std=1.0)
    assert found.modes == 2 and found.high_quality == pytest.approx(4 / 6)
    p = np.array([3 / 4, 1 / 4])
    assert found.reverse_kl == pytest.approx(math.log(3) + (p * np.log(p)).sum())


def test_a_sample_at_the_edge_of_3_sigma():
    inside, outside = [[3 * 0.999, 0]], [[3 * 1.001, 0]]
    assert mode_coverage(inside, CENTERS, 1.0).high_quality == 1
    assert mode_coverage(outside, CENTERS, 1.0).high_quality == 0


def test_one_mode_alone_is_log_k_away():
    found = mode_coverage(np.zeros((50, 2)), CENTERS, 1.0)
    assert found == (1, 1, pytest.approx(math.log(3)))


def test_nothing_of_quality():
    found = mode_coverage(np.full((5, 2), 50.0), CENTERS, 1.0)
    assert found[:2] == (0, 0) and math.isnan(found.reverse_kl)


@pytest.mark.parametrize(
    ("data", "std", "modes", "kl"), [(ring, 0.01, 8, 0.0014), (grid, 0.05, 25, 0.0048)]
)
def test_the_perfect_sampler_at_2500(data, std, modes, kl):
    found = perfect_mode_coverage(data(10).centers, std, 2500, trials=400)
    assert found.modes == modes
    # a million draws: the mean's standard deviation is 1e-4
    assert found.high_quality == pytest.approx(1 - math.exp(-9 / 2), abs=3e-4)
    assert found.reverse_kl == pytest.approx(kl, rel=0.12)


def test_a_circle_closed_twice_has_7_modes_and_is_refused():
    angle = np.linspace(0, 2 * np.pi, 8)
    centers = np.stack([np.cos(angle), np.sin(angle)], axis=1)
    with pytest.raises(ValueError, match="expected 8 distinct centres"):
        mode_coverage(centers, centers, 0.01)


def test_refusals():
    with pytest.raises(ValueError, match="positive std"):
        mode_coverage(CENTERS, CENTERS, 0)
    with pytest.raises(ValueError, match="one length"):
        mode_coverage(np.zeros((3, 3)), CENTERS, 1)
