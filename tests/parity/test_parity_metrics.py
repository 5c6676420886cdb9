"""The metrics against torch-fidelity, and against NumPy, SciPy and scikit-learn references."""

import importlib
import importlib.util
import sys
import types

import numpy as np
import pytest

from minigan import metrics
from minigan.metrics.parzen import log_likelihoods

pytestmark = pytest.mark.parity
CLOSE = {"rel": 1e-6, "abs": 1e-6}


def features(n, d, seed, shift=0.0):
    """Correlated, not normal, and not centred, as a network's activations are."""
    rng = np.random.default_rng(seed)
    mixing = np.random.default_rng(99).normal(size=(d, d)) / np.sqrt(d)
    return np.maximum(rng.normal(size=(n, d)) @ mixing + shift, 0) + 0.01 * rng.normal(size=(n, d))


REAL, FAKE = features(400, 24, 1), features(300, 24, 2, 0.3)


# --------------------------------------------------------------------------------- torch-fidelity


@pytest.fixture(scope="module")
def torch():
    return pytest.importorskip("torch")


@pytest.fixture(scope="module")
def fidelity(torch):
    """A module of torch-fidelity by name.

    It imports torchvision for data sets and other networks, none of which is used here, and the
    torchvision of PyPI needs a CUDA build of torch: while importing, an empty one stands in.
    """
    if importlib.util.find_spec("torch_fidelity") is None:
        pytest.skip("torch-fidelity is not installed")
    stand_in = types.ModuleType("torchvision")
    datasets = types.ModuleType("torchvision.datasets")
    datasets.CIFAR10 = datasets.CIFAR100 = datasets.STL10 = object
    functional = types.ModuleType("torchvision.transforms.functional")
    transforms = types.ModuleType("torchvision.transforms")
    transforms.functional = functional
    stand_in.datasets, stand_in.transforms = datasets, transforms
    with pytest.MonkeyPatch.context() as patch:
        for module in (stand_in, datasets, transforms, functional):
            patch.setitem(sys.modules, module.__name__, module)
        import torch_fidelity
    return lambda name: importlib.import_module(f"{torch_fidelity.__name__}.{name}")


def test_frechet_equals_torch_fidelitys(torch, fidelity):
    module = fidelity("metric_fid")
    statistics = [module.fid_features_to_statistics(torch.from_numpy(x)) for x in (REAL, FAKE)]
    expected = module.fid_statistics_to_metric(*statistics, verbose=False)
    found = metrics.frechet_distance(REAL, FAKE)
    assert found == pytest.approx(expected["frechet_inception_distance"], **CLOSE)
    assert found > 0.5


def test_kernel_distance_equals_torch_fidelitys(torch, fidelity):
    """On the subsets that torch-fidelity draws: mean and standard deviation of the same values."""
    expected = fidelity("metric_kid").kid_features_to_metric(
        torch.from_numpy(REAL), torch.from_numpy(FAKE),
        kid_subsets=20, kid_subset_size=100, rng_seed=7, verbose=False,
    )  # fmt: skip
    rng = np.random.RandomState(7)
    values = []
    for _ in range(20):
        x = REAL[rng.choice(len(REAL), 100, replace=False)]
        values.append(metrics.mmd(x, FAKE[rng.choice(len(FAKE), 100, replace=False)]))
    assert np.mean(values) == pytest.approx(expected["kernel_inception_distance_mean"], **CLOSE)
    assert np.std(values) == pytest.approx(expected["kernel_inception_distance_std"], **CLOSE)
    same = metrics.kernel_distance(REAL[:300], FAKE, subsets=1, subset_size=300)
    whole = fidelity("metric_kid").kid_features_to_metric(
        torch.from_numpy(REAL[:300]), torch.from_numpy(FAKE),
        kid_subsets=1, kid_subset_size=300, rng_seed=0, verbose=False,
    )  # fmt: skip
    assert same.mean == pytest.approx(whole["kernel_inception_distance_mean"], **CLOSE)


