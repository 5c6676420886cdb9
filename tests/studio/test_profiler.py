"""The profiler: every second belongs to one row, calls and FLOPs are as by hand, nothing stays."""

import gc
import re

import numpy as np
import pytest

import minigan as mg
from minigan import autograd, graph, ops
from minigan.check import library
from minigan.studio import cli, profiler
from minigan.studio.profiler import ITSELF, OPTIMISER, REST, Count, Machine, Report, profile
from minigan.studio.runs import Config
from minigan.tensor import Op, no_twin


def taken(report):
    """Calls and seconds by name and direction, without what measuring took."""
    return {k: (c.calls, c.seconds) for k, c in report.counts.items() if k[0] != ITSELF}


@pytest.fixture
def clock(monkeypatch):
    """A clock that only goes on when it is told to: ``clock(3)`` takes three seconds."""
    now = [0.0]
    monkeypatch.setattr(profiler.time, "perf_counter", lambda: now[0])

    def work(seconds):
        now[0] += seconds

    return work


@pytest.fixture
def slow(clock):
    """y = 2x, whose forward takes 1 s and whose rule takes 10 s."""

    def rule(g, y, x):
        clock(10)
        return g * 2.0

    def slow(x):
        clock(1)
        return x * 2.0

    return autograd.op(rule, latex="")(slow)


# ---------------------------------------------------------------------------------- times and calls


def test_calls_and_seconds_of_a_graph_of_two_ops(clock, slow):
    x = mg.ones(2, requires_grad=True)
    with profile() as report:
        clock(100)
        y = slow(slow(x)) * x
        y.backward(mg.ones(2))
        clock(200)
    assert taken(report) == {
        (REST, "forward"): (0, 300),
        ("slow", "forward"): (2, 2),
        ("slow", "backward"): (2, 20),
        ("mul", "forward"): (1, 0),
        ("mul", "backward"): (2, 0),  # one for each input
    }
    assert report.seconds == 322
    assert x.grad.tolist() == [8, 8]


def test_seconds_add_up_to_the_wall_time():
    x = mg.randn(64, 64, requires_grad=True)
    start = profiler.time.perf_counter()
    with profile() as report:
        inside = profiler.time.perf_counter()
        for _ in range(20):
            mg.tanh(x @ x).sum().backward()
        inside = profiler.time.perf_counter() - inside
    outside = profiler.time.perf_counter() - start
    assert inside <= report.seconds <= outside
    parts = [c.seconds for c in report.counts.values()]
    assert min(parts) > 0 and sum(parts) == pytest.approx(report.seconds, rel=1e-12)


def test_setting_up_is_not_counted(clock, monkeypatch):
    search = gc.get_objects
    monkeypatch.setattr(profiler.gc, "get_objects", lambda: clock(50) or search())
    with profile() as report:
        clock(3)
    assert report.seconds == 3


def test_a_rule_keeps_what_it_calls_on_arrays_but_not_what_it_records(clock, slow):
    twice = autograd.op(lambda g, y, x: slow(g), latex="")(lambda x: x * 2.0)
    twice.op.name = "twice"
    x = mg.ones(2, requires_grad=True)
    with profile() as report:
        mg.grad(twice(x), x, mg.ones(2))
    assert taken(report)["twice", "backward"] == (1, 1)  # the forward of slow, on a bare array
    assert ("slow", "forward") not in taken(report)
    with profile() as report:
        mg.grad(twice(x), x, mg.ones(2, requires_grad=True), create_graph=True)
    assert report.count("twice", "backward").seconds == 0
    assert taken(report)["slow", "forward"] == (1, 1)
    assert report.seconds == 1


def test_every_optimisers_step_counts_once(clock):
    class Slow(mg.optim.SGD):
        def step(self, closure=None):
            clock(5)
            return super().step(closure)

    def loss():
        clock(7)
        return w.sum()

    w = mg.nn.Parameter([1.0, 2.0])
    w.grad = mg.ones(2)
    with profile() as report:
        Slow([w], lr=0.5).step()
        mg.optim.Adam([w]).step(loss)
    assert taken(report)[OPTIMISER, "forward"] == (2, 12)  # a closure is part of the step
    assert report.count("sum").calls == 1 and w.array[0] == pytest.approx(0.499)


