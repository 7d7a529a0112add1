"""Encodings: found from the text itself, told when in doubt, flaws confined to their rows."""

from __future__ import annotations

from pathlib import Path

import pytest

from importer.errors import InputError, UsageError
from importer.readers import ReadOptions, open_source

KNOWN = frozenset({"first_name", "last_name", "姓", "名"})
OPTIONS = ReadOptions(is_known=KNOWN.__contains__)
TEXTS = {
    "gb18030": "姓,名,手机号码\n张,伟,138\n王,芳,139\n李,小明,137\n欧阳,娜娜,136\n",
    "big5": "姓,名,電話\n陳,小明,0912\n林,美玲,0922\n王,大同,0933\n",
    "shift_jis": "first_name,last_name\n太郎,山田\n花子,鈴木\nさくら,佐藤\n",
    "euc_kr": "first_name,last_name,도시\n철수,김,서울\n영희,이,부산\n지성,박,대구\n하늘,강,광주\n",
    "cp1250": "first_name,last_name\nŁukasz,Wiśniewski\nJiří,Dvořák\nMałgorzata,Dąbrowska\n",
    "cp1251": "first_name,last_name\nИван,Петров\nОльга,Сидорова\n",
    "cp1252": "first_name,last_name\nJosé,Muñoz\nFrançois,Lefèvre\nJürgen,Groß\n",
    "cp1254": "first_name,last_name\nMehmet,Yılmaz\nAyşe,Öztürk\nOğuz,Çağlar\n",
    "cp1258": "first_name,last_name\nHoa\u0300ng,Nguyê\u0303n\nĐa\u0323t,Trâ\u0300n\nHa\u0309i,Pha\u0323m\n",
    "latin-1": "first_name,last_name\nJoão,Conceição\nMárcia,Simões\n",
    "utf-8": "first_name,last_name\nJosé,张伟\n",
    "utf-8-sig": "first_name,last_name\nJosé,张伟\n",
    "utf-16": "first_name,last_name\nJosé,张伟\n",
    "utf-16-le": "first_name,last_name\nJosé,Smith\n",
    "utf-16-be": "first_name,last_name\nJosé,Smith\n",
}


def texts_of(path: Path, options: ReadOptions = OPTIONS) -> list[list[str]]:
    with open_source(path, options) as source:
        rows = [row for chunk in source.chunks() for row in chunk.frame.to_numpy().tolist()]
        return [list(source.header), *rows]


@pytest.mark.parametrize("encoding", TEXTS)
def test_the_encoding_is_found(tmp_path: Path, encoding: str) -> None:
    path = tmp_path / "customers.csv"
    path.write_bytes(TEXTS[encoding].encode(encoding))
    assert texts_of(path) == [line.split(",") for line in TEXTS[encoding].splitlines()]


@pytest.mark.parametrize("encoding", TEXTS)
def test_the_encoding_is_taken_as_given(tmp_path: Path, encoding: str) -> None:
    path = tmp_path / "customers.csv"
    path.write_bytes(TEXTS[encoding].encode(encoding))
    options = ReadOptions(is_known=KNOWN.__contains__, encoding=encoding)
    assert texts_of(path, options) == [line.split(",") for line in TEXTS[encoding].splitlines()]


def test_text_beyond_the_first_kilobytes_decides_too(tmp_path: Path) -> None:
    path = tmp_path / "customers.csv"
    plain = "first_name,last_name\n" + "Ann,Smith\n" * 200_000
    path.write_bytes((plain + "Łukasz,Wiśniewski\nMałgorzata,Dąbrowska\n").encode("cp1250"))
    assert texts_of(path)[-1] == ["Małgorzata", "Dąbrowska"]


def test_a_few_bad_bytes_in_utf8_cost_their_rows_only(tmp_path: Path) -> None:
    path = tmp_path / "customers.csv"
    lines = ["first_name,last_name", *(f"José{number},张" for number in range(20))]
    raw = "\n".join(lines).encode().replace("José7".encode(), b"Jos\xe97")
    path.write_bytes(raw)
    with open_source(path, OPTIONS) as source:
        assert source.encoding == "utf-8"
        (chunk,) = source.chunks()
    assert [(issue.row, issue.code, issue.column, issue.found) for issue in chunk.issues] == [
        (9, "bad-encoding", "first_name", "Jos\ufffd7")
    ]
    assert len(chunk.frame) == 20
    assert chunk.frame["first_name"].iloc[8] == "José8"


def test_real_doubt_between_code_pages_is_an_error_that_names_them(tmp_path: Path) -> None:
    path = tmp_path / "customers.csv"
    path.write_bytes(b"first_name,last_name\nAnn,\xb9\xda\n")
    with pytest.raises(InputError) as caught:
        open_source(path, OPTIONS)
    assert caught.value.code == "encoding-doubt"
    assert "EUC-KR" in caught.value.sentence()
    assert "--encoding" in caught.value.hint()


def test_an_unknown_encoding_name_is_a_wrong_option(tmp_path: Path) -> None:
    path = tmp_path / "customers.csv"
    path.write_text("first_name,last_name\n")
    with pytest.raises(UsageError, match="klingon"):
        open_source(path, ReadOptions(is_known=KNOWN.__contains__, encoding="klingon"))
