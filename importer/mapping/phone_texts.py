"""Read one cell as a phone: its digits, whether they begin with a country code, and what was left out.

A cell may hold a link (tel:, wa.me), a messenger's name, several numbers, an extension, or a remark. Numbers
are never glued: the first one is taken, and what is left out is told.
"""

from __future__ import annotations

import re
import unicodedata
from dataclasses import replace
from functools import lru_cache

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from importer import arrow
from importer.arrow import BLANKS, join_columns, nonempty
from importer.dataclass import dataclass
from importer.mapping.regions import national_part, possible, with_country_code
from importer.patterns import late_pattern

_PLAIN = str.maketrans(
    dict.fromkeys(map(ord, "－‐‑‒–—―−﹣"), "-")
    | {"＋": "+", "﹢": "+", "（": "(", "）": ")", "．": ".", "／": "/", "’": "'", "‘": "'", "＇": "'"}
    | {"；": ";", "，": ",", "：": ":", "＃": "#", "＠": "@", "、": ","}
    | dict.fromkeys(map(ord, BLANKS), " ")
    | {ord("\n"): "\n", ord("\r"): "\n"}
)
_FLOAT = late_pattern(r"\+?([0-9]+)\.0+")
_FORMAT = late_pattern(r"[ \-.()/]+")
_NUMBER = late_pattern(r"\+?([0-9]+)")
_MINUS_OR_FRACTION = late_pattern(r"-\d+(\.\d+)?|\d{7,}\.\d+")
_LINK = late_pattern(
    r"(?:https?://)?(?:www\.)?(?:wa\.me/|api\.whatsapp\.com/send/?\?phone=|web\.whatsapp\.com/send/?\?phone=)"
    r"\+?(\d+)(?:[?&/].*)?",
    re.IGNORECASE,
)
_MESSENGER = late_pattern(r"\+?(\d{6,20})(?::\d+)?@(?:s\.whatsapp\.net|c\.us)", re.IGNORECASE)
_LABEL = late_pattern(r"^[^\W\d]{1,20}\.?(?: ?\([^)]*\))?\s*:+\s*(?://)?(?=['(+\d])")
_SEPARATOR = late_pattern(
    r":::|[;,|\n]|\s-\s|\s+(?:or|and|oder|und|od\.|u\.|ou|et|o|y|e)\s+|[或和]"
    # A label, or a blank, before the next area code.
    r"|(?<=\d)\s+\(?[^\W\d]{1,20}\.?\)?:?\s+(?=[+(]?0?[(\d])|(?<=\d)\s+(?=0\d{2,5}\s?/\s?\d)",
    re.IGNORECASE,
)
_SHORT_SECOND = late_pattern(r"(.*\d)\s+(?:or|and|oder|und|od\.|u\.|ou|et|o|y|e)\s+-?\d{1,6}", re.IGNORECASE)
"""A second number of which only the ending is written: 0421 383456 oder 57."""
_ENDING = late_pattern(r"((?:\+|\(?0)[^\-]*\d)(?: - (\d{1,3})|-(\d{2,4}))")
"""The ending of a second number, or an extension, behind the only dash: 0421 383456 - 457."""
_CARRIER = late_pattern(r"^(\(?)0[ .-]?(?:xx|\*\*)[ .-]?(?=\(?\d\d\b)", re.IGNORECASE)
"""The place of a carrier's code, as Brazil writes it: 0xx11."""
_AREA_AND_NUMBER = late_pattern(r"\(?(0[1-9]\d{0,3})\)? ?/ ?(\d[\d \-]{2,8}\d)")
"""0421/383456: most cells with a slash, and plainly one number."""
_BLANKS = late_pattern(r" {2,}")
_LONG_GROUP = late_pattern(r"\d{7,}")
_BEFORE_PLUS = late_pattern(r"(?<=\d)\s*(?=\+)")
_EXTENSION = late_pattern(
    r"(?:;?\s*ext(?:ension|n)?\.?\s*[=:]?|[-\s]*\bx|[-\s]*x|#|转|轉|分机|分機|,{1,3}|;|\bp|~|доб\.?|ramal|anexo|内线|內線)"
    r"\s*[:.=]?\s*\d{1,7}\s*#?\s*$",
    re.IGNORECASE,
)
_OFFICE = late_pattern(r"((?:\+?86[- ]?)?\(?0?[1-9]\d{1,2}\)?[- ]*\d{7,8})-(\d{1,6})")
"""A Chinese landline with the extension behind a dash: 0755-88880001-802."""
_TRUNK_ZERO = late_pattern(r"^(\(?(?:\+|00)?\d{1,3}\)?)[ ./-]*\(0\)")
_REMARK = late_pattern(
    r"(?:[^\d+]{0,30}?[\s:(\u4e00-\u9fff])?"
    r"\(?([+(]?\d[\d ().\-/+]{5,}\d)\)?"
    # Hours may stand in it: ab 18 Uhr.
    r"(?:[\s(\u4e00-\u9fff][^\d+]{0,40}"
    r"|[\s(,;/]+[^\W\d][^\d+]{0,20}(?:\d{1,4}(?!\d)[^\d+]{0,30}){1,4})?"
)
_FEWEST_DIGITS = 7
"""A shorter piece of a cell is no second phone."""
_WITH_AREA_CODE = 9
"""Digits that a number with its area or country code has at least."""
_SHORT_ENDING = 2
_LONGEST_NATIONAL = 11
"""Digits behind a country code. Hardly any number has more."""
_LONGEST_DIALLED = 12
"""The same with the 0 in front."""
_LONGEST = 15
_NO_TRUNK_ZERO_IN = ("39", "378", "379", "225", "241", "242")
"""Where the zero belongs to the number."""


