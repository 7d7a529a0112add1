"""What reading to chunks costs, beside what the libraries underneath cost by themselves, in the same run.

    python -m tests.bench.reading [ROWS_OF_CSV] [ROWS_OF_XLSX]

Processor seconds of this process and its children, and wall seconds; the ratios are what is promised: text at
about the speed of csv.reader, workbooks within 2.5 times python-calamine, five times less than openpyxl.
"""

from __future__ import annotations

import csv
import os
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pandas as pd
import python_calamine as calamine

from importer.readers import ReadOptions, open_source
from tests.bench import inputs

OPTIONS = ReadOptions(is_known=frozenset(inputs.HEADER).__contains__)
OPENPYXL_SHARE = 10
"""openpyxl reads a tenth of the rows, so that the benchmark ends; its time is multiplied."""


@dataclass(frozen=True, slots=True)
class Cost:
    """Seconds."""

    wall: float
    processor: float

    def ratio(self, base: Cost) -> str:
        return f"{self.wall / base.wall:.2f} wall, {self.processor / base.processor:.2f} processor"


def to_chunks(path: Path) -> int:
    """Rows that our own reading gives."""
    with open_source(path, OPTIONS) as source:
        return sum(len(chunk.frame) for chunk in source.chunks())


def with_csv_reader(path: Path) -> int:
    with path.open(newline="", encoding="utf-8") as file:
        return sum(1 for _ in csv.reader(file)) - 1


def with_pandas(path: Path) -> int:
    with pd.read_csv(path, dtype=str, chunksize=8192) as chunks:
        return sum(len(chunk) for chunk in chunks)


def with_calamine(path: Path) -> int:
    with calamine.CalamineWorkbook.from_path(str(path)) as book:
        return len(book.get_sheet_by_index(0).to_python()) - 1


def with_openpyxl(path: Path) -> int:
    return len(pd.read_excel(path, dtype=str, engine="openpyxl"))


def cost(read: Callable[[Path], int], path: Path, rows: int) -> Cost:
    """The cheapest of three readings; each must give so many rows."""
    costs = []
    for _ in range(3):
        wall, before = time.perf_counter(), os.times()
        if read(path) != rows:
            raise SystemExit(f"{read.__name__} lost rows of {path.name}")
        after = os.times()
        processor = sum(after[:4]) - sum(before[:4])
        costs.append(Cost(time.perf_counter() - wall, processor))
    return min(costs, key=lambda one: one.processor)


def main() -> None:
    """Prints a table of seconds and ratios."""
    text_rows, sheet_rows = (int(given) for given in (*sys.argv[1:], "1000000", "100000")[:2])
    with tempfile.TemporaryDirectory() as folder:
        text, book, small = (Path(folder, name) for name in ("text.csv", "book.xlsx", "small.xlsx"))
        inputs.write(text, text_rows)
        inputs.write(book, sheet_rows)
        inputs.write(small, sheet_rows // OPENPYXL_SHARE)
        ours, plain = cost(to_chunks, text, text_rows), cost(with_csv_reader, text, text_rows)
        panda = cost(with_pandas, text, text_rows)
        print(f"{text_rows:,} rows of CSV: {ours.wall:.2f} s, {text_rows / ours.wall:,.0f} rows a second")
        print(f"  beside csv.reader: {ours.ratio(plain)}")
        print(f"  beside chunked pandas.read_csv: {ours.ratio(panda)}")
        ours, native = cost(to_chunks, book, sheet_rows), cost(with_calamine, book, sheet_rows)
        slow = cost(with_openpyxl, small, sheet_rows // OPENPYXL_SHARE)
        slow = Cost(slow.wall * OPENPYXL_SHARE, slow.processor * OPENPYXL_SHARE)
        print(f"{sheet_rows:,} rows of .xlsx: {ours.wall:.2f} s, {sheet_rows / ours.wall:,.0f} rows a second")
        print(f"  beside python-calamine: {ours.ratio(native)}")
        print(f"  beside pandas with openpyxl: {ours.ratio(slow)}")


if __name__ == "__main__":
    main()
