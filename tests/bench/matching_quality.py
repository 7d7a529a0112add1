"""How many fields `importer mapping suggest` gets right, wrong and leaves open, from headers alone.

    python -m tests.bench.matching_quality [--list]

The headers are those of real exports; the right answers beside them were written down by hand. Counted once
with the ready-made mappings, as suggest works, and once without, as if every export were unknown. A field is
right if its column is (one of) the right one(s), wrong if another column would be taken for it, open if none
is.
"""

from __future__ import annotations

import json
import sys
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from importer import contracts, mapping

_HERE = Path(__file__).parent


@dataclass(frozen=True, slots=True)
class Mark:
    """One field of one export, judged."""

    export: str
    field: str
    column: str
    verdict: str
    """right, wrong or open."""


def marks(ready_made: bool) -> Iterator[Mark]:
    """Every field of every export that has an answer or a taken proposal."""
    headers = json.loads((_HERE / "headers.json").read_text("utf-8"))
    answers = tomllib.loads((_HERE / "header_answers.toml").read_text("utf-8"))
    for export, header in headers.items():
        names = [name for name in header if name]
        proposals = mapping.propose(names, None, contracts.load("sea"), ready_made=ready_made)
        taken: dict[str, list[str]] = {}
        for one in proposals:
            if one.taken:
                field = "full_name" if one.split else str(one.field)
                taken.setdefault(field, []).append(one.column)
        right = {
            field: [found] if isinstance(found, str) else found for field, found in answers[export].items()
        }
        for field in right.keys() | taken.keys():
            columns = taken.get(field, [])
            if not columns:
                yield Mark(export, field, right[field][0], "open")
            elif set(columns) & set(right.get(field, [])):
                yield Mark(export, field, columns[0], "right")
            else:
                yield Mark(export, field, columns[0], "wrong")


def count(found: list[Mark]) -> dict[str, int]:
    """Marks by verdict."""
    return {verdict: sum(mark.verdict == verdict for mark in found) for verdict in ("right", "wrong", "open")}


def main() -> None:
    for ready_made, title in ((True, "as suggest works"), (False, "without ready-made mappings")):
        found = sorted(marks(ready_made), key=lambda mark: (mark.export, mark.field))
        print(f"{title}: {count(found)}")
        if "--list" in sys.argv:
            for mark in found:
                if mark.verdict != "right":
                    print(f"  {mark.verdict:5} {mark.export}: {mark.field} = {mark.column}")


if __name__ == "__main__":
    main()
