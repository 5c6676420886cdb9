"""What must hold of whole trainings on a GPU: with ``-m gpu`` on CuPy, else on its stand-in."""

import numpy as np
import pytest

import minigan as mg
from minigan import array as backend
from minigan import data
from minigan.gan import Checkpoints
from minigan.saving import load_tree
from minigan.studio.runs import Config

GAMES = {
    "mlp": {"model": "mlp", "data": "digits"},
    "dcgan": {"model": "dcgan", "data": "digits", "discriminator": {"channels": 8},
              "generator": {"channels": 8}},
    "wgan-gp": {"model": "mlp", "data": "digits", "objective": "wasserstein",
                "penalties": ["gradient-penalty=10"]},
    "ring": {"model": "mlp", "data": "ring", "batch_size": 64},
}  # fmt: skip


def game_on(device, name, double=False):
    """A game made from its seed, and its data as an array."""
    mg.set_default_device(device)
    config = Config.of(**GAMES[name], seed=1)
    dataset = config.dataset()
    game = config.game(dataset.shape)
    if double:
        game.generator.double()
        game.discriminator.double()
    return game, dataset[:128]


def curve(device, name, steps, double=False):
    """The losses of each step."""
    game, samples = game_on(device, name, double)
    samples = samples.astype("float64" if double else "float32")
    rows = []
    for i in range(steps):
        real = mg.tensor(samples[i % 2 * 64 :][:64], device=device)
        rows.append([*game.step_discriminator(real).values(), *game.step_generator(64).values()])
    return np.array(rows)


@pytest.mark.parametrize("name", GAMES)
def test_the_same_seed_gives_the_same_curve_as_on_the_cpu(name):
    """To float64's rounding, which training amplifies."""
    cpu, gpu = (curve(device, name, 4, double=True) for device in ("cpu", "cuda"))
    np.testing.assert_allclose(gpu, cpu, rtol=1e-7)


def test_weights_data_order_and_noise_do_not_depend_on_the_device():
    games = {device: game_on(device, "mlp")[0] for device in ("cpu", "cuda")}
    for p, q in zip(*(g.generator.parameters() for g in games.values()), strict=True):
        np.testing.assert_array_equal(p.detach().numpy(), q.detach().numpy())
    noise = []
    for game in games.values():
        mg.manual_seed(3)
        noise.append(game.sample_noise(9).numpy())
    np.testing.assert_allclose(noise[0], noise[1], rtol=1e-6, atol=1e-6)


@pytest.mark.parametrize("name", ["mlp", "dcgan"])
def test_a_resumed_game_continues_bit_for_bit(name, tmp_path):
    """N + resume + N is 2N, also on a device."""

    def fit(game, samples, epochs, *callbacks):
        loader = data.DataLoader(data.Dataset.from_array(samples), 64, shuffle=True)
        game.fit(loader, epochs, list(callbacks))
        return {name: p.numpy() for name, p in game.generator.state_dict().items()}

    whole = fit(*game_on("cuda", name), 4)
    game, samples = game_on("cuda", name)
    fit(game, samples, 2, Checkpoints(tmp_path / "state"))
    mg.manual_seed(99)
    second, _ = game_on("cuda", name)
    second.load_state_dict(load_tree(tmp_path / "state"))
    for key, value in fit(second, samples, 4).items():
        np.testing.assert_array_equal(value, whole[key], err_msg=key)


def test_a_checkpoint_of_one_device_goes_on_on_the_other(tmp_path):
    game, samples = game_on("cuda", "mlp")
    real = mg.tensor(samples[:64], device="cuda")
    for _ in range(3):
        game.step_discriminator(real)
        game.step_generator(64)
    mg.gan.Checkpoints(tmp_path / "state").on_epoch(game, last=True)
    state = load_tree(tmp_path / "state")
    host, _ = game_on("cpu", "mlp")
    host.load_state_dict(state)
    assert next(host.generator.parameters()).device == "cpu"
    expected = host.step_discriminator(mg.tensor(samples[:64]))
    mg.random.set_random_state(state["random"])
    assert game.step_discriminator(real) == pytest.approx(expected, rel=1e-5)


@pytest.mark.gpu
def test_memory_is_stable_over_a_thousand_steps():
    cupy = backend.module_of(mg.zeros(1, device="cuda").array)
    game, samples = game_on("cuda", "mlp")
    real = mg.tensor(samples[:64], device="cuda")
    used = []
    for i in range(1000):
        game.step_discriminator(real)
        game.step_generator(64)
        if i % 100 == 99:
            used.append(cupy.get_default_memory_pool().used_bytes())
    assert len(set(used)) == 1, used
