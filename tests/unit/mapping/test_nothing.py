"""Words for nothing are empty cells, with a note; names of people stay."""

from __future__ import annotations

import numpy as np
import pytest

from importer import contracts
from importer.arrow import array
from importer.mapping import nothing
from tests.support.mapping import mapped, values

RULES = "\n".join(
    f'[fields.{name}]\nfrom = "{name}"' for name in ("first_name", "last_name", "country", "email", "remark")
)
NAMES = '[fields.first_name]\nconstant = "Ann"\n[fields.last_name]\nfrom = "last_name"'


def one(**cells: str) -> tuple[dict[str, str | None], list[str]]:
    row = {"first_name": "Ann", "last_name": "Lee", "country": "", "email": "", "remark": ""} | cells
    found = mapped(RULES, {name: [text] for name, text in row.items()})
    assert {issue.severity.value for issue in found.issues} <= {"note"}
    return {name: values(found, name)[0] for name in row}, [issue.column or "" for issue in found.issues]


@pytest.mark.parametrize(
    "word", ["NULL", "\\N", "nan", "None", "undefined", "N/A", "#N/A", "-", "无", "null", "——"]
)
def test_a_word_for_nothing_is_an_empty_cell_in_every_field(word: str) -> None:
    row, noted = one(last_name=word, country=word, email=word, remark=word)
    assert row == {"first_name": "Ann", "last_name": None, "country": None, "email": None, "remark": None}
    assert noted == ["last_name", "country", "email", "remark"]


@pytest.mark.parametrize(
    "word",
    [
        "同上",
        "〃",
        "Ditto",
        "idem",
        "same as above",
        '"',
        "''",
        "”",
        ",,",
        '-"-',
        "-„-",
        "－〃－",
        "-||-",
        "sda",
        "j.w.",
    ],
)
def test_a_word_that_refers_to_the_row_above_is_not_sent_and_that_is_a_warning(word: str) -> None:
    row = {"first_name": "Ann", "last_name": "Lee", "country": word, "email": word, "remark": word}
    found = mapped(RULES, {name: [text] for name, text in row.items()})
    assert [values(found, name)[0] for name in ("country", "email", "remark")] == [None, None, None]
    assert {(issue.code, issue.severity.value) for issue in found.issues} == {("ditto", "warning")}
    assert sorted(issue.column or "" for issue in found.issues) == ["country", "email", "remark"]


@pytest.mark.parametrize(
    "mark", ['"', "〃", "同上", "-〃-", ",,", "ídem", "Ídem", "siehe oben", "same as above"]
)
def test_what_stands_for_the_row_above_is_no_name_but_a_name_like_it_is(mark: str) -> None:
    row = {"first_name": "Dito", "last_name": mark, "country": "", "email": "", "remark": ""}
    found = mapped(RULES, {name: [text] for name, text in row.items()})
    assert (values(found, "first_name"), values(found, "last_name")) == (["Dito"], [None])
    assert [(issue.code, issue.column) for issue in found.issues] == [("ditto", "last_name")]


@pytest.mark.parametrize(
    ("names", "left", "issues"),
    [
        (["Zepeda", "idem", "igual"], ["Zepeda", None, None], ["ditto", "ditto"]),
        (["Zepeda", "ídem", "igual", "-", "same"], ["Zepeda", None, None, None, None], ["ditto"] * 3),
        (["Kowalska", "j.w."], ["Kowalska", None], ["ditto"]),
        (["zepeda", "idem"], ["zepeda", "idem"], ["ditto-or-name"]),
        (["Zepeda", "Idem"], ["Zepeda", "Idem"], ["ditto-or-name"]),
        (["Zepeda", "J.W.", "Dito", "Sda"], ["Zepeda", "J.W.", "Dito", "Sda"], []),
        (["Idem", "Zepeda"], ["Idem", "Zepeda"], []),
        (["김", "동일"], ["김", "동일"], []),
    ],
)
def test_a_word_that_is_a_name_too_counts_by_how_it_and_the_names_around_it_are_written(
    names: list[str], left: list[str | None], issues: list[str]
) -> None:
    found = mapped(NAMES, {"last_name": names})
    assert values(found, "last_name") == left
    warned = [issue for issue in found.issues if issue.severity.value == "warning"]
    assert [issue.wording or issue.code for issue in warned] == issues


