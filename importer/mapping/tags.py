"""Rules for tags: turn them, however separated, into texts separated by commas."""

from __future__ import annotations

import csv
import json
import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import lru_cache

import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from importer import arrow
from importer.arrow import BLANKS, offsets_and_bytes, rework_all
from importer.mapping.base import matches_pattern
from importer.patterns import late_pattern

DEFAULT_SEPARATORS = (",", "，", "、", "；")
"""What separates tags unless the mapping says otherwise; `;` and `|` may be part of a tag."""
USUAL_SEPARATORS = (*DEFAULT_SEPARATORS, "\n")
"""What separates tags where no mapping says anything. A rule that has all of these, and perhaps more, reads
lists in brackets and quoted tags, too."""
LIST_MARK = ":::"
"""What stands between the values of a cell that Google Contacts has written."""
_MARKS = (";", "|")
_EVERY = re.compile(r"[,，、;；|\n]")
_COMMAS = late_pattern(",")
_USUAL = re.compile(r"[,，、；\n]")
_REMEMBERED = 20000
"""Distinct cells that are looked at to prove a separator."""
_LISTS = (b"[", b"{", b'"', b"\n", b"\r", b";", b"|", b":::")
"""What a cell holds that is more than tags and commas."""

_UNCLEAN = (
    *(
        mark.encode()
        for mark in ("，", "、", "；", ",,", ", ", " ,", ",\t", "\t,", ",\n", "\n,", ",\r", "\r,")
    ),
    # The first bytes of blanks beyond ASCII. A cell with another character that begins so is only looked at
    # more closely.
    *(
        b"\xc2\xa0",
        b"\xc2\x85",
        b"\xe1\x9a",
        b"\xe1\xa0",
        b"\xe2\x80",
        b"\xe2\x81",
        b"\xe3\x80\x80",
        b"\xef\xbb",
    ),
    *(b"\x0b", b"\x0c"),
)
_COMMA = ord(",")


def with_tag(column: pa.Array, tag: str) -> pa.Array:
    """Return a column of tags separated by commas, each with this tag behind its own unless it has it."""
    texts = column.fill_null("")
    has = pc.match_substring(arrow.join_columns(",", texts, ","), f",{tag},")
    behind = pc.if_else(has, texts, arrow.join_columns(texts, ",", tag))
    return pc.if_else(pc.equal(texts, arrow.scalar("")), arrow.scalar(tag), behind)


def comma_separated(
    column: pa.Array,
    separators: Sequence[str] = (),
    nothing: Sequence[str] = (),
    marks: Callable[[], frozenset[str]] = frozenset,
) -> pa.Array:
    """Return the column with tags separated by a comma and nothing else, empty ones left out.

    The separator `json` reads a cell that is a JSON list of texts (Klaviyo). The separator `","` takes tags
    out of their quotation marks (Mailchimp). Tags that fit a pattern of `nothing` are left out. Without
    separators, or with all usual ones, lists in brackets, quoted tags and lines are read, too; without any,
    `marks` tells which of ; and | the whole column proves to stand between tags.
    """
    separators = tuple(separators)
    if set(separators) >= set(USUAL_SEPARATORS) or not separators:
        if not nothing and _is_clean(column):
            return column
        bare = frozenset(separators)
        if not separators and _has_marks(column):
            bare = marks()
        return rework_all(column, lambda text: _listed(_found_tags(text, bare), nothing, _USUAL))
    as_json = "json" in separators
    quoted = '","' in separators
    plain = [mark for mark in separators if mark not in ("json", '","')]
    pattern = _splitter(tuple(plain))

    def tags_of(text: str) -> str:
        if as_json and text.startswith("["):
            try:
                return _listed((str(tag) for tag in json.loads(text)), nothing)
            except (ValueError, TypeError):
                return text
        if quoted and text.startswith('"'):
            tags = (tag.replace('""', '"') for tag in text[1:].removesuffix('"').split('","'))
            return _listed(tags, nothing)
        return _listed(pattern.split(text), nothing)

    return rework_all(column, tags_of)


