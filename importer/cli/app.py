"""The command line: `importer`, also `python -m importer`.

A command's module is imported when the command is asked for, so that `--help` and `--version` stay quick.
Settings of the whole process (garbage collector, threads of numpy) are made here, not in the library.
"""

from __future__ import annotations

import atexit
import errno
import gc
import importlib
import io
import os
import sys
import time
from collections.abc import Sequence
from typing import Any, NamedTuple

import click

from importer import __version__
from importer.cli import output
from importer.cli.help import LocalGroup, local, speak, spoken
from importer.cli.output import echo, print_error
from importer.errors import FaultError, ImporterError
from importer.exit_codes import ExitCode
from importer.messages import sentence


class CommandEntry(NamedTuple):
    """The module of a command and its line in `importer --help`. The module holds it as `NAME_command`."""

    module: str
    help: str


COMMANDS = {
    "run": CommandEntry("run", "Import customers from files."),
    "validate": CommandEntry("run", "Check files without sending anything: the same as run --dry-run."),
    "inspect": CommandEntry("inspect", "Show what a file is: format, columns, and the mapping it would get."),
    "resume": CommandEntry("resume", "Go on with an interrupted run."),
    "retry": CommandEntry("resume", "Send again the rows of a run that were not imported."),
    "runs": CommandEntry("runs", "Show past runs."),
    "verify": CommandEntry("verify", "Ask the CRM whether what a run imported is there as it was sent."),
    "report": CommandEntry("resume", "Draw the reports of a run again."),
    "forget": CommandEntry("forget", "Clear a person from what the importer keeps on this machine."),
    "mapping": CommandEntry("mapping", "List, show, suggest and check mapping files."),
    "template": CommandEntry("template", "Make an empty workbook to fill in."),
    "app": CommandEntry("account", "Create customer applications and list their phones (integrators)."),
    "fields": CommandEntry("account", "Show the tenant's customer fields."),
    "doctor": CommandEntry("doctor", "Check settings, reachability, clock and credentials."),
    "web": CommandEntry("web", "Import in the browser: a page on this machine."),
    "sandbox": CommandEntry("sandbox", "Serve the remote API on this machine, for trying things out."),
    "job": CommandEntry("job", "Run and install scheduled imports."),
    "completion": CommandEntry("completion", "Print what completes commands in a shell."),
}


