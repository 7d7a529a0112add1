"""Rules for the names of persons: split full names into first and last names, and make them of these."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable
from enum import StrEnum
from functools import cache, lru_cache, partial
from itertools import product

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from importer.arrow import (
    ByteSet,
    TextColumn,
    if_else,
    join_columns,
    join_nonempty,
    nonempty,
    offsets_and_bytes,
    to_mask,
)
from importer.mapping.base import ColumnIssue, by_distinct, packaged_index, where_text
from importer.models import Severity
from importer.patterns import late_pattern

FIELDS = ("first_name", "last_name", "full_name")
_HAN = "[\u3400-\u9fff\uf900-\ufaff\U00020000-\U0003134f]"
"""A regular expression for one Chinese character."""
_HAN_NAME = late_pattern(f"{_HAN}+")
_JAPANESE_NAME = late_pattern(f"(?:{_HAN}|[\u3005\u3040-\u30ff])+")
_BEGINS_HAN = late_pattern(rf"{_HAN}\S*")
_COMMA_NAME = late_pattern(r"[^,]+,(?!\s*(?:jr|sr|i{2,3}|iv|ph\.?d|m\.?d|mba|esq|dds)\b)[^,]+", re.IGNORECASE)
_WITH_PATRONYMIC = late_pattern(r"\S+\s+\S+\s+\S+(?:вич|вна|ична|ович|івна|ївна|оглы|кызы)", re.IGNORECASE)
"""A Russian or Ukrainian name in full: what ends so stands behind the given name."""
_MIDDLE_DOT = late_pattern(r"[·•・‧]")
_LONGEST_HAN_NAME = 4
_FIRST_HAN = "\u3400"
_GLUED_FROM = "г"
"""The first letter of titles that are written together with a name."""
_SHORTEST_HAN_COMPANY = 15
"""Bytes: five characters."""


class NameRule(StrEnum):
    """How a mapping says that its full names are to be split."""

    LAST_WORD = "last-word"
    """The last word is the last name: “Ana María Pérez” → Ana María | Pérez. What belongs to it goes with it:
    da, de la, van der before it; Jr., Filho, III after it."""
    FIRST_WORD = "first-word"
    """The first word is the first name: “Ana Pérez Gómez” → Ana | Pérez Gómez."""
    FAMILY_FIRST = "family-first"
    """The first word is the family name: “Nguyễn Văn An” → first name Văn An, last name Nguyễn."""
    COMMA = "comma"
    """“Pérez, Ana” → Ana | Pérez."""
    CHINESE = "chinese"
    """姓 goes to first_name and 名 to last_name (docs/remote-api.md, “Names”). Names in other scripts are
    split as by `LAST_WORD`."""


@lru_cache(maxsize=16384)
def split(name: str, rule: NameRule) -> tuple[str, str]:
    """Return (first_name, last_name) of a full name; one is "" where the rule finds no second part.

    A comma stands behind a family name, whatever the rule, unless a title follows it (Jr., PhD). Titles
    before a name (Dr., Sra.) are left out, unless a single word follows them. A Chinese name of more than
    four characters is most likely a company's and is not split.
    """
    words = name.split()
    if words and (glued := _glued_title(words[0])):
        words = [words[0].removeprefix(glued), *words[1:]]
        name = " ".join(words)
    elif words and words[0].casefold() in _titles():
        words = _without_titles(words)
        name = " ".join(words)
    if name[:1] >= _FIRST_HAN:
        words = _without_titles_behind(words)
    with_comma = rule is NameRule.COMMA or (rule is not NameRule.CHINESE and _COMMA_NAME.fullmatch(name))
    if with_comma and not ("," in name and re.search(_company_pattern(), name)):
        family, comma, given = (part.strip() for part in name.partition(","))
        given = " ".join(_without_titles(given.split(), fewest=1))
        return (given, family) if comma else _split_at(words, _last_name_at(words))
    if rule is NameRule.CHINESE:
        return _split_chinese(words)
    if rule is NameRule.FAMILY_FIRST:
        family, given = _split_at(words, 1)
        return (given, family) if given else (family, "")
    return _split_at(words, 1 if rule is NameRule.FIRST_WORD else _last_name_at(words))


def likely_rule(names: Iterable[str]) -> NameRule:
    """Return the rule that most of these full names seem to follow."""
    filled = [name.strip() for name in names if name.strip()]
    for rule, pattern in (
        (NameRule.CHINESE, _BEGINS_HAN),
        (NameRule.COMMA, _COMMA_NAME),
        (NameRule.FAMILY_FIRST, _WITH_PATRONYMIC),
    ):
        if filled and sum(bool(pattern.fullmatch(name)) for name in filled) > len(filled) / 2:
            return rule
    return NameRule.LAST_WORD


def show_an_order(names: Iterable[str]) -> bool:
    """Return whether full names show by themselves where the family name stands: by a comma behind it, in
    Chinese, or by a word that begins it (Anna von der Heide)."""
    for name in names:
        if _COMMA_NAME.fullmatch(name.strip()) or _BEGINS_HAN.fullmatch(name.strip()):
            return True
        words = _without_titles(name.split())
        particles = _words_of_names()["particles"]
        if words and words[0].casefold() not in particles and not particles.isdisjoint(words[1:-1]):
            return True
    return False


def guessed_split(header: str, names: Iterable[str], rule: NameRule) -> tuple[str, str, str] | None:
    """Return one of these names with its first and last name, if they are a guess: the header is like “Name,
    Vorname”, and no name shows where the family name stands. None if they are not."""
    names = list(names)
    if "," not in header or rule is not NameRule.FAMILY_FIRST or show_an_order(names):
        return None
    parts = ((name, *split(name, rule)) for name in names)
    return next((found for found in parts if all(found)), None)


def full_names(full: pa.Array | None, first: pa.Array, last: pa.Array) -> pa.Array:
    """Return the column of full names; an empty one is made of first and last name.

    A blank stands between them, unless both are Chinese.
    """
    made = join_nonempty((first, last), " ")
    if not offsets_and_bytes(made)[1].tobytes().isascii():
        chinese = to_mask(pc.match_substring_regex(first, f"{_HAN}$"))
        chinese &= to_mask(pc.match_substring_regex(last, f"^{_HAN}"))
        made = if_else(chinese, join_columns(first, last), made)
    return made if full is None else if_else(nonempty(full), full, made)


@cache
def _compound_surnames() -> frozenset[str]:
    """Return the Chinese surnames of two characters."""
    return frozenset(packaged_index("words.json")["surnames"]["compound"])


def _split_chinese(words: list[str]) -> tuple[str, str]:
    text = "".join(words)
    dotted = _MIDDLE_DOT.split(text, maxsplit=1)
    if len(dotted) == 2 and _HAN_NAME.match(text):
        return dotted[0], dotted[1]
    if not _HAN_NAME.fullmatch(text):
        return split(" ".join(words), NameRule.LAST_WORD)
    if len(words) == 2:
        return words[0], words[1]
    if len(text) > _LONGEST_HAN_NAME:
        return text, ""
    family = 2 if text[:2] in _compound_surnames() and len(text) > 2 else 1
    return text[:family], text[family:]


def _last_name_at(words: list[str]) -> int:
    """Return which word the last name begins with: the last one, or what belongs to it on either side."""
    known = _words_of_names()
    at = len(words) - 1
    while at > 1 and words[at].strip(".,").casefold() in known["suffixes"]:
        at -= 1
    while at > 1:
        # Capital letters make an initial (John E Smith), or a given name, of the shortest ones.
        if words[at - 1] in known["joining"] and at > 2:
            at -= 2
        elif words[at - 1] in known["lower_case"] or words[at - 1].casefold() in known["particles"]:
            at -= 1
        else:
            break
    return at


def _without_titles(words: list[str], fewest: int = 2) -> list[str]:
    """Return the words without titles at the beginning, but all of them if fewer than `fewest` were left."""
    count = next((at for at, word in enumerate(words) if word.casefold() not in _titles()), 0)
    return words[count:] if len(words) - count >= fewest else words


def _glued_title(word: str) -> str:
    """Return the title that is written together with a name, or "": the นาย of นายสมชาย."""
    if word < _GLUED_FROM:
        return ""
    found = next((title for title in _glued_titles() if word.startswith(title)), "")
    name = word.removeprefix(found)
    # A vowel sign above or below belongs to what stands before it: นายิกา is a name.
    return found if len(name) > 1 and unicodedata.category(name[0]) != "Mn" else ""


@cache
def _glued_titles() -> tuple[str, ...]:
    return tuple(sorted(_words_of_names()["titles_glued"], key=len, reverse=True))


def _without_titles_behind(words: list[str]) -> list[str]:
    """Return a Chinese name without the title behind it, but whole where no given name were left: 王女士."""
    if len(words) > 2 and words[-1] in _words_of_names()["titles_behind"]:
        return words[:-1]
    text = "".join(words)
    title = next((one for one in _words_of_names()["titles_behind"] if text.endswith(one)), "")
    name = text.removesuffix(title)
    if not title or len(name) < 2 or name in _compound_surnames() or not words[-1].endswith(title):
        return words
    in_han = _HAN_NAME.fullmatch(name) and len(name) <= _LONGEST_HAN_NAME
    if not in_han and not (len(words) == 2 and _JAPANESE_NAME.fullmatch(name)):
        return words
    return [word for word in (*words[:-1], words[-1].removesuffix(title)) if word]


@cache
def _titles() -> frozenset[str]:
    """Return the titles, casefolded, with and without the full stop."""
    titles = _words_of_names()["titles"]
    return titles | {f"{title}." for title in titles}


@cache
def _words_of_names() -> dict[str, frozenset[str]]:
    """Return the words around the names of persons: particles, suffixes, titles; see `words.toml`."""
    return {key: frozenset(words) for key, words in packaged_index("words.json")["person_names"].items()}


def _split_at(words: list[str], index: int) -> tuple[str, str]:
    if len(words) < 2:
        return (words[0] if words else ""), ""
    return " ".join(words[:index]), " ".join(words[index:])


_BLANK = ord(" ")
_DOUBTFUL = ByteSet(b"0123456789@#<>=+*{}[]|_/\\:%&!?~^$")
_NO_NAME = late_pattern(
    r"\s*[#<={\[].*|.*@.*|.*[:：]|(?:https?:|www\.).*|(?:.*?\d){5}.*", re.IGNORECASE | re.DOTALL
)


def doubtful(column: pa.Array, field: str) -> list[ColumnIssue]:
    """Return the warning on texts of the field that are no person's name: numbers, dates, e-mails, links,
    companies, rows commented out, and in first names a title alone."""
    where = by_distinct(column, partial(_no_persons, field=field))
    pairs = by_distinct(column, _pairs) if field == "first_name" else where & False
    return [
        ColumnIssue("doubtful-name", mask, wording=wording, severity=Severity.WARNING, left_out=False)
        for mask, wording in ((where & ~pairs, None), (pairs, "two-persons"))
        if mask.any()
    ]


def _no_persons(column: pa.Array, field: str) -> np.ndarray:
    may_be = _may_end_doubtfully(column)
    may_be[TextColumn(column).with_bytes(_DOUBTFUL)] = True
    where = where_text(column, np.flatnonzero(may_be), lambda text: _is_no_name(text, field))
    where |= to_mask(pc.is_in(column, value_set=_no_names(column.type)))
    return where


def _pairs(column: pa.Array) -> np.ndarray:
    """Return a mask of the first names of two persons: Gerd u. Inge."""
    found = np.zeros(len(column), dtype=bool)
    offsets, data = offsets_and_bytes(column)
    blanks = np.flatnonzero(data == _BLANK)
    if blanks.size < 2:
        return found
    # Two blanks of one text, with a word between them that is as long as one of those that join a pair.
    near = np.flatnonzero(np.diff(blanks) <= _longest_pairing() + 1)
    rows = np.searchsorted(offsets, blanks[near], side="right") - 1
    rows = np.unique(rows[blanks[near + 1] < offsets[rows + 1]])
    found[rows] = [_is_pair(text) for text in column.take(pa.array(rows)).to_pylist()]
    return found


def _is_pair(text: str) -> bool:
    words = text.split(" ")
    if len(words) != 3 or words[1] not in _words_of_names()["pairing"]:
        return False
    return words[0][:1].isalpha() and words[2][:1].isalpha()


@cache
def _longest_pairing() -> int:
    """Return the bytes of the longest word that joins the names of a pair."""
    return max(len(word.encode()) for word in _words_of_names()["pairing"])


@cache
def _no_names(kind: pa.DataType) -> pa.Array:
    """Return what stands for a name that nobody knows, in the cases that people write it in."""
    words = sorted(_words_of_names()["no_names"])
    return pa.array([form for word in words for form in (word, word.title(), word.upper())], kind)


def of_whole(whole: pa.Array, rule: NameRule) -> list[ColumnIssue]:
    """Return what is to be said of full names before they are split: the note on those of which `split` left
    titles out, with what is used, and the warning on those that only as a whole look like a company's."""
    return [*_titles_left_out(whole, rule), *_may_be_companies(whole)]


