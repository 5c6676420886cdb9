"""What the tests of all layers share."""

import pytest
from numeric import check_gradients

import minigan as mg
from minigan import nn


@pytest.fixture
def check_layer():
    """Compare a layer's derivatives in its inputs and all its parameters, to second order."""

    def check(layer: nn.Module, *inputs, order: int = 2) -> None:
        layer.double()
        places = [
            (module, name)
            for _, module in layer.named_modules()
            for name, value in vars(module).items()
            if isinstance(value, nn.Parameter)
        ]

        def f(*tensors):
            for (module, name), value in zip(places, tensors[len(inputs) :], strict=True):
                setattr(module, name, value)
            output = layer(*tensors[: len(inputs)])
            if not isinstance(output, tuple):
                return output
            state = output[1] if isinstance(output[1], tuple) else (output[1],)
            return mg.cat([t.reshape(-1) for t in (output[0], *state)])

        values = [getattr(module, name).array.copy() for module, name in places]
        check_gradients(f, *inputs, *values, order=order)

    return check
