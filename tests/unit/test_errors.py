"""Each kind of error says itself with which code a command ends, and of several the worst counts."""

from __future__ import annotations

import importlib
import itertools
from collections.abc import Iterator

import pytest

from importer.errors import ImporterError
from importer.exit_codes import ExitCode, worst_exit_code
from tests.unit.test_structure import MODULES

ORDER = (
    *(ExitCode.DONE, ExitCode.LOCKED, ExitCode.ROWS_LEFT, ExitCode.TRIPWIRE, ExitCode.USAGE),
    *(ExitCode.INPUT, ExitCode.AWAY, ExitCode.REFUSED, ExitCode.FAULT),
    *(ExitCode.INTERRUPTED, ExitCode.TERMINATED),
)


def kinds(base: type[ImporterError]) -> Iterator[type[ImporterError]]:
    for kind in base.__subclasses__():
        yield kind
        yield from kinds(kind)


def test_no_kind_of_error_forgets_its_exit_code() -> None:
    for module in MODULES:
        if module != "importer.__main__":
            importlib.import_module(module)
    found = {*kinds(ImporterError)}
    assert len(found) > 20
    for kind in found:
        said = [base for base in kind.__mro__ if base is not ImporterError and "exit_code" in vars(base)]
        assert said, kind
        assert kind.exit_code is not ExitCode.DONE
    assert ImporterError.exit_code is ExitCode.FAULT


def test_of_several_exit_codes_the_one_that_needs_a_person_most_is_the_worst() -> None:
    assert {*ORDER} == {*ExitCode}
    for lower, higher in itertools.pairwise(ORDER):
        assert worst_exit_code([higher, lower]) is worst_exit_code([lower, higher]) is higher
    assert worst_exit_code([]) is ExitCode.DONE


@pytest.mark.parametrize(("name", "code"), [("ReportError", 1), ("JournalPlaceError", 4), ("FaultError", 70)])
def test_what_scripts_rely_on(name: str, code: int) -> None:
    assert {kind.__name__: kind.exit_code for kind in kinds(ImporterError)}[name] == code
