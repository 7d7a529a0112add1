"""The parts of the documentation that the program itself knows.

`make docs` writes them; a test says when they are stale. Each part stands in one page, between
`<!-- NAME:start -->` and `<!-- NAME:end -->`. The part `bench` is written by the benchmarks.
"""

from __future__ import annotations

import ast
import os
import re
import sys
import tomllib
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import click

from importer import contracts, mapping, messages
from importer.cli import app
from importer.options import declared_options
from importer.reports import html
from tests.bench import unprepared
from tests.support import json_schemas, licences, translations, word_indexes

ROOT = Path(__file__).parents[2]
README = ROOT / "README.md"
DOCS = ROOT / "docs"
PACKAGE = ROOT / "importer"


def contract_fields() -> str:
    """Return the fields of both contracts as a table."""
    sea, plat = contracts.load("sea"), contracts.load("plat")
    rows = []
    for name in dict.fromkeys((*sea.names, *plat.names)):
        both = [contract.field(name) if name in contract.names else None for contract in (sea, plat)]
        what = next(field.help["en"] for field in both if field)
        rows.append((f"`{name}`", what, *(_limits(field) for field in both)))
    return _table(("field", "what", "`sea`", "`plat`"), rows)


def _limits(field: contracts.Field | None) -> str:
    if field is None:
        return "–"
    limits = (
        field.kind.value if field.kind is not contracts.FieldKind.TEXT else "",
        f"at most {field.max_length} characters" if field.max_length else "",
        "digits only" if field.digits_only else "",
        "**required**" if field.required else "",
    )
    return ", ".join(limit for limit in limits if limit) or "text"


def ready_made() -> str:
    """Return the ready-made mappings as a table."""
    rows = [
        (f"`{one.name}`", one.title, "yes" if one.match else "by `--mapping` only") for one in mapping.ready()
    ]
    return _table(("name", "export of", "recognised"), rows)


def issue_codes() -> str:
    """Return every code that a row can get, with its message and its hint."""
    return _table(
        ("code", "level", "message", "what to do"),
        [
            (
                f"`{entry.code}`",
                entry.severity,
                _placeholders(entry.message["en"]),
                _placeholders(entry.hint["en"]),
            )
            for entry in messages.catalogue().values()
            if entry.severity
        ],
    )


def all_messages() -> str:
    """Return every sentence of the catalogue in both languages, file by file."""
    parts = []
    for file in sorted(Path(messages.__file__).parent.glob("*.toml")):
        codes = tomllib.loads(file.read_text("utf-8"))
        rows = [
            (f"`{code}`", *(_said(messages.catalogue()[code], lang) for lang in ("en", "zh")))
            for code in codes
        ]
        parts += [f"## {file.stem.replace('_', ' ').capitalize()}", _table(("code", "English", "中文"), rows)]
    return "\n\n".join(parts)


def _said(entry: messages.CatalogueEntry, lang: str) -> str:
    """A sentence and what to do, as one cell of a table."""
    both = (_placeholders(text) for text in (entry.message[lang], entry.hint[lang]) if text)
    return "<br>".join(text.replace("<", "&lt;").replace("\n", " ") for text in both)


def _placeholders(text: str) -> str:
    """Show `{name}` of a message as ‹name›, `{name:row|rows}` as row/rows, and `{{` as a brace."""
    text = re.sub(r"\{\w+:([^|}]*)\|([^}]*)\}", r"\1/\2", text)
    return re.sub(r"\{(\w+)\}", r"‹\1›", text).replace("{{", "{").replace("}}", "}")


def options() -> str:
    """Return the options of a run that a profile or a job can set, with their flags."""
    rows = [
        (
            f"`{one.name}`",
            ", ".join(f"`{flag}`" for flag in one.flags),
            _yes(one.profile),
            _yes(one.job),
            one.help["en"],
        )
        for one in declared_options().values()
        if one.profile or one.job
    ]
    return _table(("option", "`importer run`", "`[profile.NAME]`", "`[job.NAME]`", "what"), rows)


def _yes(answer: bool) -> str:
    return "yes" if answer else "–"


def _command(name: str) -> click.Command:
    command = app.group.get_command(click.Context(app.group), name)
    assert command is not None
    return command


