"""What can go wrong with a run as a whole, grouped by what to do next.

An error is a stable code and what was found; its sentence and hint stand in `importer.messages`, in every
language. Rows that are wrong are no exceptions: they are `importer.models.Issue`.
"""

from __future__ import annotations

from typing import ClassVar

from importer import messages
from importer.exit_codes import ExitCode


class ImporterError(Exception):
    """Base of all that a user is told as one sentence with a hint.

    `found` fills the places in the sentence; never a secret, never a customer's data beyond the one cell
    that the sentence is about.
    """

    exit_code: ClassVar[ExitCode] = ExitCode.FAULT
    """Each kind says its own; one that forgets is a fault of this program."""

    def __init__(self, code: str, /, **found: object) -> None:
        super().__init__(code)
        self.code = code
        self.found = found
        self.also: tuple[ImporterError, ...] = ()
        """What else is wrong in the same place: the other mistakes of a mapping."""

    @property
    def every(self) -> tuple[ImporterError, ...]:
        """This and what else is wrong."""
        return (self, *self.also)

    def sentence(self, lang: str = "en") -> str:
        """What happened, where, what was expected."""
        return messages.sentence(self.code, self.found, lang)

    def hint(self, lang: str = "en", *, on_page: bool = False) -> str:
        """What to do next, `on_page` with the buttons of the page in the browser; may be empty."""
        return messages.hint(self.code, self.found, lang, on_page=on_page)

    def full_text(self, lang: str = "en", *, on_page: bool = False) -> str:
        """Sentence and hint as one text, followed by those of what else is wrong."""
        texts = (messages.full_text(one.code, one.found, lang, on_page=on_page) for one in self.every)
        return messages.join_sentences(lang, *texts)

    def __str__(self) -> str:
        return self.full_text()


class UsageError(ImporterError):
    """Options that don't fit together."""

    exit_code = ExitCode.USAGE


class InputError(ImporterError):
    """The file cannot be read as a table."""

    exit_code = ExitCode.INPUT


class ListError(InputError):
    """A list of people who must not be sent cannot be used, whatever file it was wanted for."""


class MappingError(ImporterError):
    """The mapping cannot be read, or does not fit the file."""

    exit_code = ExitCode.INPUT


class SettingsError(ImporterError):
    """Settings or credentials are missing or malformed."""

    exit_code = ExitCode.REFUSED


class RefusedError(ImporterError):
    """The server refuses what will not heal by itself."""

    exit_code = ExitCode.REFUSED


class UnreachableError(ImporterError):
    """The server is away."""

    exit_code = ExitCode.AWAY


class SourceAwayError(UnreachableError):
    """The place that the file comes from is away. Nothing was read or sent."""


class SourceRefusedError(RefusedError):
    """The place that the file comes from does not let us read it."""


class JournalError(ImporterError):
    """The journal cannot be written or read: nothing may be sent."""

    exit_code = ExitCode.AWAY


class UnknownRunError(JournalError):
    """There is no run of that name."""

    exit_code = ExitCode.USAGE


class HistoryLostError(JournalError):
    """The journal has lost runs, and the answer depends on them."""

    exit_code = ExitCode.ROWS_LEFT


class JournalPlaceError(JournalError):
    """The journal cannot lie where the settings put it."""

    exit_code = ExitCode.REFUSED


class ReportError(ImporterError):
    """A report cannot be written. What was sent is safe in the journal."""

    exit_code = ExitCode.ROWS_LEFT


class TripwireError(ImporterError):
    """Stopped before the first request, since the file looks wrong."""

    exit_code = ExitCode.TRIPWIRE


class LockedError(ImporterError):
    """Another run holds the lock."""

    exit_code = ExitCode.LOCKED


class InterruptedRun(ImporterError):  # noqa: N818 - asked for, no error
    """Ctrl-C."""

    exit_code = ExitCode.INTERRUPTED


class TerminatedRun(ImporterError):  # noqa: N818 - asked for, no error
    """SIGTERM."""

    exit_code = ExitCode.TERMINATED


class FaultError(ImporterError):
    """This program failed, or the system gave it less than it needs. Nothing that was sent is forgotten."""

    exit_code = ExitCode.FAULT


class ConservationError(ImporterError):
    """A row without a status, or with two: a fault of this program, never a report."""

    exit_code = ExitCode.FAULT
