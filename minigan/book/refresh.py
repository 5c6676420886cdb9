"""Execute the chapters: ``chapters/NN_*.md`` is the source, ``notebooks/NN_*.ipynb`` the result.

The same source gives the same notebook, byte by byte: cells are named by their content, nothing
that carries a time or a version is kept, and one thread computes. A cell that can not be
reproduced, since it measures time, is tagged ``volatile``: its outputs stay as they are until its
source changes.
"""

from __future__ import annotations

import base64
import hashlib
import os
import re
import struct
import sys
import tempfile
from collections import Counter
from pathlib import Path
from typing import Any

from ..saving import write_atomically

ONE_THREAD = (
    "OMP_NUM_THREADS",
    "OPENBLAS_NUM_THREADS",
    "MKL_NUM_THREADS",
    "VECLIB_MAXIMUM_THREADS",
)
PIXELS = {b"IHDR", b"PLTE", b"tRNS", b"IDAT", b"IEND"}  # PNG chunks that make the picture
TIMEOUT = 600  # seconds for a cell


class ChapterError(Exception):
    """A cell of a chapter raised."""


def sources(folder: Path, numbers: list[str]) -> list[Path]:
    """The files of these chapters, or of all; one that starts with an underscore is no chapter.

    Raises
    ------
    ValueError
        No chapters here, or none with that number.
    """
    files = {p.stem.split("_")[0]: p for p in sorted((folder / "chapters").glob("[0-9]*_*.md"))}
    if not files:
        raise ValueError(f"no chapters in {folder / 'chapters'}: run this in the repository")
    wanted = [n.zfill(2) for n in numbers] or list(files)
    if missing := [n for n in wanted if n not in files]:
        raise ValueError(f"no chapter {', '.join(missing)}; there are {', '.join(files)}")
    return [files[n] for n in wanted]


def notebook_of(source: Path) -> Path:
    """Where a chapter's notebook is kept."""
    return source.parent.parent / "notebooks" / f"{source.stem}.ipynb"


def read(source: Path) -> Any:
    """A chapter as a notebook that has not run."""
    import jupytext

    notebook = jupytext.read(source)
    notebook.metadata.pop("jupytext", None)
    seen: Counter[str] = Counter()
    for cell in notebook.cells:
        text = f"{cell.cell_type}\n{','.join(cell.metadata.get('tags', []))}\n{cell.source}"
        name = hashlib.sha256(text.encode()).hexdigest()[:12]
        seen[name] += 1
        cell.id = name if seen[name] == 1 else f"{name}-{seen[name]}"
    return notebook


def execute(source: Path) -> Any:
    """A chapter as a notebook with outputs, from a clean kernel in an empty folder.

    Raises
    ------
    ChapterError
        A cell raised, or took too long.
    """
    from nbclient import NotebookClient
    from nbclient.exceptions import CellExecutionError, CellTimeoutError, DeadKernelError

    notebook = read(source)
    package = str(Path(__file__).parents[2])
    paths = [package, *filter(None, [os.environ.get("PYTHONPATH")])]
    environment = {
        **os.environ,
        **dict.fromkeys(ONE_THREAD, "1"),
        "PYTHONPATH": os.pathsep.join(paths),
        "PYTHONHASHSEED": "0",
        "NO_COLOR": "1",
    }
    environment.pop("MPLBACKEND", None)
    with tempfile.TemporaryDirectory() as folder:
        client = NotebookClient(
            notebook,
            timeout=TIMEOUT,
            kernel_name="python3",
            record_timing=False,
            extra_arguments=["--log-level=ERROR"],
            resources={"metadata": {"path": folder}},
        )
        try:
            client.execute(env=environment)
        except (CellExecutionError, CellTimeoutError, DeadKernelError) as error:
            raise ChapterError(f"{source.name}: {_plain(str(error))}") from None
    return _tidied(notebook)


def refresh(source: Path) -> bool:
    """Execute a chapter and write its notebook; whether that changed it."""
    import nbformat

    target = notebook_of(source)
    notebook = execute(source)
    before = target.read_text(encoding="utf-8") if target.is_file() else ""
    if before:
        old = {c.id: c for c in nbformat.reads(before, as_version=4).cells if "id" in c}
        for cell in notebook.cells:
            if "volatile" in cell.metadata.get("tags", []) and cell.id in old:
                cell.outputs = old[cell.id].outputs
    after = nbformat.writes(notebook) + "\n"
    if after == before:
        return False
    target.parent.mkdir(exist_ok=True)
    write_atomically(target, after.encode())
    return True


def _tidied(notebook: Any) -> Any:
    """Without what differs from run to run or from machine to machine."""
    notebook.nbformat, notebook.nbformat_minor = 4, 5
    notebook.metadata.get("language_info", {}).pop("version", None)
    for cell in notebook.cells:
        cell.metadata.pop("execution", None)
        if cell.cell_type == "code":
            cell.outputs = _joined(cell.outputs)
            for output in cell.outputs:
                if "image/png" in output.get("data", {}):
                    picture = base64.b64decode(output.data["image/png"])
                    output.data["image/png"] = base64.b64encode(pixels(picture)).decode()
    return notebook


def _joined(outputs: list[Any]) -> list[Any]:
    """Pieces of the same stream in one: where they break depends on time."""
    result: list[Any] = []
    for output in outputs:
        last = result[-1] if result else None
        if last and output.output_type == last.output_type == "stream" and output.name == last.name:
            last.text += output.text
        else:
            result.append(output)
    return result


def pixels(png: bytes) -> bytes:
    """A PNG file without the chunks that say when, and by which version, it was made."""
    result, position = png[:8], 8
    while position < len(png):
        length = struct.unpack(">I", png[position : position + 4])[0]
        end = position + 12 + length
        if png[position + 4 : position + 8] in PIXELS:
            result += png[position:end]
        position = end
    return result


def _plain(text: str) -> str:
    """A traceback without its colours; its last lines, if it is long."""
    lines = re.sub(r"\x1b\[[0-9;]*m", "", text).rstrip().splitlines()
    return "\n".join(lines if len(lines) < 60 else [*lines[:30], "…", *lines[-25:]])


def main(numbers: list[str], check: bool = False, folder: Path | None = None) -> int:
    """Refresh these chapters, or all; with ``check`` only execute them. The exit status."""
    try:
        import jupytext  # noqa: F401
        import nbclient  # noqa: F401
    except ImportError as error:
        print(f"minigan.book: {error}; pip install -e '.[notebooks]'", file=sys.stderr)
        return 2
    try:
        for source in sources(folder or Path.cwd(), numbers):
            if check:
                execute(source)
                print(f"{source.stem}: runs", flush=True)
            else:
                changed = refresh(source)
                print(f"{notebook_of(source).name}: {'new' if changed else 'same'}", flush=True)
    except (ValueError, ChapterError) as error:
        print(f"minigan.book: {error}", file=sys.stderr)
        return 1
    return 0
