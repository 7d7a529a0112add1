"""The signature, pinned to what the vendor published."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from importer.api.client import sign

HEADERS = {"accessKey": "fme2na3kdi3ki", "ts": "1655710885431", "bizType": "1", "action": "send"}
SECRET = "abciiiko2k3"


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ('{"name":"牛小信","id":10001}', "87c3560d3331ae23f1021e2025722354"),
        ('{"id":10001,"name":"牛小信"}', "7750759da06333f20d0640be09355e34"),
        ('{"id": 10001, "name": "牛小信"}', "d0c24a9886c629330d7f3f2056c65bc2"),
    ],
)
def test_the_vendors_vectors(body: str, expected: str) -> None:
    assert sign(HEADERS, body.encode(), SECRET) == expected


def test_sha256_follows_the_same_rule() -> None:
    expected = "e0eec2c99ef80f269a82795e2223f618ebfc0616c8b6c8c7d438021ec38ad0eb"
    assert sign(HEADERS, '{"name":"牛小信","id":10001}'.encode(), SECRET, "sha256") == expected


def test_an_empty_body_is_left_out() -> None:
    import hashlib

    text = "accessKey=fme2na3kdi3ki&action=send&bizType=1&ts=1655710885431&accessSecret=abciiiko2k3"
    assert sign(HEADERS, b"", SECRET) == hashlib.md5(text.encode()).hexdigest()


def test_headers_beside_the_signed_ones_change_nothing() -> None:
    more = {"sign": "x", "algorithm": "md5", **HEADERS}
    assert sign(more, b"{}", SECRET) == sign(HEADERS, b"{}", SECRET)


def test_an_unknown_algorithm_is_refused() -> None:
    with pytest.raises(ValueError, match="sha1"):
        sign(HEADERS, b"{}", SECRET, "sha1")


@given(body=st.binary(min_size=1, max_size=300), data=st.data())
def test_one_changed_byte_changes_the_signature(body: bytes, data: st.DataObject) -> None:
    place = data.draw(st.integers(0, len(body) - 1))
    other = bytearray(body)
    other[place] ^= data.draw(st.integers(1, 255))
    assert sign(HEADERS, bytes(other), SECRET) != sign(HEADERS, body, SECRET)


@given(name=st.sampled_from(sorted(HEADERS)), text=st.text("0123456789abc", min_size=1))
def test_every_signed_header_counts(name: str, text: str) -> None:
    same = HEADERS[name] == text
    assert (sign({**HEADERS, name: text}, b"{}", SECRET) == sign(HEADERS, b"{}", SECRET)) is same
