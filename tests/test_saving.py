import ast
import errno
import json
import os
import stat
from pathlib import Path

import numpy as np
import pytest

import minigan as mg
from minigan import CheckpointError
from minigan.saving import load_tree, save_tree, write_atomically

# ------------------------------------------------------------------------------ atomic writing


def test_a_file_is_replaced_whole(tmp_path):
    path = tmp_path / "file"
    for content in (b"old", b"new and longer", b""):
        write_atomically(path, content)
        assert path.read_bytes() == content
    assert os.listdir(tmp_path) == ["file"]


def test_a_file_is_as_readable_as_any_other(tmp_path):
    """Temporary files are private to their owner; what they become is not."""
    write_atomically(tmp_path / "atomic", b"")
    (tmp_path / "plain").write_bytes(b"")
    modes = {stat.S_IMODE(file.stat().st_mode) for file in tmp_path.iterdir()}
    assert len(modes) == 1


def full_disk(*_):
    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


@pytest.mark.parametrize("call", ["fsync", "replace", "chmod"])
@pytest.mark.parametrize("error", [OSError, KeyboardInterrupt])
def test_a_failed_write_leaves_the_old_file_and_nothing_else(tmp_path, monkeypatch, call, error):
    path = tmp_path / "file"
    path.write_bytes(b"old")

    def fail(*_):
        raise error

    monkeypatch.setattr(os, call, fail)
    with pytest.raises(error):
        write_atomically(path, b"new")
    assert os.listdir(tmp_path) == ["file"] and path.read_bytes() == b"old"


def test_a_full_disk_is_reported_with_the_files_name(tmp_path, monkeypatch):
    monkeypatch.setattr(os, "fsync", full_disk)
    with pytest.raises(OSError) as error:
        mg.save({"x": mg.ones(3)}, tmp_path / "x.safetensors")
    assert error.value.errno == errno.ENOSPC
    assert error.value.filename == str(tmp_path / "x.safetensors")
    assert os.listdir(tmp_path) == []


def test_a_folder_that_is_not_there_is_reported_with_the_files_name(tmp_path):
    path = tmp_path / "none" / "file"
    with pytest.raises(FileNotFoundError) as error:
        write_atomically(path, b"")
    assert error.value.filename == str(path)


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write anywhere")
def test_a_folder_without_permission(tmp_path):
    tmp_path.chmod(0o500)
    with pytest.raises(PermissionError) as error:
        write_atomically(tmp_path / "file", b"")
    assert error.value.filename == str(tmp_path / "file")


# -------------------------------------------------------------------------------- named tensors


def test_weights_come_back_with_their_dtypes_and_shapes(tmp_path, rng):
    channels_last = rng.standard_normal((2, 5, 5, 3)).astype("f").transpose(0, 3, 1, 2)
    arrays = {
        "float32": rng.standard_normal((2, 3)).astype("f"),
        "float64": rng.standard_normal(4),
        "int64, no axes": np.array(7),
        "empty": np.zeros((0, 3), "f"),
        "channels last": channels_last,
        "reversed": np.arange(6.0)[::-1],
        "bool": np.array([True, False]),
    }
    mg.save({"a tensor": mg.tensor(arrays["float32"]), **arrays}, tmp_path / "w")
    loaded = mg.load(tmp_path / "w")
    arrays["a tensor"] = arrays["float32"]
    assert loaded.keys() == arrays.keys()
    for name, array in arrays.items():
        assert isinstance(loaded[name], mg.Tensor)
        assert loaded[name].dtype == array.dtype, name
        np.testing.assert_array_equal(loaded[name].numpy(), array, err_msg=name, strict=True)


def test_a_modules_weights_come_back(tmp_path):
    one, other = (mg.zoo.dcgan.generator((1, 8, 8), 3, 4) for _ in range(2))
    one(mg.randn(4, 3))  # moves the running statistics
    mg.save(one.state_dict(), tmp_path / "w")
    other.load_state_dict(mg.load(tmp_path / "w"))
    z = mg.randn(2, 3)
    with mg.no_grad():
        np.testing.assert_array_equal(one.eval()(z).numpy(), other.eval()(z).numpy())


# --------------------------------------------------------------------------------- nested state


def test_a_tree_comes_back(tmp_path, rng):
    tree = {
        "none": None,
        "true": True,
        "text": "ä \n\"'",
        "float": [0.1, 1e-300, 2 / 3, float("inf"), 5e-324],
        "big": 2**127 + 1,
        "nested": {"a": {"b": [{"c": rng.standard_normal((2, 3))}, []]}, "empty": {}},
        "0-d": np.array(3),
        "channels last": rng.standard_normal((1, 2, 2, 3)).transpose(0, 3, 1, 2),
    }
    save_tree({**tree, 5: (1, 2), "tensor": mg.tensor([1.5])}, tmp_path / "t")
    loaded = load_tree(tmp_path / "t")
    assert loaded.pop("5") == [1, 2]
    np.testing.assert_array_equal(loaded.pop("tensor"), np.array([1.5], "f"), strict=True)
    for path in (("nested", "a", "b", 0, "c"), ("0-d",), ("channels last",)):
        ours, theirs = tree, loaded
        for key in path[:-1]:
            ours, theirs = ours[key], theirs[key]
        np.testing.assert_array_equal(theirs.pop(path[-1]), ours.pop(path[-1]), strict=True)
    assert loaded == tree


