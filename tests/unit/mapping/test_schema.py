"""The README names every key of a mapping file, and no other."""

from __future__ import annotations

import re
from pathlib import Path

from importer.mapping.schema import Condition, CustomRule, HeaderMatch, MappingFile

README = Path(__file__).parents[3] / "README.md"


def test_every_key_of_a_mapping_file_is_explained() -> None:
    text = README.read_text("utf-8")
    table = text.split("<!-- mapping-keys:start -->")[1].split("<!-- mapping-keys:end -->")[0]
    explained = set(re.findall(r"`\[?\[?([a-z_]+)\]?\]?(?: = [^`]*)?`", table))
    models = (MappingFile, CustomRule, Condition, HeaderMatch)
    keys = {info.alias or name for model in models for name, info in model.model_fields.items()}
    assert keys - explained == {"fields", "custom"}