def _titles_left_out(whole: pa.Array, rule: NameRule) -> list[ColumnIssue]:
    def used(text: str) -> str:
        first, last = split(text, rule)
        return " ".join(filter(None, (first, last)))

    def is_cut(text: str) -> bool:
        return _count_of_letters(used(text)) < _count_of_letters(text)

    where = where_text(whole, np.flatnonzero(_may_have_titles(whole)), is_cut)
    found = ColumnIssue("text-left-out", where, used, "title-left-out", Severity.NOTE, left_out=False)
    return [found] if where.any() else []


def _may_be_companies(whole: pa.Array) -> list[ColumnIssue]:
    """Return the warning on full names that end with MEI, as Brazilian companies do. In capital letters
    throughout, it may be a person's: TAN SIEW MEI."""
    where = to_mask(pc.match_substring_regex(whole, r"\p{Ll}.* MEI$"))
    return (
        [ColumnIssue("doubtful-name", where, severity=Severity.WARNING, left_out=False)]
        if where.any()
        else []
    )


def _count_of_letters(text: str) -> int:
    return len("".join(text.replace(",", " ").split()))


def _may_have_titles(column: pa.Array) -> np.ndarray:
    found: np.ndarray = to_mask(pc.match_substring_regex(column, _title_pattern())) & nonempty(column)
    return found


