"""Rules for genders: turn words and forms of address (Herr, Mme) into the API's codes; digits count only
where they are the API's own.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import cache

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from importer.arrow import BLANKS, nonempty, offsets_and_bytes, read_texts, to_arrow
from importer.mapping.base import ColumnIssue, note, packaged_index, quote_names
from importer.patterns import late_pattern

_CODES = {"male": "1", "female": "0", "unsaid": "", "neither": ""}
"""The API's codes (docs/remote-api.md, batch_create); "" is no value."""
_NEITHER = ""
_AROUND = " .,:()[]"
_MOST_SALUTATIONS = 0.95
_LAST_LETTER = "\u2e80"
"""From here on, a sign of a script is a word."""
_OWN_CODES = {"1": "1", "0": "0", "1.0": "1", "0.0": "0"}

_UNSAID = frozenset("xdu")
_WOMAN_ALWAYS = "k"
"""No language has it for a man. It stands alone where the others are words: Man, Kvinna, K."""
_FEWEST_WITH_A_SLIP = 5
"""In a column of fewer letters, one of them alone is no slip."""
_SLIPS = 0.05

_TWO_LETTERS = late_pattern(r"(?<!\w)([^\W\d_])\s?[/|,-]\s?([^\W\d_])(?!\w)")

Letters = Callable[[], Mapping[str, int]]
"""Returns the single letters of a whole column with their rows, as `single_letters` does."""


@cache
def word_codes() -> dict[str, str]:
    """Return the API's code, or "" for “not said” and “neither”, by the casefolded word."""
    tables = packaged_index("words.json")["genders"]
    return {word.casefold(): code for name, code in _CODES.items() for word in tables[name]}


def read(
    column: pa.Array, own_header: bool, letters: Letters, iberian: bool = False, titles: bool = False
) -> tuple[pa.Array, list[ColumnIssue]]:
    """Return the column as 1, 0 or "", and what is to be said: of values whose meaning is not certain (they
    stay as they are), and of words for which the API has no code (they count as empty).

    `own_header` says that the column is called `gender` as in the API: only then are 1 and 0 the API's codes.
    `letters` is called for a letter that only the others of the column explain. `iberian` says that the
    header is Spanish or Portuguese: beside H (hombre), M means mujer. `titles` says that the column holds
    forms of address: there, one that nobody listed says no gender.
    """
    _, data = offsets_and_bytes(column)
    if own_header and not data.tobytes().translate(None, b"01") and len(data) <= len(column):
        long = _longer_than_one(column)
        return column, [ColumnIssue("bad-gender", long)] if long.any() else []
    table = word_codes() | (_OWN_CODES if own_header else {})

    @cache
    def means_man(word: str) -> bool:
        # Beside an M, F is no man. Most columns show one in each chunk, and need not be read a second time.
        return word == "f" and "m" not in _letters_of(column) and {"m", "n"} & letters().keys() == {"n"}

    def code(text: str) -> str | None:
        word = text.casefold().strip(" .:()[]/")
        if iberian and (word == "h" or (word == "m" and "h" in letters())):
            return _iberian_code(word, table, letters)
        if word in _odd_letters() or means_man(word):
            return _by_pair(word, frozenset(letters()))
        found = table.get(word)
        found = gender_of(text) if found is None else found
        return "" if found is None and titles else found

    coded, bad = read_texts(column, code)
    left_out = ~nonempty(coded) & nonempty(column)
    issues = list(_bad(column, bad, letters, iberian)) if bad.any() else []
    return coded, [*issues, note("gender-left-out", left_out)] if left_out.any() else issues


@cache
def _pairs() -> tuple[tuple[str, str], ...]:
    """Return letters for male and female that explain each other."""
    return tuple((man, woman) for man, woman in packaged_index("words.json")["gender_letters"]["pairs"])


@cache
def _odd_letters() -> frozenset[str]:
    """Return the letters that mean nothing alone."""
    return frozenset(letter for pair in _pairs() for letter in pair) - {"m", "f"}


def _by_pair(word: str, letters: frozenset[str]) -> str | None:
    """Return what a letter means beside the others of its column; None if they make no pair, or several."""
    if word == _WOMAN_ALWAYS and letters - _UNSAID == {word}:
        return "0"
    fitting = _pairs_of(letters)
    if len(fitting) != 1 or word not in letters:
        return None
    man, _ = fitting.pop()
    return "1" if word == man else "0"


def _pairs_of(letters: Iterable[str]) -> set[tuple[str, str]]:
    known = set(letters) - _UNSAID
    return {pair for pair in _pairs() if known == set(pair)}


def single_letters(parts: Iterable[pd.Series], header: str = "") -> dict[str, int]:
    """Return the single letters among the values of a column, in lower case, each with its first row.

    Where the others are a pair that explains itself (M and F), a letter that hardly ever occurs is a slip: it
    is left out, so that it makes no other cell uncertain. A header that names a pair (L/P) explains one of
    the two where the other does not occur.
    """
    rows: dict[str, int] = {}
    count: Counter[str] = Counter()
    for part in parts:
        column = to_arrow(part)
        for letter, texts in _letters_of(column).items():
            count[letter] += sum(texts.values())
            if letter not in rows:
                rows[letter] = min(int(part.index[pc.index(column, text).as_py()]) for text in texts)
    often = {letter: row for letter, row in rows.items() if not _is_slip(count[letter], count.total())}
    explained = often.keys() - _UNSAID == {"m", "f"} or len(_pairs_of(often)) == 1
    named = _pair_in(header)
    if often and not explained and often.keys() - _UNSAID <= set(named):
        return dict.fromkeys(named, min(often.values())) | often
    return often if explained else rows


