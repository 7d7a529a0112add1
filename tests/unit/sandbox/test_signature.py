"""The sandbox's own signature, against the examples that the vendor published."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from importer.api.client import sign
from importer.sandbox.rules import expected_signature

HEADERS = {"accessKey": "fme2na3kdi3ki", "ts": "1655710885431", "bizType": "1", "action": "send"}
SECRET = "abciiiko2k3"


@pytest.mark.parametrize(
    ("body", "algorithm", "expected"),
    [
        ('{"name":"牛小信","id":10001}', "md5", "87c3560d3331ae23f1021e2025722354"),
        ('{"id":10001,"name":"牛小信"}', "md5", "7750759da06333f20d0640be09355e34"),
        ('{"id": 10001, "name": "牛小信"}', "md5", "d0c24a9886c629330d7f3f2056c65bc2"),
        (
            *('{"name":"牛小信","id":10001}', "sha256"),
            "e0eec2c99ef80f269a82795e2223f618ebfc0616c8b6c8c7d438021ec38ad0eb",
        ),
    ],
)
def test_the_vendors_examples(body: str, algorithm: str, expected: str) -> None:
    assert expected_signature(HEADERS, body.encode(), SECRET, algorithm) == expected


@given(
    *(st.text(st.characters(min_codepoint=33, max_codepoint=126), min_size=1) for _ in range(4)),
    st.binary(max_size=200),
    st.text(min_size=1),
    st.sampled_from(["md5", "sha256"]),
)
def test_two_readings_of_the_vendors_page_agree(
    key: str, action: str, kind: str, ts: str, body: bytes, secret: str, algorithm: str
) -> None:
    headers = {"accessKey": key, "action": action, "bizType": kind, "ts": ts}
    assert expected_signature(headers, body, secret, algorithm) == sign(headers, body, secret, algorithm)
