"""``explain(output)``: the derivation that autograd carried out, one line per rule it used.

Nothing is derived here a second time. The walk back tells what it does, and each function carries
its rule as a formula, in which names, and for numbers their values, are put.
"""

from __future__ import annotations

import inspect
import re
import unicodedata
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from ..array import np, quiet, to_host
from ..graph import ancestors, walk_back
from ..operands import starting_gradient
from ..tensor import Op, Tensor
from .subject import graph
from .table import Table

SMALL = 4  # up to so many elements, values are shown; beyond, statistics


class Step(NamedTuple):
    """One use of a gradient rule: ``tensor``'s gradient passed to its input number ``i``."""

    tensor: Tensor
    i: int
    incoming: Any  # array: the gradient of the output with respect to tensor
    outgoing: Any  # array: what the rule made of it, in the input's shape
    paths: list[Any]  # what the input received before, by other paths


class Explanation:
    """The derivation from ``output`` back to the inputs. Prints as text, and in Jupyter as HTML.

    Attributes
    ----------
    steps : list of Step
        The rules in the order in which they were used.
    table : Table
        The same as rows: ``operation``, ``rule`` (LaTeX), ``shapes``, ``incoming``, ``outgoing``.
    gradients : dict
        Name → gradient (array) of what was asked for.
    """

    def __init__(self, output: Tensor, steps: list[Step], names: dict[int, str]) -> None:
        self.output, self.steps, self.names = output, steps, names
        self.gradients: dict[str, Any] = {}

    @property
    def table(self) -> Table:
        return self._table(lambda latex: f"${latex}$" if latex else "")

    def _table(self, shown: Any) -> Table:
        rows = []
        for number, step in enumerate(self.steps):
            t, x = step.tensor, step.tensor.inputs[step.i]
            first = number == 0 or self.steps[number - 1].tensor is not t
            shapes = ", ".join(str(v.shape) for v in t.inputs if isinstance(v, Tensor))
            received = f"to {self.names[id(x)]}: {brief(step.outgoing)}"
            if step.paths:
                total = sum(step.paths) + step.outgoing
                parts = " + ".join(brief(g) for g in [*step.paths, step.outgoing])
                received += f"\n{len(step.paths) + 1} paths add up: {parts} = {brief(total)}"
            rows.append(
                {
                    "operation": self._operation(t) if first else "",
                    "shapes": f"{shapes} → {t.shape}" if first else "",
                    "incoming": brief(step.incoming) if first else "",
                    "rule": shown(self._rule(step)),
                    "outgoing": received,
                }
            )
        found = [f"gradient in {name}: {brief(g)}" for name, g in self.gradients.items()]
        title = f"{self.names[id(self.output)]} = {brief(self.output.array)}, from it backwards"
        return Table(rows, title=title, note="\n".join(found))

    def _operation(self, t: Tensor) -> str:
        """``v2 = x1 · v1 = 3 · 2 = 6`` for numbers, ``v2 = x1 · v1`` for the rest."""
        record: Any = t.op
        named = [self._name(x) for x in t.inputs if x is not None]
        text = f"{self.names[id(t)]} = {_call(record, named)}"
        arrays = [_array(x) for x in t.inputs]
        if all(_is_number(a) for a in [t.array, *arrays]):
            text += f" = {_call(record, [_number(a) for a in arrays])} = {brief(t.array)}"
        return text

    def _name(self, x: Any) -> str:
        if id(x) in self.names:
            return self.names[id(x)]
        value = x.array if isinstance(x, Tensor) else x
        return _number(value) if _is_number(value) else f"constant {value.shape}"

    def _rule(self, step: Step) -> str:
        """The formula of the rule with names in it, then with numbers if all of them are."""
        t = step.tensor
        record: Any = t.op
        formulas = record.latex.split(r", \quad ")
        formula = formulas[min(step.i, len(formulas) - 1)]
        letters = _letters(record, step.i)[: len(t.inputs)]
        operands = dict(zip(letters, t.inputs, strict=False))
        known = {a: x for a, x in operands.items() if id(x) in self.names or _is_number(_array(x))}
        names = {a: _braced(self._name(x)) for a, x in known.items() if x is not None}
        text = _put(formula, {"y": _braced(self.names[id(t)]), **names})
        values = {a: _array(x) for a, x in operands.items()}
        numbers = [v for v in [t.array, *values.values()] if v is not None]
        if all(_is_number(v) for v in numbers):
            right = re.sub(r"\\bar y", _number(step.incoming), formula.partition(" = ")[2])
            worked = {a: _number(v) for a, v in {"y": t.array, **values}.items() if v is not None}
            steps = dict.fromkeys([_put(right, worked), brief(step.outgoing)])
            text += "".join(f" = {step}" for step in steps)
        return text

    def text(self) -> str:
        """The derivation for a terminal: formulas in Unicode."""
        lines = []
        for row in self._table(plain):
            if row["operation"]:
                shapes = f"   {row['shapes']}" if row["shapes"].strip("(),→ ") else ""
                lines.append(f"\n{row['operation']}{shapes}")
                lines.append(f"    incoming: {row['incoming']}")
            lines.append(f"    {row['rule']}")
            lines += [f"        {line}" for line in row["outgoing"].split("\n")]
        return "\n".join([self.table.title, *lines, "", self.table.note])

    def markdown(self) -> str:
        """A Markdown table with the rules in LaTeX."""
        return self.table.markdown()

    def html(self) -> str:
        """An HTML table with the rules in LaTeX, which Jupyter typesets."""
        return self.table.html()

    __str__ = __repr__ = text
    _repr_html_ = html


