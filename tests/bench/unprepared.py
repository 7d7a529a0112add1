"""How `importer mapping suggest` does on exports that nobody has prepared for: `make bench ONLY=matching`.

    python -m tests.bench.unprepared [--list]

Each set holds the header of an export, a few rows as such systems write them, and the truth, written down by
hand before the first run; `source` says where a header was found. A column under `right` must be matched to
one of its fields, one under `fine` may be; anything else that is matched is wrong. Ready-made mappings are
off.

A proposal is taken from a certain confidence on. To judge the threshold rather than fit it, each system is
measured with the lowest threshold at which no column of all other systems is wrong, at least 0.56: a header
with a word that nobody listed is never taken.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TypedDict

import pandas as pd

from importer import contracts, mapping
from importer.mapping.proposals import TAKEN, Proposal

_HERE = Path(__file__).parent


@dataclass(frozen=True, slots=True)
class _Origin:
    """Where the sets of a file come from."""

    title: str
    first_run: str = "–"
    """Right, wrong and open in the first run, before anything was mended for these exports."""


_ORIGINS = {
    "unprepared_headers.json": _Origin("exports that the matcher was built on"),
    "own_headers.json": _Origin("well-known products, as their documentation shows them", "307 / 1 / 2"),
    "found_headers.json": _Origin("found in public source files", "127 / 1 / 2"),
    "second_headers.json": _Origin("gyms, clinics, hotels, schools, tickets, lead ads, ERP", "283 / 3 / 15"),
    "third_headers.json": _Origin("insurance, tenants, vehicles, orders, courses, animals", "232 / 5 / 27"),
    "fourth_headers.json": _Origin("products of many countries, forms, schools, churches", "312 / 0 / 26"),
    "fifth_headers.json": _Origin("found in public source files, second time", "128 / 1 / 0"),
    "sixth_headers.json": _Origin("found in public source files, third time", "148 / 0 / 0"),
    "seventh_headers.json": _Origin("found in public source files, fourth time", "146 / 1 / 1"),
    "eighth_headers.json": _Origin("found in public source files, fifth time", "87 / 0 / 2"),
    "ninth_headers.json": _Origin("found in public source files, sixth time", "66 / 0 / 0"),
    "tenth_headers.json": _Origin(
        "clinics, donors, schools, shops, staff, with columns of many others", "156 / 2 / 4"
    ),
    "eleventh_headers.json": _Origin("never seen before, in thirty-three languages", "179 / 1 / 12"),
    "twelfth_headers.json": _Origin("never seen before, in thirty-four languages", "181 / 2 / 17"),
    "thirteenth_headers.json": _Origin("never seen before, in twenty-eight languages", "167 / 0 / 2"),
}
FILES = tuple(_ORIGINS)
# A header with a word that nobody listed reaches 0.55, and is never to be taken.
_THRESHOLDS = [step / 100 for step in range(56, 96)]
_VERDICTS = ("right", "wrong", "open")


class HeaderSet(TypedDict):
    """One export."""

    language: str
    headers: list[str]
    rows: list[list[str]]
    right: dict[str, list[str]]
    fine: dict[str, list[str]]


@dataclass(frozen=True, slots=True)
class Judged:
    """The proposal for one column of one export, beside the truth."""

    system: str
    language: str
    column: str
    must: tuple[str, ...]
    """The fields of which one has to be proposed; empty if none has to be."""
    may: tuple[str, ...]
    proposal: Proposal

    def verdict(self, threshold: float) -> str:
        """`right`, `wrong`, `open`, or "" for a column that needs no field and got none."""
        one = self.proposal
        if one.field is None or one.confidence < threshold:
            return "open" if self.must else ""
        if one.field in self.must:
            return "right"
        return "" if one.field in self.may else "wrong"


@cache
def judged(file: str) -> tuple[Judged, ...]:
    """The columns of all exports of a file. Of columns with one name, the best counts."""
    return tuple(one for name, found in header_sets(file).items() for one in _columns(name, found))


def header_sets(file: str) -> dict[str, HeaderSet]:
    """The exports of a file by name."""
    found: dict[str, HeaderSet] = json.loads((_HERE / file).read_text("utf-8"))
    return found


def _columns(system: str, found: HeaderSet) -> Iterator[Judged]:
    names = [*dict.fromkeys(found["headers"])]
    places = [found["headers"].index(name) for name in names]
    samples = pd.DataFrame(
        [[row[place] if place < len(row) else "" for place in places] for row in found["rows"]], columns=names
    )
    for one in mapping.propose(names, samples, contracts.load("sea"), ready_made=False):
        must, may = (tuple(found[key].get(one.column, ())) for key in ("right", "fine"))
        yield Judged(system, found["language"], one.column, must, may, one)


def count(columns: Sequence[Judged], threshold: float = TAKEN) -> dict[str, int]:
    """Columns by verdict."""
    verdicts = [one.verdict(threshold) for one in columns]
    return {name: verdicts.count(name) for name in _VERDICTS}


def left_out(columns: Sequence[Judged]) -> list[tuple[Judged, str]]:
    """Each column's verdict at the threshold that all other systems, of all files, set."""
    found = []
    wrong = [
        (one.system, one.proposal.confidence)
        for file in FILES
        for one in judged(file)
        if one.verdict(_THRESHOLDS[0]) == "wrong"
    ]
    for system in dict.fromkeys(one.system for one in columns):
        highest = max((confidence for other, confidence in wrong if other != system), default=0.0)
        threshold = next((t for t in _THRESHOLDS if t > highest), 1.0)
        found += [(one, one.verdict(threshold)) for one in columns if one.system == system]
    return found


