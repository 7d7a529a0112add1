"""Whatever comes from outside, damaged at random: a clear error at most, in time and memory (`make fuzz`)."""

from __future__ import annotations

import os
import random
from pathlib import Path

import pytest

from tests.support import fuzz
from tests.support.fuzz import TARGETS, run_case

CASES = {"file": 150, "mapping": 300, "settings": 400, "answer": 1_000, "journal": 40}
"""So many of each take a few seconds."""


def test_every_target_has_cases() -> None:
    assert CASES.keys() == TARGETS.keys()


def test_what_is_damaged_was_sound(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Otherwise the first error hides all the others."""
    monkeypatch.setattr(fuzz, "damaged", lambda content, rng: content)
    for name, target in TARGETS.items():
        for number in range(10):
            folder = tmp_path / f"{name}{number}"
            folder.mkdir()
            target(random.Random(number), folder)


@pytest.mark.skipif(os.name != "posix", reason="the alarm that ends a hang")
@pytest.mark.parametrize("target", TARGETS)
def test_damage_at_random_gives_a_clear_error_at_most(target: str) -> None:
    for number in range(CASES[target]):
        run_case(target, number)
