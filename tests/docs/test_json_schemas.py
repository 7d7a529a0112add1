"""The JSON Schemas say what the program checks."""

from __future__ import annotations

import json
import tomllib
from typing import Any

import jsonschema
import pytest

from importer import mapping
from importer.mapping import suggest_toml
from tests.support import json_schemas
from tests.support.mapping import SEA


def schema(name: str) -> Any:
    return json.loads((json_schemas.FOLDER / f"{name}.json").read_text("utf-8"))


def test_the_shipped_schemas_are_what_the_models_say() -> None:
    for file, text in json_schemas.schemas().items():
        assert file.read_text("utf-8") == text, "`make docs` writes it"
        jsonschema.Draft7Validator.check_schema(json.loads(text))


def test_every_ready_made_mapping_and_every_suggestion_keeps_to_the_schema() -> None:
    texts = [mapping.ready_text(one.name) for one in mapping.ready()]
    texts.append(suggest_toml.mapping_text(["Full Name", "Mobile", "customize_1_14"], None, SEA))
    for text in texts:
        jsonschema.validate(tomllib.loads(text), schema("mapping"))
    assert texts[-1].startswith(f"#:schema {suggest_toml.SCHEMA.as_uri()}\n")
    assert suggest_toml.SCHEMA.is_file()


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("mapping", "[fields.sms_fone]\nfrom = 'A'"),
        ("mapping", "[fields.email]\nform = 'A'"),
        ("mapping", "[fields.email]\ncase = 'loud'"),
        ("importer-toml", "[profile.a]\nacces_key = 'A'"),
        ("importer-toml", "[profiles.a]\nbase_url = 'A'"),
        ("importer-toml", "[profile.a]\nmode = 3"),
    ],
)
def test_a_mistake_is_one_in_the_schema_too(name: str, text: str) -> None:
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(tomllib.loads(text), schema(name))


def test_a_setting_as_the_documentation_shows_it_is_none() -> None:
    text = '[profile.default]\nbase_url = "https://x"\ntenant_id = 7\nmode = "update"\n'
    jsonschema.validate(tomllib.loads(text), schema("importer-toml"))
