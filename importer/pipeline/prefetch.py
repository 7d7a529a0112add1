"""Read ahead on a thread of its own: the next chunk is parsed while this one is checked.

Parsing is mostly Arrow's work, which lets other threads go on.
"""

from __future__ import annotations

import queue
import threading
from collections.abc import Generator, Iterator

from importer.models import Chunk

CHUNKS_AHEAD = 1
"""Chunks that are parsed, or wait to be checked, beside the one that is checked."""

_Item = Chunk | BaseException | None


def prefetch(chunks: Iterator[Chunk]) -> Generator[Chunk]:
    """The same chunks in the same order; what the reading raises is raised here, after the chunks before it.

    Whoever stops early closes the generator: the reading then ends before `close` returns.
    """
    read_so_far: queue.SimpleQueue[_Item] = queue.SimpleQueue()
    room = threading.Semaphore(CHUNKS_AHEAD)
    enough = threading.Event()

    def read() -> None:
        ending: BaseException | None = None
        try:
            # Room first: a chunk that is parsed takes memory, whether or not there is a place for it.
            while room.acquire() and not enough.is_set() and (chunk := next(chunks, None)) is not None:
                read_so_far.put(chunk)
        except BaseException as error:
            ending = error
        read_so_far.put(ending)

    thread = threading.Thread(target=read, name="reading", daemon=True)
    thread.start()
    try:
        while isinstance(item := read_so_far.get(), Chunk):
            room.release()
            yield item
            del item
        if item is not None:
            raise item
    finally:
        enough.set()
        room.release()
        thread.join()