def test_work_outside_of_ops_has_its_rows():
    x, b = mg.ones(3, 2, requires_grad=True), mg.ones(2, requires_grad=True)
    layer = mg.nn.BatchNorm1d(2)
    with profile() as report:
        (x + b).backward(mg.ones(3, 2))
        layer(x)
    assert report.count("sum_to").calls == 1 and report.count("sum_to").bytes == 24
    assert report.count("batch_stats").calls == 1


# ---------------------------------------------------------------------------------- FLOPs and bytes


def normal(*shape):
    return mg.randn(*shape, requires_grad=True)


# f, inputs, multiply-adds by hand: elements of the output times terms of the sum in each
PRODUCTS = [
    (mg.nn.functional.linear, (normal(3, 4), normal(5, 4), normal(5)), (3 * 5) * 4),
    (mg.nn.functional.linear, (normal(2, 3, 4), normal(5, 4)), (2 * 3 * 5) * 4),
    (mg.matmul, (normal(3, 4), normal(4, 5)), (3 * 5) * 4),
    (mg.matmul, (normal(2, 3, 4), normal(2, 4, 5)), (2 * 3 * 5) * 4),
    (
        lambda x, w, b: mg.nn.functional.conv2d(x, w, b, stride=2, padding=1),
        (normal(2, 3, 8, 8), normal(6, 3, 4, 4), normal(6)),
        (2 * 6 * 4 * 4) * (3 * 4 * 4),
    ),
    (
        lambda x, w: mg.nn.functional.conv2d(x, w, groups=3),
        (normal(2, 3, 5, 5), normal(6, 1, 2, 2)),
        (2 * 6 * 4 * 4) * (2 * 2),
    ),
    (
        lambda x, w, b: mg.nn.functional.conv_transpose2d(x, w, b, stride=2, padding=1),
        (normal(2, 6, 4, 4), normal(6, 3, 4, 4), normal(3)),
        (2 * 6 * 4 * 4) * (3 * 4 * 4),  # each input element spreads a kernel
    ),
    (
        lambda x, w: mg.ops.lstm(x, w, mg.zeros(2, 3), mg.zeros(2, 3))[0],
        (normal(5, 2, 12), normal(12, 3)),
        (5 * 2 * 12) * 3,  # x is the sums before the gates; they add h Wᵀ at each of five steps
    ),
]


@pytest.mark.twins  # to the bit, or what one twin computes in one piece
@pytest.mark.parametrize("f, inputs, multiply_adds", PRODUCTS)
@pytest.mark.parametrize("create_graph", [False, True])
def test_flops_of_products(f, inputs, multiply_adds, create_graph):
    with profile() as report:
        y = f(*inputs)
        forward = report.flops
        mg.grad(y, inputs[:2], mg.ones(y.shape), create_graph=create_graph)
        both = report.flops
        mg.grad(y, inputs[2:], mg.ones(y.shape), create_graph=create_graph)
    assert forward == 2 * multiply_adds
    if create_graph and f is PRODUCTS[-1][0]:
        assert both > 3 * forward  # a recorded gradient of a composite computes its body again
        return
    assert both == 3 * forward  # each gradient takes as many
    assert report.flops == both  # the bias is only summed


def test_a_readers_own_product_is_not_taken_for_the_librarys():
    own = autograd.op(lambda g, y, x: g, latex="")(lambda x: x + 1)
    own.op.name = "linear"
    with profile() as report:
        own(mg.ones(2, 3))
    assert report.count("linear") == Count(1, report.count("linear").seconds, 0, 2 * 24)


@pytest.mark.parametrize(
    "f, expected",
    [
        (lambda x: x + x, 24 + 24),  # read once
        (lambda x: x + mg.ones(3), 24 + 12 + 24),
        (lambda x: x * 2, 24 + 24),
        (lambda x: x.T, 0),
        (lambda x: x.reshape(6), 0),
        (lambda x: x[0], 0),
        (lambda x: x[[1]], 12 + 12),  # what it picks
        (lambda x: x[[1, 1]], 24 + 24),
        (lambda x: x.sum(), 24 + 4),
        (lambda x: mg.ones(1, 3).expand(2, 3) + x, 12 + 24 + 24),  # broadcast: there once
    ],
)
def test_bytes_that_a_call_must_move(f, expected):
    x = mg.ones(2, 3)
    with profile() as report:
        f(x)
    assert sum(count.bytes for count in report.counts.values()) == expected


