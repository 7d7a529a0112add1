"""Judge how well a text fits an encoding, by which characters stand in it and next to which others.

Each code page is judged by what its own languages look like. Levels of CJK characters are those of the
national standards: GB 2312, Big5, JIS X 0208 and KS X 1001 put the common characters first.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from itertools import pairwise

SYMBOLS = frozenset("–—‘’“”„…€•°ºª№«»™®©\u00a0·´§£¥¿¡²³½¼¾‚‹›")
_WORD = re.compile(r"[^\W\d_]+")
_LATIN = {
    "cp1252": (
        "áéíóúüñ", "àâæçéèêëîïôœùûüÿ", "äöüß", "áâãàçéêíóôõú", "àèéìòù", "åäöéæø", "ëïéèöü", "áðéíóúýþæö",
    ),
    "cp1250": ("ąćęłńóśźż", "áčďéěíňóřšťúůýž", "áäčďéíĺľňóôŕšťúýž", "áéíóöőúüű", "ăâîşţ", "čćđšž"),
    "cp1254": ("çğıöşüâîû",),
    "cp1257": ("ąčęėįšųūž", "āčēģīķļņšūž", "äöõüšž"),
}  # fmt: skip
_UNLIKELY = {
    "cp1252": re.compile("õ(?![esa])|[ðýþÐÝÞ]", re.IGNORECASE),  # õ in Portuguese; Icelandic's own letters
    "cp1250": re.compile(  # Polish writes ni there, Czech and Romanian never these; no word is one letter
        r"ń(?=[aeiouyó])|[ŕĺ]|č(?=[rdmtg])|ă(?=[aeiou])|\bNş|(?<![^\W\d_])[^\x00-\x7f\W\d_](?![^\W\d_])",
        re.IGNORECASE,
    ),
    "cp1254": re.compile("[ðýþ]", re.IGNORECASE),
}
_LATIN |= dict.fromkeys(("cp850", "mac_roman"), _LATIN["cp1252"])
_UNLIKELY |= dict.fromkeys(("cp850", "mac_roman"), _UNLIKELY["cp1252"])
_UNLIKELY["cp1257"] = re.compile(r"[ŗłśźńóżćé](?=[a-z])", re.IGNORECASE)
_TORN = re.compile(
    r"(?<=[^\W\d_])[‚„“¤¢£¥ƒ‡†ˆ‰¡¿•](?=[^\W\d_]|$|[,;\t])|[”¤¢ƒ‡†ˆ‰](?=[^\W\d_])"
    r"|(?<=[a-z])[–—…](?=[a-z])"
)
"""Signs inside words, as letters of DOS and of old Macs look in Windows code pages: “Jos‚”."""
_VIETNAMESE = frozenset("ăâđêôơưáàéèíóòúùýĂÂĐÊÔƠƯ\u0300\u0301\u0303\u0309\u0323")
_TONES = frozenset("\u0300\u0301\u0303\u0309\u0323")
_THAI_NEVER = (
    "(?<![\u0e01-\u0e4e])[\u0e01-\u0e4e]{1,2}(?![\u0e01-\u0e4e])|"
    "(?<![\u0e01-\u0e2e\u0e31-\u0e4e])[\u0e30-\u0e3a\u0e45\u0e47-\u0e4e]"
    "|[\u0e40-\u0e44][\u0e30-\u0e4e]|[\u0e47-\u0e4e]{2}|[\u0e31\u0e34-\u0e3a]{2}|[\u0e3f\u0e4f\u0e5a\u0e5b]"
)
_GREEK_NEVER = (
    "[ΐΰΪΫ]|ς(?=[α-ώ])|σ(?![α-ώ])|(?<=[α-ώ])[Α-Ω]|[άέήίόύώ][α-ω]*[άέήίόύώ]|(?<![Α-Ωά-ώ])[α-ω]{4,}(?![ά-ώ])"
)
_VOWELS = frozenset("aeiouyăâêôơưAEIOUYĂÂÊÔƠƯ")
_CYRILLIC = frozenset("абвгдежзийклмнопрстуфхцчшщъыьэюяё")
_CYRILLIC_MORE = frozenset("іїєґўјљњћђџ")


@dataclass(frozen=True, slots=True)
class CodePage:
    """An encoding that may be meant: Python's name, the name that people know, and the judge of a text."""

    name: str
    label: str
    fit: Callable[[str], float]
    """Returns about 1 for text that is in this encoding, 0 or less for text that is not."""
    prior: float = 0.0
    """How much more common it is than others, added to the fit."""


