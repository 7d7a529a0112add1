"""Valid rows become customers (JSON objects), customers become batches, a batch becomes a request body.

Whole columns are encoded at once. A customer's JSON holds its fields in the contract's order, in UTF-8
without escapes beyond what JSON demands, and leaves missing values out. What is signed later is exactly
what is built here.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from itertools import chain, compress
from typing import overload

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from importer import arrow
from importer.contact_keys import contact_keys, once_a_row
from importer.contracts import Contract, FieldKind
from importer.dataclass import dataclass
from importer.fingerprints import NO_KEY, FingerprintKey, content_fingerprints, keyed, known_lines
from importer.mapping import tags
from importer.models import Batch, MappedChunk, Mode

_BACKSLASH = ord("\\")
_AT_ONCE = 4096
_NOTHING_FOR_NULL = {"null_handling": "replace", "null_replacement": ""}


@dataclass(frozen=True, slots=True)
class Customers:
    """Rows of one sheet, encoded. Everything but the sheet has one length and belongs together."""

    sheet: str
    rows: np.ndarray
    """Row numbers, int64."""
    encoded: list[bytes]
    """JSON objects."""
    contacts: np.ndarray
    """Fingerprints of phones and e-mail, int64, one line a row, as many columns as there are contact fields,
    0 where a row has none, or has the same in an earlier column."""
    fields: np.ndarray
    """Which fields a row brings, uint32: bit i stands for the contract's field i."""
    contents: np.ndarray | None = None
    """Fingerprints of what is sent and how, without the run's tag, int64; None if nobody keeps them."""
    sent: np.ndarray | None = None
    """Lines (`known_lines`) of what is sent alone, without the run's tag; None if nobody keeps them."""

    def __len__(self) -> int:
        return len(self.encoded)

    def where(self, mask: np.ndarray) -> Customers:
        """Only the rows at which the mask is true."""
        if mask.all():
            return self
        kept = [customer for customer, keep in zip(self.encoded, mask.tolist(), strict=True) if keep]
        contents = None if self.contents is None else self.contents[mask]
        sent = None if self.sent is None else self.sent[mask]
        return Customers(
            self.sheet, self.rows[mask], kept, self.contacts[mask], self.fields[mask], contents, sent
        )


