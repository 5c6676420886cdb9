"""Verify a gradient: numerically, by hand, to second order, explained step by step.

::

    mg.check.gradients(lambda x: mg.softmax(x, 1), x)      # is autograd right?
    mg.check.explain(loss, {"w": w})                       # how did it get there?
    mg.check.by_hand(f, x, mine)                           # is my gradient right, or why not?
    with mg.check.routes(G=g, D=d) as routes: ...          # who received a gradient, and how?
    mg.check.sweep(mg.tanh, x).plot()                      # which step do differences need?
    mg.check.parity(mg.tanh, torch.tanh, x)                # does PyTorch say the same?
    mg.check.answer(mine, right, {"A hint.": wrong})       # is an exercise solved, or why not?
"""

from .answer import Answer, answer
from .by_hand import ByHand, by_hand
from .causes import CAUSES
from .explain import Explanation, explain
from .gradients import gradients
from .parity import Parity, parity
from .pytorch import GradcheckError, gradcheck, gradgradcheck
from .report import Report
from .routes import RouteError, routes
from .subject import CheckError
from .sweep import Sweep, sweep
from .table import Table
