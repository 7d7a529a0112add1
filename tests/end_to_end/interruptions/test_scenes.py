"""Random scenes of imports that are killed, delayed and taken up again: one truth at the end of each."""

from __future__ import annotations

import os
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from importer.sandbox import Sandbox
from tests.support.forks import Forks
from tests.support.scenes import Scene

pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")

AT_ONCE = 4
"""Scenes that are played side by side: they wait most of the time."""


@pytest.fixture(scope="module")
def forks() -> Iterator[Forks]:
    forks = Forks()
    yield forks
    forks.close()


def play(seeds: range, folder: Path, forks: Forks) -> int:
    """Play scenes. Return how many could not be judged, because the machine was too busy."""

    def one(seed: int) -> tuple[str, bool]:
        place = folder / f"scene-{seed}"
        place.mkdir()
        with Sandbox(keep_bodies=True, latency=0.01) as box:
            scene = Scene(seed, place, forks, box)
            try:
                scene.play()
                scene.check()
            except Exception as error:
                return f"{type(error).__name__}: {error}", False
            return "", scene.excused > 0

    with ThreadPoolExecutor(AT_ONCE) as pool:
        found = list(pool.map(one, seeds))
    failures = [failure for failure, _ in found if failure]
    assert not failures, "\n\n".join(failures)
    return sum(excused for _, excused in found)


def test_random_scenes(tmp_path: Path, forks: Forks) -> None:
    excused = play(range(20), tmp_path, forks)
    assert excused < 5
