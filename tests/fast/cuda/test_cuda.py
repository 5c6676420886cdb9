"""Whole steps as CUDA graphs, on the stand-in for CuPy, which records and replays like a stream."""

import copy
import warnings
from types import SimpleNamespace

import numpy as np
import pytest
import standin

import minigan as mg
from minigan import nn
from minigan.fast.cuda import capture, twins
from minigan.gan import Minimax
from minigan.optim import SGD, Adam, AdamW, RMSprop
from minigan.optim.lr_scheduler import StepLR


@pytest.fixture(autouse=True)
def same_products(device, monkeypatch):
    """Products in plain steps are those of recorded ones, so that both agree bit for bit."""
    monkeypatch.setattr(twins, "recording", lambda: True)
    started = SimpleNamespace(graphs=0)
    replayed = capture._Graph.__call__

    def counted(self, *inputs):
        started.graphs += 1
        return replayed(self, *inputs)

    monkeypatch.setattr(capture._Graph, "__call__", counted)
    return started


def networks():
    mg.manual_seed(1)
    generator = nn.Sequential(
        nn.Linear(3, 8), nn.BatchNorm1d(8), nn.ReLU(), nn.Linear(8, 4), nn.Tanh()
    )
    discriminator = nn.Sequential(nn.Linear(4, 8), nn.LeakyReLU(0.2), nn.Dropout(0.3))
    return generator, nn.Sequential(*discriminator, nn.Linear(8, 1))


def play(steps, **options):
    """The rows of a game, its weights, and the game."""
    game = Minimax(*networks(), ema=0.9, **options)
    real = mg.rand(steps, 8, 4) * 2 - 1
    rows = []
    for batch in real:
        rows.append(
            game.step_simultaneously(batch)
            if game.simultaneous
            else {**game.step_discriminator(batch), **game.step_generator(8, batch)}
        )
    state = {name: p.numpy() for name, p in game.ema.module.state_dict().items()}
    return rows, state, game


def same(a, b):
    assert a[0] == b[0]
    assert a[1].keys() == b[1].keys()
    for name, value in a[1].items():
        np.testing.assert_array_equal(b[1][name], value, err_msg=name)


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"objective": "hinge", "penalties": ["r1=1"], "clip_grad_norm": 0.1},
        {"objective": "wasserstein", "penalties": ["gradient-penalty=10"]},
        {"objective": "relativistic", "instance_noise": 0.1},
        {"penalties": ["dragan"], "consensus": 0.1},
        {"simultaneous": True},
    ],
    ids=str,
)
def test_a_captured_game_is_the_game_bit_for_bit(options, same_products):
    plain = play(7, **options)
    assert same_products.graphs == 0
    captured = play(7, capture=True, **options)
    assert same_products.graphs == 5 * (1 if options.get("simultaneous") else 2)
    same(plain, captured)
    assert (captured[2].step, captured[2].d_updates, captured[2].ema.updates) == (7, 7, 7)


@pytest.mark.parametrize(
    "make",
    [
        lambda p: Adam(p, 0.1, amsgrad=True),
        lambda p: AdamW(p, 0.1),
        lambda p: SGD(p, 0.1, momentum=0.9, nesterov=True),
        lambda p: SGD(p, 0.1, momentum=0.9, dampening=0.5),
        lambda p: RMSprop(p, 0.1, momentum=0.9, centered=True),
    ],
)
def test_every_optimiser_counts_on_when_replayed(make, same_products):
    def run(wrap):
        mg.manual_seed(2)
        layer = nn.Linear(3, 1)
        optimizer = make(layer.parameters())
        schedule = StepLR(optimizer, 2)

        def step(x):
            loss = (layer(x) ** 2).mean()
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            return loss

        step = wrap(step)
        losses = []
        for x in mg.randn(8, 4, 3):
            losses.append(step(x).item())
            schedule.step()
        return losses, layer.weight.detach().numpy(), optimizer.state_dict()["state"][0].get("step")

    (a, w, t), (b, v, s) = run(lambda f: f), run(mg.cuda.graph)
    assert a == b and t == s and (w == v).all()
    assert same_products.graphs == 6


def test_one_call_starts_the_whole_step(device, same_products):
    _, _, game = play(4, capture=True)
    batch = mg.rand(8, 4)
    standin.counts.reset()
    before = same_products.graphs
    with standin.no_sync():
        game.step_discriminator(batch)
    assert same_products.graphs == before + 1
    if device == "standin":
        assert standin.counts.graphs == 1 and standin.counts.launches <= 2
        assert standin.counts.downloads == 1  # the losses


@pytest.mark.parametrize(
    "options, why",
    [
        ({"penalties": ["r1=1,every=4"]}, "comes only every so often"),
        ({"instance_noise": 0.1, "noise_steps": 5}, "the instance noise fades"),
        ({"unroll": 1}, "unrolling goes on"),
    ],
)
def test_what_can_not_be_recorded_says_so_and_goes_on(options, why):
    if "every" in str(options):
        options = {"penalties": [mg.gan.penalties.R1(1.0, every=4)]}
    plain = play(6, **options)
    with pytest.warns(UserWarning, match=f"this step is not recorded: .*{why}"):
        captured = play(6, capture=True, **options)
    same(plain, captured)


