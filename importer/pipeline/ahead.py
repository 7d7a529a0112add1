"""Works ahead on threads of its own: the next chunks are parsed and prepared while this one is dealt with.

Nearly all of that is Arrow's and numpy's work, which lets other threads go on.
"""

from __future__ import annotations

import queue
import threading
from collections import deque
from collections.abc import Callable, Generator, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

from importer.model import Chunk
from importer.pipeline.checking import Prepared

WAITING = 1
"""Chunks that may wait to be checked."""
AT_WORK = 2
"""Chunks that are prepared at the same time."""

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


def prepared_ahead(prepare: Callable[..., Prepared], items: Iterator[tuple[Any, ...]]) -> Generator[Prepared]:
    """`prepare(*item)` for each item, in their order; a few are prepared at the same time.

    What `items` or `prepare` raise is raised here, after everything before it.
    """
    waiting: deque[Future[Prepared]] = deque()
    fault: Exception | None = None
    with ThreadPoolExecutor(AT_WORK, "checking") as pool:
        try:
            while True:
                try:
                    item = next(items, None)
                except Exception as error:
                    fault = error
                    break
                if item is None:
                    break
                waiting.append(pool.submit(prepare, *item))
                while waiting and (len(waiting) > AT_WORK or waiting[0].done()):
                    yield waiting.popleft().result()
            while waiting:
                yield waiting.popleft().result()
        finally:
            for future in waiting:
                future.cancel()
    if fault is not None:
        raise fault
