"""Language, console and errors of the command line, and the options about them."""

from __future__ import annotations

import contextlib
import io
import os
import re
import shutil
import stat
import sys
import unicodedata
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Protocol, TextIO, TypeVar

import click

from importer.dataclass import dataclass
from importer.errors import ImporterError
from importer.escaping import printable, to_json
from importer.messages import LANGUAGES, hint, local_text, sentence, word_of
from importer.models import Note
from importer.patterns import late_pattern

if TYPE_CHECKING:
    from rich.console import Console
    from rich.segment import Segment


_UNIT = late_pattern(
    r"\s+|[“（《]*(?:[^\s\u2e80-\uffff“”（《]+|[\u2e80-\uffff])[，。；：、！？）》”…]*", re.UNICODE
)
"""What a line must not break: a word, or a Chinese character with the marks that belong to it."""
_json_lines = False
"""Whether the command speaks in JSON lines on stderr (`--log-json`)."""


def choose_json_lines(ctx: click.Context, param: click.Parameter, value: bool) -> bool:
    """Take `--log-json`: from here on every line on stderr is a JSON object."""
    global _json_lines
    _json_lines = value
    return value


def speaks_json() -> bool:
    """Return whether stderr gets JSON lines."""
    return _json_lines


def print_json_line(event: str, found: Mapping[str, object], stream: TextIO | None = None) -> None:
    """Print one JSON object on a line of stderr (or `stream`): time, event, and what there is to say."""
    from datetime import UTC, datetime

    at = datetime.now(UTC).isoformat(timespec="milliseconds")
    line: dict[str, object] = {"time": at, "event": event}
    line |= {name: _plain(value) for name, value in found.items() if name not in line}
    echo(to_json(line), file=stream, err=stream is None)


def _plain(value: object) -> object:
    """The value as JSON can hold it."""
    if isinstance(value, dict):
        return {str(name): _plain(one) for name, one in value.items()}
    if isinstance(value, ImporterError | Note):
        return value.code
    return value if value is None or isinstance(value, str | int | float | bool) else str(value)


def tell(event: str, text: str, /, **found: object) -> None:
    """Tell something on stderr: `text`, or as a JSON line with what the text was made of."""
    if _json_lines:
        print_json_line(event, found | {"message": text})
    else:
        echo(fitting(text), err=True)


def print_error(error: ImporterError) -> None:
    """Print an error on stderr, and what else is wrong: sentence, hint and code of each."""
    lang = language()
    label = click.style(sentence("error-label", {}, lang), fg="red", bold=True)
    for one in error.every:
        if _json_lines:
            said = {"message": one.sentence(lang), "hint": one.hint(lang) or None}
            print_json_line("error", {"code": one.code, **said, "exit_code": int(error.exit_code)})
            continue
        echo(one.sentence(lang), label=label, err=True)
        advice = one.hint(lang)
        if advice:
            echo(f"  {advice}", err=True)
        echo(f"  [{one.code}]", err=True)


def print_losses() -> None:
    """Print on stderr what the journal has lost, as long as nobody has acknowledged it."""
    from importer.journal_place import journal_place
    from importer.losses import read_losses

    try:
        place = journal_place()
    except (ImporterError, OSError):
        return  # said by whatever needs the journal
    if isinstance(place, str):
        return  # a database guards its own log
    lang = language()
    label = click.style(sentence("warning-label", {}, lang), fg="yellow", bold=True)
    for loss in read_losses(place):
        if _json_lines:
            advice = hint(loss.code, dict(loss.found), lang)
            print_json_line("warning", {"code": loss.code, "message": loss.sentence(lang), "hint": advice})
            continue
        echo(loss.sentence(lang), label=label, err=True)
        echo(f"  {hint(loss.code, dict(loss.found), lang)}", err=True)


def width_of(text: str) -> int:
    """Return how many columns of a terminal a text takes."""
    return sum(2 if unicodedata.east_asian_width(one) in "WF" else 1 for one in text)


def wrapped(text: str, width: int) -> list[str]:
    """Break a text into lines of at most so many columns, where its language allows that."""
    lines, line = [], ""
    for unit in _UNIT.findall(text):
        if line and width_of(line + unit.rstrip()) > width:
            lines.append(line.rstrip())
            line = ""
        line += unit if line or unit.strip() else ""
    return [*lines, line.rstrip()] if line.strip() else lines


def fitting(text: str) -> str:
    """Return a text for stderr: at a terminal with line breaks, which that would put within words."""
    if sys.stderr is None or not sys.stderr.isatty():
        return text
    columns = shutil.get_terminal_size().columns
    return "\n".join(part for line in text.splitlines() for part in wrapped(line, columns) or [""])


