"""`importer app create` and `app phones`: the calls for integrators."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING

import click

from importer import messages
from importer.cli.options import profile_option
from importer.cli.output import lang_option, language
from importer.config import load_config, require, resolve
from importer.errors import UsageError
from importer.models import ExitCode

if TYPE_CHECKING:
    from importer.api.account import PhoneNumber

NEEDED = ("access_key", "access_secret")
WIDE = 150
"""Columns of a terminal on which ten fields stand beside each other."""
AT_ONCE = 3


@click.group("app", short_help="Create customer applications and list their phones (integrators).")
def command() -> None:
    """Create customer applications and list the numbers registered with them.

    Both are for integrators only.
    """


@command.command("create", short_help="Create a customer application.")
@click.option("--name", required=True, metavar="TEXT", help="The application's name.")
@click.option("--webhook", required=True, metavar="URL", help="Where NXLink sends its events.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@profile_option
@lang_option
def create(name: str, webhook: str, as_json: bool, profile: str | None) -> int:
    """Create a customer application (createApp) and print its app key.

    It is not repeated if the answer gets lost: you are told instead that there may be one now.
    """
    from importer.api.account import create_app
    from importer.api.client import Client

    if not webhook.startswith(("https://", "http://")):
        raise UsageError("bad-webhook", found=webhook)
    connection = require(resolve(load_config().profile(profile)), NEEDED)
    with Client(connection) as client:
        app = create_app(client, name, webhook)
    if as_json:
        click.echo(json.dumps(asdict(app), ensure_ascii=False, indent=2))
        return int(ExitCode.DONE)
    found = {"name": app.app_name, "id": app.app_id, "key": app.app_key}
    click.echo(messages.sentence("app-created", found, language()))
    click.echo(messages.hint("app-created", found, language()))
    return int(ExitCode.DONE)


@command.command("phones", short_help="List the numbers of an application.")
@click.option("--app-key", metavar="KEY", help="Which application (default: NXLINK_APP_KEY).")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@profile_option
@lang_option
def phones(app_key: str | None, as_json: bool, profile: str | None) -> int:
    """List the WhatsApp numbers registered with an application (phoneList), all ten fields of each."""
    from importer.api.account import phone_list
    from importer.api.client import Client

    connection = require(resolve(load_config().profile(profile)), NEEDED)
    wanted = app_key or connection.app_key
    if not wanted:
        raise UsageError("no-app-key")
    with Client(connection) as client:
        found = phone_list(client, wanted)
    if as_json:
        click.echo(json.dumps([asdict(phone) for phone in found], ensure_ascii=False, indent=2))
    elif found:
        _print_table(found)
    else:
        click.echo(messages.sentence("no-phones", {"key": wanted}, language()))
    return int(ExitCode.DONE)


def _print_table(found: Sequence[PhoneNumber]) -> None:
    """One line a number where the terminal is wide enough, else one column a number."""
    from rich.table import Table

    from importer.cli.output import console

    terminal = console()
    rows = [_shown(phone) for phone in found]
    names = list(rows[0])
    if terminal.width >= WIDE:
        table = Table(*names)
        for row in rows:
            table.add_row(*row.values())
        terminal.print(table)
        return
    for start in range(0, len(rows), AT_ONCE):
        part = rows[start : start + AT_ONCE]
        table = Table(names[0], *(row[names[0]] for row in part))
        for name in names[1:]:
            table.add_row(name, *(row[name] for row in part))
        terminal.print(table)


def _shown(phone: PhoneNumber) -> dict[str, str]:
    row = {name: "" if value is None else str(value) for name, value in asdict(phone).items()}
    says = f"register-status-{phone.register_status}"
    if says in messages.catalogue():
        row["register_status"] += f" ({messages.sentence(says, {}, language())})"
    return row
