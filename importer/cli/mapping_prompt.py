"""Ask the person at the terminal how the columns of an unknown file are to be imported."""

from __future__ import annotations

import os
import shutil
import stat
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from importer.cli.output import ask, console, echo, fitting, print_error
from importer.errors import InputError, MappingError
from importer.escaping import printable
from importer.messages import sentence
from importer.models import Note
from importer.private_files import create_new_file, replace_private_file
from importer.reasons import reason_of

if TYPE_CHECKING:
    import pandas as pd

    from importer.contracts import Contract
    from importer.mapping import MappingFile, Proposal
    from importer.mapping.person_names import NameRule
    from importer.pipeline.events import MappingQuestion

ANSWERED_BY_PROPOSAL = (
    "mapping-none-fits",
    "mapping-full-name",
    "mapping-name-unclear",
    "mapping-two-columns",
    "no-header",
    "no-header-in-sheet",
)
"""Errors to which a proposed mapping is an answer."""
_SAID = ("why-ready-made", "why-not-in-mapping")
"""Reasons that the mapping's own name has given already."""
_SAMPLES = 3
_SAMPLE_WIDTH = 24
_TAKE = ("t", "take", "y", "yes", "是", "采用")
_EDIT = ("e", "edit", "编辑")
_REPLACE = ("r", "replace", "替换")
_QUIT = ("q", "quit", "n", "no", "", "否", "退出")


@dataclass(frozen=True, slots=True)
class UnknownTable:
    """What is known of a file that no mapping fits: its columns, and its first rows."""

    header: tuple[str, ...]
    sheets: tuple[tuple[str, ...], ...]
    samples: pd.DataFrame | None
    contract: Contract

    @classmethod
    def read(cls, question: MappingQuestion, mapping: MappingFile | None = None) -> UnknownTable:
        """Open the file, as the mapping says if there is one, and read its first rows. Raises InputError."""
        from importer import contracts
        from importer.pipeline.table import as_mapping_reads, open_table
        from importer.readers.inspection import sample_frame

        options = as_mapping_reads(question.file, question.options, mapping)
        contract = contracts.load(options.contract or contracts.DEFAULT_CONTRACT)
        with open_table(question.file, options, mapping, any_table=True) as source:
            return cls(source.header, tuple(source.sheet_headers.values()), sample_frame(source), contract)

    def proposals(self, question: MappingQuestion, chosen: MappingFile | None = None) -> Sequence[Proposal]:
        """What becomes of each column: by the mapping, or as it is proposed."""
        from importer import mapping

        return mapping.propose(
            self.header,
            self.samples,
            self.contract,
            chosen=chosen,
            sheets=self.sheets,
            fields=question.tenant_fields,
        )

    def proposed_text(self, question: MappingQuestion, lang: str, country: str | None = None) -> str:
        """The proposed mapping file, with phones of this country (ISO code) where no column names one."""
        from importer.mapping import suggest_toml

        return suggest_toml.mapping_text(
            self.header,
            self.samples,
            self.contract,
            lang=lang,
            sheets=self.sheets,
            fields=question.tenant_fields,
            options=question.options,
            country=country,
        )

    def bind(self, mapping: MappingFile, question: MappingQuestion) -> None:
        """Raise MappingError with all that does not fit the file."""
        from importer import mapping as mappings

        fields = question.tenant_fields or None
        mappings.bind(
            mapping, self.header, self.contract, sheets=self.sheets, tenant_fields=fields, dry_run=True
        )

    def cells(self, column: str) -> tuple[str, ...]:
        """The first different cells of a column that hold something."""
        if self.samples is None or column not in self.samples.columns:
            return ()
        texts = (str(cell).strip() for cell in self.samples[column].dropna())
        return tuple(dict.fromkeys(filter(None, texts)))[:_SAMPLES]