@pytest.mark.parametrize("splits", [1, 7, 10])
def test_inception_score_equals_torch_fidelitys(torch, fidelity, splits):
    logits = 3 * features(300, 12, 3)
    expected = fidelity("metric_isc").isc_features_to_metric(
        torch.from_numpy(logits), splits=splits, shuffle=False
    )
    found = metrics.inception_score(metrics.softmax(logits), splits)
    assert found.mean == pytest.approx(expected["inception_score_mean"], **CLOSE)
    assert found.std == pytest.approx(expected["inception_score_std"], **CLOSE)
    assert found.mean > 1.3


@pytest.mark.parametrize("k", [1, 3, 5])
def test_precision_and_recall_equal_torch_fidelitys(torch, fidelity, k):
    """The generated features come first there."""
    real, fake = features(200, 6, 4), features(170, 6, 5, 0.4)
    expected = fidelity("metric_prc").prc_features_to_metric(
        torch.from_numpy(fake), torch.from_numpy(real), prc_neighborhood=k, verbose=False
    )
    found = metrics.precision_recall(real, fake, k)
    assert found.precision == pytest.approx(expected["precision"], **CLOSE)
    assert found.recall == pytest.approx(expected["recall"], **CLOSE)
    assert 0.1 < found.precision < 0.99 and 0.1 < found.recall < 0.99
    assert abs(found.precision - found.recall) > 0.01  # so that swapping them shows


@pytest.mark.slow
def test_inception_features_are_torch_fidelitys(torch, fidelity, monkeypatch, tmp_path):
    """With random weights, the published ones being a download: same resize, range and layers."""
    module = fidelity("feature_extractor_inceptionv3")
    network = module.FeatureExtractorInceptionV3
    monkeypatch.setattr(module.torch, "load", lambda *_, **__: {})
    monkeypatch.setattr(network, "load_state_dict", lambda self, state: None)
    (tmp_path / "weights.pth").touch()
    torch.manual_seed(0)
    extractor = metrics.inception(tmp_path / "weights.pth")
    torch.manual_seed(0)
    theirs = network("theirs", ["2048", "logits_unbiased"], str(tmp_path / "weights.pth"))
    levels = np.random.default_rng(0).integers(0, 256, (3, 1, 28, 28), dtype=np.uint8)
    found = extractor((levels / 127.5 - 1).astype(np.float32))
    expected = theirs(torch.from_numpy(np.repeat(levels, 3, axis=1)))
    assert found.features.shape == (3, 2048) and found.logits.shape == (3, 1008)
    np.testing.assert_allclose(found.features, expected[0].numpy(), rtol=1e-6)
    np.testing.assert_allclose(found.logits, expected[1].numpy(), rtol=1e-5, atol=1e-6)
    assert found.features.std(axis=0).max() > 0


# -------------------------------------------------------------------------- SciPy, scikit-learn


def test_frechet_equals_scipys_sqrtm():
    sqrtm = pytest.importorskip("scipy.linalg").sqrtm
    a, b = np.cov(REAL, rowvar=False), np.cov(FAKE, rowvar=False)
    difference = REAL.mean(0) - FAKE.mean(0)
    expected = difference @ difference + np.trace(a + b - 2 * sqrtm(a @ b).real)
    assert metrics.frechet_distance(REAL, FAKE) == pytest.approx(expected, **CLOSE)


def test_kernel_equals_scikit_learns():
    polynomial = pytest.importorskip("sklearn.metrics.pairwise").polynomial_kernel
    n, m = len(REAL), len(FAKE)
    xx, yy, xy = polynomial(REAL), polynomial(FAKE), polynomial(REAL, FAKE)  # (x·y/D + 1)³
    expected = (xx.sum() - np.trace(xx)) / (n * (n - 1)) + (yy.sum() - np.trace(yy)) / (m * (m - 1))
    assert metrics.mmd(REAL, FAKE) == pytest.approx(expected - 2 * xy.mean(), **CLOSE)


