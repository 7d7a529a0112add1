"""One bucket server of each kind for all tests of a process."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator

import pytest

from tests.support.stores import STORES, BucketServer


@pytest.fixture(scope="session")
def buckets() -> Iterator[Callable[[str], BucketServer]]:
    """The server of each kind, which is started when a test asks for it."""
    running: dict[str, BucketServer] = {}
    with contextlib.ExitStack() as stack:

        def server(kind: str) -> BucketServer:
            if kind not in running:
                running[kind] = stack.enter_context(STORES[kind]())
            return running[kind]

        yield server
