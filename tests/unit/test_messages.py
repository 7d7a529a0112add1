"""The catalogue is read piece by piece, and is what the files say."""

from __future__ import annotations

import tomllib
from pathlib import Path

import pytest

from importer import messages
from importer.messages import Catalogue

FILES = sorted(Path(messages.__file__).parent.glob("*.toml"))


def test_the_catalogue_holds_what_the_files_say() -> None:
    said = {
        code: {"area": file.stem, "severity": "", **table}
        for file in FILES
        for code, table in tomllib.loads(file.read_text("utf-8")).items()
    }
    assert messages.catalogue().keys() == said.keys()
    for code, message in messages.catalogue().items():
        texts = {lang: {"says": message.says[lang], "do": message.do[lang]} for lang in messages.LANGUAGES}
        wanted = {lang: {"do": "", **said[code][lang]} for lang in messages.LANGUAGES}
        assert texts == wanted
        assert (message.code, message.area, message.severity) == (
            code, said[code]["area"], said[code]["severity"]
        )  # fmt: skip


def test_a_code_stands_in_one_file_only() -> None:
    table = '[gone]\nen = { says = "gone" }\nzh = { says = "没了" }\n'
    assert set(Catalogue({"one": f"# remark\n\n{table}"})) == {"gone"}
    with pytest.raises(ValueError, match=r"gone stands in one\.toml and in two\.toml"):
        Catalogue({"one": table, "two": table})


def test_an_unknown_code_is_in_no_file() -> None:
    assert "nonsense" not in messages.catalogue()
    with pytest.raises(KeyError):
        messages.sentence("nonsense", {})
