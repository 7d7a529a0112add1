"""Every command with what a program or a person may ask of its output: pure JSON, Chinese, silence."""

from __future__ import annotations

import json
import re
from pathlib import Path

import click
import pytest

from importer.cli import app
from importer.config import Connection
from importer.messages import TRANSLATIONS
from tests.support.commands import Command, Result
from tests.support.every_command import EVERY_COMMAND, lay_out

CHINESE = re.compile(r"[\u4e00-\u9fff]")
WORDS = re.compile(r"(?<![\w/.=@-])[A-Za-z]{3,}(?![\w/.=@-])")
NOT_OURS = {
    "mapping list": "names and titles of exports",
    "mapping show": "a mapping file",
    "app phones": "what the API names",
    "completion": "a shell script",
    "job install": "a crontab entry",
}
"""Commands that print more than sentences and labels of ours."""
ENGLISH_VALUES = re.compile(
    r"(?<![\w/.=@-])(finished|held|failed|stopped|interrupted|running|good|imported|invalid|valid|not.sent"
    r"|dry.run|update|yes|no|False|True|text|phone|mixed|custom|rows?|environment)(?![\w/.=@-])"
)
"""Words for states, modes and kinds that have a Chinese one."""
REASON_IN_ENGLISH = "sandbox"
"""It says in English alone why a fault cannot be read: faults are for those who write tests."""


def options_of(name: str) -> set[str]:
    command: click.Command | None = app.group
    for word in name.split():
        assert isinstance(command, click.Group)
        command = command.get_command(click.Context(command), word)
    assert command is not None
    return {flag for parameter in command.params for flag in parameter.opts}


@pytest.fixture
def run(importer: Command, work: Path, settings: Connection) -> str:
    lay_out(work)
    importer("run", "customers.csv", "--report-dir", "first")
    found: str = importer("runs", "--json").json[0]["id"]
    return found


@pytest.mark.parametrize("name", [name for name in EVERY_COMMAND if "--log-json" in options_of(name)])
@pytest.mark.parametrize("lang", ["en", "zh"])
def test_a_log_for_programs_is_json_to_its_last_line(
    importer: Command, run: str, name: str, lang: str
) -> None:
    words = [word.replace("{run}", run) for word in EVERY_COMMAND[name]]
    for line in importer(*words, "--log-json", "--lang", lang).err.splitlines():
        assert isinstance(json.loads(line), dict), line


@pytest.mark.parametrize("name", [name for name in EVERY_COMMAND if "--json" in options_of(name)])
def test_what_is_printed_for_programs_is_json_and_the_same_in_each_language(
    importer: Command, run: str, name: str
) -> None:
    words = [word.replace("{run}", run) for word in EVERY_COMMAND[name]]
    english = json.loads(importer(*words, "--json", "--lang", "en").out)
    chinese = json.loads(importer(*words, "--json", "--lang", "zh").out)
    assert type(english) is type(chinese)
    if isinstance(english, dict):
        assert english.keys() == chinese.keys()


@pytest.mark.parametrize("name", [name for name in EVERY_COMMAND if name not in NOT_OURS])
def test_in_chinese_no_line_is_english(importer: Command, run: str, name: str) -> None:
    words = [word.replace("{run}", run) for word in EVERY_COMMAND[name]]
    done = importer(*words, "--lang", "zh")
    assert done.out or done.err or name == "runs acknowledge"
    for line in (done.out + done.err).splitlines():
        told = line.split("“")[0]
        if told.strip().startswith(("importer ", "[", "#")) or CHINESE.search(line):
            continue
        assert len(WORDS.findall(told)) < 3, line


@pytest.mark.parametrize(
    "name", [name for name in EVERY_COMMAND if name not in {*NOT_OURS, REASON_IN_ENGLISH, "web"}]
)
def test_in_chinese_states_and_kinds_are_chinese(importer: Command, run: str, name: str) -> None:
    words = [word.replace("{run}", run) for word in EVERY_COMMAND[name]]
    done = importer(*words, "--lang", "zh")
    assert not ENGLISH_VALUES.findall(done.out + done.err)


@pytest.mark.parametrize(
    "name", [name for name in EVERY_COMMAND if name not in (*NOT_OURS, REASON_IN_ENGLISH)]
)
def test_in_another_language_no_line_is_english(importer: Command, run: str, name: str) -> None:
    words = [word.replace("{run}", run) for word in EVERY_COMMAND[name]]
    english = sentences(importer(*words, "--lang", "en"))
    for lang in TRANSLATIONS:
        assert not english & sentences(importer(*words, "--lang", lang)), lang


def sentences(done: Result) -> set[str]:
    """Return the lines with some words, but for commands to copy."""
    lines = {line.strip() for line in (done.out + done.err).splitlines()}
    return {
        line
        for line in lines
        if not line.startswith(("importer ", "[", "#")) and len(WORDS.findall(line.split("“")[0])) > 2
    }


@pytest.mark.parametrize("name", [name for name in EVERY_COMMAND if "--quiet" in options_of(name)])
def test_quiet_says_nothing_but_what_is_wrong_or_left_to_do(importer: Command, run: str, name: str) -> None:
    words = [word.replace("{run}", run) for word in EVERY_COMMAND[name]]
    done = importer(*words, "--quiet")
    assert len(done.out.splitlines()) + len(done.err.splitlines()) <= 1


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_a_shell_gets_what_completes_commands(importer: Command, shell: str) -> None:
    done = importer("completion", shell)
    assert done.code == 0
    assert "_IMPORTER_COMPLETE" in done.out
