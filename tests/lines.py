"""How much there is to read: code lines per folder, of the reading path and of the core.

    python tests/lines.py

A code line is neither blank, nor a comment, nor of a docstring.
"""

import ast
import io
import tokenize
import tomllib
from pathlib import Path

LIMITS = {  # code lines
    "reading path": 2500,  # what a student reads to understand one training GAN
    "core": 5000,
    "recording": 150,  # and walking back
}
LINES_OF_A_CORE_FILE = 400  # in all

ROOT = Path(__file__).parents[1]
PACKAGE = ROOT / "minigan"
NOT_READ = {"hooks", "names", "saving", "values"}  # of the core's files beside autograd.py
READ = {
    "ops": "elementwise reduce shape linalg conv norm loss",
    "nn": "module linear conv norm activation container init loss functional",
    "optim": "optimizer sgd rmsprop adam",
    "gan": "objectives steps game fit players",
}
RECORDING = [PACKAGE / "graph.py"]  # autograd.py asks it two questions: backward() and grad()
SKIPPED = {tokenize.COMMENT, tokenize.NL, tokenize.NEWLINE, tokenize.INDENT, tokenize.DEDENT}
SKIPPED |= {tokenize.ENCODING, tokenize.ENDMARKER}
DOCUMENTED = (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)


def floors() -> list[list[str]]:
    """The plan of the house, from the top: the modules and folders of each floor."""
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["importlinter"]
    (contract,) = (c for c in settings["contracts"] if c["type"] == "layers")
    return [floor.split(" | ") for floor in contract["layers"]]


def core() -> list[str]:
    """What is below ``check``."""
    plan = floors()
    return [name for floor in plan[plan.index(["check"]) + 1 :] for name in floor]


def reading_path() -> list[Path]:
    """What a student reads; a file split off from autograd.py or its neighbours counts, too."""
    beside = {name for name in core() if (PACKAGE / f"{name}.py").exists()} - NOT_READ
    names = [*sorted(beside), *(f"{folder}/{n}" for folder in READ for n in READ[folder].split())]
    return [PACKAGE / f"{name}.py" for name in names]


def core_files() -> list[Path]:
    """All files of the core."""
    files = [[PACKAGE / f"{name}.py", *(PACKAGE / name).rglob("*.py")] for name in core()]
    return sorted(path for paths in files for path in paths if path.exists())


def code_lines(source: str) -> int:
    """How many lines are neither blank, nor comments, nor docstrings."""
    docstrings = {
        (node.body[0].lineno, node.body[0].col_offset)
        for node in ast.walk(ast.parse(source))
        if isinstance(node, DOCUMENTED) and ast.get_docstring(node, clean=False) is not None
    }
    lines: set[int] = set()
    for token in tokenize.generate_tokens(io.StringIO(source).readline):
        if token.type not in SKIPPED and token.start not in docstrings:
            lines.update(range(token.start[0], token.end[0] + 1))
    return len(lines)


def count(paths: list[Path]) -> int:
    """The code lines of these files."""
    return sum(code_lines(path.read_text()) for path in paths)


def imported(path: Path) -> set[str]:
    """The floors whose modules this file of the package imports, also under ``TYPE_CHECKING``."""
    names = {name for floor in floors() for name in floor}
    package = path.relative_to(PACKAGE.parent).with_suffix("").parts[:-1]
    found = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            start = package[: len(package) - node.level + 1] if node.level else ()
            base = ".".join([*start, *filter(None, [node.module])])
            found |= {f"{base}.{alias.name}" for alias in node.names}
    parts = [name.split(".") for name in found]
    return {p[1] if p[1:] and p[1] in names else "minigan" for p in parts if p[0] == "minigan"}


def main() -> None:
    """Print the table."""
    folders: dict[Path, list[Path]] = {}
    for path in sorted(PACKAGE.rglob("*.py")):
        folders.setdefault(path.parent, []).append(path)
    rows = [(str(f.relative_to(ROOT)), count(p), None) for f, p in folders.items()]
    rows += [
        ("whole package", sum(n for _, n, _ in rows), None),
        ("core", count(core_files()), LIMITS["core"]),
        ("recording, walking back", count(RECORDING), LIMITS["recording"]),
        *((f"  {p.relative_to(PACKAGE)}", count([p]), None) for p in reading_path()),
        ("reading path", count(reading_path()), LIMITS["reading path"]),
    ]
    print(f"{'':26} code lines  at most")
    for name, n, limit in rows:
        print(f"{name:26} {n:10,}  {f'{limit:7,}' if limit else ''}".rstrip())
    for path in core_files():
        if (n := len(path.read_text().splitlines())) > LINES_OF_A_CORE_FILE:
            print(f"{path.relative_to(PACKAGE)}: {n} lines, of {LINES_OF_A_CORE_FILE} at most")


if __name__ == "__main__":
    main()
