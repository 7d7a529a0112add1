"""`importer inspect`."""

from __future__ import annotations

from contextlib import ExitStack
from typing import TYPE_CHECKING

import click

from importer.cli import parameters as shared
from importer.cli.output import console, echo, heading, labelled, lang_option, language, print_json
from importer.exit_codes import ExitCode
from importer.messages import sentence, value_word
from importer.models import Issue
from importer.option_layers import GivenOptions
from importer.option_types import OptionGroup
from importer.readers.prefetch import prefetch_workbook

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rich.console import Console

    from importer.mapping import Proposal
    from importer.readers import Source
    from importer.readers.inspection import ColumnFacts, Inspection

_ISSUES_SHOWN = 20
_TITLES = ("column", "goes to", "sure", "filled", "kind", "samples")
_NUMBERS = ("sure", "filled")
_IN_TABLE = 200
"""The most columns that are laid out as a table."""


@click.command("inspect", short_help="Show what a file is: format, columns, and the mapping it would get.")
@click.argument("file")
@shared.run_options(OptionGroup.READING, "mapping", "contract")
@click.option("--full", is_flag=True, help="Read all rows: counts them and names every reading issue.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@shared.profile_option
@lang_option
def inspect_command(file: str, full: bool, as_json: bool, profile: str | None, given: GivenOptions) -> int:
    """Show what FILE is: format, encoding, delimiter, sheets, header row, columns with samples, and the field
    that each column would go to, or goes to by --mapping. Works for any table, customers or not."""
    with prefetch_workbook(file, given.options.sheet, None if full else 1):
        return _inspect(file, profile, given, full=full, as_json=as_json)


def _inspect(file: str, profile: str | None, given: GivenOptions, *, full: bool, as_json: bool) -> int:
    from importer import contracts, mapping
    from importer.cli.commands.account import known_fields
    from importer.cli.fetch_progress import local_file
    from importer.pipeline.table import as_mapping_reads, open_table
    from importer.readers.inspection import inspect

    chosen = mapping.load(given.options.mapping) if given.options.mapping else None
    with ExitStack() as stack:
        local = stack.enter_context(local_file(file))
        options = as_mapping_reads(local, given.options, chosen)
        source = stack.enter_context(
            open_table(local, options, chosen, any_table=True, first_rows=None if full else 1)
        )
        found = inspect(source, full=full)
        proposals = mapping.propose(
            source.header,
            found.samples,
            contracts.load(options.contract or contracts.DEFAULT_CONTRACT),
            chosen=chosen,
            sheets=tuple(source.sheet_headers.values()),
            fields=known_fields(profile),
        )
        recognised = (chosen,) if chosen else mapping.recognised(source.header)
        name = recognised[0].name if len(recognised) == 1 else None
        if as_json:
            facts = _as_json(source, found, proposals, name)
            print_json(facts)
        else:
            _print(source, found, proposals, name)
    return int(ExitCode.DONE)


def _as_json(
    source: Source, found: Inspection, proposals: Sequence[Proposal], mapping: str | None
) -> dict[str, object]:
    facts: dict[str, object] = {
        "format": source.format,
        "encoding": source.encoding,
        "encoding_confidence": source.encoding_confidence,
        "delimiter": source.delimiter,
        "sheet": source.sheet,
        "sheets": [
            {"name": sheet.name, "visible": sheet.visible, "rows": sheet.rows, "columns": sheet.columns}
            for sheet in source.sheets
        ],
        "header_row": source.header_row,
        "columns": [
            {
                "name": column.name,
                "field": proposal.fed or None,
                "confidence": proposal.confidence,
                "reason": proposal.why.sentence(language()),
                "samples": list(column.samples),
                "filled": column.filled,
                "kind": column.kind.value,
            }
            for column, proposal in zip(found.columns, proposals, strict=True)
        ],
        "mapping": mapping,
    }
    if found.rows is not None:
        facts |= {
            "rows": found.rows,
            "blank_rows": found.blank_rows,
            "ragged_rows": found.ragged_rows,
            "issues": [_issue_as_json(issue) for issue in found.issues],
        }
    return facts


def _issue_as_json(issue: Issue) -> dict[str, object]:
    from importer.reports.wording import issue_text

    return {
        "code": issue.code,
        "severity": issue.severity.value,
        "sheet": issue.sheet,
        "row": issue.row,
        "column": issue.column,
        "found": issue.found,
        "message": issue_text(issue, lang=language()).message,
    }


def _print(source: Source, found: Inspection, proposals: Sequence[Proposal], mapping: str | None) -> None:
    from rich.table import Table
    from rich.text import Text

    out = console()
    out.print(Text(source.name, style="bold"))
    for fact in labelled(_facts(source, found, mapping), 12):
        out.print(Text(f"  {fact}"))
    for note in source.notes:
        out.print(Text(f"  {note.sentence(language(), advise=True)}", style="dim"))
    lines = [_line(column, proposal) for column, proposal in zip(found.columns, proposals, strict=True)]
    out.print()
    if len(lines) > _IN_TABLE:
        _print_list(lines)
    else:
        table = Table(box=None, pad_edge=False, header_style="bold")
        for title in _TITLES:
            table.add_column(
                heading(title), overflow="fold", justify="right" if title in _NUMBERS else "left"
            )
        for line in lines:
            table.add_row(*line)
        out.print(table)
    if found.issues:
        out.print()
        _print_issues(out, found.issues)


def _print_list(lines: Sequence[tuple[str, ...]]) -> None:
    """Print a line for each of many columns, whatever the terminal's width: a table of them takes seconds."""
    from rich.cells import cell_len

    titles = tuple(map(heading, _TITLES))
    widths = [min(max(map(cell_len, cells)), 40) for cells in zip(titles, *lines, strict=True)]
    for line in (titles, *lines):
        cells = zip(_TITLES, line, widths, strict=True)
        padded = (
            blank + cell if title in _NUMBERS else cell + blank
            for title, cell, width in cells
            for blank in (" " * (width - cell_len(cell)),)
        )
        echo("  ".join(padded).rstrip())


def _print_issues(out: Console, issues: Sequence[Issue]) -> None:
    from rich.text import Text

    from importer.reports import wording

    for issue in issues[:_ISSUES_SHOWN]:
        words = wording.with_column(issue, wording.issue_text(issue, lang=language()), language())
        out.print(Text(f"  {issue.sheet} {issue.row} {issue.code}: {words}".replace("   ", "  ")))
    left = len(issues) - _ISSUES_SHOWN
    if left > 0:
        told = {"count": wording.number(left, language())}
        out.print(Text(f"  {sentence('inspect-more', told, language())}", style="dim"))


def _line(column: ColumnFacts, proposal: Proposal) -> tuple[str, ...]:
    field = "first_name + last_name" if proposal.split and proposal.taken else proposal.fed
    goes_to = field or "–"
    sure = f"{proposal.confidence:.0%}" if field else ""
    samples = " | ".join(sample.replace("\n", "⏎")[:24] for sample in column.samples)
    return (
        column.name,
        goes_to,
        sure,
        f"{column.filled:.0%}",
        value_word(column.kind.value, language()),
        samples,
    )


def _facts(source: Source, found: Inspection, mapping: str | None) -> list[tuple[str, str]]:
    from importer.reports.wording import number

    lang = language()
    facts = [("format", source.format)]
    if source.encoding:
        sure = source.encoding_confidence
        told = {"encoding": source.encoding, "sure": f"{sure or 0:.0%}"}
        known = source.encoding if sure is None else sentence("encoding-sure", told, lang)
        facts.append(("encoding", known))
    if source.delimiter:
        facts.append(("delimiter", {"\t": "tab"}.get(source.delimiter, source.delimiter)))
    if source.sheets:
        hidden = f", {sentence('inspect-hidden', {}, lang)}"
        sheets = (
            f"{sheet.name} ({number(sheet.rows, lang)} × {sheet.columns}{'' if sheet.visible else hidden})"
            for sheet in source.sheets
        )
        facts.append(("sheets", ", ".join(sheets)))
        facts.append(("sheet", source.sheet or "–"))
    facts.append(("header row", str(source.header_row or value_word("none", lang))))
    if found.rows is not None:
        counts = {"rows": found.rows, "blank": found.blank_rows, "ragged": found.ragged_rows}
        told = {name: number(count or 0, lang) for name, count in counts.items()}
        facts.append(("rows", sentence("inspect-counted", told, lang)))
    facts.append(("mapping", mapping or "–"))
    return facts