class CommandGroup(LocalGroup):
    """The group of all commands, each imported on first use."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        entry = COMMANDS.get(cmd_name)
        if entry is None:
            return None
        module = importlib.import_module(f"importer.cli.commands.{entry.module}")
        command: click.Command = getattr(module, f"{cmd_name}_command")
        return spoken(command)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section(local("Commands")):
            formatter.write_dl([(name, entry.help) for name, entry in COMMANDS.items()])

    def invoke(self, ctx: click.Context) -> Any:
        """Run the command. What the journal has lost is said after it, whichever command it is."""
        from importer.config import name_config  # `--help` has no time for it

        asked_for_help = False
        name_config(None)
        try:
            return super().invoke(ctx)
        except click.exceptions.Exit:
            asked_for_help = True
            raise
        finally:
            if not asked_for_help:
                output.print_losses()

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        if args and args[0] not in COMMANDS and not args[0].startswith("-"):
            import difflib

            near = difflib.get_close_matches(args[0], COMMANDS, n=1)
            told = [local("No such command {name!r}.").format(name=args[0])]
            told += [local("Did you mean {possibility}?").format(possibility=repr(one)) for one in near]
            ctx.fail(" ".join(told))
        return super().resolve_command(ctx, args)


@click.command(
    cls=CommandGroup, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100}
)
@click.version_option(__version__, prog_name="importer")
def group() -> None:
    """Import customers from spreadsheets into NXLink CDP, and say what became of every single row.

    \b
    importer inspect customers.xlsx          what is in the file, and where would it go
    importer validate customers.xlsx         check everything, send nothing
    importer run customers.xlsx --sandbox    try it against a CRM on this machine
    importer run customers.xlsx              import

    \b
    Exit codes: 0 nothing left to do · 1 some rows not imported · 2 wrong usage ·
    3 input or mapping cannot be read · 4 settings or credentials refused ·
    5 server away, resume goes on · 6 stopped before sending · 70 the importer itself
    failed, resume goes on · 75 another run holds the lock · 130/143 interrupted,
    resume goes on.
    """


def main(args: Sequence[str] | None = None) -> None:
    """Run the command line and exit with its code. Never lets a traceback out unless asked
    (NXLINK_TRACEBACK=1)."""
    prepare_process()
    speak()
    sys.stdout, sys.stderr = map(output.outliving_its_reader, (sys.stdout, sys.stderr))
    exit_codes: list[int] = []
    # What is registered first comes last: all else that has to be done at the end has been done then.
    atexit.register(_leave, exit_codes)
    exit_codes.append(invoke(args))
    sys.exit(exit_codes[0])


def _leave(exit_codes: Sequence[int]) -> None:
    """End the process, and leave its memory to the system: Python would free object after object, which took
    an eighth of the time of a small run."""
    try:
        for stream in (sys.stdout, sys.stderr):
            stream.flush()
    except (AttributeError, OSError, ValueError):
        return  # there is no such stream, or Python tells of it
    if exit_codes:
        os._exit(exit_codes[0])


def invoke(args: Sequence[str] | None = None) -> int:
    """Run the command line. Returns the exit code."""
    if os.environ.get("NXLINK_TRACEBACK"):
        return int(group.main(args=args, prog_name="importer", standalone_mode=False) or 0)
    try:
        return int(group.main(args=args, prog_name="importer", standalone_mode=False) or 0)
    except ImporterError as error:
        print_error(error)
        return int(error.exit_code)
    except click.ClickException as error:
        if output.speaks_json():
            output.tell("error", error.format_message(), code="usage", exit_code=int(ExitCode.USAGE))
            return int(ExitCode.USAGE)
        said = io.StringIO()
        error.show(file=said)
        echo(said.getvalue(), err=True, nl=False)
        return int(ExitCode.USAGE)
    except (click.Abort, KeyboardInterrupt):
        output.tell("asked-to-end", sentence("asked-to-end", {}, output.language()))
        return int(ExitCode.INTERRUPTED)
    except BrokenPipeError:
        # The program that read our output has ended (`importer runs | head`), which is no error.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return int(ExitCode.DONE)
    except Exception as error:  # the last boundary: a fault of ours, told as one
        print_error(_fault(error))
        return int(ExitCode.FAULT)


_LIMITS = (errno.EMFILE, errno.ENFILE, errno.ENOMEM, errno.EFBIG, errno.ENOSPC)


def _fault(error: Exception) -> FaultError:
    """The error as one for people: a limit of the system, or a fault of this program."""
    if isinstance(error, MemoryError):
        return FaultError("system-limit", reason=os.strerror(errno.ENOMEM))
    if isinstance(error, OSError) and error.errno in _LIMITS:
        return FaultError("system-limit", reason=error.strerror)
    if isinstance(error, RuntimeError) and "start new thread" in str(error):
        return FaultError("system-limit", reason=error)
    if isinstance(error, OverflowError) and not _clock_can_be_read():
        return FaultError("clock-unreadable")
    return FaultError("importer-failed", kind=type(error).__name__)


def _clock_can_be_read() -> bool:
    """Whether Python knows a number for the present time: nanoseconds of 64 bits end in the year 2262."""
    try:
        time.time()
    except OverflowError:
        return False
    return True


_STARTUP_OBJECTS = 200_000
"""Objects that may come before the garbage collector looks: starting makes about 170,000."""
_USUAL_THRESHOLD = gc.get_threshold()


def prepare_process() -> None:
    """Tune the process. Call it before anything heavy is imported."""
    # Imports leave no garbage, and looking for it takes a fifth of the time of a small file. A command that
    # never calls `startup_done` still collects, only less often.
    gc.set_threshold(_STARTUP_OBJECTS, *_USUAL_THRESHOLD[1:])
    # The linear algebra of numpy, which is not used here, otherwise starts a thread for each processor, and
    # each of them busy-waits.
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")


def startup_done() -> None:
    """Let the garbage collector work as usual. Call it after the imports, before the long work."""
    if gc.get_threshold()[0] == _STARTUP_OBJECTS:
        # What exists now is kept to the end, so it is never looked through again.
        gc.freeze()
        gc.set_threshold(*_USUAL_THRESHOLD)