def test_a_step_that_looks_at_values_is_not_recorded():
    calls = []

    @mg.cuda.graph
    def step(x):
        calls.append(x)
        return x * 2 if x.sum().item() > 0 else x

    x = mg.ones(2)
    with pytest.warns(UserWarning, match="not recorded: .*cudaErrorStreamCaptureUnsupported"):
        results = [step(x * i).tolist() for i in range(1, 6)]
    assert results == [[2.0 * i] * 2 for i in range(1, 6)] and len(calls) == 6


def test_other_shapes_and_the_cpu_run_the_function_itself(same_products):
    step = mg.cuda.graph(lambda x: x * 2)
    for _ in range(4):
        assert step(mg.ones(2)).tolist() == [2, 2]
    assert step(mg.ones(3)).tolist() == [2, 2, 2]
    assert step(mg.ones(2, device="cpu")).tolist() == [2, 2]
    assert same_products.graphs == 2


def test_on_the_cpu_nothing_is_recorded(monkeypatch):
    mg.set_default_device("cpu")
    with warnings.catch_warnings(action="error"):
        step = mg.cuda.graph(lambda x: x + 1)
        assert [step(mg.zeros(1)).item() for _ in range(5)] == [1] * 5


def test_a_game_on_the_cpu_says_that_it_is_not_recorded():
    mg.set_default_device("cpu")
    with pytest.warns(UserWarning, match="recorded on a GPU, but this game is on the CPU"):
        game = Minimax(*networks(), capture=True)
    assert game.step_generator(4)["g_loss"] > 0


def test_a_loss_that_is_not_finite_is_noticed_after_a_replay():
    _, _, game = play(4, capture=True)
    with pytest.raises(mg.gan.Diverged, match="discriminator's loss became nan at step 5"):
        game.step_discriminator(mg.full((8, 4), float("nan")))


def test_tf32_is_chosen_before_cupy_is_loaded():
    with pytest.raises(RuntimeError, match="set CUPY_TF32=1"):
        mg.cuda.allow_tf32()
    with pytest.MonkeyPatch.context() as patch:
        patch.delitem(mg.cuda.sys.modules, "cupy")
        patch.setenv("CUPY_TF32", "0")
        mg.cuda.allow_tf32()
        assert mg.cuda.os.environ["CUPY_TF32"] == "1"


def test_a_game_can_go_back_after_it_was_recorded():
    """Weights, averages, schedules and random numbers of a loaded state are those that count."""

    def there_and_back(**options):
        mg.manual_seed(4)
        game = Minimax(*networks(), ema=0.9, scheduler=lambda o: StepLR(o, 1, 0.5), **options)
        state, rows = copy.deepcopy(game.state_dict()), []
        for _ in range(2):
            game.load_state_dict(state)
            for batch in mg.rand(5, 8, 4):
                rows.append({**game.step_discriminator(batch), **game.step_generator(8, batch)})
                for schedule in game.schedulers:
                    schedule.step()
        return rows

    plain, captured = there_and_back(), there_and_back(capture=True)
    assert captured == plain and plain[:5] == plain[5:]


def test_an_optimiser_that_goes_back_is_followed_by_its_graph(same_products):
    def run(wrap):
        mg.manual_seed(2)
        layer = nn.Linear(3, 1)
        optimizer = Adam(layer.parameters(), 0.1)

        def step(x):
            loss = ((layer(x) + mg.randn(4, 1)) ** 2).mean()
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            return loss

        step, losses = wrap(step), []
        weights, state = layer.state_dict(), optimizer.state_dict()
        weights = {name: mg.tensor(w) for name, w in weights.items()}
        for lr in (0.1, 0.01):
            layer.load_state_dict(weights)
            optimizer.load_state_dict(state)
            optimizer.param_groups[0]["lr"] = lr
            mg.manual_seed(7)
            losses += [step(x).item() for x in mg.randn(5, 4, 3)]
        return losses

    assert run(mg.cuda.graph) == run(lambda f: f)
    assert same_products.graphs == 8


def test_more_than_eight_arrays_are_joined():
    step = mg.cuda.graph(lambda x: mg.cat([x * i for i in range(30)]))
    for i in range(4):
        assert step(mg.full((2,), float(i))).tolist() == [
            float(i * j) for j in range(30) for _ in "ab"
        ]


def test_a_recorded_step_within_a_recorded_step(same_products):
    inner = mg.cuda.graph(lambda x: x + 1)
    outer = mg.cuda.graph(lambda x: inner(x) * 2)
    with warnings.catch_warnings(action="error"):
        assert [outer(mg.ones(1) * i).item() for i in range(6)] == [2.0 * (i + 1) for i in range(6)]