@cache
def _title_pattern() -> str:
    """Return an expression, for Arrow, for a title where a name may begin (in front, or behind a comma), or
    at the end in Chinese."""
    titles = "|".join(sorted(map(re.escape, _words_of_names()["titles"])))
    other = r"[^\p{L}\p{N}]"
    behind = "|".join(sorted(_words_of_names()["titles_behind"]))
    glued = "|".join(map(re.escape, _glued_titles()))
    return rf"(?:^|,){other}*(?i:{titles})(?:{other}|$)|^(?:{glued})|(?:{behind})\s*$"


def _may_end_doubtfully(column: pa.Array) -> np.ndarray:
    """Return a mask of the texts with the last two bytes of a company's form or a title, and of the long ones
    of other letters. An expression for all of them would take ten times as long for a whole column."""
    offsets, data = offsets_and_bytes(column)
    found = np.zeros(len(column), dtype=bool)
    lengths = np.diff(offsets)
    rows = np.flatnonzero(lengths >= 2)
    if rows.size:
        last = data[offsets[1:][rows] - 1]
        found[rows] = _doubtful_endings()[data[offsets[1:][rows] - 2], last]
        found[rows] |= (last >= 128) & (lengths[rows] >= _SHORTEST_HAN_COMPANY)
    return found


