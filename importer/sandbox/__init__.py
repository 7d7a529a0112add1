"""The remote API on this machine, over real HTTP: to try things out, and to test against.

It is written from the vendor's pages (docs/remote-api.md). It shares with the importer only the contracts,
the opening of private files, and the types that name a connection or an error: so it does not repeat the
client's mistakes.
"""

from importer.sandbox.embedded import Sandbox

__all__ = ["Sandbox"]
