"""`importer template`."""

from __future__ import annotations

from pathlib import Path

import click

from importer.cli.output import echo, lang_option, language
from importer.cli.parameters import run_options
from importer.errors import InputError
from importer.exit_codes import ExitCode
from importer.messages import sentence
from importer.option_layers import GivenOptions
from importer.reasons import reason_of


@click.command("template", short_help="Make an empty workbook to fill in.")
@click.option(
    "-o",
    "--output",
    type=click.Path(dir_okay=False, path_type=Path),
    default=Path("customers.xlsx"),
    show_default=True,
    help="Where it is written.",
)
@click.option("--mapping", metavar="NAME|FILE", help="The columns of this mapping, not the API's fields.")
@run_options("contract")
@lang_option
def template_command(output: Path, mapping: str | None, given: GivenOptions) -> int:
    """Write a workbook to fill in: columns with notes from the contract, required ones marked, phones kept as
    text, choices and lengths checked. Its example row is never imported."""
    from importer import contracts
    from importer import mapping as mappings
    from importer.mapping import template
    from importer.reports import next_steps

    contract = given.options.contract or contracts.DEFAULT_CONTRACT
    if output.exists():
        raise InputError("template-exists", file=output)
    found = mappings.load(mapping) if mapping else None
    try:
        template.write(output, contracts.load(contract), mapping=found, lang=language())
    except OSError as error:
        reason = reason_of(error)
        raise InputError("template-cannot-write", file=output, reason=reason) from error
    words = [str(output), *(["--mapping", mapping] if mapping else [])]
    words += ["--contract", contract] if contract != contracts.DEFAULT_CONTRACT else []
    run = next_steps.command("run", *words)
    echo(sentence("template-written", {"file": output, "run": run}, language()))
    return int(ExitCode.DONE)
