"""What the journal keeps of the rows of a request can be read again, and cleared of a person."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from importer.batching import ContactSets
from importer.fingerprints import known_lines
from importer.journal.sent_rows import _decode, clear_sent, encode_sent

KEYS = st.lists(st.integers(-(2**63), 2**63 - 1).filter(bool), max_size=4, unique=True)


def sets(rows: list[list[int]], contents: list[int], fields: list[int]) -> ContactSets:
    table = np.zeros((len(rows), 4), dtype=np.int64)
    for place, keys in enumerate(rows):
        table[place, 4 - len(keys) :] = keys
    lines = known_lines(np.array(contents, dtype=np.int64), np.count_nonzero(table, axis=1))
    return ContactSets(table, np.array(fields, dtype=np.uint32), None, lines)


@given(st.lists(st.tuples(KEYS, st.integers(-(2**63), 2**63 - 1), st.integers(0, 2**32 - 1)), min_size=1))
def test_what_is_kept_of_rows_is_read_again(given_rows: list[tuple[list[int], int, int]]) -> None:
    rows, contents, fields = (list(column) for column in zip(*given_rows, strict=True))
    contacts = sets(rows, contents, fields)
    kept = encode_sent(contacts)
    assert kept is not None
    lines, keys, brought = _decode(kept)
    assert (lines == contacts.sent).all()
    assert [[key for key in line if key] for line in keys.tolist()] == rows
    assert brought.tolist() == fields


@given(st.lists(st.tuples(KEYS, st.integers(1, 9)), min_size=1), st.data())
def test_a_person_is_cleared_and_nobody_else(
    given_rows: list[tuple[list[int], int]], data: st.DataObject
) -> None:
    rows, fields = (list(column) for column in zip(*given_rows, strict=True))
    wanted = data.draw(st.sets(st.sampled_from([key for keys in rows for key in keys] or [7])))
    kept = encode_sent(sets(rows, [99 << 3] * len(rows), fields))
    assert kept is not None
    left, gone = clear_sent(kept, np.array(sorted(wanted), dtype=np.int64))
    lines, keys, brought = _decode(left)
    hit = [bool(wanted.intersection(row)) for row in rows]
    assert gone == sum(hit)
    for place, cleared in enumerate(hit):
        assert bool(lines[place]) != cleared
        assert [key for key in keys[place].tolist() if key] == ([] if cleared else rows[place])
        assert brought[place] == (0 if cleared else fields[place])
