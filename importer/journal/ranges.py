"""Row numbers as people write them: "2-101,103"; there and back, fast enough for a million rows."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np


def encode(rows: Sequence[int]) -> str:
    """The row numbers in their order, neighbours that follow each other joined: (2, 3, 4, 9) → "2-4,9"."""
    if not rows:
        return ""
    first, last = rows[0], rows[-1]
    if last - first == len(rows) - 1 and tuple(rows) == tuple(range(first, last + 1)):
        return f"{first}-{last}" if last > first else str(first)
    parts: list[str] = []
    start = before = first
    for row in (*rows[1:], None):
        if row is not None and row == before + 1:
            before = row
            continue
        parts.append(f"{start}-{before}" if before > start else str(start))
        if row is not None:
            start = before = row
    return ",".join(parts)


def decode(text: str) -> tuple[int, ...]:
    """The row numbers behind `encode`'s text, in the same order. Raises ValueError on anything else."""
    return tuple(int(row) for row in expand([text])[0])


def expand(texts: Sequence[str]) -> tuple[np.ndarray, np.ndarray]:
    """Many texts at once: all row numbers (int64), and for each the index of the text it came from (int32).

    Both have one element a row, in the order of the texts. Raises ValueError on malformed text.
    """
    spans = [text.split(",") if text else [] for text in texts]
    starts: list[int] = []
    stops: list[int] = []
    for parts in spans:
        for part in parts:
            start, dash, stop = part.partition("-")
            starts.append(int(start))
            stops.append(int(stop if dash else start))
    first = np.array(starts, dtype=np.int64)
    lengths = np.array(stops, dtype=np.int64) - first + 1
    if lengths.size and lengths.min() < 1:
        raise ValueError("a range of rows that ends before it begins")
    owners = np.repeat(np.arange(len(texts), dtype=np.int32), [len(parts) for parts in spans])
    offsets = np.arange(lengths.sum(), dtype=np.int64) - np.repeat(np.cumsum(lengths) - lengths, lengths)
    return np.repeat(first, lengths) + offsets, np.repeat(owners, lengths)
