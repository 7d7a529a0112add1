"""`importer completion`: what a shell needs to complete commands, options and files."""

from __future__ import annotations

import click
from click.shell_completion import get_completion_class

from importer.cli.output import echo, lang_option
from importer.exit_codes import ExitCode

SHELLS = ("bash", "zsh", "fish")


@click.command("completion", short_help="Print what completes commands in a shell.")
@click.argument("shell", type=click.Choice(SHELLS))
@lang_option
def completion_command(shell: str) -> int:
    """Print a script that makes the Tab key complete the commands and options of `importer` in SHELL.

    \b
    bash   importer completion bash > ~/.local/share/bash-completion/completions/importer
    zsh    importer completion zsh > "${fpath[1]}/_importer"
    fish   importer completion fish | source   (in ~/.config/fish/config.fish)
    """
    from importer.cli.app import group

    found = get_completion_class(shell)
    assert found is not None  # noqa: S101 - click knows each of them
    echo(found(group, {}, "importer", "_IMPORTER_COMPLETE").source())
    return int(ExitCode.DONE)
