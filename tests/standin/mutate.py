"""Put NumPy in the place of every dispatch, one at a time: does a test on the stand-in notice?

    python tests/standin/mutate.py                  # all of ops/, nn/, optim/ and gan/: minutes
    python tests/standin/mutate.py ops/conv.py      # one file

A dispatch is ``module_of(x)``. Prints one line for each, and ends with exit code 1 if any survived.
"""

from __future__ import annotations

import ast
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterable, Iterator
from pathlib import Path

ROOT = Path(__file__).parents[2]
FOLDERS = ("ops", "nn", "optim", "gan")
TESTS = ("ops", "nn", "optim", "standin/test_training.py", "gan", "test_tensor.py")


def dispatches(source: str) -> Iterator[ast.Call]:
    """The calls of ``module_of``, and of what is built on it."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Call):
            name = getattr(node.func, "id", getattr(node.func, "attr", None))
            if name in ("module_of", "_library"):
                yield node


def mutated(source: str, call: ast.Call) -> str:
    """The source with NumPy in the place of the call."""
    lines = source.encode().splitlines(keepends=True)
    assert call.lineno == call.end_lineno and call.end_col_offset
    line = lines[call.lineno - 1]
    lines[call.lineno - 1] = (
        line[: call.col_offset] + b"__import__('numpy')" + line[call.end_col_offset :]
    )
    return b"".join(lines).decode()


def failures(package: Path, places: Iterable[str], *options: str) -> list[str]:
    """The tests on the stand-in that fail with that package."""
    command = [sys.executable, "-P", "-m", "pytest", "-n", "0", "-q", "-k", "standin", *options]
    done = subprocess.run(
        [*command, *(f"tests/{place}" for place in places)],
        env={**os.environ, "PYTHONPATH": str(package)},
        cwd=ROOT,
        capture_output=True,
        text=True,
    )
    found = [line.split(" - ")[0] for line in done.stdout.splitlines()]
    found = [line.split(" ", 1)[1] for line in found if line.startswith(("FAILED ", "ERROR "))]
    assert found or done.returncode in (0, 5), done.stdout + done.stderr
    return found


def main(wanted: list[str]) -> int:
    survivors, already = 0, failures(ROOT, TESTS)
    known = [f"--deselect={test}" for test in already]
    for path in sorted(p for f in FOLDERS for p in (ROOT / "minigan" / f).rglob("*.py")):
        file, source = path.relative_to(ROOT / "minigan").as_posix(), path.read_text()
        if wanted and file not in wanted:
            continue
        for call in dispatches(source):
            text = ast.unparse(call)
            with tempfile.TemporaryDirectory() as folder:
                shutil.copytree(ROOT / "minigan", Path(folder) / "minigan")
                (Path(folder) / "minigan" / file).write_text(mutated(source, call))
                by = []
                for places in ([file.replace("/", "/test_")], TESTS):
                    if not by and (ROOT / "tests" / places[0]).exists():
                        by = failures(Path(folder), places, "-x", *known)
            survivors += not by
            print(f"{file}:{call.lineno}: {text}: {by[0] if by else 'SURVIVED'}", flush=True)
    print(f"{survivors} survived")
    return bool(survivors)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
