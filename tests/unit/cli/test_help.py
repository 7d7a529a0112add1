"""`--help` and wrong usage speak Chinese, too, and fit a terminal of 80 columns."""

from __future__ import annotations

import re
from collections.abc import Iterator

import click
import pytest

from importer.cli import output
from importer.cli.app import group, invoke
from importer.cli.help import LocalContext, local, speak
from importer.cli.output import width_of, wrapped

EXAMPLES = re.compile(r"importer [a-z]|^\s+(bash|zsh|fish) ")


@pytest.fixture(autouse=True)
def chinese(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(output, "_of_locale", lambda: "zh")
    monkeypatch.setattr(output, "_chosen", "")
    speak()


def commands(command: click.Command, path: str) -> Iterator[tuple[str, click.Command]]:
    yield path, command
    if isinstance(command, click.Group):
        context = click.Context(command)
        for name in command.list_commands(context):
            below = command.get_command(context, name)
            assert below is not None
            yield from commands(below, f"{path} {name}")


def test_the_help_of_every_command_is_chinese_and_fits_80_columns() -> None:
    seen = 0
    for path, command in commands(group, "importer"):
        context = LocalContext(command, info_name=path, terminal_width=80, max_content_width=80)
        epilog = command.epilog or ""  # the form of fault files, for developers, is English
        for line in command.get_help(context).splitlines():
            if line.strip() and line.strip() in epilog:
                continue
            assert width_of(line) <= 80 or EXAMPLES.search(line), (path, line)
            # Words of the command line, names and numbers may stand alone; sentences may not.
            english = re.findall(r"(?:\b[a-z]{2,}\b[ ,]+){3,}[a-z]{2,}", line)
            assert not english or EXAMPLES.search(line), (path, line)
            seen += 1
        assert "选项：" in command.get_help(context)
    assert seen > 300


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["rum"], "没有命令 rum。"),
        (["run", "--colour"], "没有选项 --colour。"),
        (["inspect"], "缺少参数"),
        (["run", "--mode", "foo", "a.csv"], "不是 replace（0）、update（1）、keep（2）之一"),
        (["run", "--limit", "0", "a.csv"], "的范围内"),
    ],
)
def test_wrong_usage_is_told_in_chinese(
    words: list[str], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert invoke(words) == 2
    told = capsys.readouterr().err
    assert said in told
    assert "错误：" in told
    assert "Error" not in told


def test_a_line_breaks_between_chinese_characters_but_not_before_their_marks() -> None:
    lines = wrapped("文件在 report.html 中，请查看（全部）。", 12)
    assert all(width_of(line) <= 12 for line in lines)
    assert not any(line[0] in "，。）" for line in lines)
    assert "".join(lines).replace(" ", "") == "文件在report.html中，请查看（全部）。"


def test_what_nobody_translated_stays_english() -> None:
    assert local("A text of nobody.") == "A text of nobody."
