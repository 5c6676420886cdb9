"""check.routes: which parameters received gradient, and by which way."""

import gc
import weakref

import pytest

import minigan as mg
from minigan import autograd, check, nn


@pytest.fixture
def networks():
    generator = nn.Sequential(nn.Linear(2, 4), nn.ReLU(), nn.Linear(4, 3))
    discriminator = nn.Sequential(nn.Linear(3, 4), nn.LeakyReLU(0.2), nn.Linear(4, 1))
    return generator, discriminator


def fooled(discriminator, fake):
    return nn.functional.binary_cross_entropy_with_logits(
        discriminator(fake), mg.zeros(len(fake), 1)
    )


def test_a_right_step_of_the_discriminator(networks):
    g, d = networks
    with check.routes(generator=g, discriminator=d) as routes:
        fooled(d, g(mg.randn(5, 2)).detach()).backward()
    routes.assert_touches(d)
    routes.assert_untouched(g)
    assert set(routes.touched) == {f"discriminator.{n}" for n, _ in d.named_parameters()}


def test_a_missing_detach_shows_the_path(networks):
    g, d = networks
    with check.routes(generator=g, discriminator=d) as routes:
        fake = g(mg.randn(5, 2))
        routes.name(fake=fake)
        fooled(d, fake).backward()
    routes.assert_touches(g, d)
    with pytest.raises(check.RouteError) as caught:
        routes.assert_untouched(g)
    assert str(caught.value) == (
        "generator.0.weight (and 3 more) received gradient through discriminator.2 <- "
        "discriminator.0 <- fake: missing detach()?"
    )
    assert routes.touched["generator.2.bias"] == (
        "div <- sum <- bce_with_logits <- discriminator.2 <- leaky_relu <- discriminator.0 <- fake"
    )


def test_the_step_that_named_layers_took(networks):
    g, d = networks
    with check.routes(generator=g, discriminator=d) as routes:
        fooled(d, g(mg.randn(5, 2))).backward()
    assert routes.touched["generator.0.weight"].endswith(
        "discriminator.0 <- generator.2 <- relu <- generator.0"
    )


def test_without_names(networks):
    g, d = networks
    with check.routes() as routes:
        fooled(d, g(mg.randn(5, 2))).backward()
    routes.assert_touches(d)
    with pytest.raises(check.RouteError, match="0.weight .* through div <- sum <- bce_with_logits"):
        routes.assert_untouched(g)


def test_untouched_parameters_are_named(networks):
    g, d = networks
    with check.routes(generator=g, discriminator=d) as routes:
        fooled(d, g(mg.randn(5, 2)).detach()).backward()
    with pytest.raises(check.RouteError, match=r"generator.0.weight received no .*detach"):
        routes.assert_touches(g)
    d.requires_grad_(False)
    with check.routes(discriminator=d) as routes:
        fooled(d, g(mg.randn(5, 2))).backward()
    with pytest.raises(check.RouteError, match="does not require grad"):
        routes.assert_touches(d)
    routes.assert_untouched(d)


def test_tensors():
    a, b = mg.randn(3, requires_grad=True), mg.randn(3, requires_grad=True)
    with check.routes(a=a, b=b) as routes:
        mg.exp(a * b.detach()).sum().backward()
    routes.assert_touches(a)
    routes.assert_untouched(b)
    with pytest.raises(check.RouteError, match="a received gradient through sum <- exp <- mul:"):
        routes.assert_untouched(a)
    with pytest.raises(TypeError, match="module or a tensor"):
        routes.assert_touches("a")


@pytest.mark.twins  # a layer that one twin computes is one step
def test_a_layer_of_several_operations_is_one_step():
    x, norm = mg.randn(2, 3, requires_grad=True), nn.LayerNorm(3)
    with check.routes(x=x, norm=norm) as routes:
        norm(x).sum().backward()
    assert routes.touched["x"] == "sum <- norm <- standardize"


def test_a_new_tensor_in_an_old_ones_place_is_another():
    with check.routes() as routes:
        for _ in range(20):
            old = mg.randn(3, requires_grad=True)
            (2 * old).sum().backward()
            place = id(old)
            del old
            new = mg.randn(3, requires_grad=True)
            routes.assert_untouched(new)
            if id(new) == place:
                return
    pytest.skip("no place was used again")


def test_every_backward_inside_counts_and_none_outside(networks):
    g, d = networks
    fooled(d, g(mg.randn(5, 2))).backward()
    with check.routes(generator=g, discriminator=d) as routes:
        fooled(d, mg.randn(5, 3)).backward()
        routes.assert_untouched(g)
        g(mg.randn(5, 2)).sum().backward()
    routes.assert_touches(g, d)
    with check.routes(generator=g) as routes:
        pass
    fooled(d, g(mg.randn(5, 2))).backward()
    routes.assert_untouched(g)
    assert repr(routes) == "no gradient arrived"


def test_it_stops_listening_after_an_error():
    with pytest.raises(KeyError), check.routes():
        raise KeyError("in the step")
    assert autograd.listeners == []


def test_no_graph_is_kept(networks):
    g, d = networks
    gc.disable()
    try:
        with check.routes(generator=g, discriminator=d) as routes:
            fake = g(mg.randn(5, 2))
            routes.name(fake=fake)
            loss = fooled(d, fake)
            loss.backward()
            alive = [weakref.ref(fake), weakref.ref(loss)]
            del fake, loss
            assert [ref() for ref in alive] == [None, None]
    finally:
        gc.enable()
    routes.assert_touches(g)
