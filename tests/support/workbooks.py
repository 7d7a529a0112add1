"""What tests ask of a workbook's sheets."""

from __future__ import annotations

from typing import Any


def header(sheet: Any, row: int = 1) -> dict[str, int]:
    """The columns of an openpyxl sheet, counted from 1, by the texts in its header's row."""
    return {str(cell.value): cell.column for cell in sheet[row]}
