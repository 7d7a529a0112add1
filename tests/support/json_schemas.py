"""The JSON Schemas of mapping files and of importer.toml, made of the models that check both.

`python -m tests.support.docs` writes them into `importer/schemas/`, from where they are shipped.
"""

from __future__ import annotations

import ast
import inspect
import json
from pathlib import Path
from typing import Any

from importer import contracts
from importer.config import Profile
from importer.config_schema import table_model
from importer.jobs.config import Job, JobFiles
from importer.mapping import rules
from importer.mapping.rules import MappingFile
from importer.mapping.schema import table_model as mapping_model
from importer.options import declared_options
from importer.sources.settings import SourceSettings

FOLDER = Path(rules.__file__).parents[1] / "schemas"
_DIALECT = "http://json-schema.org/draft-07/schema#"
"""The dialect that TOML editors read."""
_SEVERAL = {"from", "is", "is_not", "nothing", "formats", "separators", "several_at", "all", "any", "none"}
"""Keys that take one text for a list of one."""


def schemas() -> dict[Path, str]:
    """Return the text of each schema by its file."""
    return {
        FOLDER / "mapping.json": _text(mapping_file()),
        FOLDER / "importer-toml.json": _text(importer_toml()),
    }


def mapping_file() -> dict[str, Any]:
    """Return the schema of a mapping file."""
    made = _drop_titles(
        mapping_model(MappingFile).model_json_schema(by_alias=True, ref_template="#/definitions/{model}")
    )
    tables = made.pop("$defs")
    documented = _attribute_docstrings()
    for name, table in {**tables, "MappingFile": made}.items():
        for key, value in table.get("properties", {}).items():
            attribute = {"from": "source", "is": "is_"}.get(key, key)
            said = documented.get((name, attribute)) or documented.get(("FieldRule", attribute))
            table["properties"][key] = _described(_as_written(key, value), said)
    helps = {field.name: field.help["en"] for one in contracts.NAMES for field in contracts.load(one).fields}
    made["properties"]["fields"] = {
        "type": "object",
        "description": "The fields of the API and what fills them.",
        "properties": {
            name: {"allOf": [{"$ref": "#/definitions/FieldRule"}], "description": helps[name]}
            for name in rules.field_names()
        },
        "additionalProperties": False,
    }
    return {
        "$schema": _DIALECT,
        "title": "NXLink customer importer: mapping file",
        **made,
        "definitions": tables,
    }


def importer_toml() -> dict[str, Any]:
    """Return the schema of importer.toml."""
    profile = _table(table_model("profile", Profile))
    job = _table(table_model("job", JobFiles, Job))
    source = _table(table_model(None, SourceSettings))
    return {
        "$schema": _DIALECT,
        "title": "NXLink customer importer: importer.toml",
        "type": "object",
        "properties": {
            "profile": _named("One tenant and how to talk to it.", profile),
            "job": _named("A scheduled import.", job),
            "journal": {
                "type": "string",
                "description": "The journal: a file, or postgresql://user@host/database for many machines.",
            },
            "journal_secret_command": {
                "type": "string",
                "description": "Prints the password of the journal's database on its first line.",
            },
            "metrics_file": {
                "type": "string",
                "description": "A Prometheus textfile, written after each round and run.",
            },
            "source": _named("A place that files come from.", source),
            "defaults": {"description": "Keys for all profiles.", **_without(profile, "inherits")},
            "job-defaults": {"description": "Keys for all jobs.", **job},
        },
        "additionalProperties": False,
    }


def _table(model: Any) -> dict[str, Any]:
    made: dict[str, Any] = _drop_titles(model.model_json_schema())
    tables = made.pop("$defs", {})
    made.pop("description", None)
    options = declared_options()
    for name, value in made["properties"].items():
        said = options[name].help["en"] if name in options else None
        made["properties"][name] = _described(_inlined(_as_written("", value), tables), said)
    return made


def _inlined(value: Any, tables: dict[str, Any]) -> Any:
    """Return a schema with the tables that it refers to put in their place."""
    if isinstance(value, list):
        return [_inlined(one, tables) for one in value]
    if not isinstance(value, dict):
        return value
    if "$ref" in value:
        table = dict(tables[value["$ref"].rpartition("/")[2]])
        table.pop("description", None)
        table["properties"] = {key: _as_written("", one) for key, one in table["properties"].items()}
        return _inlined(table, tables)
    return {key: _inlined(one, tables) for key, one in value.items()}


def _without(table: dict[str, Any], key: str) -> dict[str, Any]:
    return table | {"properties": {name: one for name, one in table["properties"].items() if name != key}}


def _named(description: str, table: dict[str, Any]) -> dict[str, Any]:
    return {"type": "object", "description": description, "additionalProperties": table}


def _as_written(key: str, value: dict[str, Any]) -> dict[str, Any]:
    """Return what TOML may hold: there is no null in it, and a list of one may be a text."""
    value = {name: one for name, one in value.items() if not (name == "default" and one in (None, [], {}))}
    if "anyOf" in value:
        kinds = [_as_written(key, one) for one in value["anyOf"] if one != {"type": "null"}]
        rest = {name: one for name, one in value.items() if name != "anyOf"}
        value = {**kinds[0], **rest} if len(kinds) == 1 else {"anyOf": kinds, **rest}
    if key == "values":
        value["additionalProperties"] = {"type": ["string", "number"]}
    if value.get("type") == "array" and key in _SEVERAL:
        item = value.pop("items")
        value.pop("type")
        value = {"anyOf": [item, {"type": "array", "items": item}], **value}
    return value


def _described(value: dict[str, Any], said: str | None) -> dict[str, Any]:
    return {**value, "description": " ".join(said.split())} if said else value


def _drop_titles(value: Any) -> Any:
    if isinstance(value, list):
        return [_drop_titles(one) for one in value]
    if not isinstance(value, dict):
        return value
    return {
        key: _drop_titles(one) for key, one in value.items() if not (key == "title" and isinstance(one, str))
    }


def _attribute_docstrings() -> dict[tuple[str, str], str]:
    """Return what stands below each attribute of the mapping's tables."""
    found: dict[tuple[str, str], str] = {}
    for table in ast.parse(inspect.getsource(rules)).body:
        if not isinstance(table, ast.ClassDef):
            continue
        for one, following in zip(table.body, table.body[1:], strict=False):
            if not (isinstance(one, ast.AnnAssign) and isinstance(one.target, ast.Name)):
                continue
            if isinstance(following, ast.Expr) and isinstance(following.value, ast.Constant):
                found[table.name, one.target.id] = str(following.value.value)
    return found


def _text(schema: dict[str, Any]) -> str:
    return json.dumps(schema, indent=2, ensure_ascii=False) + "\n"
