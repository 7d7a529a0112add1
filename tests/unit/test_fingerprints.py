"""A set of fingerprints remembers all that was added and nothing else."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from importer import fingerprints
from importer.fingerprints import FingerprintSet

keys = st.lists(st.integers(-(2**62), 2**62), max_size=60)


@given(st.lists(keys, max_size=8), keys)
def test_it_is_a_set(added: list[list[int]], asked: list[int]) -> None:
    found, expected = FingerprintSet(), set()
    for some in added:
        found.add(np.array(some, dtype=np.int64))
        expected |= set(some) - {0}
        answer = found.contains(np.array(asked, dtype=np.int64))
        assert answer.tolist() == [key in expected for key in asked]


def test_it_stays_one_when_its_levels_are_merged() -> None:
    rng = np.random.default_rng(1)
    found, expected = FingerprintSet(), set()
    for _ in range(40):
        some = rng.integers(1, 2**62, 20_000)
        found.add(some)
        expected |= set(some.tolist())
    assert len(found) == len(expected)
    assert found.contains(np.array(sorted(expected), dtype=np.int64)).all()
    assert not found.contains(rng.integers(-(2**62), -1, 10_000)).any()


def test_it_takes_about_ten_bytes_a_key() -> None:
    found = FingerprintSet()
    for start in range(0, 400_000, 20_000):
        found.add(np.arange(start + 1, start + 20_001, dtype=np.int64) * 2_654_435_761)
    assert sum(level.nbytes for level in found._levels) + found._sieve._bits.nbytes <= 11 * len(found)


def test_hardly_any_other_key_is_looked_up() -> None:
    found = FingerprintSet()
    for start in range(0, 400_000, 20_000):
        found.add(np.arange(start + 1, start + 20_001, dtype=np.int64) * 16 + 13)
        others = (np.arange(20_000, dtype=np.int64) + 1_000_000) * 16 + 13
        assert found._sieve.lets_through(others).mean() < 0.2


def test_nothing_has_the_fingerprint_zero() -> None:
    made = fingerprints.fingerprints([None, "", b"x", "x"], 4)
    assert made[0] == 0
    assert made[2] != 0
    assert not FingerprintSet().contains(made).any()
