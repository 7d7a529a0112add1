"""Options that several commands share, and what becomes of them."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any, TypeVar

import click

from importer.cli.output import lang_option, language
from importer.contracts import NAMES
from importer.models import Mode
from importer.options import Duplicates, RunOptions

F = TypeVar("F", bound=Callable[..., Any])


class ModeType(click.ParamType[Mode]):
    """replace, update, keep, or the API's own 0, 1, 2."""

    name = "replace|update|keep"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Mode:
        if isinstance(value, Mode):
            return value
        text = str(value).strip().lower()
        for mode in Mode:
            if text in (mode.label, str(int(mode))):
                return mode
        self.fail(f"{value!r} is none of replace (0), update (1), keep (2)", param, ctx)


class Amount(click.FloatRange):
    """A number in a range; nan, which is in every range, is none."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float:
        number = float(super().convert(value, param, ctx))
        if not math.isfinite(number):
            self.fail(f"{value!r} is not a number", param, ctx)
        return number


class HeaderRowType(click.ParamType[int | str]):
    """A row number, or `none` for a file without a header."""

    name = "N|none"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> int | str:
        text = str(value).strip().lower()
        if text == "none":
            return text
        if text.isdigit() and int(text) >= 1:
            return int(text)
        self.fail(f"{value!r} is neither a row number from 1 nor `none`", param, ctx)


def _all(*options: Callable[[F], F]) -> Callable[[F], F]:
    def decorate(function: F) -> F:
        for option in reversed(options):
            function = option(function)
        return function

    return decorate


reading_options = _all(
    click.option(
        "--sheet", metavar="NAME|all", help="Which sheet of a workbook (default: the first with data)."
    ),
    click.option("--header-row", type=HeaderRowType(), help="Where the header stands, if it is not found."),
    click.option("--encoding", metavar="NAME", help="Encoding of a text file, if it is not found."),
    click.option(
        "--delimiter", metavar="CHAR", help="Delimiter of a text file, if it is not found; `tab` is one."
    ),
)
"""How a file is read: run, validate, inspect, mapping suggest and check."""

mapping_options = _all(
    click.option("--mapping", metavar="NAME|FILE", help="A ready-made mapping or a mapping file."),
    click.option("--contract", type=click.Choice(NAMES), help="Which variant of the API (default: sea)."),
)

profile_option = click.option(
    "--profile", metavar="NAME", help="Settings from [profile.NAME] of importer.toml."
)

sandbox_options = _all(
    click.option(
        "--sandbox", is_flag=True, help="Import into a CRM on this machine that goes away afterwards."
    ),
    click.option(
        "--sandbox-store",
        type=click.Path(dir_okay=False, path_type=Path),
        metavar="FILE",
        help="The same, but what it stores is kept in FILE.",
    ),
)

sandbox_store_option = click.option(
    "--sandbox-store",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    metavar="FILE",
    help="The run went to the sandbox that keeps its customers in FILE (default: where it went).",
)

checking_options = _all(
    click.option(
        "--duplicates",
        type=click.Choice([choice.value for choice in Duplicates]),
        default=Duplicates.SEND.value,
        show_default=True,
        help="A row that shares a phone or e-mail with an earlier one.",
    ),
    click.option("--strict", is_flag=True, help="Warnings count as errors."),
    click.option(
        "--max-invalid",
        type=Amount(0, 100),
        metavar="PERCENT",
        help="Validate the whole file first; send nothing if more is invalid (exit 6).",
    ),
    click.option("--limit", type=click.IntRange(min=1), metavar="N", help="Only the first N rows."),
)

report_options = _all(
    click.option(
        "--report-dir",
        type=click.Path(file_okay=False, path_type=Path),
        help="Where the reports go (default: reports/<run id>/).",
    ),
    click.option(
        "--excel-report", is_flag=True, help="Also annotated.xlsx: your workbook, bad cells marked."
    ),
    click.option("--mask", is_flag=True, help="Mask found values in messages."),
)

sending_options = _all(
    click.option(
        "--concurrency", type=click.IntRange(1, 64), metavar="N", help="Requests in flight (default: 4)."
    ),
    click.option(
        "--rate",
        type=Amount(min=0),
        metavar="N",
        help="Requests a second (default: 10, to loopback unlimited; 0: unlimited).",
    ),
    click.option(
        "--patience",
        type=Amount(min=0),
        metavar="SECONDS",
        help="How long an absent server is waited for (default: 300).",
    ),
    click.option(
        "--resend-unknown",
        is_flag=True,
        help="Send rows with neither phone nor e-mail again after an unknown outcome.",
    ),
)

speaking_options = _all(
    click.option("--quiet", "-q", is_flag=True, help="Print only errors."),
    click.option("--verbose", "-v", is_flag=True, help="Tell every retry, wait and batch on stderr."),
    click.option("--log-json", is_flag=True, help="Log as JSON lines on stderr."),
    lang_option,
)

import_options = _all(
    click.option(
        "--mode",
        "--type",
        "mode",
        type=ModeType(),
        help="For customers the CRM has already: replace (0), update (1, the default) or keep (2).",
    ),
    mapping_options,
    reading_options,
    checking_options,
    profile_option,
    sandbox_options,
    sending_options,
    report_options,
    click.option("--yes", "-y", is_flag=True, help="Answer every question with yes."),
    speaking_options,
)
"""Everything that `run` and `validate` take."""


def run_options(values: dict[str, Any], kept: RunOptions | None = None) -> RunOptions:
    """The options that concern the run itself, out of all that a command was given; the rest as `kept`."""
    known = RunOptions.__dataclass_fields__
    chosen = {name: value for name, value in values.items() if name in known and value is not None}
    if "duplicates" in chosen:
        chosen["duplicates"] = Duplicates(chosen["duplicates"])
    return replace(kept or RunOptions(), **chosen, lang=language())
