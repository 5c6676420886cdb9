"""The library's source, read without running it: its imports, and its names of CuPy."""

import ast
from pathlib import Path

import pytest

import minigan
from standin.manners import NAMES

ROOT = Path(minigan.__file__).parent
FILES = sorted(ROOT.rglob("*.py"))
FINDERS = {"module_of", "_library"}  # what these give is NumPy or CuPy


def imports(tree):
    """(line, module) of every import, also of those by name through importlib."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from ((node.lineno, alias.name) for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.level == 0:
            yield node.lineno, node.module
        elif isinstance(node, ast.Call) and _name(node.func) in ("import_module", "__import__"):
            yield from ((node.lineno, a.value) for a in node.args if isinstance(a, ast.Constant))


def uses(tree):
    """(line, dotted name) of what is taken from an array library: ``xp.add.at`` → ``add.at``."""
    library = {"xp", "cupy"}
    for node in ast.walk(tree):
        targets, value = getattr(node, "targets", []), getattr(node, "value", None)
        for target in targets:
            pairs = [(target, value)]
            if isinstance(target, ast.Tuple) and isinstance(value, ast.Tuple):
                pairs = list(zip(target.elts, value.elts, strict=True))
            library |= {_name(t) for t, v in pairs if _finds(v) and isinstance(t, ast.Name)}
    inner = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute) and id(node) not in inner:
            parts, root = [], node
            while isinstance(root, ast.Attribute):
                inner.add(id(root))
                parts.append(root.attr)
                root = root.value
            if parts[-1:] == ["xp"] and _name(root) == "self":
                parts, root = parts[:-1], ast.Name("xp")
            if parts and (_finds(root) or _name(root) in library):
                yield node.lineno, ".".join(reversed(parts))


def _name(node):
    return node.id if isinstance(node, ast.Name) else getattr(node, "attr", None)


def _finds(node):
    return isinstance(node, ast.Call) and _name(node.func) in FINDERS


def lacks(name):
    """Whether CuPy has no ``name``; a method of a type or a ufunc counts as one."""
    place, *rest = "cupy", *name.split(".")
    for i, part in enumerate(rest):
        kind = NAMES.get(place, {}).get(part)
        if kind is None:
            return place in NAMES
        if kind == "ufunc":
            return any(p not in NAMES["cupy.ufunc"] for p in rest[i + 1 :])
        place = f"{place}.{part}"
    return False


@pytest.mark.parametrize("path", FILES, ids=lambda p: p.relative_to(ROOT).as_posix())
def test_array_libraries_are_imported_in_one_place(path):
    if path.name == "array.py" or path.parent.name == "book":  # its answers are a reader's
        return
    if path.relative_to(ROOT).as_posix() == "fast/cuda/device.py":  # which loads CuPy
        return
    found = [
        (line, name)
        for line, name in imports(ast.parse(path.read_text()))
        if name.split(".")[0] in ("numpy", "cupy", "cupyx")
    ]
    assert not found, f"take np from minigan.array, and CuPy by module_of(array): {found}"


@pytest.mark.parametrize("path", FILES, ids=lambda p: p.relative_to(ROOT).as_posix())
def test_cupy_has_what_is_used_of_it(path):
    missing = [(line, n) for line, n in uses(ast.parse(path.read_text())) if lacks(n)]
    assert not missing, f"CuPy has no {missing}"


@pytest.mark.parametrize(
    "code, found",
    [
        ("xp = module_of(x)\nxp.vecdot(x, x)", ["vecdot"]),
        ("library, n = module_of(x), 3\nlibrary.errstate()", ["errstate"]),
        ("module_of(x).geomspace(1, 2)", ["geomspace"]),
        ("self.xp.scatter_add(x)", ["scatter_add"]),
        ("xp.add.nowhere(x, i, 1)", ["add.nowhere"]),
        ("module_of(x).linalg.vector_norm(x)", ["linalg.vector_norm"]),
        ("xp.add.at(x, i, 1); module_of(x).lib.stride_tricks.as_strided(x); xp.exp(x)", []),
        ("np.errstate(all='ignore')", []),
        ("backend.module_of(x.array).ndenumerate(x)", ["ndenumerate"]),
    ],
)
def test_the_reader_itself(code, found):
    assert [name for _, name in uses(ast.parse(code)) if lacks(name)] == found


def test_it_reads_the_dispatches_of_the_library():
    names = {n for path in FILES for _, n in uses(ast.parse(path.read_text()))}
    assert len(names) > 30 and {"exp", "add.at", "lib.stride_tricks.as_strided", "where"} <= names


def test_the_reader_of_imports():
    code = "import numpy as np\nfrom cupyx.scipy import special\nimport_module('cupy')\nimport math"
    found = {m for _, m in imports(ast.parse(code))}
    assert found == {"numpy", "cupyx.scipy", "cupy", "math"}
