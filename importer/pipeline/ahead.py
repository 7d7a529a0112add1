"""Reads ahead on a thread of its own: the next chunk is parsed while this one is checked.

Parsing is mostly Arrow's work, which lets other threads go on.
"""

from __future__ import annotations

import queue
import threading
from collections.abc import Generator, Iterator

from importer.model import Chunk

WAITING = 1
"""Chunks that may wait to be checked."""

_Item = Chunk | BaseException | None


def read_ahead(chunks: Iterator[Chunk]) -> Generator[Chunk]:
    """The same chunks in the same order; what the reading raises is raised here, after the chunks before it.

    Whoever stops early closes the generator: the reading then ends before `close` returns.
    """
    waiting: queue.Queue[_Item] = queue.Queue(WAITING)
    enough = threading.Event()

    def read() -> None:
        ending: BaseException | None = None
        try:
            for chunk in chunks:
                waiting.put(chunk)
                if enough.is_set():
                    return
        except BaseException as error:
            ending = error
        waiting.put(ending)

    thread = threading.Thread(target=read, name="reading", daemon=True)
    thread.start()
    try:
        while isinstance(item := waiting.get(), Chunk):
            yield item
        if item is not None:
            raise item
    finally:
        enough.set()
        while thread.is_alive():
            # Makes room for a reader that waits to hand over what nobody wants any more.
            try:
                waiting.get(timeout=0.05)
            except queue.Empty:
                continue
        thread.join()
