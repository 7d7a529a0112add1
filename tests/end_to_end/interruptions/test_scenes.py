"""Random scenes of imports that are killed, delayed and taken up again: one truth at the end of each."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from importer.sandbox import Sandbox
from tests.support.forks import Forks
from tests.support.scenes import Scene

AT_ONCE = 4
"""Scenes that are played side by side: they wait most of the time."""


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


def test_one_truth_after_random_scenes(tmp_path: Path, forks: Forks) -> None:
    assert play(range(16), tmp_path, forks) <= 4


@pytest.mark.soak
def test_one_truth_after_hundreds_of_random_scenes(tmp_path: Path, forks: Forks) -> None:
    busy = play(range(1000, 1300), tmp_path, forks)
    print(f"300 scenes, {busy} of them not judged: the machine was too busy for late requests to be in time")
    assert busy <= 30