def test_inception_score_equals_scipys_entropies():
    entropy = pytest.importorskip("scipy.stats").entropy
    p = metrics.softmax(3 * features(200, 8, 6))
    parts = [np.exp(entropy(q, q.mean(0, keepdims=True), axis=1).mean()) for q in np.split(p, 4)]
    found = metrics.inception_score(p, splits=4)
    assert found == (pytest.approx(np.mean(parts), **CLOSE), pytest.approx(np.std(parts), **CLOSE))


@pytest.mark.parametrize("k", [1, 3, 5])
def test_neighbourhoods_equal_scikit_learns(k):
    neighbours = pytest.importorskip("sklearn.neighbors").NearestNeighbors
    cdist = pytest.importorskip("scipy.spatial.distance").cdist
    real, fake = features(200, 6, 4), features(170, 6, 5, 0.4)

    def radii(x):
        return neighbours(n_neighbors=k).fit(x).kneighbors()[0][:, -1]  # itself not counted

    in_real = cdist(fake, real) <= radii(real)
    in_fake = cdist(real, fake) <= radii(fake)
    expected = in_real.any(1).mean(), in_fake.any(1).mean()
    assert metrics.precision_recall(real, fake, k) == pytest.approx(expected, **CLOSE)
    expected = in_real.sum(1).mean() / k, in_real.any(0).mean()
    assert metrics.density_coverage(real, fake, k) == pytest.approx(expected, **CLOSE)


def test_parzen_equals_scipys_and_scikit_learns():
    """scikit-learn only with the wide window: its tree is 120 nats off at σ = 0.2."""
    logsumexp = pytest.importorskip("scipy.special").logsumexp
    cdist = pytest.importorskip("scipy.spatial.distance").cdist
    density = pytest.importorskip("sklearn.neighbors").KernelDensity
    squares, (m, d) = cdist(REAL, FAKE, "sqeuclidean"), FAKE.shape
    for row, sigma in zip(log_likelihoods(FAKE, REAL, [0.2, 1.0]), (0.2, 1.0), strict=True):
        constant = np.log(m) + d / 2 * np.log(2 * np.pi * sigma**2)
        expected = logsumexp(-squares / (2 * sigma**2), axis=1) - constant
        np.testing.assert_allclose(row, expected, rtol=1e-9)
    expected = density(bandwidth=1.0, rtol=1e-10).fit(FAKE).score_samples(REAL)
    np.testing.assert_allclose(row, expected, rtol=1e-9)


def test_ms_ssim_equals_the_papers_with_scipys_filters():
    """176×192: all five scales with the window of 11, σ = 1.5, and no odd side before the last."""
    ndimage = pytest.importorskip("scipy.ndimage")
    rng = np.random.default_rng(0)
    x = ndimage.gaussian_filter(rng.uniform(size=(1, 1, 176, 192)), (0, 0, 2, 2)) * 3 - 1
    y = x + 0.15 * rng.normal(size=x.shape)

    def blur(a):
        return ndimage.gaussian_filter(a, 1.5, radius=5)[5:-5, 5:-5]

    a, b, result = x[0, 0], y[0, 0], 1.0
    for j, weight in enumerate((0.0448, 0.2856, 0.3001, 0.2363, 0.1333)):
        ma, mb = blur(a), blur(b)
        va, vb, cov = blur(a * a) - ma**2, blur(b * b) - mb**2, blur(a * b) - ma * mb
        factor = (2 * cov + 0.03**2) / (va + vb + 0.03**2)
        if j == 4:
            factor = factor * (2 * ma * mb + 0.01**2) / (ma**2 + mb**2 + 0.01**2)
        result *= factor.mean() ** weight
        a, b = (ndimage.uniform_filter(c, 2, origin=-1)[::2, ::2] for c in (a, b))
    found = metrics.ms_ssim(x, y, (0, 1))[0]
    assert found == pytest.approx(result, **CLOSE) and 0.3 < found < 0.95
