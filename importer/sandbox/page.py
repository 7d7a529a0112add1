"""The page at `/`: what the sandbox has stored, drawn without anything from elsewhere."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from functools import cache
from importlib import resources
from typing import TYPE_CHECKING

import jinja2

from importer.sandbox.rules import Credentials
from importer.sandbox.schema import FIELDS
from importer.sandbox.store import Store

if TYPE_CHECKING:
    from importer.sandbox.application import RequestRecord

SHOWN = 200
"""Customers on the page; all of them are counted."""


def draw(store: Store, recent: Sequence[RequestRecord], total: int, who: Credentials) -> str:
    """The page as HTML; every value escaped, the secret not on it."""
    customers = store.newest(SHOWN)
    used = {name for customer in customers for name in customer.fields}
    return _template().render(
        customers=customers,
        columns=[name for name in FIELDS if name in used],
        count=store.count(),
        apps=store.apps(),
        recent=list(reversed(recent)),
        total=total,
        tenant=who.tenant_id,
        when=_when,
    )


def _when(milliseconds: int) -> str:
    return f"{dt.datetime.fromtimestamp(milliseconds / 1000, dt.UTC):%Y-%m-%d %H:%M:%S}"


@cache
def _template() -> jinja2.Template:
    text = resources.files(__package__).joinpath("page.html.j2").read_text("utf-8")
    return jinja2.Environment(autoescape=True, undefined=jinja2.StrictUndefined).from_string(text)
