"""`importer app create`, `app phones` and `fields`: what the account itself is asked."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, replace
from typing import TYPE_CHECKING

import click

from importer import messages
from importer.cli.help import LocalGroup
from importer.cli.output import echo, heading, lang_option, language, print_json
from importer.cli.parameters import profile_option
from importer.config import load_config
from importer.credentials import require, resolve
from importer.errors import SettingsError, UsageError
from importer.exit_codes import ExitCode
from importer.models import TenantField
from importer.user_folders import state_folder

if TYPE_CHECKING:
    from importer.api.account import PhoneNumber

NEEDED = ("access_key", "access_secret")
WIDE = 150
"""Columns of a terminal on which ten fields stand beside each other."""
AT_ONCE = 3


@click.group(
    "app", cls=LocalGroup, short_help="Create customer applications and list their phones (integrators)."
)
def app_command() -> None:
    """Create customer applications and list the numbers registered with them.

    Both are for integrators only.
    """


@app_command.command("create", short_help="Create a customer application.")
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
    from importer.delivery.account_client import AccountClient

    if not webhook.startswith(("https://", "http://")):
        raise UsageError("bad-webhook", found=webhook)
    connection = require(resolve(load_config().profile(profile)), NEEDED)
    with AccountClient(connection) as client:
        app = create_app(client, name, webhook)
    if as_json:
        print_json(asdict(app))
        return int(ExitCode.DONE)
    found = {"name": app.app_name, "id": app.app_id, "key": app.app_key}
    echo(messages.sentence("app-created", found, language()))
    echo(messages.hint("app-created", found, language()))
    return int(ExitCode.DONE)


@app_command.command("phones", short_help="List the numbers of an application.")
@click.option("--app-key", metavar="KEY", help="Which application (default: NXLINK_APP_KEY).")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@profile_option
@lang_option
def phones(app_key: str | None, as_json: bool, profile: str | None) -> int:
    """List the WhatsApp numbers registered with an application (phoneList), all ten fields of each."""
    from importer.api.account import phone_list
    from importer.delivery.account_client import AccountClient

    connection = require(resolve(load_config().profile(profile)), NEEDED)
    wanted = app_key or connection.app_key
    if not wanted:
        raise UsageError("no-app-key")
    with AccountClient(connection) as client:
        found = phone_list(client, wanted)
    if as_json:
        print_json([asdict(phone) for phone in found])
    elif found:
        _print_phones(found)
    else:
        echo(messages.sentence("no-phones", {"key": wanted}, language()))
    return int(ExitCode.DONE)


def _print_phones(found: Sequence[PhoneNumber]) -> None:
    """One line a number where the terminal is wide enough, else one column a number."""
    from rich.table import Table

    from importer.cli.output import console

    terminal = console()
    rows = [_phone_row(phone) for phone in found]
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


def _phone_row(phone: PhoneNumber) -> dict[str, str]:
    row = {name: "" if value is None else str(value) for name, value in asdict(phone).items()}
    says = f"register-status-{phone.register_status}"
    if says in messages.catalogue():
        row["register_status"] += f" ({messages.sentence(says, {}, language())})"
    return row


def known_fields(profile: str | None) -> tuple[TenantField, ...]:
    """Return the tenant's list of fields if somebody has asked for it; empty if not, or without credentials.

    Without a named profile, settings that cannot be read count as none, and no secret command is run.
    Raises SettingsError for a named one.
    """
    if profile is None and not (state_folder() / "fields").is_dir():
        return ()
    from importer.api.account import remembered_fields

    try:
        settings = load_config().profile(profile)
        if profile is None:
            settings = replace(settings, secret_command=None)
        connection = resolve(settings).connection
    except SettingsError:
        if profile is not None:
            raise
        return ()
    return remembered_fields(connection) or ()


@click.command("fields", short_help="Show the tenant's customer fields.")
@click.option("--own", is_flag=True, help="Only the tenant's custom fields.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@profile_option
@lang_option
def fields_command(own: bool, as_json: bool, profile: str | None) -> int:
    """Show the tenant's customer fields; custom ones are marked.

    The name of a custom field (customize_1_14) is what a mapping file sends it under. The list is remembered:
    runs and dry runs check custom fields against it.
    """
    from importer.delivery.account_client import ask_for_fields

    connection = require(resolve(load_config().profile(profile)))
    found = [field for field in ask_for_fields(connection) if not (own and field.preset)]
    if as_json:
        print_json([_field_as_json(field) for field in found])
    else:
        _print_fields(found)
    return int(ExitCode.DONE)


def _field_as_json(field: TenantField) -> dict[str, object]:
    choices = [{"id": number, "name": name} for number, name in field.choices]
    return asdict(field) | {"choices": choices, "type": _type_name(field.field_type, "en")}


def _print_fields(found: Sequence[TenantField]) -> None:
    from rich.table import Table

    from importer.cli.output import console

    table = Table("", *map(heading, ("name", "label", "type", "required", "values")))
    for field in found:
        label = field.label_en if language() == "en" else field.label
        values = field.date_format or ", ".join(name or number for number, name in field.choices)
        table.add_row(
            "" if field.preset else messages.value_word("custom", language()),
            field.name,
            label or field.label or field.label_en,
            _type_name(field.field_type, language()),
            messages.sentence("yes", {}, language()) if field.required else "",
            values,
            style="" if field.preset else "bold",
        )
    console().print(table)


def _type_name(number: int, lang: str) -> str:
    return messages.word_of("field-type", str(number), lang)
