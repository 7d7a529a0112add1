"""What `--help` and wrong usage say, in the language that is spoken.

click has its own words for both, and asks gettext for them; commands and options bring theirs in English. All
are looked up here by their English text. What nobody translated stays English.
"""

from __future__ import annotations

import inspect
import re
from collections.abc import Iterable

import click
import click.core
import click.exceptions
import click.formatting
import click.parser
import click.types

from importer.cli.output import language, width_of, wrapped
from importer.messages import local_text
from importer.patterns import late_pattern

_SPEAKING = (
    click.core,
    click.exceptions,
    click.formatting,
    click.parser,
    click.types,
)
_EXTRAS = late_pattern(r"\A(?P<help>.*?)(?:  \[(?P<extras>[^\[\]]*)\])?\Z", re.DOTALL)


def local(text: str) -> str:
    """Return a text of the command line in the language that is spoken."""
    return local_text({"en": text}, language())


def _plural(one: str, several: str, count: int) -> str:
    return local(one if count == 1 else several)


def speak() -> None:
    """Let click ask for its own words here. It binds gettext's functions in its modules."""
    for module in _SPEAKING:
        for name, function in (("_", local), ("ngettext", _plural)):
            if hasattr(module, name):
                setattr(module, name, function)


class LocalFormatter(click.HelpFormatter):
    """Writes help in the language that is spoken, in lines that fit the terminal in every script."""

    def write_usage(self, prog: str, args: str = "", prefix: str | None = None) -> None:
        super().write_usage(prog, args, local("Usage: ") if prefix is None else prefix)

    def write_heading(self, heading: str) -> None:
        self.write(f"{' ' * self.current_indent}{heading}{local(':')}\n")

    def write_text(self, text: str) -> None:
        said = local(text)
        if said == text:
            super().write_text(text)
            return
        for number, paragraph in enumerate(said.split("\n\n")):
            self.write("\n" if number else "")
            kept = paragraph.startswith("\b\n")
            for line in paragraph.removeprefix("\b\n").split("\n") if kept else [paragraph]:
                for part in [line] if kept else wrapped(line, self.width - self.current_indent):
                    self.write(f"{' ' * self.current_indent}{part}\n")

    def write_dl(self, rows: Iterable[tuple[str, str]], col_max: int = 30, col_spacing: int = 2) -> None:
        said = [(name, _with_extras(text)) for name, text in rows]
        if language() == "en" or all(width_of(text) == len(text) for _, text in said):
            super().write_dl(said, col_max, col_spacing)
            return
        first = min(max(width_of(name) for name, _ in said), col_max) + col_spacing
        room = max(self.width - first - self.current_indent, 10)
        for name, text in said:
            lines = wrapped(text, room) or [""]
            head = f"{' ' * self.current_indent}{name}"
            short = width_of(name) <= first - col_spacing
            gap = " " * (first - width_of(name)) if short else f"\n{' ' * (first + self.current_indent)}"
            self.write(f"{head}{gap}{lines[0]}\n")
            for line in lines[1:]:
                self.write(f"{' ' * (first + self.current_indent)}{line}\n")


def _with_extras(text: str) -> str:
    """The help of an option, with “[default: …; required]” behind it as click appends it."""
    found = _EXTRAS.match(text)
    if found is None or found["extras"] is None:
        return local(text)
    return f"{local(found['help'])}  [{found['extras']}]"


class LocalContext(click.Context):
    """Gives help its formatter."""

    formatter_class = LocalFormatter


class LocalGroup(click.Group):
    """A group whose commands explain themselves in the language that is spoken."""

    context_class = LocalContext

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        command = super().get_command(ctx, cmd_name)
        return None if command is None else spoken(command)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        found = [(name, self.get_command(ctx, name)) for name in self.list_commands(ctx)]
        rows = [
            (name, first_sentence(local(inspect.cleandoc(command.help or ""))))
            for name, command in found
            if command is not None and not command.hidden
        ]
        with formatter.section(local("Commands")):
            formatter.write_dl(rows)


def first_sentence(text: str) -> str:
    """Return the first sentence of a help text, without its end mark or what follows a colon in it."""
    paragraph = " ".join(text.split("\n\n")[0].split())
    return re.split(r"[.:;](?: |$)|[。：；]", paragraph, maxsplit=1)[0]


def spoken(command: click.Command) -> click.Command:
    """Let a command that was made with click's own decorators explain itself so, too."""
    command.context_class = LocalContext
    return command
