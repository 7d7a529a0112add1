"""Options that somebody gave, laid over each other, and as the journal keeps them.

A profile gives options, a job does, and flags do; a later layer wins. `--help` passes through this module, so
it imports nothing heavy.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

from importer.dataclass import dataclass
from importer.option_types import FilesValue, Keep, read_value
from importer.options import RunOptions, declared_options


@dataclass(frozen=True, slots=True)
class GivenOptions:
    """Options that somebody gave (flags, a profile, a job), told apart from those left at their default."""

    options: RunOptions = RunOptions()
    names: frozenset[str] = frozenset()
    """Which of the options were given."""

    @classmethod
    def read(cls, values: Mapping[str, object]) -> GivenOptions:
        """Return the options among `values`, which come from click, JSON or TOML. None was not given."""
        known = declared_options()
        given = {
            name: read_value(known[name].kind, value)
            for name, value in values.items()
            if name in known and value is not None
        }
        return cls(RunOptions(**given), frozenset(given))

    def over(self, base: RunOptions) -> RunOptions:
        """Return `base` with what was given in its place; lists of files are added to those of `base`."""
        return dataclasses.replace(base, **{name: self._over(base, name) for name in self.names})

    def _over(self, base: RunOptions, name: str) -> Any:
        value = getattr(self.options, name)
        if isinstance(declared_options()[name].kind, FilesValue):
            return tuple(dict.fromkeys((*getattr(base, name), *value)))
        return value

    def beside(self, folder: Path) -> GivenOptions:
        """Return the options with lists of files as they are meant in a file of this folder: absolute."""
        kinds = {name: declared_options()[name].kind for name in self.names}
        files: dict[str, Any] = {
            name: tuple(
                str(folder.absolute() / Path(file).expanduser()) for file in getattr(self.options, name)
            )
            for name, kind in kinds.items()
            if isinstance(kind, FilesValue)
        }
        return GivenOptions(dataclasses.replace(self.options, **files), self.names) if files else self

    def joined(self, later: GivenOptions) -> GivenOptions:
        """Return both; what `later` gives replaces what this one gives."""
        return GivenOptions(later.over(self.options), self.names | later.names)


def layered(base: RunOptions, *layers: GivenOptions) -> RunOptions:
    """Return `base` with the layers laid over it; a later one wins: first a profile, flags last."""
    for layer in layers:
        base = layer.over(base)
    return base


# The journal


def options_to_json(options: RunOptions, keep: Literal[Keep.SETTINGS, Keep.READING]) -> str:
    """Return the options that the journal keeps in this place as JSON text. No secret is among them."""
    import json  # `--help` has no time for it

    kept = {one.name: getattr(options, one.name) for one in declared_options().values() if one.keep is keep}
    return json.dumps(kept, ensure_ascii=False)


def options_from_json(*texts: str) -> RunOptions:
    """Return the options of such texts. Names that this version does not keep there are left out."""
    import json

    found: dict[str, object] = {}
    for text in texts:
        found |= json.loads(text)
    kept = {one.name for one in declared_options().values() if one.keep in (Keep.SETTINGS, Keep.READING)}
    return GivenOptions.read({name: value for name, value in found.items() if name in kept}).options
