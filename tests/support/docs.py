"""The parts of README.md that the program itself knows. `python -m tests.support.docs` writes, a test checks.

Each part stands between `<!-- NAME:start -->` and `<!-- NAME:end -->`.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import click

from importer import contracts, messages
from importer.cli import app
from importer.models import ExitCode, Status

README = Path(__file__).parents[2] / "README.md"


def fields() -> str:
    """The contracts' fields as a table."""
    sea, plat = contracts.load("sea"), contracts.load("plat")
    lines = ["| field | what | `sea` | `plat` |", "| --- | --- | --- | --- |"]
    names = dict.fromkeys((*sea.names, *plat.names))
    for name in names:
        found = [contract.field(name) if name in contract.names else None for contract in (sea, plat)]
        helps = next(field.help["en"] for field in found if field)
        lines.append(f"| `{name}` | {helps} | {_limit(found[0])} | {_limit(found[1])} |")
    return "\n".join(lines)


def _limit(field: contracts.Field | None) -> str:
    if field is None:
        return "–"
    parts = [field.kind.value if field.kind is not contracts.FieldKind.TEXT else ""]
    parts.append(f"at most {field.max_length} characters" if field.max_length else "")
    parts.append("digits only" if field.digits_only else "")
    parts.append("**required**" if field.required else "")
    return ", ".join(part for part in parts if part) or "text"


def issues() -> str:
    """Every issue code, with its sentence and hint."""
    lines = ["| code | is | says | do |", "| --- | --- | --- | --- |"]
    for message in messages.catalogue().values():
        if message.severity:
            row = (
                f"`{message.code}`",
                message.severity,
                _plain(message.says["en"]),
                _plain(message.do["en"]),
            )
            lines.append(f"| {' | '.join(row)} |")
    return "\n".join(lines)


def _plain(text: str) -> str:
    return re.sub(r"\{(\w+)\}", r"‹\1›", text).replace("{{", "{").replace("}}", "}").replace("|", "\\|")


def commands() -> str:
    """What `--help` says, for every command."""
    top = click.Context(app.group, info_name="importer", terminal_width=100, **app.group.context_settings)
    parts = []
    for context in _walk(top):
        text = "\n".join(line.rstrip() for line in context.command.get_help(context).splitlines())
        parts.append(f"#### `{context.command_path}`\n\n```text\n{text}\n```")
    return "\n\n".join(parts)


def _walk(context: click.Context) -> Iterator[click.Context]:
    yield context
    command = context.command
    if isinstance(command, click.Group):
        for name in command.list_commands(context):
            found = command.get_command(context, name)
            assert found is not None
            yield from _walk(click.Context(found, info_name=name, parent=context))


PARTS: dict[str, Callable[[], str]] = {"fields": fields, "issues": issues, "commands": commands}
EXIT_CODES = frozenset(int(code) for code in ExitCode)
STATUSES = frozenset(status.value for status in Status)


def drawn(readme: str) -> str:
    """The README with every part as the program has it now."""
    for name, part in PARTS.items():
        start, end = f"<!-- {name}:start -->", f"<!-- {name}:end -->"
        head, _, rest = readme.partition(start)
        _, _, tail = rest.partition(end)
        readme = f"{head}{start}\n\n{part()}\n\n{end}{tail}"
    return readme


if __name__ == "__main__":
    README.write_text(drawn(README.read_text("utf-8")), "utf-8")
    sys.stdout.write(f"{README.name} is up to date\n")
