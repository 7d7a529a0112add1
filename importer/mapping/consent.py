"""Tell who must not be contacted: by columns of consents, of refusals and of states, and by what remarks say.

Nothing is left out by it: newsletter = no is often a customer all the same. `words.toml` lists the words.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Iterator, Sequence
from functools import cache, lru_cache
from typing import Literal

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from importer import arrow
from importer.dataclass import dataclass
from importer.mapping.base import packaged_index, where_text
from importer.mapping.dates import month_number
from importer.mapping.headers import normalize
from importer.mapping.nothing import is_nothing
from importer.mapping.rules import Condition
from importer.patterns import late_pattern

Kind = Literal["given", "refused", "state"]
"""What a yes means in a column: a consent, a refusal, or nothing, since only certain words count."""

_WORD = re.compile(r"[^\W_]+")
_CAMEL = re.compile(r"(?<=[a-z])(?=[A-Z])")
_MORE = late_pattern(r"([^\W\d_]+)[\s,;:!.(–—-]+[^\d]*")
"""A word with more behind it, but no number: nie - tylko telefon."""
_LONGEST = 60
"""Bytes of a cell that answers."""
_AROUND = " .,;:!*()[]–—-/"
"""What may stand around words."""
_SENTENCE_END = late_pattern(
    r"(?<=[^\W\d_])[.;!(](?:\s|$)|(?<=\d\d)\.\s|(?<=[^\W\d_])\s*\(|\s[–—-]\s|[。；，、（\n]"
)
_DAY_IN_HAN = late_pattern(r"\d+[./-]?[年月日号년월일]?\d*(?:[年月日号년월일]\d*)*|[本上今]月|去年|今年")
_WITHOUT_BLANKS = re.compile(r"[\u0e00-\u0eff\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af]")


@dataclass(frozen=True, slots=True)
class _Terms:
    """What one kind of columns is called."""

    words: frozenset[str]
    beginnings: tuple[str, ...]
    phrases: tuple[str, ...]
    """Several words, with a blank before, between and behind them."""
    first_words: frozenset[str]
    """Of the phrases."""
    anywhere: tuple[str, ...]
    """In scripts that put no blanks between words."""

    @classmethod
    def of(cls, listed: Sequence[str]) -> _Terms:
        words, beginnings, phrases, anywhere = set(), [], [], []
        for term in listed:
            spread = _spread(term)
            if _WITHOUT_BLANKS.search(term):
                anywhere.append(spread.replace(" ", ""))
            elif term.endswith("*"):
                beginnings.append(spread)
            elif " " in spread:
                phrases.append(f" {spread} ")
            else:
                words.add(spread)
        first_words = frozenset(phrase.split()[0] for phrase in phrases)
        return cls(frozenset(words), tuple(beginnings), tuple(phrases), first_words, tuple(anywhere))

    def name(self, spread: str) -> bool:
        """Return whether a header, as `_spread` returns it, has one of them."""
        words = spread.split()
        if not self.words.isdisjoint(words) or any(word.startswith(self.beginnings) for word in words):
            return True
        # Most headers have no first word of a phrase, and no letter of these scripts.
        if not self.first_words.isdisjoint(words) and any(phrase in f" {spread} " for phrase in self.phrases):
            return True
        return not spread.isascii() and any(term in spread.replace(" ", "") for term in self.anywhere)


@lru_cache(maxsize=4096)
def kind_of(header: str) -> Kind | None:
    """Return what a column says of who may be contacted, by its name; None: nothing."""
    spread = _spread(header)
    given, refused, state = (_terms(name).name(spread) for name in ("given", "refused", "states"))
    if refused:
        return "state" if " opt in " in f" {spread} " else "refused"
    return "given" if given else "state" if state else None


def refusing(kind: Kind, cells: pa.Array) -> np.ndarray:
    """Return a mask of the cells (without outer blanks) that say that somebody must not be contacted."""
    lengths = np.diff(arrow.offsets_and_bytes(cells)[0])
    at = np.flatnonzero((lengths > 0) & ((lengths <= _LONGEST) | (kind == "refused")))
    return where_text(cells, at, _TESTS[kind])


def leaving_out(column: str, kind: Kind, cells: pa.Array) -> Condition:
    """Return the condition that keeps out the rows with a refusing cell. `cells` are all of the column."""
    distinct = pc.unique(cells)
    bad = refusing(kind, distinct)
    kept, refused = (distinct.filter(pa.array(mask)).to_pylist() for mask in (~bad, bad))
    if kind != "refused":
        return Condition(column, is_not=tuple(refused))
    # In a condition a * stands for any text: such a cell allows nobody.
    allowed = [text for text in kept if text and "*" not in text]
    if allowed:
        return Condition(column, is_=("", *allowed))
    return Condition(column, filled=False)


def conditions_text(conditions: Sequence[Condition]) -> str:
    """Return conditions as they stand in a mapping file."""
    import tomli_w

    return "".join("[[only]]\n" + tomli_w.dumps(one.table()) for one in conditions)


def telling_remarks(cells: pa.Array) -> np.ndarray:
    """Return a mask of the remarks that say that somebody must not be contacted, or has left."""
    found = arrow.to_mask(pc.match_substring_regex(cells, _remarks(), ignore_case=True))
    may = arrow.to_mask(pc.match_substring_regex(cells, _may_say_left(), ignore_case=True))
    found |= where_text(cells, np.flatnonzero(may & ~found), _says_left)
    return found


def _says_left(text: str) -> bool:
    """Return whether a text says that somebody has left, and no more than when: Baja, BAJA 03/10/26, se dio
    de baja en octubre. Behind a full stop or a bracket may stand more; baja estatura is no such text."""
    rest, dated = _without_day(text)
    return rest in _listed("left") or (dated and rest in _listed("left_on"))


def _without_day(text: str) -> tuple[str, bool]:
    """Return the first sentence of a text, in small letters and without a day at either end, and whether it
    had one."""
    first = _SENTENCE_END.split(text.strip(), maxsplit=1)[0].casefold().replace("’", "'")
    spread = (word.strip(_AROUND) for word in _DAY_IN_HAN.sub(" 1 ", first).split())
    words = list(filter(None, spread))
    kept = [word for word in words if not (word[0].isdigit() or month_number(word))]
    dated = len(kept) < len(words)
    beside = _listed("before_dates") if dated else frozenset()
    while kept and kept[-1] in beside:
        kept.pop()
    while kept and kept[0] in beside:
        kept.pop(0)
    return " ".join(kept), dated


def words_shown(cells: Iterable[str], most: int = 3) -> str:
    """Return the first different cells, for a sentence: “NIE”, “nie - tylko telefon”, …"""
    texts = list(dict.fromkeys(cells))
    return ", ".join([*(f"“{text}”" for text in texts[:most]), *("…" for _ in texts[most : most + 1])])


def _spread(name: str) -> str:
    """Return the words of a header, each in its normal form, with blanks between them."""
    return " ".join(filter(None, map(normalize, _WORD.findall(_CAMEL.sub(" ", name)))))


@cache
def _terms(name: str) -> _Terms:
    return _Terms.of(packaged_index("words.json")["consent"][name])


@cache
def _folded(name: str) -> frozenset[str]:
    return frozenset(word.casefold() for word in packaged_index("words.json")["consent"][name])


@cache
def _denials() -> frozenset[str]:
    return frozenset(packaged_index("words.json")["leaving"]["denials"])


def _says_no(text: str) -> bool:
    folded = unicodedata.normalize("NFKC", text).casefold()
    if folded in _folded("no") or folded in ("0.0", "0,0"):
        return True
    more = _MORE.fullmatch(folded)
    return more is not None and more[1] in _folded("no")


def _is_gone(text: str) -> bool:
    if text.casefold() in _folded("gone"):
        return True
    rest, dated = _without_day(text)
    return dated and rest in _folded("gone")


def _refuses(text: str) -> bool:
    return not (_says_no(text) or text.casefold() in _denials() or is_nothing(text))


_TESTS = {
    "given": lambda text: _says_no(text) or _is_gone(text),
    "refused": _refuses,
    "state": _is_gone,
}


@cache
def _listed(name: str) -> frozenset[str]:
    return frozenset(packaged_index("words.json")["consent"][name])


@cache
def _may_say_left() -> str:
    """Return a pattern of the texts that `_says_left` has to look at."""
    phrases = sorted(_listed("left") | _listed("left_on"))
    return "|".join(re.escape(one).replace("'", "['’]").replace(r"\ ", ".+") for one in phrases)


@cache
def _remarks() -> str:
    def terms() -> Iterator[str]:
        for term in packaged_index("words.json")["consent"]["remarks"]:
            begins = r"\b" if term[0].isascii() else ""
            yield begins + re.escape(term).replace(r"\ ", r"\s+").replace("'", "['’]")

    return "|".join(terms())