@dataclass(frozen=True, slots=True)
class PhoneReading:
    """What a cell holds as a phone."""

    digits: str
    """"" for an empty cell."""
    international: bool = False
    """Whether the digits are said to begin with a country code: by +, 00 or a link."""
    left_out: str = ""
    """The code of a note on what was left out of the cell, or ""."""


def ascii_digits(text: str) -> str:
    """Return a text with the decimal digits of any script as 0 to 9."""
    if text.isascii():
        return text
    return "".join(str(unicodedata.decimal(one)) if one.isdecimal() else one for one in text)


@lru_cache(maxsize=4096)
def strip_formatting(text: str) -> str:
    """Return one phone without its formatting if only digits, or nothing, remain, else the text itself."""
    found = _folded(text).replace("\n", " ").strip()
    # The ' keeps a spreadsheet from reading '+86… as a formula.
    found = found.removeprefix("'").strip()
    bare = _FORMAT.sub("", found)
    number = _FLOAT.fullmatch(found) or _NUMBER.fullmatch(bare)
    if number:
        return number[1]
    return text if bare.removeprefix("+") else ""


@lru_cache(maxsize=16384)
def read_phone(text: str, keep_extension: bool = False) -> PhoneReading | None:
    """Return what a cell holds, or None if it holds no phone."""
    found = _BLANKS.sub(" ", _unwrapped(_folded(text)))
    plain = _AREA_AND_NUMBER.fullmatch(found)
    if plain and " - " not in found and len(found) <= _LONGEST_DIALLED + 2:
        return PhoneReading(plain[1] + _FORMAT.sub("", plain[2]))
    if not _FORMAT.sub("", found).strip("+"):
        return PhoneReading("")
    if _MINUS_OR_FRACTION.fullmatch(found) and not _FLOAT.fullmatch(found):
        return None
    link = _LINK.fullmatch(found) or _MESSENGER.fullmatch(found)
    if link:
        return _international(link[1])
    found = _CARRIER.sub(r"\g<1>0", _LABEL.sub("", found).strip())
    found, left_out = _first(found)
    if not keep_extension:
        without = _without_extension(found)
        left_out = left_out or ("extension-left-out" if without != found else "")
        found = without
    number = _number(found)
    extended = keep_extension and _without_extension(found) != found
    if number is None and not extended and (remark := _REMARK.fullmatch(found)):
        number, left_out = _number(remark[1]), left_out or "text-left-out"
    if number is None or len(number.digits) > _LONGEST:
        return None
    return replace(number, left_out=left_out or number.left_out)


def _folded(text: str) -> str:
    return ascii_digits(text.translate(_PLAIN))


def _unwrapped(text: str) -> str:
    """Return a text out of ="…", quotation marks and the ' before it."""
    found = text.strip()
    if found.startswith('="') and found.endswith('"'):
        found = found[2:-1]
    return found.strip("\"' ").strip()


def _first(text: str) -> tuple[str, str]:
    """Return the first of the numbers in a text, and the code of the note if there are more."""
    phones = _listed(text)
    if len(phones) > 1:
        return phones[0], "several-values"
    again = text.find("+", 1)
    if again > 0 and _count(text[:again]) >= _FEWEST_DIGITS and _count(text[again:]) >= _FEWEST_DIGITS:
        return text[:again].strip(), "several-values"
    if (short := _SHORT_SECOND.fullmatch(text)) and _count(short[1]) >= _FEWEST_DIGITS:
        return short[1], "several-values"
    one, rest = _before_slash(text)
    if rest:
        return one, "several-values"
    ending = _ENDING.fullmatch(text)
    if ending and _is_ending(*ending.groups("")) and _without_extension(text) == text:
        return ending[1], "several-values"
    groups = list(_LONG_GROUP.finditer(text))
    if len(groups) > 1 and not _is_one_international(text):
        return text[: groups[0].end()], "several-values"
    return text, ""


