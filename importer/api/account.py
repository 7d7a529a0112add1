"""The calls about an account: createApp, phoneList (vendor's pages of these names) and customers/fields.

createApp and phoneList are for integrators; their answers carry no traceId. Note the vendor's spelling:
phoneList takes `appkey`, everything else `app_key`. The tenant's fields are asked for once and then kept.
"""

from __future__ import annotations

import contextlib
import dataclasses
import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from importer.api.answers import one_line
from importer.contracts import endpoints
from importer.errors import RefusedError
from importer.models import TenantField
from importer.private_files import make_private_folder, open_plain_file, replace_private_file
from importer.user_folders import state_folder

if TYPE_CHECKING:
    from importer.api.client import Client
    from importer.config import Connection

TEXT_LENGTH = 500


@dataclass(frozen=True, slots=True)
class CustomerApp:
    """A customer application, as createApp answers it."""

    app_id: str
    app_name: str
    app_key: str


@dataclass(frozen=True, slots=True)
class PhoneNumber:
    """A number of an application: the ten fields of phoneList, under the vendor's names; empty where the
    answer has none."""

    display_phone_number: str
    quality_rating: str
    """GREEN, YELLOW, RED, UNKNOW (the vendor's spelling)."""
    verified_name: str
    name_status: str
    register_status: int | None
    """1 creation failed, 2 registration failed, 3 being created, 4 created, 5 registered."""
    status: str
    current_limit: str
    code_verification_status: str
    waba_id: str
    waba_name: str


def create_app(client: Client, name: str, webhook: str) -> CustomerApp:
    """Create a customer application. The request is sent again only where the server cannot have got it.

    Raises RefusedError, UnreachableError; `maybe-created` if no answer says what became of it.
    """
    body = {"app_name": name, "webhook": webhook}
    data = client.call(endpoints()["create_app"], _encode(body), repeatable=False)
    if not isinstance(data, dict) or not data.get("app_key"):
        raise RefusedError("odd-answer", detail="createApp: data.app_key")
    return CustomerApp(_text(data, "app_id"), _text(data, "app_name"), _text(data, "app_key"))


def phone_list(client: Client, appkey: str) -> tuple[PhoneNumber, ...]:
    """Return the numbers of an application. Raises RefusedError, UnreachableError."""
    data = client.call(endpoints()["phone_list"], _encode({"appkey": appkey}))
    return tuple(_phone(entry) for entry in _objects(data, "phoneList"))


def fields(client: Client) -> tuple[TenantField, ...]:
    """Return the customer fields of the connection's tenant, in the server's order, custom ones included.

    Raises RefusedError, UnreachableError.
    """
    query = (("tenant_id", client.connection.tenant_id), ("app_key", client.connection.app_key))
    data = client.call(endpoints()["fields"], query=query)
    return tuple(_field(entry) for entry in _objects(data, "customers/fields"))


def remembered_fields(connection: Connection) -> tuple[TenantField, ...] | None:
    """The fields as they were when somebody last asked for them; None if nobody did."""
    try:
        with open_plain_file(_fields_file(connection)) as file:
            entries = json.loads(file.read())
        return tuple(
            TenantField(**(entry | {"choices": tuple((str(i), str(name)) for i, name in entry["choices"])}))
            for entry in entries
        )
    except (OSError, ValueError, TypeError, KeyError):
        # What cannot be read is as good as not there: it can be asked for again.
        return None


def fetch_fields(client: Client) -> tuple[TenantField, ...]:
    """Ask the API and remember the answer. Raises RefusedError, UnreachableError."""
    found = fields(client)
    file = _fields_file(client.connection)
    with contextlib.suppress(OSError):
        # A list that cannot be kept costs the next run one request, no more.
        make_private_folder(file.parent)
        content = json.dumps([dataclasses.asdict(field) for field in found], ensure_ascii=False)
        replace_private_file(file, content.encode())
    return found


def _fields_file(connection: Connection) -> Path:
    there = connection.destination(endpoints()["fields"].base_url).key
    return state_folder() / "fields" / f"{hashlib.sha256(there.encode()).hexdigest()[:32]}.json"


def _phone(entry: Mapping[str, object]) -> PhoneNumber:
    status = _text(entry, "register_status")
    return PhoneNumber(
        display_phone_number=_text(entry, "display_phone_number"),
        quality_rating=_text(entry, "quality_rating"),
        verified_name=_text(entry, "verified_name"),
        name_status=_text(entry, "name_status"),
        register_status=int(status) if status.isdecimal() and len(status) < 10 else None,
        status=_text(entry, "status"),
        current_limit=_text(entry, "current_limit"),
        code_verification_status=_text(entry, "code_verification_status"),
        waba_id=_text(entry, "waba_id"),
        waba_name=_text(entry, "waba_name"),
    )


def _field(entry: Mapping[str, object]) -> TenantField:
    info = entry.get("field_type_info")
    try:
        found = json.loads(info) if isinstance(info, str) and info else info
    except (ValueError, RecursionError):
        found = None
    choices = found if isinstance(found, list) else []
    kind = entry.get("field_type")
    return TenantField(
        name=_text(entry, "name"),
        label=_text(entry, "display_name"),
        label_en=_text(entry, "display_en_name"),
        required=entry.get("required") in (True, 1),
        preset=entry.get("is_preset") in (True, 1),
        field_type=kind if type(kind) is int else 1,
        choices=tuple(
            (_text(choice, "id"), _text(choice, "name")) for choice in choices if isinstance(choice, dict)
        ),
        date_format=_text(found, "formatter") if isinstance(found, dict) else "",
    )


def _objects(data: object, call: str) -> list[Mapping[str, object]]:
    """Return the objects of an answer's list. null is an empty one. Raises RefusedError `odd-answer`."""
    if data in (None, ""):
        return []
    if not isinstance(data, list):
        raise RefusedError("odd-answer", detail=f"{call}: data")
    return [entry for entry in data if isinstance(entry, dict)]


def _text(entry: Mapping[str, object], name: str) -> str:
    value = entry.get(name)
    if isinstance(value, int | float) and not isinstance(value, bool):
        return str(value)
    return one_line(value, TEXT_LENGTH)


def _encode(body: Mapping[str, str]) -> bytes:
    return json.dumps(body, ensure_ascii=False, separators=(",", ":")).encode("utf-8", "replace")
