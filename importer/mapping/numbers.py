"""Phones as a mapping describes them: national ones, ones with an extension, ones split over two columns."""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import lru_cache

import pyarrow as pa
import pyarrow.compute as pc

from importer.arrow import choose, concat, mask, rework, rework_all
from importer.mapping import phones
from importer.mapping.document import FieldRule

_EXTENSION = re.compile(r"\s*(?:;?\s*ext(?:ension|n)?\.?|x|#|转|分机)\s*:?\s*\d{1,6}\s*$", re.IGNORECASE)
_INTERNATIONAL = r"^[\s'’(（]*[+＋]"


def read(column: pa.Array, rule: FieldRule, code: pa.Array | None = None) -> pa.Array:
    """Phones as digits wherever only digits remain; other texts stay as found, for validation to name them.

    `code` holds the country codes of the same rows, if the mapping names their column.
    """
    change = _rewriting(rule)
    if change:
        column = rework_all(column, change)
    plain = phones.digits(column)
    if code is None:
        return plain
    return _with_code(column, plain, phones.digits(code), rule)


def _rewriting(rule: FieldRule) -> Callable[[str], str] | None:
    steps: list[Callable[[str], str]] = []
    if rule.extension == "drop":
        steps.append(lambda text: _EXTENSION.sub("", text))
    if rule.international_prefix and not rule.region:
        prefix = rule.international_prefix
        steps.append(lambda text: _without_prefix(text, prefix))
    if rule.region:
        region = rule.region
        steps.append(lambda text: international(text, region))
    if not steps:
        return None

    def change(text: str) -> str:
        for step in steps:
            text = step(text) if text else text
        return text

    return change


@lru_cache(maxsize=8192)
def international(text: str, region: str) -> str:
    """Country code and number as digits if the text is a possible phone seen from the region, else itself."""
    import phonenumbers

    try:
        number = phonenumbers.parse(
            phones.plain(text) if "+" not in text and "＋" not in text else text, region
        )
    except phonenumbers.NumberParseException:
        return text
    if number.extension or not phonenumbers.is_possible_number(number):
        return text
    return str(phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164)).removeprefix("+")


def _without_prefix(text: str, prefix: str) -> str:
    bare = phones.plain(text)
    if bare.isdigit() and "+" not in text and bare.startswith(prefix):
        # The + tells a country code column that the number has its own.
        return "+" + bare.removeprefix(prefix)
    return text


def _with_code(column: pa.Array, plain: pa.Array, code: pa.Array, rule: FieldRule) -> pa.Array:
    known = mask(pc.match_substring_regex(code, r"^[0-9]{1,4}$"))
    national = ~mask(pc.match_substring_regex(column, _INTERNATIONAL))
    national &= mask(pc.match_substring_regex(plain, r"^[0-9]+$"))
    if rule.trunk_prefix:
        trunk = rule.trunk_prefix
        plain = rework(plain, national & known, lambda text: text.removeprefix(trunk))
    return choose(national & known, concat(code, plain), plain)
