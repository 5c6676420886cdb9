"""Hooks around an optimiser's step, as PyTorch calls them."""

import copy

import pytest

import minigan as mg
from minigan.optim import SGD, Adam


@pytest.mark.parametrize("kind", [Adam, SGD])
def test_hooks_are_called_around_the_step_until_they_are_removed(kind):
    w, told = mg.nn.Parameter(mg.ones(1)), []
    optimizer = kind([w], lr=0.5)
    before = optimizer.register_step_pre_hook(
        lambda o, args, kwargs: told.append(("before", o is optimizer, args, kwargs, w.item()))
    )
    optimizer.register_step_post_hook(
        lambda o, args, kwargs: told.append(("after", o is optimizer, args, kwargs, w.item()))
    )
    w.grad = mg.ones(1)
    optimizer.step()
    assert [t[:4] for t in told] == [
        ("before", True, (None,), {}), ("after", True, (None,), {})
    ]  # fmt: skip
    assert told[0][4] == 1 and told[1][4] == pytest.approx(0.5)
    before.remove()
    optimizer.step()
    assert [t[0] for t in told] == ["before", "after", "after"]


def test_a_hook_may_change_the_gradient_and_an_error_in_it_stops_the_step():
    w = mg.nn.Parameter(mg.ones(1))
    optimizer = SGD([w], lr=1.0)

    def halve(o, args, kwargs):
        w.grad = w.grad / 2

    optimizer.register_step_pre_hook(halve)
    w.grad = mg.ones(1)
    optimizer.step()
    assert w.item() == 0.5

    def refuse(o, args, kwargs):
        raise ArithmeticError("not now")

    optimizer.register_step_pre_hook(refuse)
    with pytest.raises(ArithmeticError, match="not now"):
        optimizer.step()
    assert w.item() == 0.5


def test_a_copied_game_has_hooks_of_its_own():
    game = mg.gan.Minimax(*mg.zoo.build("mlp", (2,), {"latent_dim": 3}), ema=0.9)
    twin = copy.deepcopy(game)
    twin.step_discriminator(mg.ones(4, 2))
    twin.step_generator(4)
    assert (twin.d_updates, twin.step, twin.ema.updates) == (1, 1, 1)
    assert (game.d_updates, game.step, game.ema.updates) == (0, 0, 0)