class ContactSets(Sequence[tuple[int, ...]]):
    """The contacts of some rows, one tuple a row, made only where somebody looks at single rows."""

    __slots__ = ("_keys", "contents", "fields", "sent", "table")

    def __init__(
        self,
        table: np.ndarray,
        fields: np.ndarray,
        contents: np.ndarray | None = None,
        sent: np.ndarray | None = None,
    ) -> None:
        """As `contacts`, `fields`, `contents` and `sent` of `Customers`."""
        self.table = table
        self.fields = fields
        self.contents = contents
        self.sent = sent
        self._keys: np.ndarray | None = None

    def __len__(self) -> int:
        return len(self.table)

    @overload
    def __getitem__(self, place: int) -> tuple[int, ...]: ...
    @overload
    def __getitem__(self, place: slice) -> ContactSets: ...
    def __getitem__(self, place: int | slice) -> tuple[int, ...] | ContactSets:
        if isinstance(place, slice):
            return self._some(place)
        return tuple(filter(None, self.table[place].tolist()))

    def __iter__(self) -> Iterator[tuple[int, ...]]:
        return (tuple(filter(None, line)) for line in self.table.tolist())

    def distinct(self) -> set[int]:
        """The contacts of all rows together."""
        return set(self.keys().tolist())

    def keys(self) -> np.ndarray:
        """Every contact (int64), row by row."""
        if self._keys is None:
            keys = self.table.ravel()
            self._keys = keys[keys != 0]
        return self._keys

    def everywhere(self) -> bool:
        """Whether every row has one."""
        return bool(self.table.any(axis=1).all())

    def where(self, mask: Sequence[bool]) -> ContactSets:
        """Only those of the rows at which the mask is true."""
        return self._some(np.asarray(mask, dtype=bool))

    def _some(self, which: slice | np.ndarray) -> ContactSets:
        contents = None if self.contents is None else self.contents[which]
        sent = None if self.sent is None else self.sent[which]
        return ContactSets(self.table[which], self.fields[which], contents, sent)

    def flat(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Every contact (int64), the place of its row, and the fields that this row brings (uint32)."""
        places = np.flatnonzero(self.table) // max(self.table.shape[1], 1)
        return self.keys(), places, self.fields[places]


def contacts_together(table: np.ndarray) -> np.ndarray:
    """One number (int64) for all contacts of a row of `Customers.contacts`; 0 where it has none."""
    return np.asarray(table.view(np.uint64).sum(axis=1, dtype=np.uint64)).view(np.int64)


def distinct_contacts(contacts: Sequence[tuple[int, ...]]) -> set[int]:
    """The contacts of all of a batch's rows together."""
    return contacts.distinct() if isinstance(contacts, ContactSets) else set(chain.from_iterable(contacts))


def all_have_contacts(contacts: Sequence[tuple[int, ...]]) -> bool:
    """Whether every one of a batch's rows has a contact."""
    return contacts.everywhere() if isinstance(contacts, ContactSets) else all(contacts)


def flat_contacts(contacts: Sequence[tuple[int, ...]]) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """As `ContactSets.flat`, of whatever holds a batch's contacts; nobody knows the fields of a tuple."""
    if isinstance(contacts, ContactSets):
        return contacts.flat()
    places = np.repeat(np.arange(len(contacts)), [len(keys) for keys in contacts])
    keys = np.fromiter(chain.from_iterable(contacts), dtype=np.int64, count=len(places))
    return keys, places, np.zeros(len(places), dtype=np.uint32)


def rows_where(batch: Batch, mask: Sequence[bool]) -> Batch:
    """Only the rows of a batch at which the mask is true."""
    contacts = batch.contacts
    return Batch(
        batch.ordinal,
        batch.sheet,
        rows=tuple(compress(batch.rows, mask)),
        customers=tuple(compress(batch.customers, mask)),
        contacts=contacts.where(mask)
        if isinstance(contacts, ContactSets)
        else tuple(compress(contacts, mask)),
    )


def encode(
    mapped: MappedChunk,
    contract: Contract,
    keep: np.ndarray | None = None,
    key: FingerprintKey = NO_KEY,
    content_key: str = "",
    tag: str = "",
    sent_key: str = "",
) -> Customers:
    """Encodes valid rows column by column.

    `keep`, bool for each row, says which are valid; None: all. `key` is that of the journal that keeps the
    contacts, `content_key` and `sent_key` those of the contents; "": nobody keeps them. Each row gets the
    run's `tag` behind its own. The contract's first field is a required one, so every row has it. Raises
    ValueError if one has not.
    """
    rows = mapped.frame.index.to_numpy()
    brought = np.zeros(len(rows), dtype=np.uint32)
    if not len(rows):
        return Customers(mapped.sheet, rows, [], np.zeros((0, 0), dtype=np.int64), brought)
    first = contract.fields[0].name
    if first not in mapped.frame.columns or not _all_valid(arrow.text_column(mapped, first), keep):
        raise ValueError(f"every row to be sent needs {first}")
    objects, untagged = _JsonObjects(), _JsonObjects()
    identifying: list[tuple[pa.Array, FieldKind]] = []
    for number, field in enumerate(contract.fields):
        known = field.name in mapped.frame.columns
        tagged = bool(tag) and field.kind is FieldKind.TAGS
        if not (known or tagged):
            continue
        values = arrow.text_column(mapped, field.name) if known else pa.nulls(len(rows), arrow.TEXT)
        if known and tag:
            untagged.add(field.name, values, number=field.kind is FieldKind.GENDER)
        if tagged:
            values = tags.with_tag(values, tag)
        bit = np.uint32(1 << number)
        brought |= values.is_valid().to_numpy(zero_copy_only=False) * bit if values.null_count else bit
        objects.add(field.name, values, number=field.kind is FieldKind.GENDER)
        if field.name in contract.contact_fields:
            identifying.append((values, field.kind))
    contacts = _keys(identifying)
    table = once_a_row(np.column_stack(contacts) if contacts else np.zeros((len(rows), 0), dtype=np.int64))
    encoded, contents, sent = objects.encoded(len(rows)), None, None
    if sent_key:
        sent = content_fingerprints(untagged.encoded(len(rows)) if tag else encoded, sent_key)
        contents = keyed(sent, (int(content_key, 16), 1)) if content_key else None
        sent = known_lines(sent, np.count_nonzero(table, axis=1))
    everything = Customers(mapped.sheet, rows, encoded, keyed(table, key), brought, contents, sent)
    # Whole objects are dropped, not their parts: there is one of them where there are twenty of those.
    return everything if keep is None else everything.where(keep)


def _keys(columns: Sequence[tuple[pa.Array, FieldKind]]) -> list[np.ndarray]:
    """The keys of the contacts in some columns. SMS and WhatsApp mostly hold the same numbers."""
    found: list[np.ndarray] = []
    for values, kind in columns:
        known = zip(columns, found, strict=False)
        same = (keys for (one, other), keys in known if other is kind and one.equals(values))
        keys = next(same, None)
        found.append(contact_keys(values, kind) if keys is None else keys)
    return found


def _all_valid(values: pa.Array, keep: np.ndarray | None) -> bool:
    if not values.null_count:
        return True
    valid = values.is_valid().to_numpy(zero_copy_only=False)
    return bool((valid if keep is None else valid[keep]).all())


class _JsonObjects:
    """The JSON objects of all rows, while column after column is added."""

    def __init__(self) -> None:
        self._members: list[tuple[str, pa.Array, str]] = []
        """What stands before a value, the values, and what stands behind each that is not missing."""

    def add(self, name: str, values: pa.Array, *, number: bool) -> None:
        """A member for each row that has a value; the first column has one in every row."""
        quote = "" if number else '"'
        head = f"{',' if self._members else ''}{_quote(name)}:{quote}"
        self._members.append((head, values if number else _escaped(values), quote))

    def encoded(self, rows: int) -> list[bytes]:
        """The objects of so many rows. They are made some thousand at a time: all of them as Arrow's text
        beside all of them as bytes would be the most memory that a run takes."""
        found: list[bytes] = []
        for begin in range(0, rows, _AT_ONCE):
            pieces = [*self._pieces(begin), arrow.scalar("")]
            objects = pc.binary_join_element_wise(*pieces, **_NOTHING_FOR_NULL)
            found += objects.cast(pa.large_binary()).to_pylist()
        return found

    def _pieces(self, begin: int) -> Iterator[pa.Array | pa.Scalar]:
        """What to join. All that stands between two values is one piece: each costs its time in every row."""
        between = "{"
        for head, column, quote in self._members:
            values = column.slice(begin, _AT_ONCE)
            if values.null_count:
                yield arrow.scalar(between)
                yield pc.binary_join_element_wise(
                    arrow.scalar(head), values, arrow.scalar(quote), arrow.scalar("")
                )
                between = ""
            else:
                yield arrow.scalar(between + head)
                yield values
                between = quote
        yield arrow.scalar(between + "}")


def _escaped(values: pa.Array) -> pa.Array:
    """The texts as they stand between JSON's quotes. Only those that need it are touched."""
    offsets, data = arrow.offsets_and_bytes(values)
    hits = np.flatnonzero((data < 0x20) | (data == ord('"')) | (data == _BACKSLASH))
    if not hits.size:
        return values
    special = np.zeros(len(values), dtype=bool)
    special[np.searchsorted(offsets, hits, side="right") - 1] = True
    inner = values.filter(pa.array(special))
    for character in sorted(np.unique(data[hits]).tolist(), key=_BACKSLASH.__ne__):
        text = chr(character)
        inner = pc.replace_substring(inner, text, _quote(text)[1:-1])
    return pc.replace_with_mask(values, pa.array(special), inner)


def _quote(text: str) -> str:
    return json.dumps(text, ensure_ascii=False)


@dataclass(frozen=True, slots=True)
class BodyTemplate:
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

    def __init__(self, size: int, last_ordinal: int = 0, *, first_alone: bool = False) -> None:
        """`last_ordinal`: of the batches that an interrupted run made already. `first_alone`: the first batch
        has one customer only, one with a contact if the first rows have any."""
        self._size = size
        self._first_alone = first_alone
        self._ordinal = last_ordinal
        self._waiting: Customers | None = None

    def add(self, customers: Customers) -> Iterator[Batch]:
        """The batches that are full now; the rest waits for more."""
        if self._first_alone and len(customers):
            self._first_alone = False
            # One with a phone or an e-mail: of any other nobody could tell whether it was stored. It
            # overtakes only rows without either, with which it shares nothing.
            alone = np.arange(len(customers)) == int(customers.contacts.any(axis=1).argmax())
            yield self._batch(customers.where(alone), 0, 1)
            customers = customers.where(~alone)
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
        contacts = ContactSets(part.contacts, part.fields, part.contents, part.sent)
        return Batch(self._ordinal, part.sheet, rows, tuple(part.encoded), contacts)


def _chained(first: np.ndarray | None, second: np.ndarray | None) -> np.ndarray | None:
    return None if first is None or second is None else np.concatenate((first, second))


def _joined(first: Customers, second: Customers) -> Customers:
    return Customers(
        first.sheet,
        np.concatenate((first.rows, second.rows)),
        first.encoded + second.encoded,
        np.concatenate((_widened(first, second), _widened(second, first))),
        np.concatenate((first.fields, second.fields)),
        _chained(first.contents, second.contents),
        _chained(first.sent, second.sent),
    )


def _widened(customers: Customers, other: Customers) -> np.ndarray:
    """Its contacts with as many columns as the other's, so that both can be stacked."""
    missing = other.contacts.shape[1] - customers.contacts.shape[1]
    return np.pad(customers.contacts, ((0, 0), (0, missing))) if missing > 0 else customers.contacts


def _slice(customers: Customers, start: int, stop: int) -> Customers:
    cut = slice(start, stop)
    return Customers(
        customers.sheet,
        customers.rows[cut],
        customers.encoded[cut],
        customers.contacts[cut],
        customers.fields[cut],
        None if customers.contents is None else customers.contents[cut],
        None if customers.sent is None else customers.sent[cut],
    )
