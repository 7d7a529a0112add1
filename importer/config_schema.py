"""The tables that importer.toml may hold, checked by pydantic.

A module of its own, because pydantic is slow to import and most commands need no table checked.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from importer.config import Profile, Secret
from importer.errors import SettingsError
from importer.models import Mode


class ConfigTable(BaseModel):
    """A table of importer.toml: unknown keys are mistakes, types are not bent."""

    model_config = ConfigDict(extra="forbid", strict=True, hide_input_in_errors=True, allow_inf_nan=False)

    @classmethod
    def check(cls, table: dict[str, Any], file: str, place: str) -> Self:
        """The table as a model. Raises SettingsError `bad-settings` with file, key and reason."""
        try:
            return cls.model_validate(table)
        except ValidationError as error:
            first = error.errors(include_url=False, include_input=False)[0]
            key = ".".join([place, *(str(part) for part in first["loc"])])
            reason = first["msg"]
            if first["type"] == "extra_forbidden":
                reason = f"unknown key; allowed are {', '.join(cls.model_fields)}"
            raise SettingsError("bad-settings", file=file, place=key, reason=reason) from None


class ProfileTable(ConfigTable):
    """`[profile.NAME]`: one tenant."""

    base_url: str | None = None
    access_key: str | None = None
    access_secret: str | None = None
    tenant_id: int | str | None = None
    app_key: str | None = None
    contract: Literal["sea", "plat"] | None = None
    strict_binding: bool | None = None
    mode: Literal["replace", "update", "keep"] | None = None
    concurrency: int | None = Field(None, ge=1, le=64)
    rate: float | None = Field(None, ge=0)
    patience: float | None = Field(None, ge=0)
    env_file: str | None = None
    secret_command: str | None = None

    @classmethod
    def read(cls, table: dict[str, Any], file: str, place: str) -> Profile:
        """The profile that the table describes. Raises SettingsError `bad-settings`."""
        found = cls.check(table, file, place)
        return Profile(
            base_url=found.base_url,
            access_key=Secret(found.access_key) if found.access_key else None,
            access_secret=Secret(found.access_secret) if found.access_secret else None,
            tenant_id=None if found.tenant_id is None else str(found.tenant_id),
            app_key=found.app_key,
            contract=found.contract,
            strict_binding=found.strict_binding,
            mode=Mode[found.mode.upper()] if found.mode else None,
            concurrency=found.concurrency,
            rate=found.rate,
            patience=found.patience,
            env_file=Path(found.env_file) if found.env_file else None,
            secret_command=found.secret_command,
        )
