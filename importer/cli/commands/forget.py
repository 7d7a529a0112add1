"""`importer forget`: clear a person from what the importer keeps on this machine."""

from __future__ import annotations

import click

from importer.cli import parameters as shared
from importer.cli.output import confirm, echo, lang_option, language, print_json
from importer.exit_codes import ExitCode
from importer.messages import sentence
from importer.option_layers import GivenOptions


@click.command("forget", short_help="Clear a person from what the importer keeps on this machine.")
@click.argument("contacts", metavar="CONTACT…", nargs=-1, required=True)
@shared.run_options("country")
@click.option("--yes", "-y", is_flag=True, help="Clear without asking.")
@click.option(
    "--delete-copies",
    is_flag=True,
    help="Delete copies in which no row can be cleared (.xls, .ods, .gz, .zip, …), whoever else is in them.",
)
@click.option("--json", "as_json", is_flag=True, help="Print JSON; clears only with --yes.")
@lang_option
def forget_command(
    contacts: tuple[str, ...], given: GivenOptions, yes: bool, delete_copies: bool, as_json: bool
) -> int:
    """Find the person with these phones and e-mails in journal, reports, copies of files and works, show
    where, and clear it after a yes. Counts stay true. The CRM and your own files are left alone."""
    from importer.journal import Journal
    from importer.mapping.regions import require_region
    from importer.pipeline.erasure import clear_traces, find_traces
    from importer.pipeline.person import person_of

    lang, country = language(), given.options.country
    person = person_of(contacts, require_region(country) if country else None)
    with Journal.open() as journal:
        found = find_traces(journal, person, whole=delete_copies)
        to_clear = any(trace.kind.cleared for trace in found)
        if not as_json:
            for trace in found:
                echo(sentence(f"forget-{trace.kind}", {"place": trace.place, "rows": trace.rows}, lang))
            if not found:
                echo(sentence("forget-nothing", {}, lang))
        cleared = False
        if to_clear and (yes or (not as_json and confirm(sentence("forget-question", {}, lang)))):
            clear_traces(journal, person, whole=delete_copies)
            left = [
                trace for trace in find_traces(journal, person, whole=delete_copies) if trace.kind.cleared
            ]
            cleared = not left
    if as_json:
        traces = [{"kind": str(one.kind), "place": one.place, "rows": one.rows} for one in found]
        print_json({"found": traces, "cleared": cleared})
    elif to_clear:
        echo(sentence("forget-cleared" if cleared else "forget-not-cleared", {}, lang))
    rest = any(not trace.kind.cleared for trace in found) or (to_clear and not cleared)
    return int(ExitCode.ROWS_LEFT if rest else ExitCode.DONE)
