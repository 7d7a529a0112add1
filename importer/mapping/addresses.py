"""Addresses in parts: which columns beside a street make it an address, the one field that the API has.

A street alone (Straße, Rua, 番地) is joined with its place, in the order of the file.
"""

from __future__ import annotations

from collections.abc import Container, Iterable, Mapping, Sequence
from dataclasses import replace
from functools import cache

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from importer.arrow import offsets_and_bytes, to_mask
from importer.dataclass import dataclass
from importer.mapping.base import packaged_index, where_text
from importer.mapping.dates import month_number
from importer.mapping.headers import normalize
from importer.mapping.rules import FieldRule, MappingFile
from importer.patterns import late_pattern

_HAN = "\u2e80"
"""The first of the signs of China, Japan and Korea."""
_REPEATED = 0.5
_SHORTEST_DAY, _LONGEST_DAY = 5, 12
"""Bytes of a day as it is shown."""
_SHOWN_DAY = late_pattern(
    r"(?P<number>\d{1,2})(?:[-/.]|\. )(?P<name>[^\W\d_]{3,5})\.?"
    r"|(?P<first>[^\W\d_]{3,5})\.?[-/](?P<behind>\d\d)"
    r"|(?P<han>\d{1,2})月(?P<day>\d{1,2})日"
)
_MARKS = late_pattern(r"[,;\n]| - ")


@dataclass(frozen=True, slots=True)
class JoinedAddress:
    """The columns of an address, and the text between two."""

    columns: tuple[str, ...]
    join: str


def joined_address(
    column: str,
    header: Sequence[str],
    used: Container[str],
    cells: Mapping[str, Sequence[str | None]] | None = None,
) -> JoinedAddress | None:
    """Return the columns that make an address of a column with a street, itself among them; None if it is one
    by itself.

    `used` are columns of other fields. `cells` are sample cells by column: with them, a column that is called
    like a whole address counts as a street where its cells lack the place. Words around the street's label
    stand around the others, too: Mailing Street, Mailing City.
    """
    around = _around_street(column)
    if around is None:
        if cells is None:
            return None
        around = ("", "")
    before, behind = around
    kinds = _kinds()

    def kind(name: str) -> str:
        label = normalize(name)
        if name in used or not (label.startswith(before) and label.endswith(behind)):
            return ""
        return kinds.get(label.removeprefix(before).removesuffix(behind), "")

    parts = {name: found for name in header if name != column and (found := kind(name))}
    for name in [name for name, found in parts.items() if found != "place"]:
        at = header.index(name)
        beside = {column, *(one for one, found in parts.items() if found == "place")}
        if beside.isdisjoint(header[max(at - 1, 0) : at + 2]):
            del parts[name]
    if "place" not in parts.values() or (cells is not None and _repeats(column, tuple(parts), cells)):
        return None
    columns = tuple(name for name in header if name == column or name in parts)
    return JoinedAddress(columns, join_of(columns))


def join_of(columns: Iterable[str]) -> str:
    """Return the text between the parts of an address with these columns: a comma, but not before a house
    number, nor in China, Japan and Korea."""
    kinds = _kinds()
    blank = any(name[:1] >= _HAN or kinds.get(normalize(name)) == "number" for name in columns)
    return " " if blank else ", "


def with_joined_address(mapping: MappingFile, header: Sequence[str]) -> MappingFile:
    """Return the mapping with a street's place in its address, if the street alone feeds it or could."""
    rule = mapping.fields.get("address")
    used = frozenset(mapping.columns())
    streets: Iterable[str]
    if rule is None:
        streets = (name for name in header if name not in used and normalize(name) in _streets())
    elif len(rule.source) == 1 and rule.join is None:
        streets = rule.source
    else:
        return mapping
    joined = next(filter(None, (joined_address(street, header, used) for street in streets)), None)
    if joined is None:
        return mapping
    whole = FieldRule(tuple(joined.columns), joined.join)
    return replace(mapping, fields={**mapping.fields, "address": whole})


