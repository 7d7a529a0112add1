"""A question takes yes and no in English and in the language that is spoken."""

from __future__ import annotations

import io

import click
import pytest

from importer.cli import output


@pytest.mark.parametrize(
    ("locale", "typed", "wanted"),
    [
        ("en_US", "y", True),
        ("en_US", "No", False),
        ("en_US", "", False),
        ("es_MX", "s", True),
        ("es_MX", "sí", True),
        ("es_MX", "SI", True),
        ("pt_BR", "Sim", True),
        ("pt_BR", "yes", True),
        ("pt_BR", "não", False),
        ("id_ID", "ya", True),
        ("id_ID", "t", False),
        ("zh_CN", "是", True),
        ("zh_CN", "n", False),
    ],
)
def test_yes_and_no_are_words_of_the_language(
    monkeypatch: pytest.MonkeyPatch, locale: str, typed: str, wanted: bool
) -> None:
    monkeypatch.setenv("LC_ALL", f"{locale}.UTF-8")
    monkeypatch.setattr("sys.stdin", io.StringIO(f"{typed}\n"))
    assert output.confirm("Go on?") is wanted


@pytest.mark.parametrize(
    ("locale", "letters"),
    [("en_US", "[y/N]"), ("zh_CN", "[y/N]"), ("es_MX", "[s/N]"), ("pt_BR", "[s/N]"), ("id_ID", "[y/T]")],
)
def test_anything_else_is_asked_again_with_the_letters(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], locale: str, letters: str
) -> None:
    monkeypatch.setenv("LC_ALL", f"{locale}.UTF-8")
    monkeypatch.setattr("sys.stdin", io.StringIO("perhaps\ny\n"))
    assert output.confirm("Go on?")
    assert capsys.readouterr().err.count(f"Go on? {letters}: ") == 2


def test_a_no_may_end_the_command(monkeypatch: pytest.MonkeyPatch) -> None:
    for typed in ("n\n", ""):
        monkeypatch.setattr("sys.stdin", io.StringIO(typed))
        with pytest.raises(click.Abort):
            output.confirm("Go on?", abort=True)
