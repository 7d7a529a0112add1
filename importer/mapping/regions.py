"""Countries: which one a cell names, and which country code and how many digits its phones have.

`country_names.toml` holds names in some twenty languages, `country_codes.toml` the form of the numbers.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from importer.arrow import constant, if_else, join_columns, nonempty, offsets_and_bytes, rework_all, to_mask
from importer.dataclass import dataclass
from importer.errors import UsageError
from importer.mapping.base import packaged_index, packaged_words
from importer.mapping.headers import normalize
from importer.messages import TRANSLATIONS
from importer.patterns import late_pattern

_CODE = late_pattern(r"(?:\+|00)?([1-9]\d{0,2})")
_BETWEEN = late_pattern(r"[()（）\[\]/,，:|–—]|\s-\s|-$|^-")


def regions(column: pa.Array) -> pa.Array:
    """Return a column of countries as ISO codes of two letters, "" where a cell names no country."""
    return rework_all(column, lambda text: region_of(text) or "")


def region_of(text: str) -> str | None:
    """Return the ISO code of the country that a text names, or None.

    “DE – Germany” names one, too; +86 is its country code. A name that two countries share names none.
    """
    # N/A is not Namibia.
    found = _names().get(normalize(text)) if "/" not in text else None
    if found is None and (code := _CODE.fullmatch(text.strip())):
        return _of_country_code(int(code[1]))
    if found is None:
        parts = {_names().get(normalize(part)) for part in _BETWEEN.split(text)} - {None}
        found = parts.pop() if len(parts) == 1 else None
    return found


def require_region(text: str) -> str:
    """Return the ISO code of the country that a person names. Raises UsageError `country-unknown`."""
    import phonenumbers

    found = region_of(text)
    if found not in phonenumbers.SUPPORTED_REGIONS:
        raise UsageError("country-unknown", country=text)
    return str(found)


def _of_country_code(code: int) -> str | None:
    """Return the country, or the largest of those, that a country code belongs to."""
    import phonenumbers

    found = phonenumbers.COUNTRY_CODE_TO_REGION_CODE.get(code, ("001",))[0]
    return None if found == "001" else found


def country_name(region: str, lang: str) -> str:
    """Return the name of a country, given by its ISO code; the code if nobody knows it."""
    if lang in TRANSLATIONS:
        from phonenumbers.geodata.locale import LOCALE_DATA

        known = LOCALE_DATA.get(region, {})
        # A name that begins with * stands under the language it points to.
        if found := known.get(known[lang][1:]) if known.get(lang, "").startswith("*") else known.get(lang):
            return str(found)
    names = packaged_words("country_names.toml").get(region, [])
    wanted = [name for name in names if (lang == "zh") == _is_han(name)]
    return str(wanted[0]) if wanted else region


def _is_han(text: str) -> bool:
    return any("\u4e00" <= character <= "\u9fff" for character in text)


def country_code(region: str) -> str:
    """Return the country code of a country, given by its ISO code; "" if it has none."""
    found: str = _index()["codes"].get(region, "")
    return found


def _names() -> Mapping[str, str]:
    """Return the ISO codes of countries by the normal forms of their names."""
    names: Mapping[str, str] = _index()["regions"]
    return names


def _index() -> Mapping[str, dict[str, str]]:
    return packaged_index("regions.json")


# The codes before the numbers of phones: what is possible, not what is in use.

_MOST_DIGITS = 15


@cache
def _zeros_behind() -> tuple[np.ndarray, np.ndarray]:
    """Return for the first three digits of a number (0 to 999) whether they hold a zero behind the country
    code, and whether they are one of three digits, as masks."""
    size, _ = _table()
    number = np.arange(1000)
    return ((size == 1) & (number // 10 % 10 == 0)) | ((size == 2) & (number % 10 == 0)), size == 3


@cache
def _table() -> tuple[np.ndarray, np.ndarray]:
    """Return for the first three digits of a number (0 to 999) the length of its country code, 0 if there is
    none, and the possible lengths of the whole number, as bits."""
    size, lengths = np.zeros(1000, dtype=np.int64), np.zeros(1000, dtype=np.int64)
    for code, nationals in packaged_index("words.json")["country_codes"].items():
        width = 10 ** (3 - len(code))
        span = slice(int(code) * width, (int(code) + 1) * width)
        size[span] = len(code)
        lengths[span] = sum(
            1 << len(code) + digits for digits in nationals if len(code) + digits <= _MOST_DIGITS
        )
    return size, lengths


def codes_before(prefixes: np.ndarray) -> np.ndarray:
    """Return the country codes that numbers begin with, by their first three digits (0 to 999); 0 if none."""
    found: np.ndarray = _codes()[prefixes]
    return found


@cache
def _codes() -> np.ndarray:
    size, _ = _table()
    found: np.ndarray = np.where(size > 0, np.arange(1000) // 10 ** (3 - size), 0).astype(np.int16)
    return found


def national_part(digits: str) -> str | None:
    """Return what follows the country code, or None if the digits begin with no country code."""
    if len(digits) < 4:
        return None
    size = int(_table()[0][int(digits[:3])])
    return digits[size:] if size else None


def national_numbers(numbers: np.ndarray, lengths: np.ndarray) -> np.ndarray:
    """Return what follows the country codes of numbers (int64) of so many digits (int64, at most 15), without
    leading zeros; 0 where they begin with none."""
    lengths = np.where(lengths > 3, lengths, 0)
    size = _table()[0][np.where(lengths > 3, numbers // 10 ** np.maximum(lengths - 3, 0), 0)]
    found: np.ndarray = np.where(size > 0, numbers % 10 ** np.maximum(lengths - size, 0), 0)
    return found


def possible(prefixes: np.ndarray, lengths: np.ndarray) -> np.ndarray:
    """Return a mask of the numbers that may begin with a country code: their first three digits (0 to 999)
    are one, and as many digits follow as the country's numbers have."""
    _, allowed = _table()
    found: np.ndarray = (allowed[prefixes] >> np.minimum(lengths, 62)) & 1 == 1
    return found