def _average(total: float, count: int) -> float:
    return total / count if count else 0.0


def _latin(page: str) -> Callable[[str], float]:
    languages = [frozenset(letters + letters.upper()) for letters in _LATIN[page]]
    union = frozenset().union(*languages)

    def fit(text: str) -> float:
        marks = Counter(mark for mark in text if mark >= "\x80")
        letters = Counter({mark: count for mark, count in marks.items() if mark.isalpha()})
        count = marks.total()
        symbols = sum(marks[mark] for mark in SYMBOLS if not mark.isalpha())
        strange = count - letters.total() - symbols
        known = sum(letters[mark] for mark in union & letters.keys())
        best = max(sum(letters[mark] for mark in language & letters.keys()) for language in languages)
        odd = _odd_words(text) + 1.7 * len(_TORN.findall(text)) + 0.6 * len(_UNLIKELY[page].findall(text))
        total = 0.55 * known + 0.4 * best + 0.7 * symbols - strange - odd
        return _average(total, count)

    return fit


def _odd_words(text: str) -> float:
    """Count what is rare in Latin scripts: accented letters in a row, and capitals after small letters."""
    odd = 0.0
    for word in _WORD.findall(text):
        if word.isascii():
            continue
        accented = [mark >= "\x80" for mark in word]
        odd += sum(0.7 for at in range(2, len(word)) if all(accented[at - 2 : at + 1]))
        odd += sum(1.0 for before, mark in pairwise(word) if before.islower() and mark.isupper())
    return odd


def _vietnamese(text: str) -> float:
    count, total, toned = 0, 0.0, False
    before = ""
    for mark in text:
        if mark >= "\x80":
            count += 1
            if mark in _TONES:
                toned = toned or before in _VOWELS
                total += 1.0 if before in _VOWELS else -2.0
            elif mark in _VIETNAMESE:
                total += 0.85
            elif mark in SYMBOLS:
                total += 0.7
            else:
                total -= 0.3
        before = mark
    return _average(total, count) - (0.0 if toned else 0.25)


def _cyrillic(text: str) -> float:
    count, total = 0, 0.0
    marks = Counter(mark for mark in text if mark >= "\x80")
    for mark, times in marks.items():
        count += times
        small = mark.lower()
        total += times * (
            1.0
            if small in _CYRILLIC
            else 0.8
            if small in _CYRILLIC_MORE
            else 0.7
            if mark in SYMBOLS
            else -1.0
        )
    for word in _WORD.findall(text):
        own = sum(mark >= "\x80" for mark in word)
        if word.lower() in _CYRILLIC_MORE:
            total -= 1.0
        if 0 < own < len(word):
            total -= 1.5 * own
        if own and not (word.islower() or word.istitle() or (word.isupper() and own > 2)):
            total -= 0.7 * own
    # Lists of names have capitals; Hebrew read as Cyrillic has none.
    return _average(total, count) - (0.3 if text == text.lower() else 0.0)


def _koi8(text: str) -> float:
    """Judge KOI8-R, in which small and capital letters stand where Windows-1251 has them the other way."""
    return _cyrillic(text) - (0.3 if text == text.upper() else 0.0)


def _script(first: str, last: str, odd: str) -> Callable[[str], float]:
    """Return the judge of an alphabet that lies between two characters; `odd` finds what it never has."""
    never = re.compile(odd)

    def fit(text: str) -> float:
        marks = Counter(mark for mark in text if mark >= "\x80")
        total = sum(
            times * (1.0 if first <= mark <= last else 0.7 if mark in SYMBOLS else -1.0)
            for mark, times in marks.items()
        )
        for word in _WORD.findall(text):
            own = sum(mark >= "\x80" for mark in word)
            if 0 < own < len(word):
                total -= 1.5 * own
        flat = 0.3 if "\u0384" <= first <= "\u03ff" and text == text.lower() else 0.0
        return _average(total - 1.2 * len(never.findall(text)), marks.total()) - flat

    return fit


def _cjk(level: Callable[[str], float]) -> Callable[[str], float]:
    def fit(text: str) -> float:
        marks = Counter(mark for mark in text if mark >= "\x80")
        total = sum(times * level(mark) for mark, times in marks.items())
        return _average(total - _alone_in_words(text), marks.total())

    return fit


