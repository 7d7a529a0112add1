"""Make text from elsewhere fit for where it goes: a sentence, a terminal, JSON, a shell; read odd names.

Names of files, sheets and columns, cells and answers of a server may hold what a terminal obeys (ESC, C1),
what turns text around (bidirectional controls), or what begins another line. None of it is lost: it becomes
visible, as `\\u001b`, which JSON and TOML read back. Everything that is printed goes through here; cells as
they are stand in the reports alone.
"""

from __future__ import annotations

import os
import re
from collections.abc import Sequence

_CONTROLS = (
    r"\x00-\x1f\x7f-\x9f"  # Cc
    r"\u00ad\u0600-\u0605\u061c\u06dd\u070f\u0890\u0891\u08e2\u180e\u200b\u200e\u200f\u202a-\u202e"  # Cf
    r"\u2060-\u2064\u2066-\u206f\ufeff\ufff9-\ufffb\U000110bd\U000110cd\U00013430-\U0001343f\U0001bca0-\U0001bca3"
    r"\U0001d173-\U0001d17a\U000e0001\U000e0020-\U000e007f"
    r"\u2028\u2029"  # Zl, Zp
    r"\ud800-\udfff"  # Cs: bytes of names that are no UTF-8
)
"""All but U+200C and U+200D, without which Persian, Hindi and emoji read wrong."""
_CONTROL = re.compile(f"[{_CONTROLS}]")
_IN_LINES = re.compile(f"(?![\n\t])[{_CONTROLS}]")
_BLANKS = frozenset("\t\n\v\f\r\x85\u2028\u2029")
_HIGH_PAIR = re.compile(rb"[\xa1-\xf7][\xa1-\xfe]")
_PAIR = re.compile(rb"[\x81-\xfe][\x40-\xfe]")


def single_line(text: str) -> str:
    """Return the text as one line in which every character shows: as a value in a sentence, a name in a list.

    Line breaks and tabs become blanks, other controls their code. A name that is no UTF-8 is read as GBK
    where that is what it looks like.
    """
    if text.isprintable():
        return text
    text = readable_name(text)
    return _CONTROL.sub(lambda found: " " if found[0] in _BLANKS else _code(found), text)


def printable(text: str) -> str:
    """Return the text with line feeds and tabs as they are, and every other control as its code."""
    return text if text.isprintable() else _IN_LINES.sub(_code, readable_name(text))


def is_single_line(text: str) -> bool:
    """Return whether nothing in the text has to be made visible."""
    return _CONTROL.search(text) is None


def to_json(value: object, indent: int | None = None) -> str:
    """Return JSON that says exactly the same and can be printed: controls are written by their codes."""
    import json  # `--help` has no time for it

    text = json.dumps(value, ensure_ascii=False, indent=indent)
    # Line feeds of the indentation stand between the texts; inside them json has written \n already.
    return text if text.isprintable() else _IN_LINES.sub(_json_code, text)


_HIDDEN = "?…"
"""Ends an address whose query is not shown."""


def as_argument(name: str) -> str:
    """Return a file's name as a word of a command: FILE where the name that people see leads nowhere.

    So it is with a link whose query is not shown, standard input, and a table of a program.
    """
    leads = not name.endswith(_HIDDEN) if "://" in name else os.path.lexists(name)
    return shell_command([name]) if leads else "FILE"


def shell_command(words: Sequence[str]) -> str:
    """Return a command line, quoted for the shell of this system, that can be printed and copied.

    A word with control characters, or with bytes that are no UTF-8, becomes $'…' (POSIX.1-2024, 2.2.4).
    """
    if os.name == "nt":
        from subprocess import list2cmdline

        return single_line(list2cmdline(words))
    import shlex

    return " ".join(shlex.quote(word) if is_single_line(word) else _dollar_quoted(word) for word in words)


def readable_name(text: str) -> str:
    """Return a path that holds bytes which are no UTF-8 (PEP 383) as one that a person can read.

    Each part of the path for itself: as GBK, which Chinese Windows writes, where half of its letters are of
    GB 2312 at least; else the bytes by their numbers.
    """
    if not any("\udc80" <= character <= "\udcff" for character in text):
        return text
    return "/".join(_readable_part(part) for part in text.split("/"))


def decode_name(raw: bytes) -> str | None:
    """Return a name of a file that is UTF-8 or that GBK makes sense of; else None."""
    for encoding in ("utf-8", "gb18030"):
        try:
            found = raw.decode(encoding)
        except UnicodeDecodeError:
            continue
        if encoding == "utf-8" or 2 * len(_HIGH_PAIR.findall(raw)) >= len(_PAIR.findall(raw)):
            return found
    return None


def _readable_part(part: str) -> str:
    try:
        raw = part.encode("utf-8", "surrogateescape")
    except UnicodeEncodeError:  # a lone surrogate that stands for no byte
        return part
    found = decode_name(raw)
    return raw.decode("utf-8", "backslashreplace") if found is None else found


def _code(found: re.Match[str]) -> str:
    number = ord(found[0])
    return f"\\u{number:04x}" if number < 0x10000 else f"\\U{number:08x}"


def _json_code(found: re.Match[str]) -> str:
    """Return the escape of JSON: two of four digits each beyond U+FFFF (RFC 8259, 7)."""
    units = found[0].encode("utf-16-be", "surrogatepass")
    return "".join(f"\\u{units[at : at + 2].hex()}" for at in range(0, len(units), 2))


def _dollar_quoted(word: str) -> str:
    return f"$'{''.join(map(_dollar_character, word))}'"


def _dollar_character(character: str) -> str:
    if character in "\\'":
        return f"\\{character}"
    if is_single_line(character):
        return character
    byte = "\udc80" <= character <= "\udcff"
    encoded = character.encode("utf-8", "surrogateescape" if byte else "replace")
    return "".join(f"\\{number:03o}" for number in encoded)
