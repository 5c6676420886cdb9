"""Shared by the tests of minigan.metrics: no test touches the user's cache."""

import pytest


@pytest.fixture(autouse=True)
def cache(monkeypatch, tmp_path):
    """The folder that classifiers are kept in."""
    monkeypatch.setenv("MINIGAN_DATA", str(tmp_path / "cache"))
    return tmp_path / "cache"
