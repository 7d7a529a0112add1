"""`importer mapping list`, `show`, `suggest`, `check`."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING

import click

from importer.cli import parameters as shared
from importer.cli.help import LocalGroup
from importer.cli.output import echo, heading, lang_option, language, print_json
from importer.errors import MappingError
from importer.exit_codes import ExitCode
from importer.messages import sentence
from importer.option_layers import GivenOptions
from importer.option_types import OptionGroup
from importer.private_files import create_new_file
from importer.reasons import reason_of

if TYPE_CHECKING:
    from importer.contracts import Contract
    from importer.mapping import Mapper, MappingFile
    from importer.models import Chunk
    from importer.readers import Source

_PREVIEW = 5


@click.group("mapping", cls=LocalGroup, short_help="List, show, suggest and check mapping files.")
def mapping_command() -> None:
    """Mapping files say how a sheet's columns become the API's fields."""


@mapping_command.command("list", short_help="List the ready-made mappings.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@lang_option
def list_command(as_json: bool) -> int:
    """List the ready-made mappings; `run` recognises most of them by their headers. The others are taken with
    --mapping NAME: their columns are called as in many other files, or their rows are companies.
    """
    from importer import mapping

    found = [
        {
            "name": one.name,
            "title": one.title,
            "recognised": one.match is not None,
            "fields": [*one.fields, *one.custom],
        }
        for one in mapping.ready()
    ]
    if as_json:
        print_json(found)
        return int(ExitCode.DONE)
    said = {answer: sentence(answer, {}, language()) for answer in ("yes", "no")}
    rows = [(one.name, one.title, said["yes" if one.match else "no"]) for one in mapping.ready()]
    _table(("name", "title", "recognised"), rows)
    return int(ExitCode.DONE)


@mapping_command.command("show", short_help="Print a mapping.")
@click.argument("name", metavar="NAME|FILE")
@lang_option
def show_command(name: str) -> int:
    """Print a ready-made mapping, or a mapping file, as TOML: what `-o` of suggest writes, to be adapted."""
    from importer import mapping

    found = mapping.load(name)
    ready = any(found is one for one in mapping.ready())
    echo(mapping.ready_text(name) if ready else found.dump(), nl=False)
    return int(ExitCode.DONE)


@mapping_command.command("suggest", short_help="Propose a mapping for a file.")
@click.argument("file")
@click.option(
    "-o", "--output", type=click.Path(dir_okay=False, path_type=Path), help="Write it there (M.toml)."
)
@shared.run_options("contract", "country", OptionGroup.READING)
@shared.profile_option
@lang_option
def suggest_command(file: str, output: Path | None, profile: str | None, given: GivenOptions) -> int:
    """Propose a mapping for FILE, with the confidence and the reason of each line, as commented TOML.

    Columns may go to the tenant's own fields, once `importer fields` has asked for them. An output file that
    already fits FILE is left as it is.
    """
    from importer import contracts, mapping
    from importer.cli.commands.account import known_fields
    from importer.cli.fetch_progress import local_file
    from importer.mapping import suggest_toml
    from importer.mapping.regions import require_region
    from importer.pipeline.table import open_table
    from importer.readers.inspection import sample_frame

    terms = contracts.load(given.options.contract or contracts.DEFAULT_CONTRACT)
    with local_file(file) as local, open_table(local, given.options, any_table=True) as source:
        if output is not None and output.exists():
            _still_fits(output, source, terms)
            echo(sentence("suggest-solved", {"file": output}, language()))
            return int(ExitCode.DONE)
        samples, sheets, fields = (
            sample_frame(source),
            tuple(source.sheet_headers.values()),
            known_fields(profile),
        )
        text = suggest_toml.mapping_text(
            source.header,
            samples,
            terms,
            lang=language(),
            sheets=sheets,
            fields=fields,
            options=given.options,
            country=require_region(given.options.country) if given.options.country else None,
        )
        if output is None:
            echo(text, nl=False)
            return int(ExitCode.DONE)
        _write(output, text)
        proposals = mapping.propose(source.header, samples, terms, sheets=sheets, fields=fields)
        taken = sum(bool(one.fed) for one in proposals)
        found = {"file": output, "taken": taken, "columns": len(source.header)}
        echo(sentence("suggest-written", found, language()))
    return int(ExitCode.DONE)


@mapping_command.command("check", short_help="Check a mapping file, against a file if one is given.")
@click.argument("mapping_file", metavar="M.toml")
@click.argument("file", required=False)
@shared.run_options("contract", "country", OptionGroup.READING)
@shared.profile_option
@lang_option
def check_command(mapping_file: str, file: str | None, profile: str | None, given: GivenOptions) -> int:
    """Check that M.toml is a valid mapping; with FILE also what it leaves out, and its first rows before and
    after.

    Custom fields are shown as a run with the same profile sends them, once `importer fields` has asked for
    the tenant's list.
    """
    from importer import contracts, mapping
    from importer.cli.commands.account import known_fields
    from importer.cli.fetch_progress import local_file
    from importer.mapping.custom_fields import missed_note
    from importer.mapping.regions import require_region
    from importer.pipeline.table import as_mapping_reads, open_table

    found = mapping.load(mapping_file)
    if given.options.country:
        found = found.in_country(require_region(given.options.country))
    terms = contracts.load(given.options.contract or contracts.DEFAULT_CONTRACT)
    echo(sentence("mapping-fine", {"file": mapping_file}, language()))
    if file is None:
        mapping.check_required(found, terms)
        return int(ExitCode.DONE)
    with ExitStack() as stack:
        local = stack.enter_context(local_file(file))
        options = as_mapping_reads(local, given.options, found)
        source = stack.enter_context(open_table(local, options, found, any_table=True))
        _tell_absent(found, source.header)
        fields = known_fields(profile) or None
        mapper = mapping.bind(
            found,
            source.header,
            terms,
            tenant_fields=fields,
            read_column=source.column,
            dry_run=True,
            sheets=tuple(source.sheet_headers.values()),
        )
        echo(sentence("mapping-fits", {"file": local}, language()))
        _tell_columns(mapper)
        for note in missed_note(mapper.unused, fields or ()):
            echo(note.sentence(language(), advise=True))
        chunk = next(iter(source.chunks()), None)
        if chunk is not None:
            _preview(mapper, chunk)
    return int(ExitCode.DONE)


def _tell_absent(found: MappingFile, header: Sequence[str]) -> None:
    """All columns that the file lacks, before the first of them may be an error."""
    from importer.mapping.base import quote_names
    from importer.mapping.headers import find_column

    absent = [name for name in found.columns() if find_column(name, header) is None]
    if absent:
        echo(sentence("mapping-absent-headers", {"columns": quote_names(absent)}, language()))


def _tell_columns(mapper: Mapper) -> None:
    from importer.mapping.base import quote_names

    for note in mapper.notes:
        echo(note.sentence(language(), advise=True))
    if mapper.unused:
        echo(sentence("columns-left-out", {"columns": quote_names(mapper.unused)}, language()))


def _preview(mapper: Mapper, chunk: Chunk) -> None:
    from importer.reports.wording import issue_text

    mapped = mapper.map(chunk)
    echo(f"\n{sentence('mapping-preview', {}, language())}")
    rows = []
    for row in chunk.frame.index[:_PREVIEW]:
        for field in mapped.frame.columns:
            sources = [name for name in mapper.columns[field] if name in chunk.frame.columns]
            before = " | ".join(text for name in sources if (text := str(chunk.frame.at[row, name])))
            after = mapped.frame.at[row, field]
            shown = "–" if not isinstance(after, str) else after
            if before or shown != "–":
                rows.append((str(row), field, before, "→", shown))
    _table(("row", "field", "before", "", "after"), rows)
    for issue in mapped.issues:
        if issue.row <= chunk.frame.index[:_PREVIEW][-1]:
            echo(f"{issue.row}: {issue_text(issue, lang=language()).message}")


def _still_fits(output: Path, source: Source, terms: Contract) -> None:
    """Check a mapping file that exists. Raises MappingError if it does not fit the source."""
    from importer import mapping

    try:
        found, sheets = mapping.load(str(output)), tuple(source.sheet_headers.values())
        mapping.bind(found, source.header, terms, dry_run=True, sheets=sheets)
    except MappingError as error:
        raise MappingError("mapping-exists", file=output, reason=error.sentence(language())) from error


def _write(output: Path, text: str) -> None:
    try:
        create_new_file(output, text.encode())
    except OSError as error:
        reason = reason_of(error)
        raise MappingError("mapping-cannot-write", file=output, reason=reason) from error


def _table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    from rich.table import Table

    from importer.cli.output import console

    table = Table(box=None, pad_edge=False, header_style="bold")
    for name in header:
        table.add_column(heading(name) if name else "")
    for row in rows:
        table.add_row(*row)
    console().print(table)
