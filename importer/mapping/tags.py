"""Rules for tags: turn them, however separated, into texts separated by commas."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Sequence

import pyarrow as pa

from importer.arrow import BLANKS, offsets_and_bytes, rework_all
from importer.mapping.base import matches_pattern

DEFAULT_SEPARATORS = (",", "，", "、")
"""What separates tags unless the mapping says otherwise; `;` and `|` may be part of a tag."""

_UNCLEAN = (
    *(mark.encode() for mark in ("，", "、", ",,", ", ", " ,", ",\t", "\t,", ",\n", "\n,", ",\r", "\r,")),
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


def comma_separated(
    column: pa.Array, separators: Sequence[str] = (), nothing: Sequence[str] = ()
) -> pa.Array:
    """Return the column with tags separated by a comma and nothing else, empty ones left out.

    The separator `json` reads a cell that is a JSON list of texts (Klaviyo). The separator `","` takes tags
    out of their quotation marks (Mailchimp). Tags that fit a pattern of `nothing` are left out.
    """
    separators = tuple(separators) or DEFAULT_SEPARATORS
    if separators == DEFAULT_SEPARATORS and not nothing and _is_clean(column):
        return column
    as_json = "json" in separators
    quoted = '","' in separators
    plain = [mark for mark in separators if mark not in ("json", '","')]
    pattern = re.compile("|".join(re.escape(mark) for mark in sorted(plain, key=len, reverse=True)) or "(?!)")

    def tags_of(text: str) -> str:
        if as_json and text.startswith("["):
            try:
                return listed(str(tag) for tag in json.loads(text))
            except (ValueError, TypeError):
                return text
        if quoted and text.startswith('"'):
            return listed(tag.replace('""', '"') for tag in text[1:].removesuffix('"').split('","'))
        return listed(pattern.split(text))

    def listed(tags: Iterable[str]) -> str:
        bare = (tag.strip(BLANKS) for tag in tags)
        return ",".join(tag for tag in bare if tag and not any(matches_pattern(one, tag) for one in nothing))

    return rework_all(column, tags_of)


def _is_clean(column: pa.Array) -> bool:
    """Return whether every cell holds tags separated by one comma and nothing else."""
    offsets, data = offsets_and_bytes(column)
    raw = data.tobytes()
    if b"," not in raw and raw.isascii():
        return True
    if any(mark in raw for mark in _UNCLEAN):
        return False
    some = offsets[1:] > offsets[:-1]
    outer = (data[offsets[:-1][some]] == _COMMA) | (data[offsets[1:][some] - 1] == _COMMA)
    return not outer.any()