def trunk_zeros(prefixes: np.ndarray, fourth: np.ndarray) -> np.ndarray:
    """Return a mask of the numbers with a zero behind the country code, by their first digits as for
    `possible` and the fourth."""
    within, of_three = _zeros_behind()
    found: np.ndarray = within[prefixes] | (of_three[prefixes] & (fourth == 0))
    return found


# Numbering plans: which numbers are in use, as phonenumbers knows it.

_GROUP = late_pattern(r"\((?!\?)")
_NEVER = "$."


@dataclass(frozen=True, slots=True)
class _Plan:
    """What phonenumbers knows of one country, as patterns of Arrow's."""

    code: str
    lengths: frozenset[int]
    """Those that a national number can have."""
    general: str
    own: str
    """Mobile phones and fixed lines."""
    leading: str
    """How the numbers begin, if other countries have the same code; else ""."""
    abroad: str
    """What is dialled to call another country; "" if nothing."""
    trunk: str
    """What stands before a number that is dialled within the country, carriers' codes included; or ""."""
    prefix: str
    """The trunk prefix alone, "" if there is none, or if what follows it may be changed."""


def with_country_code(numbers: pa.Array, region: str) -> pa.Array:
    """Return the numbers (texts of digits) of a country (its ISO code) with its country code before them, ""
    for those that phonenumbers has to look at.

    A number is only written here if phonenumbers would give the same: it is a mobile phone or a fixed line,
    as it stands or behind the trunk prefix, and nothing at its beginning can be meant otherwise (an
    international prefix, a carrier's code, the country code).
    """
    plan = _plan(region)
    if plan is None:
        return constant("", len(numbers))
    abroad = _match(numbers, plan.abroad) if plan.abroad else np.zeros(len(numbers), dtype=bool)
    whole = _match(numbers, f"(?:{plan.general})$")
    trunk = _match(numbers, plan.trunk) if plan.trunk else np.zeros(len(numbers), dtype=bool)
    done = if_else(_own(numbers, plan) & whole & ~trunk & ~abroad, join_columns(plan.code, numbers), "")
    left = np.flatnonzero(trunk & ~whole & ~abroad)
    if not plan.prefix or not left.size:
        return done
    behind = _behind_prefix(numbers.take(pa.array(left)), plan)
    national = _own(behind, plan) & _match(behind, f"(?:{plan.general})$")
    mask = np.zeros(len(numbers), dtype=bool)
    mask[left[national]] = True
    found = join_columns(plan.code, behind.filter(pa.array(national)))
    return pc.replace_with_mask(done, pa.array(mask), found)


def _own(numbers: pa.Array, plan: _Plan) -> np.ndarray:
    """Return a mask of the mobile phones and fixed lines of a plan."""
    lengths = np.diff(offsets_and_bytes(numbers)[0])
    possible_length = np.isin(lengths, list(plan.lengths)) & _match(numbers, plan.leading)
    found: np.ndarray = possible_length & _match(numbers, f"(?:{plan.own})$")
    return found


def _behind_prefix(numbers: pa.Array, plan: _Plan) -> pa.Array:
    """Return what stands behind the trunk prefix; "" where more than the prefix would be taken away."""
    taken = pc.struct_field(pc.extract_regex(numbers, f"^(?P<taken>{plan.trunk})"), "taken")
    alone = to_mask(pc.equal(taken, plan.prefix)) & ~_match(numbers, plan.code)
    return if_else(alone, pc.utf8_slice_codeunits(numbers, len(plan.prefix)), "")


def _match(numbers: pa.Array, beginning: str) -> np.ndarray:
    found: np.ndarray = to_mask(pc.match_substring_regex(numbers, f"^(?:{beginning})")) & nonempty(numbers)
    return found


@cache
def _plan(region: str) -> _Plan | None:
    """Return the plan of a country; None if another country of the same code might claim its numbers."""
    from phonenumbers import COUNTRY_CODE_TO_REGION_CODE, PhoneMetadata

    known = PhoneMetadata.metadata_for_region(region, None)
    if known is None or known.country_code is None or known.general_desc is None:
        return None
    if region != COUNTRY_CODE_TO_REGION_CODE[known.country_code][0]:
        return None
    general = known.general_desc
    own = (one.national_number_pattern for one in (known.mobile, known.fixed_line) if one is not None)
    changed = known.national_prefix_transform_rule
    return _Plan(
        code=str(known.country_code),
        lengths=frozenset(
            length
            for length in general.possible_length
            if length not in general.possible_length_local_only
            and len(str(known.country_code)) + length <= _MOST_DIGITS
        ),
        general=general.national_number_pattern or _NEVER,
        own="|".join(filter(None, own)) or _NEVER,
        leading=known.leading_digits or "",
        abroad=_bare(known.international_prefix),
        trunk=_bare(known.national_prefix_for_parsing),
        prefix="" if changed else known.national_prefix or "",
    )


def _bare(pattern: str | None) -> str:
    """Return a pattern without groups that are to be kept."""
    return _GROUP.sub("(?:", pattern or "")
