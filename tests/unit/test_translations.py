"""Each language says all that English says: the same places, the same commands to type, and no English."""

from __future__ import annotations

import re
from string import Formatter

import pytest

from importer import messages
from tests.support import translations

BEHIND = 60
"""Texts of a language that may be missing or outdated while work goes on; 0 in a release."""
TO_TYPE = re.compile(
    r"`[^`]+`|--[a-z][a-z-]+|NXLINK_[A-Z_]+|\b[A-Z]+_PROXY\b|[\w-]+\.(?:toml|xlsx|csv|html|json)\b"
)


@pytest.mark.parametrize("lang", messages.TRANSLATIONS)
def test_a_language_lags_behind_english_by_little(lang: str) -> None:
    behind = [*translations.missing(lang), *translations.outdated(lang)]
    assert len(behind) <= BEHIND, f"{lang}: translate {behind} (docs/translating.md)"


@pytest.mark.parametrize("lang", messages.TRANSLATIONS)
def test_a_file_is_in_order_and_each_line_has_its_mark(lang: str) -> None:
    file = translations.FOLDER / f"{lang}.toml"
    assert file.read_text("utf-8") == translations.tidied(lang), "make docs tidies it"


@pytest.mark.parametrize("lang", messages.TRANSLATIONS)
def test_what_is_filled_in_and_what_is_typed_is_that_of_the_english(lang: str) -> None:
    outdated = translations.outdated(lang)
    for key, line in translations.lines(lang).items():
        english = translations.english()[key]
        assert line.message.strip(), key
        assert translations.fits(line, english), f"{lang} {key}: {line}"
        for told, said in ((line.message, english.message), (line.hint, english.hint)):
            assert key in outdated or set(TO_TYPE.findall(told)) == set(TO_TYPE.findall(said)), (
                f"{lang} {key}: {told}"
            )


def test_indonesian_words_have_no_plural() -> None:
    for key, line in translations.lines("id").items():
        assert "|" not in "".join(spec or "" for _, _, spec, _ in Formatter().parse(line.message)), key


@pytest.mark.parametrize("lang", messages.TRANSLATIONS)
def test_what_is_not_translated_is_said_in_english(lang: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(messages, "translation", lambda lang: messages.Translation(""))
    entry = messages.Catalogue({"one": '[gone]\nen = { message = "gone" }\nzh = { message = "没了" }\n'})[
        "gone"
    ]
    assert (entry.message[lang], entry.hint[lang]) == ("gone", "")
    assert messages.local_text({"en": "Country", "zh": "国家"}, lang) == "Country"


def test_a_text_is_taken_from_the_line_of_its_code() -> None:
    found = messages.Translation(
        '# note\ngone = { message = "ido", hint = "Buscar = { x }." }  # 1a\n"A b" = { message = "c" }\n'
    )
    assert (found.text("gone"), found.text("gone", "hint")) == ("ido", "Buscar = { x }.")
    assert found.text(messages.text_key("A b")) == "c"
    assert (found.text("other"), found.text('"A b"', "hint")) == ("", "")


@pytest.mark.parametrize("lang", ["fr", "en", "../es"])
def test_a_language_that_is_no_translation_has_no_file(lang: str) -> None:
    with pytest.raises(KeyError):
        messages.translation(lang)


@pytest.mark.parametrize("lang", messages.TRANSLATIONS)
def test_a_text_ends_and_quotes_as_the_english_does(lang: str) -> None:
    outdated = translations.outdated(lang)
    for key, line in translations.lines(lang).items():
        english = translations.english()[key]
        for told, said in ((line.message, english.message), (line.hint, english.hint)):
            if key not in outdated:
                assert _end(told) == _end(said), f"{lang} {key}: {told}"
                assert told.count("“") == told.count("”") == said.count("“"), f"{lang} {key}: {told}"


def _end(text: str) -> str:
    """What joins a text to the next one: its last character, unless that is a letter or the like."""
    return "".join(char for char in text[-1:].replace("!", ".") if char in ".?:… ")
