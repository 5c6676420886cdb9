"""Planted mistakes are refused and named, right gradients pass, riddles are not guessed at.

``python -m pytest tests/check/test_planted.py -n 0 -s`` prints the confusion table.
"""

from collections import Counter

import numpy as np
import pytest
from check.planted import PLANTED, Case
from check.right import RIGHT, SCALES

from minigan import check
from minigan.check.causes import names as N

SEEDS = 3
DESCRIPTIVE = (N.FEW, N.KINKS, N.DETACHED)  # that an f detaches stays true whatever is claimed


def judged(case: Case, **changes) -> check.ByHand:
    return check.by_hand(*case._replace(**changes))


def drawn(draw, seed: int) -> Case:
    return draw(np.random.default_rng([seed, 7]))


def claim_of(case: Case) -> np.ndarray:
    at = case.at.values() if isinstance(case.at, dict) else case.at
    inputs = at if isinstance(at, tuple) else (case.at,)
    return np.asarray(case.claimed(*inputs) if callable(case.claimed) else case.claimed)


@pytest.fixture(scope="module")
def verdicts():
    """(planted cause, name, verdict) of every planted mistake, drawn several times."""
    return [
        (cause, name, judged(drawn(draw, seed)))
        for cause, name, draw in PLANTED
        for seed in range(SEEDS)
    ]


def test_the_suite_is_large_enough():
    per_cause = Counter(cause for cause, _, _ in PLANTED)
    assert set(per_cause) == set(check.CAUSES)
    assert len(PLANTED) >= 60 and min(per_cause.values()) >= 3


def test_every_wrong_gradient_is_refused(verdicts):
    assert [name for _, name, verdict in verdicts if verdict.ok or verdict] == []


def test_causes_are_named_right(verdicts):
    first = [name for cause, name, v in verdicts if v.causes[:1] == [cause]]
    print(f"\n{len(PLANTED)} mistakes, {len(verdicts)} draws: {len(first)} named right, first\n")
    print(confusion(verdicts))
    assert len(first) >= 0.95 * len(verdicts)
    of = Counter(cause for cause, _, _ in verdicts)
    right = Counter(cause for cause, _, v in verdicts if v.causes[:1] == [cause])
    assert [cause for cause in of if right[cause] < 0.9 * of[cause]] == []


def test_messages_say_the_first_cause(verdicts):
    assert all(v.message.startswith(("Wrong. ", "Autograd")) for _, _, v in verdicts)


def confusion(verdicts) -> check.Table:
    """Planted cause, how often it was named first, and what else was named."""
    rows = []
    for cause in check.CAUSES:
        named = [v.causes for c, _, v in verdicts if c == cause]
        wrong = Counter(v[0] if v else "none" for v in named if v[:1] != [cause])
        tied = Counter(other for v in named for other in v if v[:1] == [cause] and other != cause)
        rows.append(
            {
                "planted": cause,
                "draws": len(named),
                "first": sum(v[:1] == [cause] for v in named),
                "instead": ", ".join(f"{n} {k}" for k, n in wrong.items()),
                "equally possible": ", ".join(f"{n} {k}" for k, n in tied.items()),
            }
        )
    return check.Table(rows)


# -------------------------------------------------------------------------------- right gradients


@pytest.mark.parametrize("draw", RIGHT, ids=lambda draw: draw.__name__)
@pytest.mark.parametrize("scale", SCALES)
def test_right_gradients_pass(draw, scale):
    """20 functions, 6 scales, 2 draws: 240 right gradients."""
    for seed in range(2):
        verdict = judged(draw(np.random.default_rng([seed, 3]), scale))
        assert verdict.ok and verdict and verdict.causes == [], verdict


@pytest.mark.parametrize("draw", RIGHT, ids=lambda draw: draw.__name__)
def test_slightly_wrong_gradients_do_not(draw):
    """The largest element off by 1e-5 of itself."""
    case = draw(np.random.default_rng([0, 3]), 1.0)
    claim = np.array(claim_of(case), dtype=float)
    if claim.any():
        claim.flat[np.abs(claim).argmax()] *= 1 + 1e-5
        assert not judged(case, claimed=claim)


# ------------------------------------------------------------------ what no single cause explains


def noise(claim, rng):
    return claim * (1 + 0.01 * rng.standard_normal(claim.shape))


def stretched_and_moved(claim, rng):
    return -1.7 * claim + 0.3 * np.abs(claim).max()


def half_of_it_doubled(claim, rng):
    return np.where(np.arange(claim.size).reshape(claim.shape) % 2, 2.0, 1.0) * claim


def displaced(claim, rng):
    return np.roll(claim.ravel(), 1).reshape(claim.shape)


@pytest.mark.parametrize("spoil", [noise, stretched_and_moved, half_of_it_doubled, displaced])
def test_riddles_are_refused_and_not_guessed(spoil):
    """A planted mistake and a second one on top, or noise: no cause may be named."""
    guessed = []
    for cause, name, draw in PLANTED:
        case = drawn(draw, 0)
        claim = np.asarray(claim_of(case), dtype=float)
        spoilt = spoil(claim, np.random.default_rng(1))
        if cause in DESCRIPTIVE or claim.size < 4 or np.ptp(claim) == 0:
            continue
        try:
            verdict = judged(case, claimed=spoilt)
        except check.CheckError:  # neither the shape nor the values make sense: refused as well
            continue
        assert not verdict, name
        if verdict.causes:
            guessed.append((name, verdict.causes))
    assert guessed == []


SINGLE = (N.SIGN, N.FACTOR)  # a flipped sign and a factor are one factor


@pytest.mark.twins  # a layer that one twin computes is one step
@pytest.mark.parametrize("factor", [-1.0, 2.7])
def test_a_factor_on_top_is_not_overlooked(factor):
    guessed = []
    for cause, name, draw in PLANTED:
        case = drawn(draw, 0)
        if cause in (*DESCRIPTIVE, *SINGLE):
            continue
        try:
            verdict = judged(case, claimed=factor * claim_of(case))
        except check.CheckError:
            continue
        assert not verdict, name
        if verdict.causes:
            guessed.append((name, verdict.causes, verdict.message))
    assert guessed == []


def test_random_gradients_are_not_explained():
    rng = np.random.default_rng(0)
    for draw in RIGHT:
        case = draw(np.random.default_rng([0, 3]), 1.0)
        claim = rng.standard_normal(claim_of(case).shape)
        verdict = judged(case, claimed=claim)
        assert not verdict and verdict.causes == [], draw.__name__
        assert "no single known mistake explains it" in verdict.message


def test_zeros_are_not_explained():
    for draw in RIGHT:
        case = draw(np.random.default_rng([0, 3]), 1.0)
        claim = claim_of(case)
        if claim.any():
            verdict = judged(case, claimed=np.zeros_like(claim))
            assert not verdict and verdict.causes == []
            assert "zero everywhere" in verdict.message