def explain(output: Tensor, wrt: Any = None, gradient: Any = None) -> Explanation:
    """The derivation of ``output``'s gradient as it is carried out, from the output backwards.

    Parameters
    ----------
    output : Tensor
        A number; or any tensor, if ``gradient`` says where to start.
    wrt : Tensor, list or dict of Tensors, or Module; optional
        Which gradients to follow; default, every leaf that requires one. A dict or a Module also
        gives the names that the derivation uses: ``explain(y, {"x": x, "w": w})``.
    gradient : Tensor or array, optional
        The gradient that arrives at ``output``, in its shape.
    """
    if not isinstance(output, Tensor) or output.op is None:
        raise ValueError("expected a tensor that was computed from one with requires_grad=True")
    leaves = _leaves([output])
    named = name_tensors(output, wrt)
    wanted = leaves if wrt is None else list(_named(wrt).values())
    steps: list[Step] = []
    received: dict[int, list[Any]] = {}

    def watch(t: Tensor, i: int, g: Any, gx: Any) -> None:
        before = received.setdefault(id(t.inputs[i]), [])
        steps.append(Step(t, i, g, gx, list(before)))
        before.append(gx)

    start = starting_gradient(output, gradient)
    found = walk_back([output], [start], wanted, False, watch)
    result = Explanation(output, steps, named)
    result.gradients = {
        named.get(id(x), "unused"): g for x, g in zip(wanted, found, strict=True) if g is not None
    }
    return result


def name_tensors(output: Tensor, wrt: Any = None) -> dict[int, str]:
    """A name for every tensor that leads to ``output``, by ``id``.

    Given ones as they are, other leaves x1, x2 …, results v1, v2 … as they were computed, and y.
    """
    names = {id(x): name for name, x in _named(wrt).items()}
    free = (x for x in _leaves([output]) if id(x) not in names)
    names.update({id(x): f"x{k}" for k, x in enumerate(free, 1)})
    between = (t for t in graph([output]) if id(t) not in names and t is not output)
    names.update({id(t): f"v{k}" for k, t in enumerate(between, 1)})
    names.setdefault(id(output), "y")
    return names


def _named(wrt: Any) -> dict[str, Tensor]:
    if wrt is None:
        return {}
    if hasattr(wrt, "named_parameters"):
        return dict(wrt.named_parameters())
    if isinstance(wrt, Mapping):
        return dict(wrt)
    several = wrt if isinstance(wrt, Sequence) else [wrt]
    return {f"x{k}" if len(several) > 1 else "x": x for k, x in enumerate(several, 1)}


def _leaves(outputs: list[Tensor]) -> list[Tensor]:
    return [t for t in ancestors(outputs) if t.op is None]


# ----------------------------------------------------------------------------- values and formulas


def brief(value: Any) -> str:
    """A value in a few characters: the numbers themselves if few, else their statistics."""
    if value is None or isinstance(value, (bool, int, str)):
        return str(value)
    a = np.asarray(to_host(value.array if isinstance(value, Tensor) else value))
    if a.size == 1 and a.dtype.kind == "f":
        return f"{a.item():.4g}"
    if a.size <= SMALL:
        text = np.array2string(a, separator=", ", formatter={"float_kind": lambda v: f"{v:.4g}"})
        return re.sub(r"\s+", " ", text)
    if a.dtype.kind != "f":
        return f"{a.dtype} {a.shape}"
    with quiet():
        rms = float(np.sqrt(np.mean(a.astype("float64") ** 2)))
        return f"{a.min():.3g} … {a.max():.3g}, rms {rms:.3g}"