def commands() -> str:
    """Return what `--help` prints, for every command."""
    top = click.Context(app.group, info_name="importer", terminal_width=100, **app.group.context_settings)
    parts = []
    for context in _walk(top):
        text = "\n".join(line.rstrip() for line in context.command.get_help(context).splitlines())
        parts.append(f"## `{context.command_path}`\n\n```text\n{text}\n```")
    return "\n\n".join(parts)


def _walk(context: click.Context) -> Iterator[click.Context]:
    yield context
    command = context.command
    if isinstance(command, click.Group):
        for name in command.list_commands(context):
            found = command.get_command(context, name)
            assert found is not None
            yield from _walk(click.Context(found, info_name=name, parent=context))


def modules() -> str:
    """Return every module of the package with the first paragraph of its docstring, folder by folder."""
    parts = []
    for folder in sorted({file.parent for file in PACKAGE.rglob("*.py")}):
        files = sorted(file for file in folder.glob("*.py") if file.name != "__init__.py")
        rows = [(_link(file), _summary(file)) for file in files]
        init = folder / "__init__.py"
        intro = _summary(init) if init.exists() else ""
        title = f"## `{folder.relative_to(ROOT).as_posix()}/`"
        parts += [part for part in (title, intro, _table(("module", "what"), rows) if rows else "") if part]
    return "\n\n".join(parts)


def _link(file: Path) -> str:
    return f"[`{file.name}`](../{file.relative_to(ROOT).as_posix()})"


def _summary(file: Path) -> str:
    docstring = ast.get_docstring(ast.parse(file.read_text("utf-8"))) or ""
    return " ".join(docstring.partition("\n\n")[0].split())


def _table(head: tuple[str, ...], rows: Sequence[tuple[str, ...]]) -> str:
    lines = [head, ("---",) * len(head), *rows]
    return "\n".join("| " + " | ".join(cell.replace("|", "\\|") for cell in line) + " |" for line in lines)


@dataclass(frozen=True)
class Part:
    """A generated part: the page it stands in, and what writes it."""

    page: str
    write: Callable[[], str]


PARTS: Mapping[str, Part] = {
    "fields": Part("mapping.md", contract_fields),
    "issues": Part("reports-and-codes.md", issue_codes),
    "options": Part("settings.md", options),
    "commands": Part("commands.md", commands),
    "modules": Part("modules.md", modules),
    "messages": Part("messages.md", all_messages),
    "ready": Part("mapping.md", ready_made),
    "matching": Part("mapping.md", unprepared.tables),
    "licences": Part("licences.md", licences.table),
}


def files() -> dict[Path, str]:
    """Return the text of each file of the package that is made of others."""
    page = {Path(html.__file__).with_name(html.COMPILED_PAGE): html.compile_page()}
    told = {translations.FOLDER / f"{lang}.toml": translations.tidied(lang) for lang in messages.TRANSLATIONS}
    return word_indexes.tables() | word_indexes.indexes() | json_schemas.schemas() | page | told


def replace_part(text: str, name: str, content: str) -> str:
    """Return the page with another content between the marks of a part. Raises ValueError without marks."""
    start, end = f"<!-- {name}:start -->", f"<!-- {name}:end -->"
    before, found, rest = text.partition(start)
    _, ended, after = rest.partition(end)
    if not (found and ended):
        raise ValueError(f"the page has no {start} … {end}")
    return f"{before}{start}\n\n{content}\n\n{end}{after}"


def read_part(text: str, name: str) -> str:
    """Return what stands between the marks of a part."""
    return text.partition(f"<!-- {name}:start -->")[2].partition(f"<!-- {name}:end -->")[0].strip()


def main() -> None:
    """Write every generated file, and every generated part into its page, in English."""
    os.environ["LC_ALL"] = "C.UTF-8"
    for file, text in word_indexes.tables().items():
        file.write_text(text, "utf-8")
    for file, text in files().items():
        file.write_text(text, "utf-8")
        sys.stdout.write(f"{file.relative_to(ROOT).as_posix()} is up to date\n")
    for name, part in PARTS.items():
        page = DOCS / part.page
        page.write_text(replace_part(page.read_text("utf-8"), name, part.write()), "utf-8")
        sys.stdout.write(f"docs/{part.page}: {name} is up to date\n")


if __name__ == "__main__":
    main()