def test_bytes_that_a_rule_must_move():
    x = mg.ones(2, 3, requires_grad=True)
    with profile() as report:
        mg.tanh(x + 1).backward(mg.ones(2, 3))
    assert report.count("tanh", "backward").bytes == 24 + 24
    assert report.count("add", "backward").bytes == 0  # it hands g on


# ---------------------------------------------------------------------------------- nothing is left


def pieces(records):
    functions = [(op, op.forward, op.backward) for op in records if op.forward is not no_twin]
    return functions, mg.optim.Optimizer.__dict__["step"], graph.fitted, ops.batch_stats


def test_functions_are_replaced_and_put_back_also_after_an_error():
    records = [op for op in gc.get_objects() if type(op) is Op]
    before = pieces(records)
    with pytest.raises(ZeroDivisionError), profile():
        during = pieces(records)
        mg.ones(2).reshape(2) + 1 / 0
    after = pieces(records)
    assert len(before[0]) > 50
    for a, b, c in zip(before[0], during[0], after[0], strict=True):
        assert a[1] is not b[1] and a[1] is c[1] and a[2] is c[2]
        assert all((r is None) == (s is None) for r, s in zip(a[2], b[2], strict=True))
        assert all(r is None or r is not s for r, s in zip(a[2], b[2], strict=True))
    for a, b, c in zip(before[1:], during[1:], after[1:], strict=True):
        assert a is not b and a is c


def test_an_error_in_an_op_is_the_ops_and_time_goes_on(clock, slow):
    with profile() as report:
        with pytest.raises(ValueError, match=r"^add of \(2,\) and \(3,\): "):
            mg.ones(2) + mg.ones(3)
        clock(3)
    assert taken(report)[REST, "forward"] == (0, 3)
    assert report.count("add").calls == 0


def test_profile_inside_of_profile_is_refused_and_does_no_harm():
    with profile() as outer:
        with pytest.raises(RuntimeError, match=r"profile\(\) inside of profile\(\)"), profile():
            pass
        mg.ones(2) + 1
    assert outer.count("add").calls == 1
    with profile():
        pass


def test_every_op_of_the_library_is_measured():
    last = {}
    with profile() as report:
        for example in library.EXAMPLES:
            y = example.f(*(mg.Tensor(a, requires_grad=True) for a in example.inputs))
            last[example.name] = (y[0] if isinstance(y, tuple) else y).op.name
    measured = {name for name, _ in report.counts}
    assert not {example: name for example, name in last.items() if name not in measured}


def trained(context):
    mg.manual_seed(0)
    game = Config.of(model="dcgan", ema=0.9).game((1, 8, 8))
    losses = []
    for _ in range(2):
        with context():
            losses.append(game.step_discriminator(mg.rand(4, 1, 8, 8)))
            losses.append(game.step_generator(4))
    return losses, game


def test_results_are_the_same_to_the_last_bit():
    (losses, game), (profiled, same) = trained(mg.enable_grad), trained(profile)
    assert losses == profiled
    for network in ("generator", "discriminator"):
        a, b = (getattr(g, network).state_dict() for g in (game, same))
        for name in a:
            np.testing.assert_array_equal(a[name].array, b[name].array)


def test_a_graph_outlives_the_profiler():
    x = mg.ones(2, requires_grad=True)
    with profile() as report:
        y = mg.tanh(x).sum()
    y.backward()
    assert x.grad is not None
    assert ("tanh", "backward") not in report.counts


# ---------------------------------------------------------------------------------------- the table


@pytest.fixture
def report():
    return Report(
        {
            (REST, "forward"): Count(0, 0.1),
            (OPTIMISER, "forward"): Count(2, 0.1),
            ("add", "forward"): Count(4, 0.2, bytes=10**9),
            ("linear", "forward"): Count(2, 0.2, flops=3 * 10**9),
            ("linear", "backward"): Count(6, 0.4, flops=6 * 10**9),
        }
    )


