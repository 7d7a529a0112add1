"""Text from elsewhere becomes fit for sentences, terminals, JSON and shells, and says the same as before."""

from __future__ import annotations

import json
import os
import shlex
import shutil
import subprocess
import tomllib
import unicodedata
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from importer import escaping

NAUGHTY = "a\x1b]52;c;aGk=\x07b\x9b31m\u202ec\r\nd\te\x7f\u2066f\u2028g"


def test_exactly_what_no_terminal_should_see_is_taken_for_a_control() -> None:
    # Unicode's own classes. Without the two joiners Persian, Hindi and emoji read wrong.
    classes = ("Cc", "Cf", "Cs", "Zl", "Zp")
    known = {chr(number) for number in range(0x110000) if unicodedata.category(chr(number)) in classes}
    taken = {chr(number) for number in range(0x110000) if not escaping.is_single_line(chr(number))}
    assert known - taken == {"\u200c", "\u200d"}
    # Codes that are not given out yet may become controls.
    assert {unicodedata.category(character) for character in taken - known} <= {"Cn"}


@pytest.mark.parametrize("text", ["客户名单", "میخواهم", "👩‍👧", "a\u3000b", "Zoë", ""])
def test_ordinary_text_stays_as_it_is(text: str) -> None:
    assert escaping.single_line(text) == escaping.printable(text) == text


def test_controls_become_visible() -> None:
    shown = r"a\u001b]52;c;aGk=\u0007b\u009b31m\u202ec"
    assert escaping.single_line(NAUGHTY) == shown + r"  d e\u007f\u2066f g"
    assert escaping.printable(NAUGHTY) == shown + "\\u000d\nd\te\\u007f\\u2066f\\u2028g"


@given(st.text())
def test_json_says_the_same_and_can_be_printed(text: str) -> None:
    for indent in (None, 2):
        written = escaping.to_json({text: [text]}, indent)
        assert json.loads(written) == {text: [text]}
        assert all(escaping.is_single_line(line) for line in written.split("\n"))


@given(st.text(st.characters(exclude_categories=["Cs"])))
def test_what_is_printed_of_toml_is_still_the_same_toml(text: str) -> None:
    import tomli_w

    written = tomli_w.dumps({"key": text})
    assert tomllib.loads(escaping.printable(written)) == {"key": text}


@pytest.mark.skipif(os.name != "posix" or shutil.which("bash") is None, reason="needs bash")
@pytest.mark.parametrize(
    "word", [NAUGHTY, "it's", "a\\b\n'c", os.fsdecode("客户.csv".encode("gbk")), "$(id)"]
)
def test_a_command_can_be_copied_from_the_screen(word: str) -> None:
    line = escaping.shell_command(["printf", "%s", word])
    assert escaping.is_single_line(line)
    done = subprocess.run(["bash", "-c", line], capture_output=True, check=True)
    assert done.stdout == os.fsencode(word)


@pytest.mark.skipif(os.name != "posix", reason="names of POSIX are bytes")
@pytest.mark.parametrize(
    ("raw", "shown"),
    [
        ("客户名单.csv".encode("gbk"), "客户名单.csv"),
        ("导出/客户.csv".encode("gbk"), "导出/客户.csv"),
        ("朱镕基.csv".encode("gbk"), "朱镕基.csv"),
        # Latin-1 is not taken for Chinese, although some of its pairs are GBK.
        ("Müller.csv".encode("latin-1"), r"M\xfcller.csv"),
        ("élève.csv".encode("latin-1"), r"\xe9l\xe8ve.csv"),
        (b"\xff\xfe", r"\xff\xfe"),
    ],
)
def test_names_that_are_no_utf_8_can_be_read(raw: bytes, shown: str) -> None:
    assert escaping.single_line(os.fsdecode(raw)) == shown


def test_a_command_names_a_file_as_it_can_be_found(tmp_path: Path) -> None:
    (tmp_path / "my list.csv").touch()
    assert escaping.as_argument(str(tmp_path / "my list.csv")) == shlex.quote(str(tmp_path / "my list.csv"))
    assert escaping.as_argument("https://example.com/c.csv") == "https://example.com/c.csv"
    for nowhere in ("https://example.com/c.csv?…", "-", "sql:crm", str(tmp_path / "table")):
        assert escaping.as_argument(nowhere) == "FILE"
