"""Which language the program speaks: `--lang`, else the locale."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any, TypeVar

import click

from importer.messages import LANGUAGES

F = TypeVar("F", bound=Callable[..., Any])

_chosen: str | None = None


def current() -> str:
    """`en` or `zh`."""
    return _chosen or _of_locale()


def lang_option(function: F) -> F:
    """Adds `--lang`; the command reads it with `current()`."""
    return click.option(
        "--lang",
        type=click.Choice(LANGUAGES),
        callback=_choose,
        expose_value=False,
        is_eager=True,
        help="Language of messages and reports (default: the locale's).",
    )(function)


def _choose(ctx: click.Context, param: click.Parameter, value: str | None) -> str | None:
    global _chosen
    _chosen = value
    return value


def _of_locale() -> str:
    for name in ("LC_ALL", "LC_MESSAGES", "LANG"):
        value = os.environ.get(name)
        if value:
            return "zh" if value.lower().startswith("zh") else "en"
    return "en"
