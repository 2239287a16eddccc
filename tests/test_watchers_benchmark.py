"""The benchmark of watchers, small: its figures are figures, and its bars can fail."""

import shutil

import pytest

from benchmarks import watchers


@pytest.fixture(autouse=True)
def small(monkeypatch):
    """Seconds are enough to see that it works."""
    for name, size in {"WATCHERS": 20, "EVENTS": 5, "RUNS": 1, "STUCK": 5}.items():
        monkeypatch.setattr(watchers, name, size)
    monkeypatch.setattr(watchers, "LENGTHS", (2_100, 2_200))
    monkeypatch.setattr(watchers, "LIVE", 3)
    monkeypatch.setattr(watchers, "EACH", 20)


@pytest.mark.interop  # it takes long
def test_it_measures_what_it_says(capsys, monkeypatch):
    """A bar that nothing can hold fails it; one that anything holds does not."""
    monkeypatch.setattr(shutil, "which", lambda _: None)
    monkeypatch.setattr(watchers, "WAKE", 1e9)
    monkeypatch.setattr(watchers, "HELD", 1e9)
    assert 0 == watchers.main(["--check"])
    said = capsys.readouterr().out
    assert "a bare event wakes a task:" in said
    assert "left out: Redis" in said
    monkeypatch.setattr(watchers, "WAKE", 0.0)
    assert 1 == watchers.main(["--check"])
    assert "FAILS" in capsys.readouterr().out


@pytest.mark.interop
def test_it_measures_redis(capsys):
    """Against one XADD for each event, on a server of its own."""
    bars = list(watchers.over_redis())

    assert [(watchers.REDIS, True)] == [(bound, figure > 0) for _, figure, bound, _ in bars]
    assert "3 runs, RedisLog:" in capsys.readouterr().out