def proven_marks(parts: Iterator[pd.Series]) -> frozenset[str]:
    """Return which of ; and | stand between the tags of a whole column: what one of them separates stands in
    other cells, too, or (for ;) other cells are lists whose marks are the usual ones."""
    cells: set[str] = set()
    for part in parts:
        cells.update(text for text in pc.unique(arrow.to_arrow(part)).to_pylist() if text)
        if len(cells) >= _REMEMBERED:
            break
    pieces = {cell: frozenset(tag.strip() for tag in _EVERY.split(cell) if tag.strip()) for cell in cells}
    counts = Counter(tag for tags in pieces.values() for tag in tags)
    proven = {
        mark
        for mark in _MARKS
        if any(mark in cell and any(counts[tag] > 1 for tag in tags) for cell, tags in pieces.items())
    }
    listed = {cell for cell in cells if any(mark in cell for mark in DEFAULT_SEPARATORS)}
    # R;D may be an abbreviation.
    if listed and any(";" in cell and min(map(len, pieces[cell]), default=0) > 1 for cell in cells - listed):
        proven.add(";")
    return frozenset(proven)


def _found_tags(text: str, marks: frozenset[str]) -> Sequence[str]:
    """Return the tags of a cell that a program wrote as a list, or of one that a person wrote."""
    for _ in range(2):
        text = text.strip(BLANKS)
        if (text[:1] + text[-1:]) in ("[]", "{}"):
            return _in_brackets(text)
        if not text.startswith('"') or '"' not in text[1:]:
            break
        found = next(csv.reader([text], skipinitialspace=True), [])
        if len(found) > 1 or '"' not in "".join(found):
            return found
        text = found[0]
    if LIST_MARK in text:
        # Google puts a * before the labels that it has made itself.
        return [tag.strip().removeprefix("* ") for tag in text.split(LIST_MARK)]
    return _splitter((*USUAL_SEPARATORS, *sorted(marks - set(USUAL_SEPARATORS)))).split(text)


def _in_brackets(text: str) -> Sequence[str]:
    """Return the tags of ["a", "b"], ['a', 'b'] or {a,"b c"}."""
    try:
        found = json.loads(text)
        if isinstance(found, list):
            return [str(tag) for tag in found]
    except ValueError:
        pass
    quote = "'" if "'" in text and '"' not in text else '"'
    return next(csv.reader([text[1:-1]], skipinitialspace=True, quotechar=quote), [])


def _listed(tags: Iterable[str], nothing: Sequence[str], within: re.Pattern[str] = _COMMAS) -> str:
    # A comma within a tag would make two of it.
    bare = (part.strip(BLANKS) for tag in tags for part in within.split(tag))
    return ",".join(tag for tag in bare if tag and not any(matches_pattern(one, tag) for one in nothing))


@lru_cache(maxsize=64)
def _splitter(marks: Sequence[str]) -> re.Pattern[str]:
    longest_first = sorted(marks, key=len, reverse=True)
    return re.compile("|".join(map(re.escape, longest_first)) or "(?!)")


def _has_marks(column: pa.Array) -> bool:
    raw = offsets_and_bytes(column)[1].tobytes()
    return any(mark.encode() in raw for mark in _MARKS)


def _is_clean(column: pa.Array) -> bool:
    """Return whether every cell holds tags separated by one comma and nothing else."""
    offsets, data = offsets_and_bytes(column)
    raw = data.tobytes()
    if any(mark in raw for mark in _LISTS):
        return False
    if b"," not in raw and raw.isascii():
        return True
    if any(mark in raw for mark in _UNCLEAN):
        return False
    some = offsets[1:] > offsets[:-1]
    outer = (data[offsets[:-1][some]] == _COMMA) | (data[offsets[1:][some] - 1] == _COMMA)
    return not outer.any()
