"""What is installed along with the importer is under licences that somebody has looked at."""

from __future__ import annotations

import re

from tests.support.licences import licences

KNOWN = {
    *("MIT", "MIT License", "BSD License", "BSD-2-Clause", "BSD-3-Clause", "0BSD", "Zlib", "ISC"),
    *("Apache-2.0", "Apache Software License", "Mozilla Public License 2.0 (MPL 2.0)", "PSF-2.0", "CC0-1.0"),
}


def test_every_licence_is_one_that_was_looked_at() -> None:
    found = licences()
    assert {"click", "pandas", "urllib3"} <= found.keys()
    strange = {
        name: licence
        for name, licence in found.items()
        if not set(re.split(r" AND | OR |, ", licence)) <= KNOWN
    }
    assert strange == {}