def test_a_word_for_nothing_behind_a_name_is_left_out_with_a_note() -> None:
    names = ["Zepeda N/A", "Peña n/a", "Vera NULL", "Ruiz s/n", "Ana Null", "Nan", "Ann #N/A"]
    found = mapped(NAMES, {"last_name": names})
    assert values(found, "last_name") == ["Zepeda", "Peña", "Vera", "Ruiz", "Ana Null", "Nan", "Ann"]
    assert [(one.code, one.severity.value, one.found, one.expected) for one in found.issues][:2] == [
        ("word-for-nothing", "note", "Zepeda N/A", "Zepeda"),
        ("word-for-nothing", "note", "Peña n/a", "Peña"),
    ]
    assert len(list(found.issues)) == 5
    rules = '[fields.first_name]\nconstant = "A"\n[fields.last_name]\nfrom = "X"\nnothing = []'
    assert values(mapped(rules, {"X": ["Vera N/A"]}), "last_name") == ["Vera N/A"]


@pytest.mark.parametrize("word", ["n.c.", "N.C.", "n. d.", "b.d.", "NSP", "н/д"])
def test_not_given_in_short_is_no_email_but_may_be_a_name_or_a_remark(word: str) -> None:
    row, noted = one(last_name=word, email=word, remark=word)
    assert row == {"first_name": "Ann", "last_name": word, "country": None, "email": None, "remark": word}
    assert noted == ["email"]


def test_people_and_countries_keep_their_names() -> None:
    row, noted = one(first_name="Nan", last_name="Null", country="NA", remark="nothing else")
    assert row["first_name"] == "Nan"
    assert row["last_name"] == "Null"
    assert row["country"] == "NA"
    assert noted == []


def test_an_empty_list_keeps_the_words_and_a_filled_one_adds_to_them() -> None:
    names = '[fields.first_name]\nconstant = "A"\n[fields.last_name]\nconstant = "B"\n'
    cells = {"X": ["NULL", "gone", "x"]}
    kept = mapped(f'{names}[fields.remark]\nfrom = "X"\nnothing = []', cells)
    assert values(kept, "remark") == ["NULL", "gone", "x"]
    more = mapped(f'{names}[fields.remark]\nfrom = "X"\nnothing = ["gone"]', cells)
    assert values(more, "remark") == [None, None, "x"]


def test_the_next_column_is_taken_where_the_first_holds_a_word_for_nothing() -> None:
    rules = '[fields.first_name]\nconstant = "A"\n[fields.last_name]\nfrom = ["X", "Y"]'
    assert values(mapped(rules, {"X": ["NULL"], "Y": ["Lee"]}), "last_name") == ["Lee"]
    full = 'name_rule = "last-word"\n[fields.first_name]\nsplit = "N"\n[fields.last_name]\nsplit = "N"'
    found = mapped(full, {"N": ["NULL NULL", "Ann Lee"]})
    assert values(found, "first_name") == [None, "Ann"]


@pytest.mark.parametrize("name", ["first_name", "remark", "gender", "email", "country"])
def test_words_are_found_as_if_each_cell_were_looked_up(name: str) -> None:
    field = contracts.load(contracts.DEFAULT_CONTRACT).field(name)
    words = nothing._words(nothing._group(field))
    rng = np.random.default_rng(1)
    texts = ["", "note 1", "Nancy", "No", "x"]
    for word in sorted(words.spelled | words.folded):
        small = word.upper().lower()  # with the sigma that ends a word
        both = zip(word, small, strict=True) if len(small) == len(word) else zip(word, word, strict=True)
        mixed = "".join(rng.choice([letter, letter.upper(), other]) for letter, other in both)
        texts += [
            word,
            small,
            word.upper(),
            word.title(),
            mixed,
            f"{word} {word}",
            f"{word}\t-",
            f"{word}x",
            word[:-1],
        ]
    rng.shuffle(texts)
    found = nothing.where_nothing(field, array(texts))
    assert found.tolist() == [bool(text) and words.mean(text) for text in texts]
