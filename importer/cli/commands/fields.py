"""`importer fields`: the customer fields of the tenant."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict

import click

from importer import messages
from importer.cli.options import profile_option
from importer.cli.output import lang_option, language
from importer.config import load_config, require, resolve
from importer.models import ExitCode, TenantField


@click.command("fields", short_help="Show the tenant's customer fields.")
@click.option("--own", is_flag=True, help="Only the tenant's custom fields.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@profile_option
@lang_option
def command(own: bool, as_json: bool, profile: str | None) -> int:
    """Show the tenant's customer fields; custom ones are marked.

    The name of a custom field (customize_1_14) is what a mapping file sends it under. The list is remembered:
    runs and dry runs check custom fields against it.
    """
    from importer.api.account import fetch_fields

    connection = require(resolve(load_config().profile(profile)))
    found = [field for field in fetch_fields(connection) if not (own and field.preset)]
    if as_json:
        click.echo(json.dumps([_as_json(field) for field in found], ensure_ascii=False, indent=2))
    else:
        _print_table(found)
    return int(ExitCode.DONE)


def _as_json(field: TenantField) -> dict[str, object]:
    choices = [{"id": number, "name": name} for number, name in field.choices]
    return asdict(field) | {"choices": choices, "type": _type_name(field.field_type, "en")}


def _print_table(found: Sequence[TenantField]) -> None:
    from rich.table import Table

    from importer.cli.output import console

    table = Table("", "name", "label", "type", "required", "values")
    for field in found:
        label = field.label_en if language() == "en" else field.label
        values = field.date_format or ", ".join(name or number for number, name in field.choices)
        table.add_row(
            "" if field.preset else "custom",
            field.name,
            label or field.label or field.label_en,
            _type_name(field.field_type, language()),
            "yes" if field.required else "",
            values,
            style="" if field.preset else "bold",
        )
    console().print(table)


def _type_name(number: int, lang: str) -> str:
    code = f"field-type-{number}"
    return messages.sentence(code, {}, lang) if code in messages.catalogue() else str(number)
