"""Read TOML that anybody may have written, with bounds on what makes parsing slow."""

from __future__ import annotations

from typing import Any

from importer.patterns import late_pattern

MOST_CHARACTERS = 10_000_000
"""Of a text. A mapping with a hundred thousand values has a third of it."""
MOST_DOTS = 100
"""In one key. Parsing takes the square of its depth."""
# Each alternative matches whatever follows, so that the whole takes one pass. A text of three quotes may end
# in two more (TOML 1.0, “String”).
_TEXTS = late_pattern(
    r'"""(?s:[^\\]|\\.)*?(?:"{3,5}|\Z)'
    r"|'''(?s:.)*?(?:'{3,5}|\Z)"
    r'|"(?:[^"\\\n]|\\[^\n])*+"?'
    r"|'[^'\n]*+'?"
    r"|#[^\n]*+"
)
_DEEP_KEY = late_pattern(rf"(?:\.[ \t]*+[\w-]*+[ \t]*+){{{MOST_DOTS + 1}}}")


class TooLongError(ValueError):
    """The text has more than `MOST_CHARACTERS`."""


def parse_toml(text: str) -> dict[str, Any]:
    """Return the tables of a TOML text.

    Raises ValueError for what is no TOML, or nests deeper than a person would; TooLongError.
    """
    import tomllib

    if len(text) > MOST_CHARACTERS:
        raise TooLongError("it is too long")
    if text.count(".") > MOST_DOTS and _DEEP_KEY.search(_TEXTS.sub(_place_of, text)):
        raise ValueError(_TOO_DEEP)
    try:
        return tomllib.loads(text)
    except RecursionError as error:
        raise ValueError(_TOO_DEEP) from error


_TOO_DEEP = "it nests too deeply"


def _place_of(found: Any) -> str:
    """What stands for a text while keys are looked at: a part of a key; nothing for a comment."""
    return "" if found[0].startswith("#") else "_"