def _array(x: Any) -> Any:
    return x.array if isinstance(x, Tensor) else x


def _is_number(value: Any) -> bool:
    return getattr(value, "size", 1) == 1


def _number(value: Any) -> str:
    number = float(np.asarray(to_host(value)).reshape(()))
    return f"({number:.4g})" if number < 0 else f"{number:.4g}"


def _call(record: Op, operands: list[str]) -> str:
    if record.infix and len(operands) > 1:
        return f" {record.infix} ".join(operands)
    return (
        f"{record.infix}{operands[0]}" if record.infix else f"{record.name}({', '.join(operands)})"
    )


def _letters(record: Op, i: int) -> list[str]:
    """What the formula calls the inputs: the rule's own parameters after g and y."""
    rules = record.rules
    named, skip = (record.definition, 0) if record.composite else (rules[min(i, len(rules) - 1)], 2)
    plain = (inspect.Parameter.POSITIONAL_OR_KEYWORD,)
    found = inspect.signature(named).parameters.values()  # type: ignore[arg-type]
    return [p.name for p in found if p.kind in plain][skip:]


def _braced(name: str) -> str:
    """``x1`` as {x_1}, so that LaTeX may hang indices and bars on it."""
    word = re.fullmatch(r"([a-z])(\d+)", name)
    if word:
        return f"{{{word[1]}_{{{word[2]}}}}}"
    if len(name) == 1 or re.fullmatch(r"[-().e\d]+", name):
        return name
    return r"\mathtt{" + name.replace("_", r"\_") + "}"


def _put(formula: str, values: Mapping[str, str]) -> str:
    """``formula`` with single letters replaced; a thin space between factors becomes a dot."""
    formula = re.sub(r"\\,\s*(?=[^/\\]|\\[a-zA-Z]|\\\()", r" \\cdot ", formula)
    values = {**values, "W": values.get("w", "W")}  # matrices are written in capitals
    letters = "|".join(map(re.escape, values))
    text = re.sub(rf"(?<![A-Za-z\\])({letters})(?![A-Za-z])", lambda m: values[m[1]], formula)
    return text.replace(r"\bar \mathtt", r"\overline \mathtt")


_UNICODE = {
    r"\cdot": "·", r"\odot": "⊙", r"\star": "⋆", r"\top": "T", r"\le": "≤", r"\sigma": "σ",
    r"\alpha": "α", r"\varepsilon": "ε", r"\textstyle": "", r"\sum": "Σ", r"\ln": "ln",
    r"\sqrt": "√", r"\pi": "π", r"\lnot": "¬", r"\langle": "⟨", r"\rangle": "⟩", r"\quad": "  ",
    r"\mathrel": "", r"\mathrm": "", r"\mathtt": "", r"\bigl": "", r"\bigr": "", r"\,": " ",
    r"\begin{cases}": "{", r"\end{cases}": "}", r"\tfrac12": "½", r"\\": ";", "&": " if ",
    r"\_": "_", r"\#": "#", r"\{": "{", r"\}": "}",
}  # fmt: skip


def plain(latex: str) -> str:
    """A formula for the terminal: Unicode for the commands, no braces."""
    text = re.sub(r"\\overline \\mathtt\{([^{}]*)\}", r"grad(\1)", latex)
    text = re.sub(r"\^\{([^{}]{2,})\}", r"^(\1)", text)
    text = re.sub(r"\\bar\s*\{?\{?(?:\\mathtt\{)?(\w)", "\\1\u0304", text)
    text = re.sub(r"\\t?frac\{([^{}]*)\}\{((?:[^{}]|\{[^{}]*\})*)\}", r"(\1)/(\2)", text)
    for command in sorted(_UNICODE, key=len, reverse=True):
        text = text.replace(command, _UNICODE[command])
    text = re.sub(r"\\([a-zA-Z]+)", r"\1", text)
    text = re.sub(r"\s+", " ", re.sub(r"_\{?(\d+)\}?|[{}]", lambda m: m[1] or "", text)).strip()
    return unicodedata.normalize("NFC", text)