def by_language(verdicts: Sequence[tuple[Judged, str]]) -> list[tuple[str, dict[str, int]]]:
    """Right, wrong, open and the number of systems for each language, and for all."""
    found = []
    for language in (*sorted({one.language for one, _ in verdicts}), "all"):
        chosen = [(one, verdict) for one, verdict in verdicts if language in (one.language, "all")]
        counted = {name: sum(verdict == name for _, verdict in chosen) for name in _VERDICTS}
        found.append((language, counted | {"systems": len({one.system for one, _ in chosen})}))
    return found


def table(verdicts: Sequence[tuple[Judged, str]]) -> str:
    """The figures by language as Markdown."""
    lines = ["| language | systems | right | wrong | open |", "| --- | ---: | ---: | ---: | ---: |"]
    for language, counted in by_language(verdicts):
        lines.append(
            f"| {language} | " + " | ".join(str(counted[key]) for key in ("systems", *_VERDICTS)) + " |"
        )
    return "\n".join(lines)


def tables() -> str:
    """The figures of each file and those of all by language, for the documentation."""
    lines = [
        "| exports | systems | first run: right / wrong / open | right | wrong | open |",
        "| --- | ---: | ---: | ---: | ---: | ---: |",
    ]
    for file, origin in _ORIGINS.items():
        _, counted = by_language(left_out(judged(file)))[-1]
        figures = " | ".join(str(counted[key]) for key in _VERDICTS)
        lines.append(f"| {origin.title} | {counted['systems']} | {origin.first_run} | {figures} |")
    everything = [one for file in FILES for one in left_out(judged(file))]
    return "\n".join(lines) + "\n\n" + table(everything)


def main() -> None:
    """Print the figures, and with --list every column that is wrong or open."""
    for file in FILES:
        columns = judged(file)
        print(f"{file}, taken from {TAKEN:.2f}: {count(columns)}")
        lowest = next((t for t in _THRESHOLDS if count(columns, t)["wrong"] == 0), 1.0)
        print(f"none wrong from {lowest:.2f} on: {count(columns, lowest)}\n\nleave one system out:")
        print(table(left_out(columns)), "\n")
        for one in columns if "--list" in sys.argv else ():
            verdict = one.verdict(TAKEN)
            if verdict in ("wrong", "open"):
                found = one.proposal
                say = f"{found.field} {found.confidence} ({found.reason})"
                print(f"  {verdict:5} {one.system}: {one.column} → {say}")


if __name__ == "__main__":
    main()