def days(cells: pa.Array) -> np.ndarray:
    """Return a mask of the cells (without blanks around them) that are a date: no address has one, but 12/4
    becomes one in a spreadsheet program, which shows 12-Apr or 4月12日."""
    found = to_mask(pc.match_substring_regex(cells, r"^\d{4}-\d\d-\d\d(?: 00:00:00)?$"))
    lengths = np.diff(offsets_and_bytes(cells)[0])
    at = np.flatnonzero((lengths >= _SHORTEST_DAY) & (lengths <= _LONGEST_DAY))
    found |= where_text(cells, at, lambda text: _day_of_month(text) is not None)
    return found


def before_excel(day: str) -> str:
    """Return what a date in an address may have been: 12/4, 4/12 for 2026-04-12 and 12-Apr."""
    told = _day_of_month(day)
    if told is None:
        _, month, number = (int(part) for part in day[:10].split("-"))
    else:
        number, month = told
    return ", ".join(dict.fromkeys((f"{number}/{month}", f"{month}/{number}")))


def _day_of_month(text: str) -> tuple[int, int] | None:
    """Return the day (or the year) and the month of a text as spreadsheet programs show a date without its
    year (or without its day): 12-may, 05. Mrz, 12/mai, may-26, 4月12日."""
    found = _SHOWN_DAY.fullmatch(text)
    if found is None:
        return None
    month = int(found["han"]) if found["han"] else month_number(found["name"] or found["first"])
    number = int(found["number"] or found["behind"] or found["day"])
    possible = month is not None and 0 < month <= 12 and (found["behind"] or 0 < number <= 31)
    return (number, month) if month is not None and possible else None


def cut_postal_codes(column: str, cells: pa.Array) -> np.ndarray:
    """Return a mask of the postal codes that seem to have lost a zero in front: most others are as long as
    the country's are, by what the column is called (PLZ, CEP, ZIP), and these are one digit shorter."""
    digits = _code_lengths().get(normalize(column))
    if digits is None:
        return np.zeros(len(cells), dtype=bool)
    bare = pc.replace_substring_regex(cells, r"[ .\-]", "")
    whole = to_mask(pc.match_substring_regex(bare, rf"^\d{{{digits}}}$"))
    found = to_mask(pc.match_substring_regex(bare, rf"^[1-9]\d{{{digits - 2}}}$"))
    found &= whole.sum() > found.sum()
    return found


@cache
def _code_lengths() -> Mapping[str, int]:
    """Return how many digits the postal codes of a column have, by its normal form."""
    table = packaged_index("words.json")["postal_codes"]
    return {normalize(name): int(digits) for digits, names in table.items() for name in names}


def _around_street(column: str) -> tuple[str, str] | None:
    """Return what stands before and behind the label of a street; None if the column is called otherwise."""
    name = normalize(column)
    for street in _streets():
        if name.endswith(street):
            return name.removesuffix(street), ""
        if name.startswith(street):
            return "", name.removeprefix(street)
    return None


def _repeats(column: str, parts: Sequence[str], cells: Mapping[str, Sequence[str | None]]) -> bool:
    """Return whether most cells of a column begin or end with what stands in another one, as whole addresses
    do; a place in the name of a street is none. Addresses in Chinese need no marks between their parts."""
    whole = cells.get(column, ())
    for part in parts:
        pairs = [
            (one, other) for one, other in zip(whole, cells.get(part, ()), strict=False) if one and other
        ]
        if pairs and sum(
            _is_part(other.strip().casefold(), one.casefold()) for one, other in pairs
        ) > _REPEATED * len(pairs):
            return True
    return False


def _is_part(place: str, address: str) -> bool:
    if place[:1] >= _HAN:
        return place in address
    pieces = (piece.strip() for piece in _MARKS.split(address))
    return any(piece.startswith(place) or piece.endswith(place) for piece in pieces)


@cache
def _streets() -> tuple[str, ...]:
    """Return the labels of streets, the longest first."""
    return tuple(
        sorted(map(normalize, packaged_index("words.json")["addresses"]["streets"]), key=len, reverse=True)
    )


@cache
def _kinds() -> Mapping[str, str]:
    words = packaged_index("words.json")["addresses"]
    numbers = dict.fromkeys(map(normalize, words["numbers"]), "number")
    places = dict.fromkeys(map(normalize, words["parts"]), "place")
    perhaps = dict.fromkeys(map(normalize, words["perhaps"]), "perhaps")
    numbers |= dict.fromkeys(map(normalize, words["perhaps_numbers"]), "number")
    return perhaps | numbers | places
