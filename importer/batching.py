"""Customers become batches: a hundred make a body."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from importer.customers import ContactSets, Customers
from importer.model import Batch, Mode


@dataclass(frozen=True, slots=True)
class Envelope:
    """What stands around the customers in a body (batch_create, body parameters)."""

    mode: Mode
    tenant_id: str
    app_key: str
    strict_binding: bool | None = None

    def body(self, customers: Sequence[bytes]) -> bytes:
        """The request's bytes: built once, signed for each attempt."""
        key = json.dumps(self.app_key, ensure_ascii=False)
        head = f'{{"type":{int(self.mode)},"tenant_id":{int(self.tenant_id)},"app_key":{key}'
        if self.strict_binding is not None:
            head += f',"strict_binding":{json.dumps(self.strict_binding)}'
        return b"".join((head.encode(), b',"customers":[', b",".join(customers), b"]}"))


class Batcher:
    """Cuts customers into batches of at most `size`, in order; a batch never spans two sheets."""

    def __init__(self, size: int, last_ordinal: int = 0) -> None:
        """`last_ordinal`: of the batches that an interrupted run made already."""
        self._size = size
        self._ordinal = last_ordinal
        self._waiting: Customers | None = None

    def add(self, customers: Customers) -> Iterator[Batch]:
        """The batches that are full now; the rest waits for more."""
        if self._waiting is not None:
            if self._waiting.sheet != customers.sheet:
                yield from self.flush()
            else:
                customers = _joined(self._waiting, customers)
        full = len(customers) - len(customers) % self._size
        for start in range(0, full, self._size):
            yield self._batch(customers, start, start + self._size)
        self._waiting = _slice(customers, full, len(customers)) if full < len(customers) else None

    def flush(self) -> Iterator[Batch]:
        """The last, short batch, if rows are waiting."""
        if self._waiting is not None:
            waiting, self._waiting = self._waiting, None
            yield self._batch(waiting, 0, len(waiting))

    def _batch(self, customers: Customers, start: int, stop: int) -> Batch:
        self._ordinal += 1
        part = _slice(customers, start, stop)
        rows = tuple(part.rows.tolist())
        return Batch(self._ordinal, part.sheet, rows, tuple(part.encoded), ContactSets(part.contacts))


def _joined(first: Customers, second: Customers) -> Customers:
    return Customers(
        first.sheet,
        np.concatenate((first.rows, second.rows)),
        first.encoded + second.encoded,
        np.concatenate((_widened(first, second), _widened(second, first))),
    )


def _widened(customers: Customers, other: Customers) -> np.ndarray:
    """Its contacts with as many columns as the other's, so that both can be stacked."""
    missing = other.contacts.shape[1] - customers.contacts.shape[1]
    return np.pad(customers.contacts, ((0, 0), (0, missing))) if missing > 0 else customers.contacts


def _slice(customers: Customers, start: int, stop: int) -> Customers:
    cut = slice(start, stop)
    return Customers(customers.sheet, customers.rows[cut], customers.encoded[cut], customers.contacts[cut])