def _listed(text: str) -> list[str]:
    """Return the numbers that stand one after the other in a text."""
    phones = []
    for piece in _SEPARATOR.split(text):
        while _count(piece) >= _FEWEST_DIGITS:
            one, piece = _before_slash(piece)
            phones.append(one.strip())
    return [one for one in phones if _count(one) >= _FEWEST_DIGITS]


def _before_slash(text: str) -> tuple[str, str]:
    """Return the first number of a text and what follows it behind a slash: a second number, or its ending.

    A slash may as well stand within a number: 0421/383456, 06/12/34/56/78.
    """
    pieces = text.split("/")
    for at in range(1, len(pieces)):
        if _is_whole("/".join(pieces[:at]), pieces[at].strip(), first=at == 1):
            return "/".join(pieces[:at]).strip(), "/".join(pieces[at:]).strip()
    return text, ""


def _is_whole(text: str, following: str, first: bool) -> bool:
    """Return whether the number before a slash ends there."""
    more = _count(following)
    if not more or following[:1].isalpha():
        return False
    bare = "".join(filter(str.isdigit, _TRUNK_ZERO.sub(r"\1", text)))
    if text.lstrip("( ").startswith(("+", "00")):
        digits = bare.removeprefix("00")
        complete = len(digits) >= _WITH_AREA_CODE
        return complete and bool(possible(np.array([int(digits[:3])]), np.array([len(digits)]))[0])
    if len(bare) >= _FEWEST_DIGITS and (following.startswith("-") or more >= _FEWEST_DIGITS):
        return True
    if first and more <= _SHORT_ENDING and len(bare) == 6 and not bare.startswith("0"):
        return True
    # The last group of many numbers has four digits.
    return len(bare) > _WITH_AREA_CODE or (len(bare) == _WITH_AREA_CODE and more != 4)


def _is_ending(text: str, apart: str, close: str) -> bool:
    """Return whether the digits behind a dash are no part of the number before it: with blanks around the
    dash because the number is whole, without them because both were too long for any country."""
    if not re.search(r"\d[ /)]+\d", text):
        return False
    if text.startswith(("+", "00")):
        national = national_part("".join(filter(str.isdigit, text)).removeprefix("00")) or ""
        too_long = len(national) + len(apart or close) > _LONGEST_NATIONAL
        return too_long and _is_one_international(text)
    digits = _count(text)
    return digits >= _WITH_AREA_CODE and (bool(apart) or digits + len(close) > _LONGEST_DIALLED)


def _is_one_international(text: str) -> bool:
    """Return whether all digits of a text are one number with its country code: 0049171-2345110."""
    digits = "".join(filter(str.isdigit, text)).removeprefix("00")
    if not text.startswith(("+", "00")) or len(digits) < _FEWEST_DIGITS:
        return False
    return bool(possible(np.array([int(digits[:3])]), np.array([len(digits)]))[0])


def all_phones(text: str) -> tuple[str, ...]:
    """Return each of the numbers in a cell, as it is written there; a cell that is read as one, as it is.

    Where only long groups of digits tell numbers apart, all of them may be one: it is returned, too.
    """
    reading = read_phone(text)
    if reading and reading.left_out != "several-values":
        return (text,)
    found = _unwrapped(_folded(text))
    phones = [one for part in _BEFORE_PLUS.split(found) for one in _listed(part)]
    if len(phones) < 2:
        groups = _LONG_GROUP.findall(found)
        whole = "+" + "".join(filter(str.isdigit, found)).removeprefix("00")
        phones = [*groups, *([whole] if _is_one_international(whole) else [])] if len(groups) > 1 else []
    return tuple(phones) if phones else (text,)


def _without_extension(text: str) -> str:
    office = _OFFICE.fullmatch(text)
    if office and _count(text) > 12:
        return office[1]
    without = _EXTENSION.sub("", text).rstrip(" -,;(")
    return without if _count(without) >= _FEWEST_DIGITS else text


def _number(text: str) -> PhoneReading | None:
    """Return one number, or None."""
    text = text.strip()
    found = _TRUNK_ZERO.sub(r"\1", text)
    digits = strip_formatting(found)
    if not digits.isdigit():
        unplussed = found.replace("(+", "+(", 1) if found.startswith("(+") else found
        digits = strip_formatting(unplussed)
        if not digits.isdigit():
            return None
    if "+" in found or found != text:
        return _international(digits.removeprefix("00"), zero=found != text)
    if digits.startswith("00") and len(digits) >= 10:
        return _international(digits[2:])
    if digits.startswith("011") and len(digits) >= 14 and national_part(digits[3:]) is not None:
        return _international(digits[3:])
    return PhoneReading(digits)