def test_the_table(report):
    table = report.table(Machine("a CPU", flops=30e9, bandwidth=10e9))
    assert table["op"] == ["linear", "add", OPTIMISER, REST, "total"]
    assert table["calls"] == [2, 4, 2, "", ""] and table["backward"] == [6, "", "", "", ""]
    assert table["forward ms"] == [200, 200, 100, 100, 600]
    assert table["backward ms"] == [400, "", "", "", 400]
    assert table["share %"] == [60, 20, 10, 10, 100]
    assert table["GFLOP/s"] == [15, "", "", "", 9]
    assert table["GB/s"] == ["", 5, "", "", ""]
    assert table["% of limit"] == [50, 50, "", "", 40]
    assert "% of limit" not in str(report) and "GFLOP/s" in str(report)
    assert "<table" in report._repr_html_()


def test_the_mean_of_repetitions(report):
    half = report.per(2)
    assert half.seconds == pytest.approx(report.seconds / 2) and half.flops == report.flops // 2
    assert half.counts["add", "forward"] == Count(2, 0.1, 0, 5 * 10**8)


def test_an_empty_block_has_a_table():
    with profile() as report:
        pass
    assert report.table()["op"][-1] == "total"


# ---------------------------------------------------------------------------------------- the bench


def test_the_machine():
    machine = profiler.measure_machine(n=128)
    assert machine.flops > 1e8 and machine.bandwidth > 1e8
    assert re.search(r"^.+, .+ threads\); at best \d+ GFLOP/s \(sgemm\), [\d.]+ GB/s", str(machine))


def test_the_steps_of_a_bench(clock, monkeypatch):
    monkeypatch.setattr(profiler, "measure_machine", lambda: Machine("a CPU", 1e9, 1e9))
    durations = iter([90, 80, 1, 3, 2, 5, 5, 5])  # two to warm up, three plain, three profiled
    result = profiler.bench(lambda: clock(next(durations)), steps=3)
    assert result.seconds == [1, 3, 2] and result.report.seconds == 5
    assert "one step: 2000.00 ms, the median of 3 (1000.00 to 3000.00)" in str(result)
    assert "with the profiler, 5000.00 ms" in str(result)
    assert next(durations, None) is None
    assert len(profiler.bench(lambda: clock(1), seconds=4.5).seconds) == 5


@pytest.fixture
def bench(capsys, monkeypatch):
    """Run ``minigan bench``; returns exit code, stdout and stderr."""
    monkeypatch.setattr(profiler, "measure_machine", lambda: Machine("a CPU", 1e9, 1e9))

    def run(*args):
        code = cli.main(["bench", *args])
        return code, *capsys.readouterr()

    return run


@pytest.mark.parametrize(
    "model, shape, row", [("dcgan", "1x8x8", "conv_transpose2d"), ("mlp", "2", "linear")]
)
def test_the_command(bench, model, shape, row):
    options = "--batch-size", "4", "--steps", "1", "--threads", "1"
    code, out, err = bench("--model", model, "--data-shape", shape, *options)
    assert (code, err) == (0, "")
    assert out.startswith(f"{model}, batches of 4 x {shape}\na CPU; at best 1 GFLOP/s")
    for name in (row, "bce_with_logits", OPTIMISER, REST, "total"):
        assert re.search(rf"^{name} ", out, re.M), name


@pytest.mark.parametrize(
    "options, message",
    [
        ("--data-shape 5x5", "data-shape is like 1x28x28, or like 2 for points; got '5x5'"),
        ("--data-shape 1x-8x8", "data-shape is like 1x28x28, or like 2 for points; got '1x-8x8'"),
        ("--data-shape 0x8x8", "data-shape is like 1x28x28, or like 2 for points; got '0x8x8'"),
        ("--data-shape 2", "model 'dcgan' makes pictures, the data are points: use model 'mlp'"),
        ("--steps -1", "steps must be at least 0, got -1"),
        ("--batch-size 1", "batch_size must be at least 2, got 1"),
        ("--threads -1", "threads must be at least 0, got -1"),
        ("--model dcgn", "unknown model 'dcgn': did you mean 'dcgan'? known are mlp, "),
        ("--epochs 3", "No such option: --epochs"),
    ],
)
def test_wrong_input_is_one_line(bench, options, message):
    code, out, err = bench(*options.split())
    assert (code, out) == (2, "")
    assert err.startswith(f"minigan: {message}") and len(err.splitlines()) == 1


def test_a_gpu_is_not_benched(bench, monkeypatch):
    monkeypatch.setattr(mg.array, "_default_device", "cuda:0")
    assert bench() == (2, "", "minigan: bench times the CPU, but the device is cuda:0\n")
