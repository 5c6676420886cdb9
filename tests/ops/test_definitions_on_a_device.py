"""On a device, too, the definitions alone compute what the twins do."""

import numpy as np
import pytest
from numeric import every

import minigan as mg
from minigan import Tensor, nn
from minigan.gan.ema import EMA
from minigan.optim import Adam, AdamW
from ops import all_cases


@pytest.fixture(autouse=True)
def plain():
    """No twin is asked."""
    with mg.plain():
        yield


@every(all_cases())
def test_values_and_gradients(case):
    xs = [Tensor(a, requires_grad=True) for a in case.inputs]
    y = case.f(*xs)
    assert y.device == "cuda:0"
    np.testing.assert_allclose(
        y.detach().numpy(), case.formula(*case.inputs), rtol=1e-12, atol=1e-13
    )
    for g in mg.grad(y.sum(), xs, allow_unused=True) if y.requires_grad else ():
        assert g is None or g.device == "cuda:0"


@pytest.mark.parametrize("kind", [Adam, AdamW])
def test_a_training_step(kind):
    """Batch norm, cross-entropy, a moving average and Adam, against the same on the CPU."""

    def weights(device):
        mg.set_default_device(device)
        mg.manual_seed(0)
        layer = nn.Sequential(nn.Linear(3, 4), nn.BatchNorm1d(4), nn.LeakyReLU(), nn.Linear(4, 1))
        optimizer = kind(layer.parameters(), 0.1, weight_decay=0.1, amsgrad=True)
        average = EMA(layer, 0.5)
        x, t = np.random.default_rng(0).random((2, 8, 3)).astype("f")
        for _ in range(3):
            y = layer(mg.tensor(x, device=device))
            target = mg.tensor(t[:, :1], device=device)
            loss = nn.functional.binary_cross_entropy_with_logits(y, target)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            average.update()
        return [p.detach().numpy() for p in average.module.parameters()]

    on_cpu, on_gpu = weights("cpu"), weights("cuda")
    for a, b in zip(on_gpu, on_cpu, strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-4, atol=1e-6)
