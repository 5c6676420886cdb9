"""Are the digits of ``minigan train`` digits? A judge that is not ours says so.

scikit-learn's logistic regression, fitted on the 1,797 real digits (pixels from 0 to 1), labels
1,000 samples of the finished generator. Reported: the mean of its top probability, and each
digit's share. Needs scikit-learn::

    pip install -e ".[benchmark]"
    python tests/benchmarks/judge_digits.py --seeds 0 1 2
"""

from __future__ import annotations

import argparse
import tempfile
import time
from pathlib import Path

import numpy as np
from sklearn.datasets import load_digits
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import train_test_split

from minigan.studio.cli import main


def train_and_sample(seed: int, n: int) -> tuple[np.ndarray, float]:
    """``minigan train --seed SEED``, then n samples as rows in [0, 1]; and the seconds it took."""
    with tempfile.TemporaryDirectory() as folder:
        run, samples = Path(folder, "run"), Path(folder, "samples.npz")
        start = time.perf_counter()
        assert main(["train", "--seed", str(seed), "--out", str(run)]) == 0
        seconds = time.perf_counter() - start
        assert main(["sample", str(run), "-n", str(n), "--out", str(samples)]) == 0
        with np.load(samples) as file:
            return (file["samples"].reshape(n, -1) + 1) / 2, seconds


def report(name: str, judge: LogisticRegression, x: np.ndarray, seconds: float | None) -> None:
    p = judge.predict_proba(x)
    share = np.bincount(p.argmax(1), minlength=10) / len(x) * 100
    took = f"{seconds:6.1f} s" if seconds else "        "
    shares = " ".join(f"{s:4.1f}" for s in share)
    print(f"{name:12} {took}  top probability {p.max(1).mean():.3f}  shares in % {shares}")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("-n", type=int, default=1000)
    arguments = parser.parse_args()
    digits = load_digits()
    pixels = digits.data / 16
    held_in, held_out, labels, _ = train_test_split(pixels, digits.target, random_state=0)
    report("held-out", LogisticRegression(max_iter=5000).fit(held_in, labels), held_out, None)
    judge = LogisticRegression(max_iter=5000).fit(pixels, digits.target)
    for seed in arguments.seeds:
        report(f"seed {seed}", judge, *train_and_sample(seed, arguments.n))
