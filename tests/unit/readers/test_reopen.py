"""A file that is being read can be read again from its start: the proof of dates does so in the middle."""

from __future__ import annotations

from itertools import zip_longest
from pathlib import Path

import pytest

from importer.readers import ReadOptions, open_source


@pytest.mark.parametrize("encoding", ["utf-8", "utf-16"])
def test_two_readings_at_once_see_the_same_rows(tmp_path: Path, encoding: str) -> None:
    path = tmp_path / "customers.csv"
    lines = [f"Ann {number},Lee,86138{number:08},{'x' * 60}" for number in range(60_000)]
    path.write_text("\n".join(["First name,Last name,Phone,Remark", *lines]), encoding)
    with open_source(path, ReadOptions(header_row=1)) as source:
        rows = 0
        for one, other in zip_longest(source.chunks(), source.chunks()):
            assert one is not None
            assert other is not None
            assert one.frame.equals(other.frame)
            rows += len(one.frame)
    assert rows == 60_000
