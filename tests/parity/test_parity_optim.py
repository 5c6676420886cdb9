"""Optimisers and schedules against PyTorch, step by step, on a small network."""

import numpy as np
import pytest

import minigan as mg

torch = pytest.importorskip("torch")
pytestmark = pytest.mark.parity

TOLERANCE = {"float64": 1e-10, "float32": 2e-5}
STEPS = 200

# name, settings
CASES = [
    ("SGD", {"lr": 0.05}),
    ("SGD", {"lr": 0.05, "weight_decay": 0.1}),
    ("SGD", {"lr": 0.02, "momentum": 0.9}),
    ("SGD", {"lr": 0.02, "momentum": 0.9, "dampening": 0.3, "weight_decay": 0.01}),
    ("SGD", {"lr": 0.02, "momentum": 0.9, "nesterov": True, "weight_decay": 0.01}),
    ("SGD", {"lr": 0.02, "momentum": 0.5, "weight_decay": 0.01, "maximize": True}),
    ("RMSprop", {"lr": 1e-3}),
    ("RMSprop", {"lr": 1e-4, "alpha": 0.9, "weight_decay": 0.1}),
    ("RMSprop", {"lr": 1e-3, "momentum": 0.5}),
    ("RMSprop", {"lr": 1e-3, "eps": 1e-3, "centered": True}),
    ("RMSprop", {"lr": 1e-4, "eps": 1e-3, "centered": True, "momentum": 0.9, "maximize": True}),
    ("Adam", {}),
    ("Adam", {"lr": 2e-4, "betas": (0.5, 0.999)}),
    ("Adam", {"lr": 1e-4, "betas": (0.0, 0.9)}),
    ("Adam", {"lr": 1e-2, "eps": 1e-3, "weight_decay": 0.1}),
    ("Adam", {"lr": 1e-2, "amsgrad": True, "betas": (0.4, 0.9)}),
    ("Adam", {"lr": 1e-3, "amsgrad": True, "weight_decay": 0.1, "maximize": True}),
    ("AdamW", {}),
    ("AdamW", {"lr": 1e-3, "weight_decay": 0.5, "betas": (0.5, 0.99)}),
    ("AdamW", {"lr": 1e-2, "weight_decay": 0.1, "amsgrad": True, "maximize": True}),
]


def name_of(case):
    return f"{case[0]}({', '.join(f'{k}={v}' for k, v in case[1].items())})"


class Network:
    """The same least squares problem, y = s tanh(x W₁ᵀ + b₁) W₂ᵀ + b₂, in either library."""

    SHAPES = ((8, 5), (8,), (3, 8), (1, 3), ())

    def __init__(self, library, dtype):
        rng = np.random.default_rng(1)
        self.make = library.tensor
        draws = [rng.standard_normal(shape) for shape in self.SHAPES]
        self.params = [self.make(np.asarray(d, dtype), requires_grad=True) for d in draws]
        self.x = self.make(rng.standard_normal((16, 5)).astype(dtype))
        self.target = self.make(rng.standard_normal((16, 3)).astype(dtype))

    def backward(self, sign=1.0):
        w1, b1, w2, b2, scale = self.params
        hidden = (self.x @ w1.transpose(0, 1) + b1).tanh()
        y = scale * (hidden @ w2.transpose(0, 1)) + b2
        (sign * ((y - self.target) ** 2).mean()).backward()

    def values(self):
        return [np.asarray(p.detach().numpy()) for p in self.params]


def assert_same(mine, theirs, dtype):
    for a, b in zip(mine.values(), theirs.values(), strict=True):
        assert a.dtype == b.dtype == dtype
        scale = max(np.abs(b).max(), 1e-3)
        np.testing.assert_allclose(a / scale, b / scale, rtol=0, atol=TOLERANCE[dtype])


def train(mine, theirs, ours, reference, dtype, sign, skip=lambda i: (), after=None, steps=STEPS):
    """Train in both libraries; parameters whose number is in ``skip(i)`` have no gradient."""
    for i in range(steps):
        for network, optimizer in ((mine, ours), (theirs, reference)):
            optimizer.zero_grad()
            network.backward(sign)
            for k in skip(i):
                network.params[k].grad = None
            optimizer.step()
        if after:
            after()
        if i % 20 == 19 or i < 3:
            assert_same(mine, theirs, dtype)


@pytest.mark.parametrize("dtype", TOLERANCE)
@pytest.mark.parametrize("case", CASES, ids=name_of)
def test_follows_pytorch(case, dtype):
    name, settings = case
    mine, theirs = Network(mg, dtype), Network(torch, dtype)
    ours = getattr(mg.optim, name)(mine.params, **settings)
    reference = getattr(torch.optim, name)(theirs.params, **settings)
    start = mine.values()[0].copy()
    train(mine, theirs, ours, reference, dtype, -1.0 if settings.get("maximize") else 1.0)
    assert np.abs(mine.values()[0] - start).max() > 1e-2  # it went somewhere


