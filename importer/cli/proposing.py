"""A file whose columns nobody knows, and somebody at the terminal: shows the proposal and asks."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import click

from importer.cli.console import console
from importer.cli.language import current
from importer.cli.opening import open_table
from importer.messages import sentence

if TYPE_CHECKING:
    from collections.abc import Sequence

    from importer.errors import ImporterError
    from importer.mapping import Proposal
    from importer.options import RunOptions

_OPEN = ("mapping-none-fits", "mapping-two-columns", "no-header", "no-header-in-sheet")
"""Errors to which a proposal is an answer."""


def ask_for_mapping(file: str, options: RunOptions, error: ImporterError) -> RunOptions:
    """The options with the proposed mapping, once the person has agreed; it is kept beside the work as
    NAME.mapping.toml. Raises the error again where there is nothing to propose, or the answer is no."""
    if error.code not in _OPEN or options.mapping:
        raise error
    from importer import contracts, mapping
    from importer.errors import MappingError as NoFit
    from importer.mapping import suggest_toml
    from importer.readers.inspection import sample_frame

    contract = contracts.load(options.contract or "sea")
    reading = {name: getattr(options, name) for name in ("sheet", "header_row", "encoding", "delimiter")}
    with open_table(file, reading) as source:
        samples, sheets = sample_frame(source), tuple(source.sheet_headers.values())
        proposals = mapping.propose(source.header, samples, contract, sheets=sheets)
        text = suggest_toml.suggest(source.header, samples, contract, lang=current(), sheets=sheets)
        try:
            mapping.bind(mapping.load_text(text), source.header, contract, sheets=sheets)
        except NoFit:
            raise error from None
    _show(proposals)
    target = Path(f"{Path(file).stem or 'stdin'}.mapping.toml")
    if target.exists() or not click.confirm(sentence("ask-proposal", {"file": target}, current()), err=True):
        raise error
    target.write_text(text, "utf-8")
    return replace(options, mapping=str(target))


def _show(proposals: Sequence[Proposal]) -> None:
    from rich.table import Table

    table = Table(box=None, pad_edge=False, header_style="bold")
    for title in ("column", "goes to", "sure", "reason"):
        table.add_column(title, overflow="fold")
    for one in proposals:
        goes_to = (one.field or "") if one.taken else "–"
        table.add_row(one.column, goes_to, f"{one.confidence:.0%}", one.why.sentence(current()))
    console(stderr=True).print(table)