def test_the_same_tree_gives_the_same_bytes(tmp_path):
    names = [f"n{i}" for i in range(20)]
    trees = [{n: np.full(3, int(n[1:])) for n in names} | {"x": 1, "y": {"b": 1, "a": None}}]
    trees.append(dict(reversed(trees[0].items())))
    for i, tree in enumerate(trees):
        save_tree(tree, tmp_path / str(i))
    assert (tmp_path / "0").read_bytes() == (tmp_path / "1").read_bytes()


def test_two_entries_of_one_name_are_refused(tmp_path):
    with pytest.raises(ValueError, match=r"two entries of the tree are both called a\.b"):
        save_tree({"a.b": np.ones(1), "a": {"b": np.zeros(1)}}, tmp_path / "t")
    assert os.listdir(tmp_path) == []


# ---------------------------------------------------------------------------------- broken files


@pytest.fixture
def whole(tmp_path):
    save_tree({"a": np.arange(100.0), "b": [1, {"c": np.ones((3, 3))}]}, tmp_path / "whole")
    return (tmp_path / "whole").read_bytes()


@pytest.mark.parametrize("read", [mg.load, load_tree])
def test_a_file_cut_short_anywhere_is_one_clear_line(tmp_path, whole, read):
    for length in sorted({0, 1, 7, 8, 9, 50, 200, len(whole) // 2, len(whole) - 1}):
        (tmp_path / "cut").write_bytes(whole[:length])
        with pytest.raises(CheckpointError, match="is not a whole safetensors file") as error:
            read(tmp_path / "cut")
        assert str(tmp_path / "cut") in str(error.value) and "\n" not in str(error.value)


@pytest.mark.parametrize(
    "content",
    [b"garbage" * 100, b"\xff" * 100, b"PK\x03\x04 a zip file", b"\5\0\0\0\0\0\0\0[1,2]"],
    ids=["text", "ff", "zip", "list"],
)
@pytest.mark.parametrize("read", [mg.load, load_tree])
def test_garbage_is_one_clear_line(tmp_path, content, read):
    (tmp_path / "bad").write_bytes(content)
    with pytest.raises(CheckpointError, match="is not a whole safetensors file") as error:
        read(tmp_path / "bad")
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("read", [mg.load, load_tree])
def test_a_file_that_is_not_there(tmp_path, read):
    with pytest.raises(FileNotFoundError, match="there is no file "):
        read(tmp_path / "none")
    with pytest.raises(FileNotFoundError):
        read(tmp_path)  # a folder


def test_a_weights_file_is_no_checkpoint(tmp_path):
    mg.save({"x": mg.ones(3)}, tmp_path / "w")
    with pytest.raises(CheckpointError, match="it is a weights file"):
        load_tree(tmp_path / "w")


def test_a_checkpoints_tensors_can_be_read_by_name(tmp_path):
    save_tree({"a": {"b": np.ones(3)}, "n": 1}, tmp_path / "t")
    assert list(mg.load(tmp_path / "t")) == ["a.b"]


@pytest.mark.parametrize("text", ["not json", json.dumps({"a": {"tensor": "missing"}})])
def test_a_checkpoint_with_broken_metadata(tmp_path, text):
    from safetensors.numpy import save_file

    save_file({"x": np.ones(3)}, tmp_path / "t", {"minigan": text})
    with pytest.raises(CheckpointError, match="holds tensors but no training state"):
        load_tree(tmp_path / "t")


# -------------------------------------------------------------------------------------- no pickle


def forbidden(source):
    """Calls and imports that let a file that is read run code."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Call):
            if isinstance(node.func, ast.Name) and node.func.id in ("eval", "exec", "__import__"):
                yield node.func.id
            for keyword in node.keywords:
                if (
                    keyword.arg == "allow_pickle"
                    and getattr(keyword.value, "value", 0) is not False
                ):
                    yield "allow_pickle"
        elif isinstance(node, (ast.Import, ast.ImportFrom)):
            names = {alias.name for alias in node.names} | {getattr(node, "module", None)}
            yield from names & {"pickle", "cPickle", "dill", "shelve", "marshal", "joblib"}


@pytest.mark.host
def test_no_file_can_run_code():
    files = list(Path(mg.__file__).parent.rglob("*.py"))
    assert len(files) > 30
    assert [(file.name, found) for file in files for found in forbidden(file.read_text())] == []


@pytest.mark.parametrize(
    "source",
    ["import pickle", "from pickle import load", "eval('1')", "np.load(f, allow_pickle=1)"],
)
def test_the_search_for_them_finds_them(source):
    assert list(forbidden(source))
