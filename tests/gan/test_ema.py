import numpy as np
import pytest

import minigan as mg
from minigan import nn
from minigan.gan import EMA


def network():
    return nn.Sequential(nn.Linear(3, 4), nn.BatchNorm1d(4), nn.Tanh())


def change(net):
    """Move every parameter and every buffer, as training does."""
    for p in net.parameters():
        p.array += np.random.default_rng(0).standard_normal(p.shape).astype("f")
    net(mg.randn(8, 3))


def values(net):
    return {name: t.numpy().copy() for name, t in net.state_dict().items()}


def test_it_starts_as_a_copy_in_evaluation_mode_that_does_not_learn():
    net = network()
    ema = EMA(net, 0.9)
    assert not any(m.training for m in ema.module.modules())
    assert not any(p.requires_grad for p in ema.module.parameters())
    before = values(ema.module)
    change(net)
    for name, value in values(ema.module).items():
        np.testing.assert_array_equal(value, before[name])
    assert net.training and all(p.requires_grad for p in net.parameters())


def test_decay_0_equals_the_source_buffers_included():
    net = network()
    ema = EMA(net, 0.0)
    for _ in range(3):
        change(net)
        ema.update()
        source = values(net)
        assert values(ema.module).keys() == source.keys()
        for name, value in values(ema.module).items():
            np.testing.assert_array_equal(value, source[name], err_msg=name)


def test_the_formula_with_its_warm_up():
    """d = min(decay, (1 + t)/(10 + t)): 0.1, 2/11, 3/12, ... until the decay is reached."""
    net = network().double()
    ema = EMA(net, 0.2)
    average = values(ema.module)
    for decay in (1 / 10, 2 / 11, 0.2, 0.2):
        change(net)
        ema.update()
        source = values(net)
        for name, value in values(ema.module).items():
            if value.dtype.kind == "f":
                average[name] = decay * average[name] + (1 - decay) * source[name]
                np.testing.assert_allclose(value, average[name], rtol=1e-13, err_msg=name)
    assert values(ema.module)["1.num_batches_tracked"] == 4


def test_it_continues_from_its_state():
    net = network()
    one, other = EMA(net, 0.9), EMA(net, 0.9)
    for _ in range(3):
        change(net)
        one.update()
    other.load_state_dict(one.state_dict())
    change(net)
    one.update(), other.update()
    for name, value in values(one.module).items():
        np.testing.assert_array_equal(value, values(other.module)[name], err_msg=name)


@pytest.mark.parametrize("decay", [-0.1, 1.0, float("nan")])
def test_a_decay_out_of_range_is_refused(decay):
    with pytest.raises(ValueError, match=r"an EMA's decay lies in \[0, 1\), got"):
        EMA(network(), decay)
