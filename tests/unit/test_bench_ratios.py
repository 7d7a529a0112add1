"""The ratios that each change is held against."""

from __future__ import annotations

import json

import pytest

from tests.bench.ratios import KEPT, RATIOS, check


def test_a_ratio_is_kept_for_each_small_bench() -> None:
    assert json.loads(KEPT.read_text("utf-8")).keys() == RATIOS.keys()


def test_what_is_worse_by_more_than_a_fifth_each_time_fails(capsys: pytest.CaptureFixture[str]) -> None:
    assert check({"start": 1.0, "csv": 2.0}, {"start": lambda: 1.21, "csv": lambda: 2.39}) == 1
    said = capsys.readouterr()
    assert said.out.count("start: 1.21, kept 1.00: worse by more than a fifth") == 3
    assert "start" in said.err
    assert "csv" not in said.err


def test_one_try_that_is_as_good_is_enough() -> None:
    tries = iter([3.0, 2.5, 2.4])
    assert check({"csv": 2.0}, {"csv": lambda: next(tries)}) == 0
    assert not list(tries)
