"""The files of `importer/messages/translations/`: in order, and each line with a mark of the English it says.

`python -m tests.support.translations` tidies them, and lists what is to be translated. A line without a mark
was just written: it gets the mark of today's English. When the English changes, the mark no longer fits.
"""

from __future__ import annotations

import hashlib
import json
import sys
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from string import Formatter

import click

from importer import contracts, messages
from importer.cli import app
from importer.cli.output import LocalizedOption

FOLDER = Path(messages.__file__).with_name("translations")
_DECLARED = {
    "options": "What `--help` says of each option.",
    "fields": "Fields of the contracts.",
    "help": "What `--help` says of commands, and the words of click. The Chinese file has the same lines.",
}
_HEAD = "# {name}. CODE = {{ message, hint }}  # mark of the English text; see docs/translating.md.\n"


@dataclass(frozen=True)
class English:
    """What is to be translated."""

    section: str
    message: str
    hint: str = ""

    @property
    def mark(self) -> str:
        """Six hexadecimal digits of a hash of the text."""
        return hashlib.sha256(f"{self.message}\n{self.hint}".encode()).hexdigest()[:6]


@dataclass(frozen=True)
class Line:
    """A line of a file: the texts, and the mark of the English that they say."""

    message: str
    hint: str
    mark: str


@cache
def english() -> Mapping[str, English]:
    """Return all texts by key, in the order of a file."""
    found = {}
    for area in sorted(FOLDER.parent.glob("*.toml")):
        for code in tomllib.loads(area.read_text("utf-8")):
            entry = messages.catalogue()[code]
            found[code] = English(area.stem, entry.message["en"], entry.hint["en"])
    for text in _options(app.group):
        found.setdefault(messages.text_key(text), English("options", text))
    for name in contracts.NAMES:
        for field in contracts.load(name).fields:
            found.setdefault(messages.text_key(field.help["en"]), English("fields", field.help["en"]))
    for key in messages.translation("zh").lines:
        found.setdefault(key, English("help", json.loads(key)))
    return found


def _options(command: click.Command) -> Iterator[str]:
    for parameter in command.params:
        if isinstance(parameter, LocalizedOption):
            yield parameter.texts["en"]
    if isinstance(command, click.Group):
        context = click.Context(command)
        for name in command.list_commands(context):
            if (below := command.get_command(context, name)) is not None:
                yield from _options(below)


def lines(lang: str) -> dict[str, Line]:
    """Return what the file of a language holds, by key."""
    text = (FOLDER / f"{lang}.toml").read_text("utf-8")
    translation = messages.Translation(text)
    found = {}
    for key, rest in translation.lines.items():
        _, ended, mark = rest.rpartition("}  # ")
        found[key] = Line(translation.text(key), translation.text(key, "hint"), mark if ended else "")
    return found


def missing(lang: str) -> list[str]:
    """Return the keys of texts that are said in English."""
    written = lines(lang)
    return [key for key in english() if key not in written]


def outdated(lang: str) -> list[str]:
    """Return the keys of texts whose English has changed since somebody translated it."""
    written = lines(lang)
    return [key for key, said in english().items() if key in written and written[key].mark != said.mark]


def tidied(lang: str) -> str:
    """Return the file of a language in order, a mark in each line.

    A line goes whose text is no longer said, or has other places than the English of today.
    """
    written = lines(lang)
    parts = [_HEAD.format(name=messages.LANGUAGE_NAMES[lang])]
    section = ""
    for key, said in english().items():
        if (line := written.get(key)) is None or not fits(line, said):
            continue
        if said.section != section:
            section = said.section
            parts.append(f"\n# {_DECLARED.get(section, section)}\n")
        hint = f", hint = {_quoted(line.hint)}" if line.hint else ""
        mark = line.mark or said.mark
        parts.append(f"{key} = {{ message = {_quoted(line.message)}{hint} }}  # {mark}\n")
    return "".join(parts)


def fits(line: Line, said: English) -> bool:
    """Whether a line fills in what the English fills in, and has a hint where the English has one."""
    texts = ((line.message, said.message), (line.hint, said.hint))
    return bool(line.hint) == bool(said.hint) and all(places(one) == places(other) for one, other in texts)


def places(text: str) -> set[str]:
    """Return the names of what is filled in."""
    return {name for _, name, _, _ in Formatter().parse(text) if name}


def _quoted(text: str) -> str:
    return json.dumps(text, ensure_ascii=False)


def main() -> None:
    """Tidy each file, and list what is to be translated."""
    for lang in messages.TRANSLATIONS:
        (FOLDER / f"{lang}.toml").write_text(tidied(lang), "utf-8")
        for state, keys in (("missing", missing(lang)), ("outdated", outdated(lang))):
            for key in keys:
                said = english()[key]
                text = f"{said.message} | {said.hint}".replace("\n", "⏎")
                sys.stdout.write(f"{lang} {state} {key}: {text}\n")


if __name__ == "__main__":
    main()