def echo(
    text: object = "", *, label: str = "", err: bool = False, nl: bool = True, file: TextIO | None = None
) -> None:
    """Print a text, whatever stands in it: no character of it moves the cursor or changes the terminal.

    `label` comes before it and may have colours: words of ours alone.
    """
    _tolerate(file or (sys.stderr if err else sys.stdout))
    click.echo(label + printable(str(text)), file=file, err=err, nl=nl)


def heading(name: str) -> str:
    """Return a heading or label in the language that is spoken; one without a translation stays as it is."""
    return word_of("title-of", name, language())


def labelled(facts: Iterable[tuple[str, object]], width: int) -> Iterator[str]:
    """Yield a line for each heading and its value; the values stand below each other, `width` columns in."""
    from rich.cells import cell_len

    lines = [(heading(name), value) for name, value in facts]
    width = max([width, *(cell_len(name) for name, _ in lines)])
    for name, value in lines:
        yield f"{padded(name, width)} {value}"


def padded(text: str, width: int) -> str:
    """Return the text with blanks behind it up to a width in columns of the terminal; never cut."""
    from rich.cells import cell_len

    return text + " " * (width - cell_len(text))


def print_json(value: object) -> None:
    """Print JSON on stdout, indented."""
    echo(to_json(value, indent=2))


def confirm(question: str, *, abort: bool = False) -> bool:
    """Ask a question on stderr, as `echo` prints it. With `abort` no is click.Abort.

    Yes and no may be said in English and in the language that is spoken, as a word or its first letter.
    """
    _tolerate(sys.stderr)
    yes, no = (sentence(code, {}, language()) for code in ("yes", "no"))
    letters = f"{yes[0]}/{no[0].upper()}" if yes[0].isascii() else "y/N"
    said = {"": False}
    for word, meant in (("no", False), ("yes", True), (no, False), (yes, True)):
        said |= {word: meant, word[0]: meant, word.replace("í", "i").replace("ã", "a"): meant}
    while True:
        prompt = fitting(f"{printable(question)} [{letters}]")
        answer = click.prompt(prompt, default="", show_default=False, err=True).strip().casefold()
        if answer in said:
            break
    if abort and not said[answer]:
        raise click.Abort
    return said[answer]


def ask(question: str) -> str:
    """Ask the person at the terminal; "" if they only press Enter."""
    _tolerate(sys.stderr)
    answer: str = click.prompt(fitting(printable(question)), default="", show_default=False, err=True)
    return answer.strip()


class _PipeFile(io.FileIO):
    """A pipe whose reader may end: what it does not read is dropped."""

    def write(self, data: Any) -> int:
        try:
            return super().write(data)
        except BrokenPipeError:
            nothing = os.open(os.devnull, os.O_WRONLY)
            os.dup2(nothing, self.fileno())
            os.close(nothing)
            return memoryview(data).nbytes


def outliving_its_reader(stream: TextIO) -> TextIO:
    """Return a stream of the process whose reader may end (`importer run … | head`).

    The command goes on, and its exit code is its own. click would make it 1, “some rows not imported”.
    """
    try:
        descriptor = stream.fileno()
        if not (isinstance(stream, io.TextIOWrapper) and stat.S_ISFIFO(os.fstat(descriptor).st_mode)):
            return stream
    except (AttributeError, OSError, ValueError):  # closed, or put there by somebody who reads it
        return stream
    return io.TextIOWrapper(
        io.BufferedWriter(_PipeFile(descriptor, "w", closefd=False)),
        encoding=stream.encoding,
        errors=stream.errors,
        line_buffering=stream.line_buffering,
    )


def _tolerate(stream: object) -> None:
    """Let what the code page lacks (an old Windows console) become a question mark instead of an error."""
    if isinstance(stream, io.TextIOWrapper) and stream.errors != "replace":
        with contextlib.suppress(ValueError, OSError):
            stream.reconfigure(errors="replace")


F = TypeVar("F", bound=Callable[..., Any])

_chosen: str | None = None


def language() -> str:
    """Return the language of this command, one of LANGUAGES."""
    return _chosen or _of_locale()


class LocalizedOption(click.Option):
    """An option that explains itself in the language that the program speaks."""

    def __init__(self, names: Sequence[str], *, texts: Mapping[str, str], **more: Any) -> None:
        super().__init__(names, help=texts["en"], **more)
        self.texts = texts

    def get_help_record(self, ctx: click.Context) -> tuple[str, str] | None:
        self.help = local_text(self.texts, language())
        return super().get_help_record(ctx)