# Compiled on first use: that takes a while, and most files are in no code page.
_ALONE = r"(?<=[A-Za-z])[\u3040-\uffef](?![\u3040-\uffef])|(?<![\u3040-\uffef])[\u3040-\uffef](?=[a-z])"


def _alone_in_words(text: str) -> float:
    return 1.2 * len(re.findall(_ALONE, text))


def _lead(mark: str, codec: str) -> int:
    """Return the first byte of a character in a two-byte encoding; 0 if it is not in it."""
    try:
        raw = mark.encode(codec)
    except UnicodeEncodeError:
        return 0
    return raw[0] if len(raw) == 2 else 0


@cache
def _gb(mark: str) -> float:
    lead = _lead(mark, "gb2312")
    if 0xB0 <= lead <= 0xD7:
        return 1.0
    if 0xD8 <= lead <= 0xF7:
        return 0.4
    if 0xA1 <= lead <= 0xA3:
        return 0.8
    if lead:
        return 0.0
    return -0.2 if _lead(mark, "gbk") else -0.6


@cache
def _big5(mark: str) -> float:
    lead = _lead(mark, "cp950")
    if 0xA4 <= lead <= 0xC6:
        return 1.0
    if 0xC9 <= lead <= 0xF9:
        return 0.3
    return 0.8 if 0xA1 <= lead <= 0xA3 else -0.4


@cache
def _shift_jis(mark: str) -> float:
    if "\u3041" <= mark <= "\u30fe":
        return 1.0
    if "\uff61" <= mark <= "\uff9f":
        return 0.1
    lead = _lead(mark, "cp932")
    if 0x88 <= lead <= 0x98:
        return 0.9
    if lead == 0x81 or lead == 0x82:
        return 0.7
    return 0.2 if 0x99 <= lead <= 0xEA else -0.4


@cache
def _hangul(mark: str) -> float:
    lead = _lead(mark, "cp949")
    if 0xB0 <= lead <= 0xC8:
        return 1.0 if _lead(mark, "euc_kr") else 0.1
    if 0xCA <= lead <= 0xFD:
        return 0.2
    if 0xA1 <= lead <= 0xA3:
        return 0.6
    return 0.0 if lead else -0.6


def _gb_fit(text: str) -> float:
    """Judge Chinese, which uses all common rows of GB 2312; Korean read as Chinese uses the first 25 only."""
    fit = _cjk(_gb)(text)
    leads = [lead for lead in (_lead(mark, "gb2312") for mark in text if mark >= "\x80") if lead >= 0xB0]
    beyond = sum(lead > 0xC8 for lead in leads)
    if len(leads) >= 6 and beyond * 10 < len(leads):
        fit -= 0.35
    return fit


CODE_PAGES = (
    CodePage("gb18030", "GB18030 (GBK)", _gb_fit),
    CodePage("cp950", "Big5", _cjk(_big5)),
    CodePage("cp932", "Shift_JIS", _cjk(_shift_jis)),
    CodePage("cp949", "EUC-KR", _cjk(_hangul)),
    CodePage("cp1252", "Windows-1252", _latin("cp1252"), prior=0.06),
    CodePage("cp1250", "Windows-1250", _latin("cp1250")),
    CodePage("cp1251", "Windows-1251", _cyrillic),
    CodePage("cp1254", "Windows-1254", _latin("cp1254")),
    CodePage("cp1258", "Windows-1258", _vietnamese),
    CodePage("cp1257", "Windows-1257", _latin("cp1257"), prior=-0.05),
    CodePage("cp874", "Windows-874 (TIS-620)", _script("\u0e01", "\u0e5b", _THAI_NEVER)),
    CodePage("cp1253", "Windows-1253", _script("\u0384", "\u03ce", _GREEK_NEVER), prior=-0.05),
    CodePage("cp1255", "Windows-1255", _script("\u05d0", "\u05ea", "(?<![א-ת])[ךםןףץ](?=[א-ת])")),
    CodePage("cp1256", "Windows-1256", _script("\u060c", "\u06d2", "[a-zà-ÿ](?=[\u0621-\u06d2])")),
    CodePage("koi8_r", "KOI8-R", _koi8),
    CodePage("cp866", "DOS 866", _cyrillic),
    CodePage("mac_cyrillic", "Mac Cyrillic", _cyrillic, prior=-0.05),
    CodePage("cp850", "DOS 850", _latin("cp850"), prior=-0.05),
    CodePage("mac_roman", "Mac Roman", _latin("mac_roman"), prior=-0.05),
)
