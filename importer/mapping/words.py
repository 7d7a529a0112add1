"""The words of `words.toml`: genders, months, Chinese compound surnames."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from functools import cache
from importlib import resources
from typing import Any

_CODES = {"male": "1", "female": "0", "unsaid": ""}
"""The API's codes for genders (batch_create, body parameters); "" is no value."""


@cache
def gender_codes() -> dict[str, str]:
    """The API's code, or "" for “not said”, by the casefolded word."""
    tables = _tables()["genders"]
    return {word.casefold(): code for name, code in _CODES.items() for word in tables[name]}


@cache
def month_numbers() -> Mapping[str, int]:
    """The number of a month by its casefolded name."""
    return {name.casefold(): int(number) for number, names in _tables()["months"].items() for name in names}


@cache
def compound_surnames() -> frozenset[str]:
    """Chinese surnames of two characters."""
    return frozenset(_tables()["surnames"]["compound"])


@cache
def _tables() -> dict[str, Any]:
    return tomllib.loads(resources.files("importer.mapping").joinpath("words.toml").read_text("utf-8"))