def lang_option(function: F) -> F:
    """Add `--lang`; the command reads it with `language()`."""
    from importer.options import declared_options

    return click.option(
        "--lang",
        type=click.Choice(LANGUAGES),
        callback=_choose,
        expose_value=False,
        is_eager=True,
        cls=LocalizedOption,
        texts=declared_options()["lang"].help,
    )(function)


def _choose(ctx: click.Context, param: click.Parameter, value: str | None) -> str | None:
    global _chosen
    _chosen = value
    return value


def _of_locale() -> str:
    for name in ("LC_ALL", "LC_MESSAGES", "LANG"):
        value = os.environ.get(name)
        if value:
            spoken = re.split(r"[^a-z]", value.lower())[0]
            return spoken if spoken in LANGUAGES else "en"
    return "en"


PIPED_WIDTH = 100
"""Columns of a log or a pipe, which have no width of their own."""


def console(*, stderr: bool = False) -> Console:
    """A console on stdout or stderr, which prints texts as `echo` does. NO_COLOR and COLUMNS are obeyed."""
    from rich.console import Console
    from rich.text import Text

    class Terminal(Console):
        def on_broken_pipe(self) -> None:
            """Raise BrokenPipeError, where rich would end the program with code 1."""
            raise BrokenPipeError

        def render_str(self, text: str, **more: Any) -> Text:
            return super().render_str(printable(text), **more)

        def render(self, renderable: Any, options: Any = None) -> Iterable[Segment]:
            if isinstance(renderable, Text) and printable(renderable.plain) != renderable.plain:
                renderable = Text(printable(renderable.plain), style=renderable.style)
            return super().render(renderable, options)

    stream = sys.stderr if stderr else sys.stdout
    _tolerate(stream)
    terminal = Terminal(file=stream, highlight=False, markup=False, emoji=False)
    if not terminal.is_terminal and "COLUMNS" not in os.environ:
        terminal.width = PIPED_WIDTH
    return terminal


class Printer(Protocol):
    """Prints lines of several pieces, each a text and the name of its style."""

    @property
    def is_terminal(self) -> bool: ...

    @property
    def draws(self) -> bool:
        """Whether there is room, and there are characters, for bars of blocks."""
        ...

    def line(self, *pieces: tuple[str, str], indent: int = 0, whole: bool = False) -> None:
        """Print a line, which a terminal breaks at its width unless it has to stay `whole`."""


def printer(stream: TextIO | None = None) -> Printer:
    """What prints on stdout, or this stream. Only a terminal gets colours, and needs rich, which is slow to
    load."""
    out: TextIO | None = stream or sys.stdout  # None if the shell has closed it
    return TerminalPrinter(console()) if is_terminal(out) else PipePrinter(out)


def is_terminal(stream: TextIO | None) -> bool:
    """Return whether a stream is a terminal, or shall count as one, by the variables that rich obeys."""
    said = os.environ.get("TTY_COMPATIBLE")
    if said in ("0", "1"):
        return said == "1"
    if os.environ.get("FORCE_COLOR") is not None:
        return os.environ["FORCE_COLOR"] != ""
    return stream is not None and stream.isatty()


_LEAST_DRAWN = 60
"""Columns of a terminal with room for bars."""


class TerminalPrinter:
    """Prints in colours on a terminal."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self.is_terminal = console.is_terminal
        self.draws = console.width >= _LEAST_DRAWN and not console.options.ascii_only

    def line(self, *pieces: tuple[str, str], indent: int = 0, whole: bool = False) -> None:
        from rich.padding import Padding
        from rich.text import Text

        text = Text.assemble(*pieces)
        self._console.print(Padding(text, (0, 0, 0, indent)) if indent else text, soft_wrap=whole)


class PipePrinter:
    """Prints into a log or to a program: lines as long as they are."""

    is_terminal = False

    def __init__(self, stream: TextIO | None, width: int | None = None) -> None:
        self._stream = stream
        columns = os.environ.get("COLUMNS", "")
        width = width or (int(columns) if columns.isdecimal() else PIPED_WIDTH)
        encoding = getattr(stream, "encoding", None) or "utf-8"
        self.draws = width >= _LEAST_DRAWN and encoding.lower().startswith("utf")

    def line(self, *pieces: tuple[str, str], indent: int = 0, whole: bool = False) -> None:
        echo(" " * indent + "".join(text for text, _ in pieces), file=self._stream)


@dataclass(frozen=True, slots=True)
class OutputOptions:
    """What a command prints, and whether it asks."""

    quiet: bool = False
    verbose: bool = False
    log_json: bool = False
    yes: bool = False

    @property
    def can_ask(self) -> bool:
        """True if somebody sits at a terminal and has not said yes to everything."""
        terminals = (sys.stdin, sys.stderr)
        return not self.yes and all(stream is not None and stream.isatty() for stream in terminals)