@cache
def _doubtful_endings() -> np.ndarray:
    """Return for the last but one and the last byte of a text whether a company's form or a title ends so."""
    forms = packaged_index("words.json")["companies"]
    table = np.zeros((256, 256), dtype=bool)
    for form in (*forms["any_case"], *forms["exact"], *_words_of_names()["titles"], *_address_in_chinese()):
        if len(form.encode()) != len(form):
            table[tuple(form.encode()[-2:])] = True
            continue
        for one, two in product(*((char.lower(), char.upper()) for char in form[-2:])):
            table[tuple((one + two).encode()[-2:])] = True
    table[:, list(b". ")] = True
    return table


@cache
def _company_pattern() -> str:
    """Return an expression, for Arrow and Python, for texts that end, or in Chinese go on, as a company's."""
    forms = packaged_index("words.json")["companies"]
    any_case, exact = ("|".join(map(re.escape, forms[key])) for key in ("any_case", "exact"))
    within = "|".join(map(re.escape, forms["within"]))
    return rf"(?:^|[\s,&])(?:(?i:{any_case})|{exact})[.\s]*$|{within}"


@cache
def _address_in_chinese() -> frozenset[str]:
    """Return what stands for a name in Chinese forms of address: the 女士 of 王女士, the 小 of 小李."""
    known = _words_of_names()
    return known["titles_behind"] | known["titles_behind_family"] | known["nicknames"]


@lru_cache(maxsize=16384)
def _is_no_name(text: str, field: str) -> bool:
    if _NO_NAME.fullmatch(text) is not None or not any(map(str.isalpha, text)):
        return True
    if re.search(_company_pattern(), text):
        return True
    if text in _address_in_chinese():
        return True
    return field == "first_name" and all(word.casefold() in _titles() for word in text.split())
