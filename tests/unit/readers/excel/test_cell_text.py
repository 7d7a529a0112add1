"""Values of workbook cells as text, out to what no calendar and no text can hold."""

from __future__ import annotations

import pytest

from importer.readers.excel.cell_text import date_text, duration_text
from importer.readers.excel.ooxml import unescape


@pytest.mark.parametrize(
    ("serial", "epoch_1904", "text"),
    [
        (2_958_465.0, False, "9999-12-31"),
        (2_958_466.0, False, "2958466"),
        (2_958_465.9999999, False, "2958465.9999999"),
        (2_957_003.0, True, "9999-12-31"),
        (2_957_004.0, True, "2957004"),
        (-1.0, False, "-1"),
        (1e300, False, "1E+300"),
        (float("inf"), False, "#NUM!"),
        (float("nan"), True, "#NUM!"),
    ],
)
def test_a_number_beyond_the_calendar_is_no_date(serial: float, epoch_1904: bool, text: str) -> None:
    assert date_text(serial, epoch_1904=epoch_1904) == text


def test_a_phone_in_a_column_of_durations_stays_a_number() -> None:
    assert duration_text(1.5) == "36:00:00"
    assert duration_text(8613800000001.0) == "8613800000001"
    assert duration_text(float("inf")) == "#NUM!"


def test_half_a_character_stays_as_it_is_written() -> None:
    assert unescape("a_x000D_b_xD800_c_x4E00_") == "a\rb_xD800_c一"