def _pair_in(header: str) -> tuple[str, ...]:
    """Return the two letters of a pair that a header names, as L/P does; () for none."""
    for named in _TWO_LETTERS.finditer(header.casefold()):
        found = named.groups()
        if any(set(found) == set(pair) for pair in _pairs()):
            return found
    return ()


def _is_slip(count: int, total: int) -> bool:
    return total >= _FEWEST_WITH_A_SLIP and count <= max(1, _SLIPS * total)


def _letters_of(column: pa.Array) -> dict[str, dict[str, int]]:
    """Return the single letters of a column, in lower case, with the texts that are one and how often."""
    found: dict[str, dict[str, int]] = {}
    for one in pc.value_counts(column).to_pylist():
        letter = (one["values"] or "").strip(BLANKS).rstrip(".").casefold()
        if len(letter) == 1:
            found.setdefault(letter, {})[one["values"]] = one["counts"]
    return found


def iberian_values(letters: Iterable[str]) -> dict[str, str]:
    """Return what the letters of a whole Spanish or Portuguese column mean, as a mapping's `values`."""
    if "h" not in letters:
        # An H that is a slip stays one where a part of the file holds more of them.
        return {"m": "male", "m.": "male", "h": "h?", "h.": "h?"} if {"f", "m"} <= set(letters) else {}
    woman = "hombre? mujer?" if "f" in letters else "mujer"
    return {"h": "hombre", "h.": "hombre", "m": woman, "m.": woman}


def pair_values(letters: Iterable[str]) -> dict[str, str]:
    """Return what the letters of a whole column mean that explain each other, as a mapping's `values`."""
    fitting = _pairs_of(letters)
    if len(fitting) != 1:
        return {}
    man, woman = fitting.pop()
    values = {man: "male", f"{man}.": "male", woman: "female", f"{woman}.": "female"}
    # Beside them it was a slip; alone, in a part of the file, it would be a woman.
    alone = {} if _WOMAN_ALWAYS in values else {_WOMAN_ALWAYS: f"{_WOMAN_ALWAYS}?"}
    return values | alone


def _iberian_code(word: str, table: Mapping[str, str], letters: Letters) -> str | None:
    if word == "h":
        return table["hombre"] if "h" in letters() else None
    return None if "f" in letters() else table["mujer"]


def _bad(column: pa.Array, bad: np.ndarray, letters: Letters, iberian: bool) -> Iterator[ColumnIssue]:
    """Yield the issue of the values without a meaning; of a letter it names those that make it ambiguous."""
    known = {letter for pair in _pairs() for letter in pair}
    texts = [text.strip(BLANKS).rstrip(".").casefold() for text in column.filter(pa.array(bad)).to_pylist()]
    single = bad.copy()
    single[bad] = np.array([text in known for text in texts], dtype=bool)
    rows = letters() if single.any() else {}
    others = sorted(rows.keys() & known)
    single &= len(others) > 1

    def rivals(text: str) -> str:
        own = text.strip().rstrip(".").casefold()
        # Below Sexo and Género an F is clear; it is the H that gives the M a second meaning.
        return ", ".join(
            f"{quote_names([letter.upper()])} ({rows[letter]})"
            for letter in others
            if letter != own and not (iberian and own == "m" and letter != "h")
        )

    if single.any():
        yield ColumnIssue("bad-gender", single, rivals, wording="gender-letter")
    if (bad & ~single).any():
        yield ColumnIssue("bad-gender", bad & ~single)


def _longer_than_one(column: pa.Array) -> np.ndarray:
    offsets, _ = offsets_and_bytes(column)
    return np.greater(np.diff(offsets), 1)


def gender_of(text: str) -> str | None:
    """Return the code of the gender that a form of address says, "" if it says none or both, None if some of
    its words are unknown."""
    known = _salutation_words()
    words = (word.strip(_AROUND) for word in text.casefold().replace("/", " ").split())
    codes = [known.get(word) for word in words if word]
    if not codes or None in codes:
        return None
    said = set(codes) - {_NEITHER}
    return said.pop() if len(said) == 1 else _NEITHER


def are_salutations(cells: Iterable[str]) -> bool:
    """Return whether cells are forms of address, most of them of one person with a gender.

    Single letters alone are no proof; 男 is a word.
    """
    filled = [cell.strip() for cell in cells if cell.strip()]
    codes = [gender_of(cell) for cell in filled]
    known = sum(code is not None for code in codes)
    told = sum(bool(code) for code in codes)
    return (
        bool(filled)
        and known >= _MOST_SALUTATIONS * len(filled)
        and 2 * told > len(filled)
        and any(
            len(cell.strip(_AROUND)) > 1 or (cell in word_codes() and cell > _LAST_LETTER) for cell in filled
        )
    )


@cache
def _salutation_words() -> Mapping[str, str]:
    """Return the code of each word of forms of address."""
    tables = packaged_index("words.json")
    listed = {name: _CODES[name] for name in ("neither", "male", "female")}
    return {
        word: code
        for table in ("genders", "salutations")
        for name, code in listed.items()
        for word in tables[table][name]
    }
