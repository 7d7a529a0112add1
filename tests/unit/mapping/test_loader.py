"""Mapping files: what they may hold, and where a mistake is said to be."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from importer import mapping
from importer.errors import MappingError
from importer.mapping.base import matches_pattern
from importer.mapping.rules import Condition, CustomRule, FieldRule, MappingFile
from importer.messages import LANGUAGES


def fault(text: str) -> MappingError:
    with pytest.raises(MappingError) as caught:
        mapping.load_text(text, "own.toml")
    for lang in LANGUAGES:
        told = caught.value.sentence(lang) + caught.value.hint(lang)
        assert "<" not in told, told
    return caught.value


NAMES = '[fields.first_name]\nfrom = "A"\n\n[fields.last_name]\nfrom = "B"\n'


def test_one_answer_tells_every_mistake_in_the_order_of_its_lines() -> None:
    text = """
nam = "x"
[fields.emial]
from = "x"
[fields.email]
form = "x"
region = "DE"
[fields.sms_phone]
from = "a"
region = "ZZ"
[fields.first_name]
split = "N"
[[only]]
colum = "x"
is = "y"
[custom.x]
region = "DE"
"""
    error = fault(text)
    assert [(one.found["line"], one.code) for one in error.every] == [
        (2, "mapping-unknown-key"),
        (3, "mapping-unknown-field"),
        (6, "mapping-unknown-key"),
        (7, "mapping-misplaced-key"),
        (10, "mapping-bad-region"),
        (12, "mapping-needs-name-rule"),
        (14, "mapping-unknown-key"),
        (17, "mapping-misplaced-key"),
    ]
    assert all(one.sentence() in str(error) for one in error.every)


@pytest.mark.parametrize(
    ("text", "code", "line", "words"),
    [
        ("nmae = 1\n", "mapping-unknown-key", 1, ("nmae", "name_rule", "fields")),
        (
            NAMES + '\n[fields.email]\nform = "E"\n',
            "mapping-unknown-key",
            8,
            ("fields.email.form", "from", "join"),
        ),
        (
            NAMES + '[fields.mail]\nfrom = "E"\n',
            "mapping-unknown-field",
            6,
            ("mail", "email", "whats_app_phone"),
        ),
        (NAMES + '[fields]\nmail = { from = "E" }\n', "mapping-unknown-field", 7, ("mail",)),
        (
            NAMES + '[fields.birthday]\nfrom = "D"\nformats = ["dd/MM/yyyy", "dd/QQ/yyyy"]\n',
            "mapping-bad-date-format",
            8,
            ("dd/QQ/yyyy", "MM"),
        ),
        (
            NAMES + '[fields.birthday]\nfrom = "D"\nformats = "dd/MM"\n',
            "mapping-bad-date-format",
            8,
            ("dd/MM", "yyyy"),
        ),
        (
            NAMES + '[fields.sms_phone]\nfrom = "P"\nregion = "China"\n',
            "mapping-bad-region",
            8,
            ("China", "CN"),
        ),
        (
            NAMES + '[fields.country]\nfrom = "C"\nconstant = "X"\n',
            "mapping-keys-clash",
            6,
            ("from, constant",),
        ),
        (NAMES + '[fields.country]\ncase = "upper"\n', "mapping-unfed-field", 6, ("fields.country",)),
        (NAMES + '[fields.address]\nfrom = "S"\njoin = ", "\n', "mapping-join-needs-two", 6, ("join",)),
        (
            NAMES + '[fields.country]\nfrom = "C"\ncase = "UPPER"\n',
            "mapping-bad-choice",
            8,
            ("UPPER", "upper"),
        ),
        ('name_rule = "magic"\n' + NAMES, "mapping-bad-choice", 1, ("magic", "last-word", "chinese")),
        ('[fields.first_name]\nsplit = "N"\n', "mapping-needs-name-rule", 2, ("first_name", "last-word")),
        (
            'name_rule = "comma"\n[fields.email]\nsplit = "N"\n',
            "mapping-split-elsewhere",
            3,
            ("email", "last_name"),
        ),
        (NAMES + '[fields.email]\nfrom = "E"\ntake = "x"\n', "mapping-bad-value", 8, ("take",)),
        (NAMES + '[fields.email]\nfrom = ""\n', "mapping-empty-text", 7, ("fields.email.from",)),
        (NAMES + '[[only]]\ncolumn = "S"\n', "mapping-bad-condition", 6, ("is_not",)),
        (
            NAMES + '[[only]]\ncolumn = "S"\nis = "x"\n[[only]]\ncolumn = "T"\nfiled = true\n',
            "mapping-unknown-key",
            11,
            ("filed", "filled"),
        ),
        (NAMES + '[fields.email]\nfrom = "E"\nregion = "CN"\n', "mapping-misplaced-key", 8, ("sms_phone",)),
        (NAMES + '[custom.customize_1]\nregion = "CN"\n', "mapping-misplaced-key", 7, ("region",)),
        (
            NAMES + '[fields.email]\nfrom = "E"\nwhen = { colum = "X" }\n',
            "mapping-unknown-key",
            8,
            ("colum", "is_not"),
        ),
        (NAMES + '[[only]]\nis = "X"\n', "mapping-missing-key", 6, ("only.column",)),
        (NAMES + '[match]\nal = ["x"]\n', "mapping-unknown-key", 7, ("al", "all", "none")),
    ],
)
def test_a_mistake_is_told_with_its_place_and_what_is_allowed(
    text: str, code: str, line: int, words: tuple[str, ...]
) -> None:
    error = fault(text)
    assert (error.code, error.found["line"], error.found["file"]) == (code, line, "own.toml")
    assert all(word in str(error) for word in words), str(error)


def test_broken_toml_is_told_with_its_line() -> None:
    error = fault('[fields.first_name\nfrom = "A"')
    assert error.code == "mapping-not-toml"
    assert "line 1" in str(error)


def test_a_mapping_is_found_by_name_or_path(tmp_path: Path) -> None:
    own = tmp_path / "own.toml"
    own.write_text("\ufeff" + NAMES, "utf-8")
    assert mapping.load(str(own)).name == "own"
    assert mapping.load("hubspot").title == "HubSpot contacts"
    with pytest.raises(MappingError, match="hubspot") as caught:
        mapping.load("hubspott")
    assert caught.value.code == "mapping-not-found"
    with pytest.raises(MappingError):
        mapping.load(str(tmp_path / "none.toml"))
    own.write_bytes(b"\xff\xfe")
    with pytest.raises(MappingError) as caught:
        mapping.load(str(own))
    assert caught.value.code == "mapping-unreadable"
    with pytest.raises(MappingError) as caught:
        mapping.load(f"{tmp_path}/")
    assert caught.value.code == "mapping-unreadable"


@pytest.mark.parametrize("name", [found.name for found in mapping.ready()])
def test_a_dumped_mapping_reads_back_equal(name: str) -> None:
    found = mapping.load(name)
    again = mapping.load_text(found.dump(), f"{name}.toml")
    assert again == found
    assert again.digest == found.digest


@pytest.mark.parametrize("found", mapping.ready(), ids=lambda one: one.name)
def test_mappings_of_the_program_are_what_the_check_of_files_makes_of_them(found: MappingFile) -> None:
    assert mapping.load_text(mapping.ready_text(found.name), found.name) == found


def test_the_digest_follows_what_a_mapping_does_and_not_what_it_is_called() -> None:
    one = mapping.load_text(NAMES, "one.toml")
    assert mapping.load_text(f'title = "x"\n# y\n{NAMES}', "two.toml").digest == one.digest
    assert mapping.load_text(NAMES.replace('"B"', '"C"'), "one.toml").digest != one.digest


anything = st.text(st.characters(codec="utf-8"), min_size=1, max_size=12)


@given(anything, anything, st.dictionaries(anything, anything, max_size=3))
def test_any_texts_that_a_mapping_holds_are_dumped(column: str, key: str, values: dict[str, str]) -> None:
    rule = FieldRule((column, key), values=values, nothing=(key,))
    custom = CustomRule((column,))
    only = Condition(column, (key,))
    found = MappingFile(name="own", fields={"email": rule}, custom={key: custom}, only=(only,))
    assert mapping.load_text(found.dump(), "own.toml") == found


def test_a_mapping_that_an_earlier_version_wrote_reads_back_equal() -> None:
    earlier = mapping.load_text(
        'name = "own"\n\n[[only]]\ncolumn = "A"\nis = ["x"]\n\n[fields.gender]\nfrom = ["G"]\n'
        'values = { M = "1", "d/k" = "" }\nwhen = { column = "A", is = ["x"] }\n',
        "own.toml",
    )
    again = mapping.load_text(earlier.dump(), "own.toml")
    assert (again, again.digest) == (earlier, earlier.digest)


DEEP = 100_000


@pytest.mark.parametrize(
    "text",
    [
        "a = " + "[" * DEEP + "]" * DEEP,
        "a = " + "{a=" * DEEP + "1" + "}" * DEEP,
        ".".join(["a"] * DEEP) + " = 1",
        "[" + ".".join(["a"] * DEEP) + "]",
        "a = {" + ".".join(["a"] * DEEP) + " = 1}",
        "[fields]\nemail" + ".a" * DEEP + " = 1",
        '"a"' + ' . "b"' * DEEP + " = 1",
    ],
    ids=["arrays", "inline tables", "dots", "table", "dots inside", "field", "dots between texts"],
)
def test_toml_that_nests_deeper_than_a_person_would_is_refused(text: str) -> None:
    with pytest.raises(MappingError) as caught:
        mapping.load_text(text, "deep.toml")
    assert caught.value.code == "mapping-not-toml"
    assert "too deeply" in str(caught.value)


def test_dots_in_texts_and_comments_are_not_depth() -> None:
    text = f'title = "{"." * 500}"  # {"." * 500}\n[fields]\nemail = {{ from = "E-mail" }}\n'
    assert mapping.load_text(text, "dots.toml").title == "." * 500


@given(st.lists(st.sampled_from(["a", "b", "*", "A", " ", "ß"])), st.text(alphabet="abAß ", max_size=12))
def test_a_star_stands_for_any_text(pattern: list[str], text: str) -> None:
    """The plain form, which tries every place, says the same."""
    parts = map(re.escape, "".join(pattern).strip().split("*"))
    plain = re.fullmatch(".*".join(parts), text.strip(), re.IGNORECASE | re.DOTALL)
    assert matches_pattern("".join(pattern), text) is (plain is not None)


def test_many_stars_try_no_place_twice() -> None:
    """With every place tried this would take longer than the universe has existed."""
    assert not matches_pattern("*a" * 60 + "b", "a" * 2_000)
    assert matches_pattern("*a" * 60 + "*", "a" * 2_000)


def test_of_mistakes_without_number_the_first_are_told() -> None:
    with pytest.raises(MappingError) as error:
        mapping.load_text("\n".join(f"[table{number}]" for number in range(5000)), "x.toml")
    assert len(error.value.also) < 100
