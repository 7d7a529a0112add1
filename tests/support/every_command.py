"""Every command of the program with arguments that make it work, for tests that must leave none out."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import click

from importer.cli import app

CUSTOMERS = "First name,Last name,WhatsApp,E-mail\nAnn,Bo,8613800000001,ann@example.com\n,Li,,li@example\n"
CONFIG = '[job.nightly]\ninbox = "inbox"\nschedule = "0 3 * * *"\n'

EVERY_COMMAND: dict[str, tuple[str, ...]] = {
    "run": ("run", "customers.csv", "--report-dir", ".", "--excel-report", "--yes"),
    "validate": ("validate", "customers.csv", "--report-dir", ".", "--excel-report"),
    "inspect": ("inspect", "customers.csv"),
    "resume": ("resume",),
    "retry": ("retry", "{run}", "--rejected"),
    "runs": ("runs",),
    "runs show": ("runs", "show", "{run}"),
    "runs acknowledge": ("runs", "acknowledge"),
    "verify": ("verify", "{run}", "--report-dir", "."),
    "forget": ("forget", "nobody@nowhere.example", "--yes"),
    "report": ("report", "{run}", "--report-dir", ".", "--excel-report"),
    "mapping list": ("mapping", "list"),
    "mapping show": ("mapping", "show", "shopify"),
    "mapping suggest": ("mapping", "suggest", "customers.csv", "-o", "proposed.toml"),
    "mapping check": ("mapping", "check", "proposed.toml"),
    "template": ("template", "-o", "template.xlsx"),
    "app create": ("app", "create", "--name", "shop", "--webhook", "https://example.com/hook"),
    "app phones": ("app", "phones"),
    "fields": ("fields",),
    "doctor": ("doctor",),
    "web": ("web", "--port", "0", "--no-browser", "--profile", "no such profile"),
    "sandbox": ("sandbox", "--port", "0", "--store", "store.db", "--fault", "no such fault"),
    "job run": ("job", "run", "nightly"),
    "job list": ("job", "list"),
    "job status": ("job", "status", "nightly"),
    "job acknowledge": ("job", "acknowledge", "nightly"),
    "completion": ("completion", "bash"),
    "job check": ("job", "check", "nightly"),
    "job install": ("job", "install", "nightly", "--print"),
    "job uninstall": ("job", "uninstall", "nightly"),
    "runs prune": ("runs", "prune", "--older-than", "0h", "--yes"),
}
"""By the words that choose the command. `{run}` is the id of an earlier run; `runs prune` comes last."""


def command_names() -> Iterator[str]:
    """Yield the words that choose each command, as the command line itself knows them."""

    def walk(command: click.Command, words: tuple[str, ...]) -> Iterator[str]:
        if not isinstance(command, click.Group):
            yield " ".join(words)
            return
        if words and command.invoke_without_command:
            yield " ".join(words)
        context = click.Context(command)
        for name in command.list_commands(context):
            found = command.get_command(context, name)
            assert found is not None
            yield from walk(found, (*words, name))

    return walk(app.group, ())


def lay_out(folder: Path) -> None:
    """Put the files there that the commands work on: customers, a job, its inbox with one file."""
    (folder / "customers.csv").write_text(CUSTOMERS, "utf-8")
    (folder / "importer.toml").write_text(CONFIG, "utf-8")
    (folder / "importer.toml").chmod(0o600)
    (folder / "inbox").mkdir(exist_ok=True)
    (folder / "inbox" / "customers.csv").write_text(CUSTOMERS, "utf-8")
    # Long enough ago for a job to take it: it is not being written any more.
    os.utime(folder / "inbox" / "customers.csv", (1_700_000_000, 1_700_000_000))
