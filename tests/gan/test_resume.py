"""N steps, a file, and N more are 2N steps, bit for bit."""

import json

import numpy as np
import pytest

import minigan as mg
from minigan.data import DataLoader
from minigan.gan import Minimax
from minigan.saving import load_tree, save_tree


def mlp_game(**options):
    generator = mg.zoo.mlp.generator((1, 8, 8), latent_dim=4, hidden=[12], batch_norm=True)
    discriminator = mg.zoo.mlp.discriminator((1, 8, 8), hidden=[12], dropout=0.3)
    return Minimax(generator, discriminator, **options)


def dcgan_game(**options):
    networks = mg.zoo.build("dcgan", (1, 8, 8), {"latent_dim": 4, "channels": 3}, {"channels": 3})
    return Minimax(*networks, **options)


def loader():
    return DataLoader(mg.data.digits().subset(range(40)), 8, shuffle=True, seed=1)


def flat(tree, path=""):
    """Every leaf of a state under its dotted path."""
    if isinstance(tree, dict):
        return {
            k: v for key, value in tree.items() for k, v in flat(value, f"{path}.{key}").items()
        }
    if isinstance(tree, (list, tuple)):
        return flat(dict(enumerate(tree)), path)
    return {path: tree.numpy() if isinstance(tree, mg.Tensor) else tree}


CASES = [
    (mlp_game, {"ema": 0.9}),
    (mlp_game, {"d_steps": 2, "objective": "minimax"}),  # 5 batches: a pair spans two epochs
    (dcgan_game, {"ema": 0.9, "d_steps": 2, "real_label": 0.9}),
]


@pytest.mark.parametrize(("make", "options"), CASES)
def test_a_resumed_game_continues_bit_for_bit(tmp_path, make, options):
    mg.manual_seed(7)
    whole = make(**options)
    rows = whole.fit(loader(), 6).rows

    mg.manual_seed(7)
    first = make(**options)
    played = first.fit(loader(), 3).rows
    save_tree(first.state_dict(), tmp_path / "state")
    mg.manual_seed(12345)  # another process: other weights, and another place in the random numbers
    second = make(**options)
    second.fit(loader(), 1)
    second.load_state_dict(load_tree(tmp_path / "state"))
    played += second.fit(loader(), 6).rows

    assert played == rows
    expected, got = flat(whole.state_dict()), flat(second.state_dict())
    assert got.keys() == expected.keys()
    for name, value in expected.items():
        np.testing.assert_array_equal(got[name], value, err_msg=name)
    for game, name in ((whole, "whole"), (second, "second")):
        save_tree(game.state_dict(), tmp_path / name)
    assert (tmp_path / "second").read_bytes() == (tmp_path / "whole").read_bytes()


def test_the_state_holds_all_that_the_next_step_depends_on():
    names = flat(mlp_game(ema=0.9).state_dict())
    for part in (
        ".generator.0.weight",
        ".generator.1.running_mean",
        ".discriminator.1.bias",
        ".ema.module.1.running_var",
        ".ema.updates",
        ".random.counter",
        ".g_optimizer.param_groups.0.lr",
        ".epoch",
        ".step",
        ".d_updates",
    ):
        assert part in names, part
    game = mlp_game()
    game.fit(loader(), 1)
    names = flat(game.state_dict())
    for part in (".g_optimizer.state.0.exp_avg", ".d_optimizer.state.3.exp_avg_sq"):
        assert part in names, part


def test_the_state_without_its_arrays_is_json():
    def numbers(node):
        if isinstance(node, dict):
            return {str(k): numbers(v) for k, v in node.items()}
        return None if isinstance(node, (mg.Tensor, np.ndarray, list)) else node

    json.dumps(numbers(mlp_game(ema=0.9).state_dict()))


def test_a_state_of_other_networks_is_refused_and_says_what_differs():
    with pytest.raises(ValueError, match="differ in whether they keep an EMA"):
        mlp_game(ema=0.9).load_state_dict(mlp_game().state_dict())
    with pytest.raises(ValueError, match=r"this state does not fit Sequential:\n  (missing|unex)"):
        mlp_game().load_state_dict(dcgan_game().state_dict())
    wider = Minimax(mg.zoo.mlp.generator((1, 8, 8), 4, [13]), mg.zoo.mlp.discriminator((1, 8, 8)))
    narrow = Minimax(mg.zoo.mlp.generator((1, 8, 8), 4, [12]), mg.zoo.mlp.discriminator((1, 8, 8)))
    with pytest.raises(ValueError, match=r"0\.weight: expected \(13, 4\), got \(12, 4\)"):
        wider.load_state_dict(narrow.state_dict())