def _international(digits: str, zero: bool = False) -> PhoneReading:
    """Return a number that begins with its country code; `zero`: a trunk zero was left out already."""
    number = without_trunk_zero(digits)
    left_out = "trunk-zero-left-out" if zero or number != digits else ""
    return PhoneReading(number, international=True, left_out=left_out)


def without_trunk_zero(digits: str) -> str:
    """Return an international number without the zero that is dialled within the country only."""
    national = national_part(digits)
    if national is None or not national.startswith("0"):
        return digits
    code = digits.removesuffix(national)
    return digits if code in _NO_TRUNK_ZERO_IN else code + national.removeprefix("0")


def _count(text: str) -> int:
    return sum(map(str.isdigit, text))


def is_national(number: str, region: str) -> bool:
    """Return whether a number is valid in a country without its code."""
    import phonenumbers

    try:
        parsed = phonenumbers.parse(number, region)
    except phonenumbers.NumberParseException:
        return False
    code = str(parsed.country_code)
    own = str(parsed.national_number)
    return (
        number.lstrip("0") == own
        and not number.startswith(code + own)
        and bool(phonenumbers.is_valid_number(parsed))
    )


def region_of_phone(number: str) -> str | None:
    """Return the ISO code of the country of a number with +, or None if no numbering plan has it."""
    import phonenumbers

    try:
        found: str | None = phonenumbers.region_code_for_number(phonenumbers.parse(number, None))
    except phonenumbers.NumberParseException:
        return None
    return found


def example_phone(region: str) -> str:
    """Return the digits of a mobile phone of a country (ISO code) with its country code, or ""."""
    import phonenumbers

    number = phonenumbers.example_number_for_type(region, phonenumbers.PhoneNumberType.MOBILE)
    return f"{number.country_code}{number.national_number}" if number else ""


def is_valid(number: str, region: str | None) -> bool:
    """Return whether a number, with + or of a country, is in use as the numbering plans say."""
    import phonenumbers

    try:
        return bool(phonenumbers.is_valid_number(phonenumbers.parse(number, region)))
    except phonenumbers.NumberParseException:
        return False


def is_too_short(digits: str) -> bool:
    """Return whether a number with its country code has fewer digits than any whole one of its country."""
    import phonenumbers

    try:
        number = phonenumbers.parse(f"+{digits}", None)
    except phonenumbers.NumberParseException:
        return False
    result = phonenumbers.is_possible_number_with_reason(number)
    short = (phonenumbers.ValidationResult.TOO_SHORT, phonenumbers.ValidationResult.IS_POSSIBLE_LOCAL_ONLY)
    return result in short


@dataclass(frozen=True, slots=True)
class RegionalNumber:
    """A number of a country."""

    digits: str
    """With the country code."""
    in_use: bool
    """Whether the country's numbering plan has such numbers; False: only as many digits."""


@lru_cache(maxsize=65536)
def international(text: str, region: str) -> RegionalNumber | None:
    """Return a number with its country code if the text may be a phone of the region, else None."""
    import phonenumbers

    try:
        number = phonenumbers.parse(
            strip_formatting(text) if "+" not in text and "＋" not in text else text, region
        )
    except phonenumbers.NumberParseException:
        return None
    if number.extension or not phonenumbers.is_possible_number(number):
        return None
    in_use = bool(phonenumbers.is_valid_number(number))
    if not in_use and is_valid("+" + text, None):
        return None
    digits = str(phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164)).removeprefix("+")
    if not in_use:
        digits = without_trunk_zero(digits)
    if len(digits) > _LONGEST:
        return None
    return RegionalNumber(digits, in_use)


def with_country_codes(numbers: pa.Array, regions: pa.Array) -> tuple[pa.Array, np.ndarray]:
    """Return numbers (texts of digits) with the country code of each one's country (ISO codes), "" for those
    that cannot be of it, and a mask of those that its numbering plan has."""
    done = arrow.constant("", len(numbers))
    for region in pc.unique(regions).to_pylist():
        own = pc.equal(regions, arrow.scalar(region))
        done = pc.replace_with_mask(done, own, with_country_code(numbers.filter(own), region))
    in_use = nonempty(done)
    if not in_use.all():
        where = pa.array(~in_use)
        pairs = join_columns(regions.filter(where), numbers.filter(where)).dictionary_encode()
        made = [international(pair[2:], pair[:2]) for pair in pairs.dictionary.to_pylist()]
        digits = arrow.array([number.digits if number else "" for number in made])
        done = pc.replace_with_mask(done, where, digits.take(pairs.indices))
        found = np.array([number is not None and number.in_use for number in made], dtype=bool)
        in_use[~in_use] = found[pairs.indices.to_numpy()]
    return done, in_use
