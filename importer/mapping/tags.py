"""Turn tags, however separated, into texts separated by commas."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Sequence

import pyarrow as pa

from importer.arrow import BLANKS, offsets_and_bytes, rework_all
from importer.mapping.headers import matches_pattern

DEFAULT = (",", "，", "、")
"""Separators that mean nothing else in a cell of tags; `;` and `|` only by the mapping's word."""

_UNCLEAN = (
    *(mark.encode() for mark in ("，", "、", ",,", ", ", " ,", ",\t", "\t,", ",\n", "\n,", ",\r", "\r,")),
    # The beginnings of blanks beyond ASCII; other characters that begin so only cost a closer look.
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
    """The column with tags separated by a comma and nothing else, empty ones left out.

    A cell that holds a JSON list of texts is taken as one (Klaviyo), and tags in quotation marks lose them
    (Mailchimp), if the mapping names the separators `json` or `","`. Tags that `nothing` names are left out.
    """
    separators = tuple(separators) or DEFAULT
    if separators == DEFAULT and not nothing and _is_clean(column):
        return column
    as_json = "json" in separators
    quoted = '","' in separators
    plain = [mark for mark in separators if mark not in ("json", '","')]
    pattern = re.compile("|".join(re.escape(mark) for mark in sorted(plain, key=len, reverse=True)) or "(?!)")

    def one(text: str) -> str:
        if as_json and text.startswith("["):
            try:
                return _comma(str(tag) for tag in json.loads(text))
            except (ValueError, TypeError):
                return text
        if quoted and text.startswith('"'):
            return _comma(tag.replace('""', '"') for tag in text[1:].removesuffix('"').split('","'))
        return _comma(pattern.split(text))

    def _comma(tags: Iterable[str]) -> str:
        bare = (tag.strip(BLANKS) for tag in tags)
        return ",".join(tag for tag in bare if tag and not any(matches_pattern(one, tag) for one in nothing))

    return rework_all(column, one)


def _is_clean(column: pa.Array) -> bool:
    """Whether every cell holds tags separated by one comma and nothing else."""
    offsets, data = offsets_and_bytes(column)
    raw = data.tobytes()
    if b"," not in raw and raw.isascii():
        return True
    if any(mark in raw for mark in _UNCLEAN):
        return False
    some = offsets[1:] > offsets[:-1]
    outer = (data[offsets[:-1][some]] == _COMMA) | (data[offsets[1:][some] - 1] == _COMMA)
    return not outer.any()
