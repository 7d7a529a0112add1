"""The licences of everything that is installed along with the importer, as the packages' metadata say."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from importlib import metadata

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

PACKAGE = "nxlink-importer"


def licences() -> Mapping[str, str]:
    """Return the licence of each package that the importer needs here, itself or through others, by name."""
    return {name: _licence(name) for name in sorted(set(_needed(PACKAGE, {PACKAGE})))}


def _needed(package: str, seen: set[str]) -> Iterator[str]:
    for text in metadata.requires(package) or ():
        wanted = Requirement(text)
        name = canonicalize_name(wanted.name)
        if name not in seen and (wanted.marker is None or wanted.marker.evaluate({"extra": ""})):
            seen.add(name)
            yield name
            yield from _needed(name, seen)


def _licence(name: str) -> str:
    """The SPDX expression (PEP 639), else the classifiers, else the first line of the old field."""
    found = metadata.metadata(name)
    if "License-Expression" in found:
        return found["License-Expression"]
    classifiers = found.get_all("Classifier") or []
    classes = [one.rpartition(" :: ")[2] for one in classifiers if one.startswith("License :: ")]
    old = (found.get_all("License") or [""])[0]
    return ", ".join(classes) or (old.splitlines() or ["unknown"])[0]


def table() -> str:
    """Return the licences as a table of Markdown."""
    rows = "\n".join(f"| {name} | {licence} |" for name, licence in licences().items())
    return f"| package | licence |\n| --- | --- |\n{rows}"
