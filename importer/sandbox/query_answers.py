"""The answer of customers/query in the forms that it may have, and with what a script makes it lie about.

The vendor's page ends before it names the answer's fields, so the real form is unknown: a list under a key,
with the names of batch_create; a bare list with names in camel case; records with pairs of name and value.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from importer.sandbox.faults import Fault, FaultKind

FORMS = ("list", "camel", "pairs", "other")
"""`other` is none that anybody would recognise a customer in."""
NEVER_SHOWN: tuple[str, ...] = ()
"""Fields that no answer shows."""
_AROUND = ("id", "tenant_id", "create_time", "update_time")


def lied(answer: Mapping[str, Any], faults: Sequence[Fault]) -> object:
    """Return the `data` of an answer as the faults of its request want it; as it is without any."""
    customers = [
        {name: value for name, value in one.items() if name not in NEVER_SHOWN} for one in answer["list"]
    ]
    form = "list"
    for fault in faults:
        if fault.kind is FaultKind.HIDE:
            customers = []
        elif fault.kind is FaultKind.TWICE:
            customers = [*customers, *({**one, "id": one["id"] + 1_000_000} for one in customers)]
        elif fault.kind is FaultKind.CUT_FIELD:
            for one in customers:
                if one.get(fault.field):
                    one[fault.field] = str(one[fault.field])[:-1]
        elif fault.kind is FaultKind.FORM:
            form = fault.form or form
    if form == "camel":
        return [{_camel(name): value for name, value in one.items()} for one in customers]
    if form == "pairs":
        return {"total": len(customers), "records": [_as_pairs(one) for one in customers]}
    if form == "other":
        return {"result": {"rows": [{"c1": one["id"], "c2": "…"} for one in customers], "n": len(customers)}}
    return {**answer, "list": customers}


def _camel(name: str) -> str:
    return re.sub(r"_([a-z])", lambda found: found[1].upper(), name)


def _as_pairs(customer: Mapping[str, Any]) -> Mapping[str, object]:
    around = {name: customer[name] for name in _AROUND if name in customer}
    inner = [{"name": name, "value": value} for name, value in customer.items() if name not in _AROUND]
    return {**around, "fields": inner}
