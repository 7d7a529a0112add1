"""TOML that anybody may have written is read in one pass, and bounded."""

from __future__ import annotations

import pytest

from importer.toml import MOST_CHARACTERS, MOST_DOTS, TooLongError, parse_toml

DEEP = ".".join("a" * (MOST_DOTS + 2))


@pytest.mark.parametrize(
    "text",
    [
        f"{DEEP} = 1",
        f"[{DEEP}]",
        ".".join(['"a"'] * (MOST_DOTS + 2)) + " = 1",
        " . ".join("a" * (MOST_DOTS + 2)) + " = 1",
        f"x = {{a = '''\n \" ''', {DEEP} = \"1\"}}",
        f'x = {{a = """\n\' """"", {DEEP} = \'1\'}}',
        "a = " + "[" * 100_000,
        "a = " + "{b=" * 100_000,
    ],
)
def test_what_nests_deeper_than_a_person_would_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="too deeply"):
        parse_toml(text)


@pytest.mark.parametrize(
    "value",
    ["." * 500, ".a" * 500, "1.5 " * 500],
)
@pytest.mark.parametrize("quotes", ['"', "'", '"""', "'''"])
def test_dots_in_a_text_nest_nothing(value: str, quotes: str) -> None:
    assert parse_toml(f"a = {quotes}{value}{quotes}") == {"a": value}


def test_dots_elsewhere_nest_nothing() -> None:
    assert parse_toml(f"a = [{', '.join(['1.5'] * 500)}] # {DEEP}") == {"a": [1.5] * 500}
    assert parse_toml('a = """\n' + "it's. " * 500 + '"""') == {"a": "it's. " * 500}


@pytest.mark.parametrize(
    "line",
    ['\\"' * 2_000_000 + DEEP, "." + " " * 4_000_000 + DEEP, "'" * 4_000_001 + DEEP, '"' * 4_000_001 + DEEP],
    ids=["escaped quotes", "blanks", "apostrophes", "quotes"],
)
def test_a_long_line_is_looked_at_in_one_pass(line: str) -> None:
    """A second pass for each of its characters would take days."""
    with pytest.raises(ValueError, match=r"\w"):
        parse_toml(line)


def test_a_text_beyond_all_use_is_refused_before_it_is_parsed() -> None:
    with pytest.raises(TooLongError):
        parse_toml("#" * (MOST_CHARACTERS + 1))