class MappingPrompt:
    """Shows the proposed or kept mapping of one file, and asks until it is taken, or nobody wants it.

    The mapping stands in a file beside the work from the first answer on, so that it can be edited, and the
    next run of the same file finds it.
    """

    def __init__(self, question: MappingQuestion, lang: str) -> None:
        self._question = question
        self._lang = lang
        self._table = UnknownTable.read(question)
        self.file = Path(f"{Path(question.file).stem or 'stdin'}.mapping.toml")
        self._proposed = self._table.proposed_text(question, lang)

    def choose(self) -> str | None:
        """The file of the mapping that the person takes; None if they take none."""
        kept = self.file.exists()
        fits = self._show_kept() if kept else self._show_proposal()
        while True:
            answer = self._ask(kept=kept, fits=fits)
            if answer in _QUIT:
                if kept:
                    self._say("mapping-stays", file=self.file)
                return None
            if answer in _TAKE and fits:
                if not kept:
                    self._write(create_new_file)
                return str(self.file)
            if answer in _REPLACE and kept:
                self._put_aside()
                self._write(_replace)
            elif answer in _EDIT:
                if not kept:
                    self._write(create_new_file)
                self._edit()
            else:
                continue
            kept = True
            fits = self._show_kept()

    def keep_country(self, country: str) -> bool:
        """Write the country of phones into the file. False if the person has changed it."""
        if self.file.read_bytes() != self._proposed.encode():
            return False
        self._proposed = self._table.proposed_text(self._question, self._lang, country)
        self._write(_replace)
        return True

    def _put_aside(self) -> None:
        """Keep a mapping that the person has changed, when a new proposal takes its place.

        Raises MappingError `mapping-cannot-write`.
        """
        if self.file.read_bytes() != self._proposed.encode():
            aside = self.file.with_name(f"{self.file.stem}.old.toml")
            try:
                shutil.copy2(self.file, aside)
            except OSError as error:
                raise MappingError("mapping-cannot-write", file=aside, reason=reason_of(error)) from error
            self._say("mapping-put-aside", file=aside)

    def keep_text(self, text: str) -> None:
        """Write more tables at the end of the file. Raises MappingError `mapping-cannot-write`."""
        try:
            kept = self.file.read_bytes()
            _replace(self.file, kept.rstrip(b"\n") + b"\n\n" + text.encode())
        except OSError as error:
            raise MappingError("mapping-cannot-write", file=self.file, reason=reason_of(error)) from error

    def _write(self, write: Callable[[Path, bytes], None]) -> None:
        """Put the proposal into the file. Raises MappingError `mapping-cannot-write`."""
        try:
            write(self.file, self._proposed.encode())
        except OSError as error:
            reason = reason_of(error)
            raise MappingError("mapping-cannot-write", file=self.file, reason=reason) from error

    def _show_proposal(self) -> bool:
        """Show what is proposed; return whether it can be taken as it is."""
        self._print(self._table, self._table.proposals(self._question), self._name_rule())
        return self._fits(self._table, self._proposed)

    def _name_rule(self) -> NameRule | None:
        """How the proposal splits full names; None if it does not, or is not complete."""
        from importer import mapping

        try:
            return mapping.load_text(self._proposed, str(self.file)).name_rule
        except (InputError, MappingError):
            return None

    def _show_kept(self) -> bool:
        """Show what the file does; return whether it can be taken as it is."""
        try:
            text = self.file.read_text("utf-8-sig")
        except (OSError, UnicodeDecodeError) as error:
            reason = reason_of(error) if isinstance(error, OSError) else Note("reason-not-utf-8")
            print_error(MappingError("mapping-unreadable", name=str(self.file), reason=reason))
            return False
        return self._fits(None, text)

    def _fits(self, table: UnknownTable | None, text: str) -> bool:
        """Return whether a mapping fits the file; tell every mistake if not.

        Without a table the file is read as the mapping says, and what it does is shown.
        """
        from importer import mapping

        try:
            found = mapping.load_text(text, str(self.file))
            if table is None:
                table = UnknownTable.read(self._question, found)
                self._print(table, table.proposals(self._question, found), found.name_rule)
            table.bind(found, self._question)
        except (InputError, MappingError) as error:
            print_error(error)
            return False
        return True

    def _ask(self, *, kept: bool, fits: bool) -> str:
        state = "kept" if kept else "proposed"
        code = f"ask-mapping-{state}" if fits else f"ask-mapping-{state}-unfit"
        return ask(sentence(code, {"file": self.file}, self._lang)).casefold()

    def _edit(self) -> None:
        """Let the person edit the file in their editor, or anywhere if there is none."""
        import click

        try:
            click.edit(filename=str(self.file), editor=_editor())
        except click.ClickException:
            ask(sentence("ask-edited", {"file": self.file}, self._lang))

    def _say(self, code: str, **found: object) -> None:
        echo(fitting(sentence(code, found, self._lang)), err=True)

    def _print(self, known: UnknownTable, proposals: Sequence[Proposal], name_rule: NameRule | None) -> None:
        """Print each field with its column and, below it, the first cells and how a name is split; then the
        columns left out."""
        from rich.padding import Padding
        from rich.text import Text

        from importer.mapping import person_names

        order = {name: place for place, name in enumerate(known.contract.names)}
        taken = sorted(
            (one for one in proposals if one.fed),
            key=lambda one: order.get(one.fed, len(order)),
        )
        width = max((len(_target(one)) for one in taken), default=0)
        out = console(stderr=True)

        def show(one: Proposal, begin: str, sure: str) -> None:
            why = "" if one.why.code in _SAID else one.why.sentence(self._lang)
            column = Text(f"“{printable(one.column)}”", "bold")
            line = Text("  ").join([Text.assemble(begin, column), *map(Text, filter(None, (sure, why)))])
            out.print(Padding(line, (0, 0, 0, 2)))
            shown = " | ".join(_shortened(cell) for cell in known.cells(one.column))
            if shown:
                out.print(Padding(Text(shown, "dim"), (0, 0, 0, 6)))
            if one.split and name_rule and shown:
                out.print(Padding(Text(_split_name(known.cells(one.column), name_rule)), (0, 0, 0, 6)))
                if person_names.guessed_split(one.column, known.cells(one.column), name_rule):
                    warning = sentence("proposal-name-order", {}, self._lang)
                    out.print(Padding(Text(warning, "yellow"), (0, 0, 0, 6)))

        echo(sentence("proposal-imported", {}, self._lang), err=True)
        for one in taken:
            sure = "" if one.why.code in _SAID else f"{one.confidence:.0%}"
            show(one, f"{_target(one):<{width}} ← ", sure)
        left = [one for one in proposals if not one.fed]
        if left:
            echo(sentence("proposal-left-out", {}, self._lang), err=True)
        for one in left:
            show(one, "", "")


def _target(one: Proposal) -> str:
    return "first_name + last_name" if one.split else one.fed


def _split_name(cells: Sequence[str], rule: NameRule) -> str:
    """One of the names with its two parts, best one without a comma: Kurt Schulze → “Kurt | Schulze”."""
    from importer.mapping import person_names

    whole, parts = max(
        ((cell, person_names.split(cell, rule)) for cell in cells),
        key=lambda found: (all(found[1]), "," not in found[0]),
    )
    return f"{_shortened(whole)} → “{' | '.join(map(printable, filter(None, parts)))}”"


def _shortened(cell: str) -> str:
    line = printable(" ".join(cell.split()))
    return line if len(line) <= _SAMPLE_WIDTH else f"{line[: _SAMPLE_WIDTH - 1]}…"


def _editor() -> str | None:
    """The editor to begin where the person has chosen none: one that says how it is left. None: any."""
    if os.environ.get("VISUAL") or os.environ.get("EDITOR") or os.name == "nt":
        return None
    return "nano" if shutil.which("nano") else None


def _replace(path: Path, content: bytes) -> None:
    replace_private_file(path, content, mode=stat.S_IMODE(path.stat().st_mode))
