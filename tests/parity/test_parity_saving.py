"""Weights travel to PyTorch and back through safetensors, unchanged."""

import numpy as np
import pytest

import minigan as mg

torch = pytest.importorskip("torch")
safetensors_torch = pytest.importorskip("safetensors.torch")
pytestmark = pytest.mark.parity
torch.set_num_threads(1)  # with layers this small, threads would only wait for each other


def same_in_torch(network):
    """The same layers in PyTorch, whose constructors have the same names and arguments."""
    nn = torch.nn
    layers = []
    for layer in network:
        name = type(layer).__name__
        if name in ("Conv2d", "ConvTranspose2d"):
            out, inner = layer.weight.shape[:2]
            c_in, c_out = (inner, out) if name == "Conv2d" else (out, inner)
            layers.append(getattr(nn, name)(c_in, c_out, 4, stride=2, padding=1))
        elif name == "Linear":
            layers.append(nn.Linear(layer.weight.shape[1], layer.weight.shape[0]))
        elif name in ("BatchNorm1d", "BatchNorm2d"):
            layers.append(getattr(nn, name)(layer.weight.shape[0]))
        elif name == "Unflatten":
            layers.append(nn.Unflatten(layer.dim, layer.unflattened_size))
        elif name == "LeakyReLU":
            layers.append(nn.LeakyReLU(0.2))
        else:
            layers.append(getattr(nn, name)())
    return nn.Sequential(*layers)


def trained(model):
    """A game whose batch norms have statistics and whose weights have moved."""
    g_options = {"latent_dim": 5} | ({"batch_norm": True} if model == "mlp" else {"channels": 4})
    d_options = {} if model == "mlp" else {"channels": 4}
    game = mg.gan.Minimax(*mg.zoo.build(model, (1, 8, 8), g_options, d_options))
    game.fit([mg.randn(8, 1, 8, 8) for _ in range(3)], epochs=1)
    return game.generator, game.discriminator


@pytest.mark.parametrize("model", ["mlp", "dcgan"])
@pytest.mark.parametrize("which", [0, 1], ids=["generator", "discriminator"])
@pytest.mark.parametrize(("dtype", "rtol"), [("float32", 2e-5), ("float64", 1e-10)])
def test_weights_load_into_the_same_pytorch_module_and_back(tmp_path, model, which, dtype, rtol):
    network = trained(model)[which].to(dtype=dtype)
    mg.save(network.state_dict(), tmp_path / "ours")
    theirs = same_in_torch(network).to(getattr(torch, dtype))
    state = safetensors_torch.load_file(tmp_path / "ours")
    theirs.load_state_dict(state, strict=True)
    assert list(theirs.state_dict()) == list(network.state_dict())
    for name, value in network.state_dict().items():
        found = theirs.state_dict()[name].numpy()
        np.testing.assert_array_equal(found, value.numpy(), err_msg=name, strict=True)

    x = mg.randn(4, 5, dtype=dtype) if which == 0 else mg.randn(4, 1, 8, 8, dtype=dtype)
    with mg.no_grad(), torch.no_grad():
        for mode in ("eval", "train"):
            getattr(network, mode)(), getattr(theirs, mode)()
            expected = theirs(torch.from_numpy(x.numpy())).numpy()
            np.testing.assert_allclose(network(x).numpy(), expected, rtol=rtol, atol=rtol)

    # Back: PyTorch has moved its running statistics, and changes its weights.
    with torch.no_grad():
        for p in theirs.parameters():
            p.mul_(1.5)
    safetensors_torch.save_file(theirs.state_dict(), tmp_path / "theirs")
    fresh = trained(model)[which].to(dtype=dtype)
    fresh.load_state_dict(mg.load(tmp_path / "theirs"))
    with mg.no_grad(), torch.no_grad():
        expected = theirs.eval()(torch.from_numpy(x.numpy())).numpy()
        np.testing.assert_allclose(fresh.eval()(x).numpy(), expected, rtol=rtol, atol=rtol)
