"""The catalogue is read piece by piece, and is what the files say."""

from __future__ import annotations

import tomllib
from pathlib import Path
from string import Formatter

import pytest

from importer import messages
from importer.messages import Catalogue
from importer.models import Severity

FILES = sorted(Path(messages.__file__).parent.glob("*.toml"))


def test_the_catalogue_holds_what_the_files_say() -> None:
    said = {
        code: {"area": file.stem, "severity": "", **table}
        for file in FILES
        for code, table in tomllib.loads(file.read_text("utf-8")).items()
    }
    assert messages.catalogue().keys() == said.keys()
    for code, entry in messages.catalogue().items():
        texts = {lang: {"message": entry.message[lang], "hint": entry.hint[lang]} for lang in ("en", "zh")}
        wanted = {lang: {"hint": "", **said[code][lang]} for lang in ("en", "zh")}
        assert texts == wanted
        assert (entry.code, entry.area, entry.severity) == (
            code, said[code]["area"], said[code]["severity"]
        )  # fmt: skip


def test_an_issue_has_one_of_the_three_levels() -> None:
    levels = {entry.severity for entry in messages.catalogue().values()}
    assert levels <= {"", *Severity}


def test_a_code_stands_in_one_file_only() -> None:
    table = '[gone]\nen = { message = "gone" }\nzh = { message = "没了" }\n'
    assert set(Catalogue({"one": f"# remark\n\n{table}"})) == {"gone"}
    with pytest.raises(ValueError, match=r"gone stands in one\.toml and in two\.toml"):
        Catalogue({"one": table, "two": table})


@pytest.mark.parametrize(
    ("rows", "wanted"),
    [
        (1, "1 filled row above it is not read as a customer"),
        ("1", "1 filled row above it is not read as a customer"),
        (2, "2 filled rows above it are not read as customers"),
        ("1,001", "1,001 filled rows above it are not read as customers"),
    ],
)
def test_the_words_beside_a_number_fit_it(rows: int | str, wanted: str) -> None:
    found = {"header_row": 3, "rows": rows}
    assert messages.sentence("rows-above-header", found) == f"the header is row 3; {wanted}"


def test_an_unknown_code_is_in_no_file() -> None:
    assert "nonsense" not in messages.catalogue()
    with pytest.raises(KeyError):
        messages.sentence("nonsense", {})


@pytest.mark.parametrize(
    ("lang", "sentences", "wanted"),
    [
        ("en", ("no such file", "Name another one."), "no such file. Name another one."),
        ("en", ("no such file.", "Run importer doctor"), "no such file. Run importer doctor"),
        ("en", ("no such file", ""), "no such file"),
        ("en", (), ""),
        ("zh", ("文件不存在", "请指定其他文件。"), "文件不存在。请指定其他文件。"),
        ("zh", ("文件不存在？", "请运行 importer doctor"), "文件不存在？请运行 importer doctor"),
    ],
)
def test_sentences_are_joined_as_the_language_does(
    lang: str, sentences: tuple[str, ...], wanted: str
) -> None:
    assert messages.join_sentences(lang, *sentences) == wanted


def test_what_the_page_says_instead_of_a_hint_needs_no_more_than_the_message_itself() -> None:
    entries = messages.catalogue()
    for code in entries:
        if not code.startswith("on-page-"):
            continue
        instead, said = entries[code], entries[code.removeprefix("on-page-")]
        for lang in messages.LANGUAGES:
            known = places(said.message[lang]) | places(said.hint[lang])
            assert places(instead.message[lang]) <= known, code


def test_no_hint_for_a_row_speaks_of_options_on_the_page() -> None:
    dates = (
        "contradictory-dates",
        "date-in-no-format",
        "date-of-other-calendar",
        "date-with-short-year",
        "lunar-date",
    )
    issues = [code for code, entry in messages.catalogue().items() if entry.severity]
    others = ("gender-letter", "shared-by-all", "bad-custom-field", "same-contact-row")
    for code in (*issues, *dates, *others):
        for lang in messages.LANGUAGES:
            hint = messages.hint_template(code, lang, on_page=True)
            for word in ("--", "`", " = ", "mapping", "映射", "rejects.xlsx"):
                assert word not in hint, code


def places(text: str) -> set[str]:
    """The names of what is filled in."""
    return {name for _, name, _, _ in Formatter().parse(text) if name}


def test_clauses_are_joined_as_the_language_does() -> None:
    assert messages.join_clauses("en", "41 rows", "", "first at row 17") == "41 rows, first at row 17"
    assert messages.join_clauses("zh", "41 行", "首见于第 17 行") == "41 行，首见于第 17 行"


@pytest.mark.parametrize(
    ("lang", "text"), [("en", "12,345 rows"), ("pt", "12.345 linhas"), ("id", "12.345 baris")]
)
def test_counts_have_their_thousands_marked(lang: str, text: str) -> None:
    assert messages.sentence("job-check-held", {"rows": 12345}, lang) == text
    assert "1234" in messages.sentence("row-above-header", {"row": 1234, "found": "x"}, lang)
