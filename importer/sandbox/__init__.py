"""The remote API on this machine, over real HTTP: to try things out, and to test against.

It is written from the vendor's pages (API.md) and shares with the importer only the contracts, the signature
and the types that name a connection or an error, so that it does not repeat the client's mistakes.
"""

from importer.sandbox.embedded import Sandbox

__all__ = ["Sandbox"]
