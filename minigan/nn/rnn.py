"""Recurrent layers: a state h that every step of a sequence updates."""

from __future__ import annotations

import math
from typing import Any

from .. import ops
from ..ops import linear, tanh
from ..tensor import Parameter, Tensor
from . import functional as F
from . import init
from .module import Module

State = tuple[Tensor, ...]  # (h,), for the LSTM (h, c); each (N, hidden_size)


class _Recurrent(Module):
    """Several recurrent layers, one on top of the other, in one or both directions.

    Parameters
    ----------
    input_size, hidden_size : int
    num_layers : int
        Each layer reads the output of the one below.
    bias : bool
    batch_first : bool
        Whether sequences are (N, L, input_size) instead of (L, N, input_size). The state's shape
        does not depend on it.
    dropout : float
        The probability of dropout between layers.
    bidirectional : bool
        Whether every layer also reads backwards; then D = 2, otherwise D = 1.

    Attributes
    ----------
    weight_ih_l0 : Parameter, (G · hidden_size, input_size), for the lowest of the layers
        G is 1 for the RNN, 3 for the GRU, 4 for the LSTM; further layers have D · hidden_size
        columns; the backward direction's names end in ``_reverse``.
    weight_hh_l0 : Parameter, (G · hidden_size, hidden_size)
    bias_ih_l0, bias_hh_l0 : Parameter, (G · hidden_size,)
        All start from U(-1/√hidden_size, 1/√hidden_size).

    Calling it
    ----------
    ``layer(x)`` or ``layer(x, state)`` gives the highest layer's outputs (L, N, D · hidden_size),
    and the last state of every layer and direction (D · num_layers, N, hidden_size). Without a
    batch axis in x, there is none in either. The state starts from zeros if it is left out.
    """

    gates: int
    states = 1

    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        num_layers: int = 1,
        bias: bool = True,
        batch_first: bool = False,
        dropout: float = 0.0,
        bidirectional: bool = False,
    ) -> None:
        self.input_size, self.hidden_size, self.num_layers = input_size, hidden_size, num_layers
        self.bias, self.batch_first, self.dropout = bias, batch_first, dropout
        self.bidirectional = bidirectional
        self._suffixes = [  # one per layer and direction, in the order of the states
            f"_l{layer}{direction}"
            for layer in range(num_layers)
            for direction in (("", "_reverse") if bidirectional else ("",))
        ]
        directions = 2 if bidirectional else 1
        rows = self.gates * hidden_size
        for i, suffix in enumerate(self._suffixes):
            width = input_size if i < directions else directions * hidden_size
            setattr(self, f"weight_ih{suffix}", Parameter(ops.zeros(rows, width)))
            setattr(self, f"weight_hh{suffix}", Parameter(ops.zeros(rows, hidden_size)))
            if bias:
                setattr(self, f"bias_ih{suffix}", Parameter(ops.zeros(rows)))
                setattr(self, f"bias_hh{suffix}", Parameter(ops.zeros(rows)))
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Draw the parameters anew."""
        bound = 1 / math.sqrt(self.hidden_size)
        for parameter in self.parameters():
            init.uniform_(parameter, -bound, bound)

    def step(self, from_input: Tensor, from_state: Tensor, state: State) -> State:
        """The next state from W_i x + b_i and W_h h + b_h, both (N, G · hidden_size)."""
        raise NotImplementedError

    def forward(self, x: Tensor, state: Any = None) -> tuple[Tensor, Any]:
        if x.ndim not in (2, 3) or x.shape[-1] != self.input_size:
            batched = "(N, L, {})" if self.batch_first else "(L, N, {})"
            raise ValueError(f"expected input {batched.format(self.input_size)}, got {x.shape}")
        if x.ndim == 2:  # a sequence without a batch is a batch of one
            axis = 0 if self.batch_first else 1
            if state is not None:
                state = tuple(s.unsqueeze(1) for s in self._as_tuple(state))
            y, last = self._run(x.unsqueeze(axis), state)
            return y.squeeze(axis), self._as_given(tuple(s.squeeze(1) for s in last))
        y, last = self._run(x, state)
        return y, self._as_given(last)

    def _run(self, x: Tensor, state: Any) -> tuple[Tensor, State]:
        start = self._start(x, x.shape[0 if self.batch_first else 1], state)
        sequence = x.transpose(0, 1) if self.batch_first else x
        if not len(sequence):
            raise ValueError(f"expected a sequence of at least one step, got {x.shape}")
        last, directions = [], 2 if self.bidirectional else 1
        for i in range(0, len(self._suffixes), directions):
            if i and self.dropout and self.training:
                sequence = F.dropout(sequence, self.dropout)
            outputs, end = self._read(sequence, self._suffixes[i], start[i])
            last.append(end)
            if self.bidirectional:
                backwards, end = self._read(sequence.flip(0), self._suffixes[i + 1], start[i + 1])
                last.append(end)
                outputs = ops.cat([outputs, backwards.flip(0)], 2)
            sequence = outputs
        ends = tuple(ops.stack(s) for s in zip(*last, strict=True))
        return sequence.transpose(0, 1) if self.batch_first else sequence, ends

    def _weights(self, suffix: str) -> tuple[Any, ...]:
        """W_i, b_i, W_h, b_h of one layer in one direction."""
        names = ("weight_ih", "bias_ih", "weight_hh", "bias_hh")
        return tuple(getattr(self, name + suffix, None) for name in names)

    def _read(self, sequence: Tensor, suffix: str, state: State) -> tuple[Tensor, State]:
        """One layer in one direction: its outputs h (L, N, H), and the last state."""
        w_ih, b_ih, w_hh, b_hh = self._weights(suffix)
        outputs = []
        for from_input in ops.unbind(linear(sequence, w_ih, b_ih)):  # one product for all steps
            state = self.step(from_input, linear(state[0], w_hh, b_hh), state)
            outputs.append(state[0])
        return ops.stack(outputs), state

    def _start(self, x: Tensor, n: int, state: Any) -> list[State]:
        """The first state of every layer and direction."""
        shape = (len(self._suffixes), n, self.hidden_size)
        if state is None:
            zeros = ops.zeros(shape, dtype=x.dtype, device=x.device)
            state = (zeros,) * self.states
        for s in (state := self._as_tuple(state)):
            if s.shape != shape:
                raise ValueError(f"expected a state of shape {shape}, got {s.shape}")
        return list(zip(*(ops.unbind(s) for s in state), strict=True))

    def _as_tuple(self, state: Any) -> State:
        return (state,) if self.states == 1 and isinstance(state, Tensor) else tuple(state)

    def _as_given(self, state: State) -> Any:
        return state[0] if self.states == 1 else state

    def extra_repr(self) -> str:
        text = f"{self.input_size}, {self.hidden_size}"
        default = {"num_layers": 1, "bias": True, "batch_first": False, "dropout": 0.0}
        for name, value in (default | {"bidirectional": False}).items():
            if getattr(self, name) != value:
                text += f", {name}={getattr(self, name)}"
        return text


class RNN(_Recurrent):
    __doc__ = f"h' = tanh(W_i x + b_i + W_h h + b_h), or relu (Elman 1990). {_Recurrent.__doc__}"
    gates = 1

    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        num_layers: int = 1,
        nonlinearity: str = "tanh",
        bias: bool = True,
        batch_first: bool = False,
        dropout: float = 0.0,
        bidirectional: bool = False,
    ) -> None:
        if nonlinearity not in ("tanh", "relu"):
            raise ValueError(f"nonlinearity is 'tanh' or 'relu', got {nonlinearity!r}")
        self.nonlinearity = nonlinearity
        super().__init__(
            input_size, hidden_size, num_layers, bias, batch_first, dropout, bidirectional
        )

    def step(self, from_input: Tensor, from_state: Tensor, state: State) -> State:
        f = tanh if self.nonlinearity == "tanh" else ops.relu
        return (f(from_input + from_state),)


class GRU(_Recurrent):
    __doc__ = f"A gated state that is kept or replaced (Cho et al. 2014). {_Recurrent.__doc__}"
    gates = 3

    def step(self, from_input: Tensor, from_state: Tensor, state: State) -> State:
        return (ops.gru_step(from_input, from_state, *state),)


class LSTM(_Recurrent):
    __doc__ = (
        "A memory cell c behind gates (Hochreiter and Schmidhuber 1997; Gers et al. 2000). "
        f"The state is a pair (h, c). {_Recurrent.__doc__}"
    )
    gates = 4
    states = 2

    def step(self, from_input: Tensor, from_state: Tensor, state: State) -> State:
        return ops.lstm_step(from_input + from_state, state[1])

    def _read(self, sequence: Tensor, suffix: str, state: State) -> tuple[Tensor, State]:
        w_ih, b_ih, w_hh, b_hh = self._weights(suffix)
        bias = b_ih if b_ih is None else b_ih + b_hh
        h, c = ops.lstm(linear(sequence, w_ih, bias), w_hh, *state)
        return h, (h[-1], c[-1])