@pytest.mark.parametrize("dtype", TOLERANCE)
@pytest.mark.parametrize("case", CASES, ids=name_of)
def test_equal_gradients_give_equal_digits(case, dtype):
    """Without a network, whose training magnifies rounding; gradients of many magnitudes."""
    name, settings = case
    rng = np.random.default_rng(2)
    start = rng.standard_normal((4, 3)).astype(dtype)
    p, q = mg.tensor(start, requires_grad=True), torch.tensor(start, requires_grad=True)
    ours = getattr(mg.optim, name)([p], **settings)
    reference = getattr(torch.optim, name)([q], **settings)
    for _ in range(STEPS):
        g = rng.standard_normal((4, 3)) * 10 ** rng.uniform(-6, 0, (4, 3))
        p.grad, q.grad = mg.tensor(g.astype(dtype)), torch.tensor(g.astype(dtype))
        ours.step()
        reference.step()
    error = np.abs(p.array - q.detach().numpy()).max()
    assert error <= 20 * np.finfo(dtype).eps * np.abs(p.array).max()


@pytest.mark.parametrize("case", CASES, ids=name_of)
def test_parameters_without_gradient_are_skipped_as_in_pytorch(case):
    def skip(i):
        return [k for k, every in ((0, 3), (3, 5), (4, 2)) if i % every == 0]

    name, settings = case
    mine, theirs = Network(mg, "float64"), Network(torch, "float64")
    ours = getattr(mg.optim, name)(mine.params, **settings)
    reference = getattr(torch.optim, name)(theirs.params, **settings)
    sign = -1.0 if settings.get("maximize") else 1.0
    train(mine, theirs, ours, reference, "float64", sign, skip, steps=60)
    for p, q in zip(mine.params, theirs.params, strict=True):
        state, expected = ours.state.get(p, {}), reference.state[q]
        assert state.keys() == expected.keys()
        for key, value in state.items():
            np.testing.assert_allclose(value, expected[key].numpy(), rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("name", ["SGD", "RMSprop", "Adam", "AdamW"])
def test_groups_have_settings_of_their_own(name):
    def groups(network):
        w1, b1, w2, b2, scale = network.params
        return [
            {"params": [w2, w1], "lr": 3e-3},
            {"params": b1, "weight_decay": 0.2},
            {"params": (p for p in (b2, scale))},
        ]

    mine, theirs = Network(mg, "float64"), Network(torch, "float64")
    ours = getattr(mg.optim, name)(groups(mine)[:2], lr=1e-3)
    reference = getattr(torch.optim, name)(groups(theirs)[:2], lr=1e-3)
    ours.add_param_group(groups(mine)[2])
    reference.add_param_group(groups(theirs)[2])
    train(mine, theirs, ours, reference, "float64", 1.0)


SCHEDULES = {
    "StepLR": lambda lib, o: lib.StepLR(o, step_size=30, gamma=0.3),
    "LambdaLR": lambda lib, o: lib.LambdaLR(o, lambda epoch: 0.97**epoch),
    "LambdaLR, two": lambda lib, o: lib.LambdaLR(o, [lambda e: 1 / (1 + e), lambda e: 1 - e / 300]),
    "cosine": lambda lib, o: lib.CosineAnnealingLR(o, T_max=60, eta_min=1e-4),
    "cosine to 0": lambda lib, o: lib.CosineAnnealingLR(o, T_max=200),
    "cosine of 1": lambda lib, o: lib.CosineAnnealingLR(o, T_max=1, eta_min=1e-5),
    "cosine of 7": lambda lib, o: lib.CosineAnnealingLR(o, T_max=7),
}


@pytest.mark.parametrize("schedule", SCHEDULES)
def test_schedules_give_pytorchs_rates_and_parameters(schedule):
    def build(library, network):
        groups = [{"params": network.params[:2]}, {"params": network.params[2:], "lr": 3e-3}]
        optimizer = library.optim.Adam(groups, lr=1e-2)
        return optimizer, SCHEDULES[schedule](library.optim.lr_scheduler, optimizer)

    mine, theirs = Network(mg, "float64"), Network(torch, "float64")
    (ours, scheduler), (reference, expected) = build(mg, mine), build(torch, theirs)

    def step_both():
        scheduler.step()
        expected.step()
        rates = scheduler.get_last_lr()
        np.testing.assert_allclose(rates, expected.get_last_lr(), rtol=1e-12, atol=1e-17)
        assert rates == [group["lr"] for group in ours.param_groups]
        assert scheduler.last_epoch == expected.last_epoch

    train(mine, theirs, ours, reference, "float64", 1.0, after=step_both)


@pytest.mark.filterwarnings("ignore:Detected call of:UserWarning")  # PyTorch wants two steps
@pytest.mark.parametrize("last_epoch", [0, 6, 9, 19, 20])
@pytest.mark.parametrize(
    "make",
    [
        lambda lib, o, last: lib.StepLR(o, 5, last_epoch=last),
        lambda lib, o, last: lib.CosineAnnealingLR(o, 10, 1e-3, last_epoch=last),
        lambda lib, o, last: lib.LambdaLR(o, lambda e: 1 / (1 + e), last_epoch=last),
    ],
)
def test_a_schedule_started_later_goes_on_as_pytorchs(make, last_epoch):
    rates = []
    for library in (mg, torch):
        group = {"params": Network(library, "float64").params, "lr": 0.02, "initial_lr": 0.1}
        optimizer = library.optim.SGD([group])
        optimizer.step()
        scheduler = make(library.optim.lr_scheduler, optimizer, last_epoch)
        rates.append([])
        for _ in range(30):
            rates[-1] += scheduler.get_last_lr()
            scheduler.step()
    np.testing.assert_allclose(*rates, rtol=1e-12)


def test_two_schedules_multiply_as_in_pytorch():
    rates = []
    for library in (mg, torch):
        optimizer = library.optim.SGD(Network(library, "float64").params, lr=0.1)
        schedules = library.optim.lr_scheduler
        both = [schedules.StepLR(optimizer, 7), schedules.CosineAnnealingLR(optimizer, 20)]
        optimizer.step()
        rates.append([])
        for _ in range(60):
            for scheduler in both:
                scheduler.step()
                rates[-1] += scheduler.get_last_lr()
    np.testing.assert_allclose(*rates, rtol=1e-12, atol=1e-17)


@pytest.mark.parametrize("case", CASES, ids=name_of)
def test_continues_from_pytorchs_state(case):
    """PyTorch trains the first half; its state dict, as arrays, is ours."""
    name, settings = case
    sign = -1.0 if settings.get("maximize") else 1.0
    mine, theirs = Network(mg, "float64"), Network(torch, "float64")
    reference = getattr(torch.optim, name)(theirs.params, **settings)
    for _ in range(20):
        reference.zero_grad()
        theirs.backward(sign)
        reference.step()
    for p, value in zip(mine.params, theirs.values(), strict=True):
        p.array = value.copy()
    ours = getattr(mg.optim, name)(mine.params, **settings)
    saved = reference.state_dict()
    arrays = {
        i: {k: v if v is None else v.numpy() for k, v in entry.items()}
        for i, entry in saved["state"].items()
    }
    ours.load_state_dict({"state": arrays, "param_groups": saved["param_groups"]})
    train(mine, theirs, ours, reference, "float64", sign, steps=40)


@pytest.mark.parametrize(
    ("name", "settings"),
    [
        ("SGD", {"lr": -1.0}),
        ("SGD", {"momentum": -0.1}),
        ("SGD", {"weight_decay": -1}),
        ("SGD", {"nesterov": True}),
        ("SGD", {"nesterov": True, "momentum": 0.9, "dampening": 0.1}),
        ("RMSprop", {"lr": float("nan")}),
        ("RMSprop", {"alpha": -0.1}),
        ("RMSprop", {"eps": -1e-8}),
        ("RMSprop", {"momentum": -1}),
        ("Adam", {"lr": -1.0}),
        ("Adam", {"betas": (1.0, 0.9)}),
        ("Adam", {"betas": (0.9, -0.1)}),
        ("Adam", {"eps": -1.0}),
        ("AdamW", {"weight_decay": -0.1}),
    ],
)
def test_refuses_what_pytorch_refuses(name, settings):
    for library in (torch, mg):
        with pytest.raises(ValueError):
            getattr(library.optim, name)(Network(library, "float32").params, **settings)


@pytest.mark.parametrize("name", ["SGD", "RMSprop", "Adam", "AdamW"])
def test_defaults_are_pytorchs(name):
    ours = getattr(mg.optim, name)(Network(mg, "float32").params).param_groups[0]
    theirs = getattr(torch.optim, name)(Network(torch, "float32").params).param_groups[0]
    assert {k: v for k, v in ours.items() if k != "params"} == {
        k: theirs[k] for k in ours if k != "params"
    }
    left_out = {"foreach", "fused", "capturable", "differentiable", "decoupled_weight_decay"}
    assert theirs.keys() - ours.keys() <= left_out
