"""When two headers are the same name: case, blanks, dashes, underscores, accents and width don't count."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Sequence
from functools import lru_cache

_NOT_A_LETTER = re.compile(r"[\W_]+")
_BRACKETS = re.compile(r"[(（\[【][^)）\]】]*[)）\]】]")
_REMARK = re.compile(
    r"必填|选填|可选|必须|格式|required|optional|mandatory|format|yyyy"
    r"|obligatori[oa]|opcional|wajib|bắt buộc",
    re.IGNORECASE,
)


@lru_cache(maxsize=8192)
def normal(name: str) -> str:
    """The letters and digits of a header, in one case and width, without accents; may be empty."""
    folded = unicodedata.normalize("NFKC", name).casefold().replace("đ", "d").replace("ı", "i")
    bare = "".join(c for c in unicodedata.normalize("NFKD", folded) if not unicodedata.combining(c))
    return _NOT_A_LETTER.sub("", unicodedata.normalize("NFC", bare))


def without_remarks(name: str) -> str:
    """The header without bracketed remarks on how to fill it in: “手机号（必填）” is 手机号."""
    return _BRACKETS.sub(lambda found: "" if _REMARK.search(found[0]) else found[0], name)


def without_brackets(name: str) -> str:
    """The header without anything in brackets: “类型(1:个人；2:公司)” is 类型."""
    return _BRACKETS.sub("", name)


def find(name: str, header: Sequence[str]) -> str | None:
    """The first column that a mapping may mean by `name`, or None."""
    return next(iter(candidates(name, header)), None)


def candidates(name: str, header: Sequence[str]) -> tuple[str, ...]:
    """The columns that a mapping may mean by `name`, in the file's order.

    The same text wins over the same name in another spelling; a `*` stands for any text (Intercom writes the
    time zone into its headers).
    """
    if name in header:
        return (name,)
    if "*" in name:
        return tuple(column for column in header if matches(name, column))
    wanted = normal(name)
    return tuple(column for column in header if wanted and normal(column) == wanted)


def matches(pattern: str, text: str) -> bool:
    """Whether a text fits a pattern in which `*` stands for any text; case does not count."""
    parts = (re.escape(part) for part in pattern.strip().split("*"))
    return re.fullmatch(".*".join(parts), text.strip(), re.IGNORECASE | re.DOTALL) is not None


def listed(names: Iterable[str]) -> str:
    """Names for a sentence: “A”, “B”."""
    return ", ".join(f"“{name}”" for name in names)
