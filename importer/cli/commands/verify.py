"""`importer verify`: whether what a run imported is in the CRM as it was sent."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from importer.cli import parameters as shared
from importer.cli.output import OutputOptions, echo, language, print_json, tell
from importer.config import load_config
from importer.exit_codes import ExitCode
from importer.messages import sentence
from importer.option_layers import GivenOptions, layered

if TYPE_CHECKING:
    from importer.pipeline.verify import Verification
    from importer.reports.verification import VerifiedLine


@click.command("verify", short_help="Ask the CRM whether what a run imported is there as it was sent.")
@click.argument("run_id", metavar="RUN")
@click.option("--sample", type=click.IntRange(min=1), metavar="N", help="Only N rows, spread evenly.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@shared.run_options("rate", "report_dir")
@shared.profile_option
@shared.sandbox_store_option
@shared.speaking_options
def verify_command(
    run_id: str,
    sample: int | None,
    as_json: bool,
    profile: str | None,
    sandbox_store: Path | None,
    given: GivenOptions,
    output: OutputOptions,
) -> int:
    """Read the customers of RUN back (customers/query) and compare them field by field with what was sent.

    One query for each customer. What differs is in verify.csv beside the reports, with both values.
    """
    from importer.cli.terminal import open_session
    from importer.pipeline.plan import kept_options
    from importer.pipeline.session import SessionSettings
    from importer.pipeline.verify import QueryWatcher, verify_run
    from importer.reports.verification import write_verification

    class Watcher(QueryWatcher):
        def begin(self, queries: int, rate: float | None) -> None:
            if not (output.quiet or as_json):
                code = "queries-ahead" if rate else "queries-ahead-unbounded"
                found = {"queries": queries, "rate": f"{rate or 0:g}", "seconds": _duration(queries, rate)}
                tell(code, sentence(code, found, language()), **found)

    chosen = load_config().profile(profile)
    with open_session(SessionSettings(chosen, sandbox_store=sandbox_store), output) as session:
        record = session.journal.find(run_id)
        options = layered(kept_options(record), chosen.given, given)
        found = verify_run(session, record, options, sample, Watcher())
        directory = options.report_dir or Path(record.report_dir)
        path = write_verification(directory, record.id, _lines(found))
        later = sum(
            1
            for one in session.journal.runs()
            if one.started
            and record.finished
            and one.started > record.finished
            and one.destination
            and record.destination
            and not one.dry_run
            and one.destination.lane == record.destination.lane
        )
    if as_json:
        print_json(_as_json(found, record.id, path, later))
    elif not output.quiet or not found.good:
        _show(found, path, later)
    return int(ExitCode.DONE if found.good else ExitCode.ROWS_LEFT)


def _duration(queries: int, rate: float | None) -> str:
    return f"{queries / rate:.0f}" if rate else "0"


def _lines(found: Verification) -> list[VerifiedLine]:
    from importer.reports.verification import VerifiedLine

    lines = []
    for one in found.customers:
        place = (one.sent.sheet, one.sent.row, str(one.found))
        if not one.differences:
            lines.append(VerifiedLine(*place, there=one.keys))
        lines += [VerifiedLine(*place, each.name, each.sent, each.there) for each in one.differences]
    return lines


def _fields(found: Verification) -> dict[str, int]:
    """For each field that differs in how many customers it does."""
    counts: dict[str, int] = {}
    for one in found.customers:
        for each in one.differences:
            counts[each.name] = counts.get(each.name, 0) + 1
    return counts


def _as_json(found: Verification, run: str, path: Path, later: int) -> dict[str, object]:
    from importer.pipeline.verify import Found

    return {
        "run": run,
        "customers": len(found.customers),
        "counts": {str(one): found.count(one) for one in Found},
        "fields": _fields(found),
        "not_shown": list(found.not_shown),
        "without_contact": found.without_contact,
        "later_runs": later,
        "file": str(path),
    }


def _show(found: Verification, path: Path, later: int) -> None:
    from importer.pipeline.verify import Found

    lang = language()

    def say(code: str, **values: object) -> None:
        echo(sentence(code, values, lang))

    say("verified", customers=len(found.customers), **{str(one): found.count(one) for one in Found})
    for name, rows in _fields(found).items():
        say("verified-field", field=name, rows=rows)
    keys = next((one.keys for one in found.customers if one.keys), "")
    if keys:
        say("verified-odd", keys=keys)
    if found.not_shown:
        say("verified-not-shown", fields=", ".join(found.not_shown))
    if found.without_contact:
        say("verified-without-contact", rows=found.without_contact)
    if later and not found.good:
        say("verified-later-runs", runs=later)
    say("verified-file", file=path)
