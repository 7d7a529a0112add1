"""One chunk is parsed while another is checked: in order, no further ahead, and nothing is left running."""

from __future__ import annotations

import threading
from collections.abc import Iterator

import numpy as np
import pytest

from importer import arrow
from importer.errors import InputError
from importer.models import Chunk
from importer.readers.chunks import CHUNKS_AHEAD, prefetch_chunks


def chunk(number: int) -> Chunk:
    return Chunk(str(number), arrow.frame({"a": arrow.array(["x"])}, np.array([2])))


class Source:
    """Chunks without end, or until one cannot be read."""

    def __init__(self, last: int | None = None) -> None:
        self.last = last
        self.read = 0
        self.more = threading.Condition()

    def chunks(self) -> Iterator[Chunk]:
        while self.last is None or self.read < self.last:
            with self.more:
                self.read += 1
                self.more.notify_all()
            yield chunk(self.read)
        raise InputError("file-changed", name="customers.csv")

    def wait_for(self, number: int) -> None:
        with self.more:
            assert self.more.wait_for(lambda: self.read >= number, timeout=60)


def test_chunks_come_in_order_and_what_reading_raises_comes_after_them() -> None:
    ahead = prefetch_chunks(Source(last=3).chunks())
    assert [next(ahead).sheet for _ in range(3)] == ["1", "2", "3"]
    with pytest.raises(InputError) as raised:
        next(ahead)
    assert raised.value.code == "file-changed"


def test_no_chunk_is_read_before_there_is_room_for_it() -> None:
    source = Source()
    ahead = prefetch_chunks(source.chunks())
    for number in range(1, 5):
        assert next(ahead).sheet == str(number)
        source.wait_for(number + CHUNKS_AHEAD)
        assert source.read == number + CHUNKS_AHEAD
    ahead.close()
    assert source.read == 4 + CHUNKS_AHEAD


def test_whoever_stops_early_leaves_no_thread_behind() -> None:
    before = threading.active_count()
    ahead = prefetch_chunks(Source().chunks())
    next(ahead)
    assert threading.active_count() == before + 1
    ahead.close()
    assert threading.active_count() == before
