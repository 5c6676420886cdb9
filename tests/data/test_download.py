import contextlib
import hashlib
import re
import urllib.request

import pytest

from minigan.data import DataError, cache_folder, download
from minigan.data.download import SOURCES, RemoteFile, Source, fetch

BODY = bytes(range(256)) * 1000
FILE = RemoteFile("file.gz", len(BODY), hashlib.md5(BODY).hexdigest())


def files_in(folder):
    return sorted(p.name for p in folder.iterdir()) if folder.exists() else []


def test_a_good_file_arrives_whole(server, tmp_path):
    server.files["/a/file.gz"] = BODY
    fetch("toy", [FILE], [f"{server.url}/a/"], tmp_path / "new/folder")
    assert (tmp_path / "new/folder/file.gz").read_bytes() == BODY
    assert files_in(tmp_path / "new/folder") == ["file.gz"]


def test_a_file_that_is_there_is_neither_fetched_nor_touched(server, tmp_path):
    (tmp_path / "file.gz").write_bytes(b"the user's own")
    fetch("toy", [FILE], [f"{server.url}/a/"], tmp_path)
    assert server.requests == []
    assert (tmp_path / "file.gz").read_bytes() == b"the user's own"


@pytest.mark.parametrize(
    ("body", "truncate", "reason"),
    [
        (BODY[:-1] + b"x", False, f"expected MD5 {FILE.md5}, got"),
        (BODY, True, "expected 256,000 bytes, got 128,000|IncompleteRead"),
        (BODY[:1000], False, "expected 256,000 bytes, got 1,000"),
        (BODY * 2, False, "expected 256,000 bytes, got more"),
        (None, False, "HTTP Error 404"),
    ],
)
def test_a_bad_download_leaves_nothing_behind(server, tmp_path, body, truncate, reason):
    if body is not None:
        server.files["/a/file.gz"] = body
    if truncate:
        server.truncate.add("/a/file.gz")
    with pytest.raises(DataError, match=reason):
        fetch("toy", [FILE], [f"{server.url}/a/"], tmp_path)
    assert files_in(tmp_path) == []


@pytest.mark.parametrize("first", [None, b"wrong"])
def test_the_second_mirror_is_used_when_the_first_fails(server, tmp_path, first):
    if first is not None:
        server.files["/a/file.gz"] = first
    server.files["/b/file.gz"] = BODY
    mirrors = [f"{server.url}/a/", f"{server.url}/b/"]
    fetch("toy", [FILE], mirrors, tmp_path)
    assert server.requests == ["/a/file.gz", "/b/file.gz"]
    assert files_in(tmp_path) == ["file.gz"]


def test_an_interrupt_leaves_nothing_behind(server, tmp_path, monkeypatch):
    server.files["/a/file.gz"] = BODY
    real = urllib.request.urlopen

    def interrupted(url, timeout):
        response = real(url, timeout=timeout)
        read, calls = response.read, []

        def read_twice(size):
            calls.append(size)
            if len(calls) == 3:
                assert [p.suffix for p in tmp_path.iterdir()] == [".part"]
                raise KeyboardInterrupt
            return read(size)

        response.read = read_twice
        return response

    monkeypatch.setattr(urllib.request, "urlopen", interrupted)
    with pytest.raises(KeyboardInterrupt):
        fetch("toy", [FILE], [f"{server.url}/a/"], tmp_path)
    assert files_in(tmp_path) == []


def test_an_endless_answer_is_cut_off(tmp_path, monkeypatch):
    blocks = iter([BODY] * 3)  # asking for a fourth raises StopIteration

    class Endless(contextlib.nullcontext):
        def read(self, size):
            return next(blocks)

    monkeypatch.setattr(urllib.request, "urlopen", lambda url, timeout: Endless(Endless()))
    with pytest.raises(DataError, match="got more"):
        fetch("toy", [FILE], ["http://127.0.0.1/"], tmp_path)
    assert files_in(tmp_path) == []


def test_offline_lists_what_is_still_needed_and_where_to_put_it(server, tmp_path):
    server.files["/file.gz"] = BODY
    other = RemoteFile("other.gz", 12_345, "0" * 32)
    with pytest.raises(DataError) as error:
        fetch("toy", [FILE, other], ["http://127.0.0.1:1/", f"{server.url}/"], tmp_path)
    first, *rows = str(error.value).splitlines()
    assert "other.gz" in first and str(tmp_path) in first
    assert "127.0.0.1:1/: " in first and "404" in first
    assert rows == [f"  other.gz  12,345 bytes  MD5 {'0' * 32}"]
    assert files_in(tmp_path) == ["file.gz"]


def test_download_fetches_every_file_of_a_data_set(server, tmp_path, monkeypatch):
    server.files["/file.gz"] = BODY
    monkeypatch.setitem(SOURCES, "fashion-mnist", Source((FILE,), (f"{server.url}/",)))
    assert download("Fashion_MNIST") == tmp_path / "cache/fashion-mnist"
    assert download("fashion-mnist", tmp_path / "own") == tmp_path / "own"
    assert files_in(tmp_path / "cache/fashion-mnist") == files_in(tmp_path / "own") == ["file.gz"]


def test_download_of_an_unknown_name_suggests_one():
    with pytest.raises(ValueError, match="unknown download 'mnits': did you mean 'mnist'"):
        download("mnits")


def test_the_cache_is_under_home_by_default(monkeypatch, tmp_path):
    monkeypatch.delenv("MINIGAN_DATA")
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("USERPROFILE", str(tmp_path))
    assert cache_folder("mnist") == tmp_path / ".cache/minigan/mnist"


def test_every_source_is_complete():
    for name, source in SOURCES.items():
        assert source.files and source.mirrors, name
        for file in source.files:
            assert re.fullmatch("[0-9a-f]{32}", file.md5) and file.size > 0
        assert all(re.fullmatch("https?://.*/", mirror) for mirror in source.mirrors)
