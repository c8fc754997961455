"""A valid contract as a document, and changed copies of it."""

import copy
from typing import Any

import yaml

REMOVED = object()

PRICE_RULE = {
    "id": "price_in_range",
    "type": "custom",
    "engine": "keystone-nexus",
    "severity": "error",
    "dimension": "accuracy",
    "description": "The price is negative.",
    "implementation": {"rule": "between", "min": "0.00"},
}


def a_column(name: str, logical: str = "string", **more: Any) -> dict[str, Any]:
    """A property of a contract."""
    words = name.replace("_", " ")
    return {
        "name": name,
        "businessName": words,
        "logicalType": logical,
        "description": f"The {words}.",
        **more,
    }


def a_contract() -> dict[str, Any]:
    """A contract with a column of every kind, a rule under one of them and one across two."""
    return {
        "apiVersion": "v3.1.0",
        "kind": "DataContract",
        "id": "keystone-nexus-parcels",
        "name": "parcels",
        "version": "1.0.0",
        "status": "active",
        "description": {"purpose": "A test."},
        "customProperties": [
            {"property": "message", "value": "Parcel"},
            {"property": "delivery", "value": "stream"},
        ],
        "schema": [
            {
                "name": "parcels",
                "logicalType": "object",
                "description": "Parcels.",
                "dataGranularityDescription": "One row per parcel.",
                "properties": [
                    a_column("parcel_id", required=True, primaryKey=True, primaryKeyPosition=1),
                    a_column("pieces", "integer"),
                    a_column("price", "number", physicalType="decimal(10,2)", quality=[PRICE_RULE]),
                    a_column("latitude", "number", physicalType="double"),
                    a_column("sent_at", "timestamp"),
                    a_column("received_at", "timestamp"),
                ],
                "quality": [
                    {
                        **PRICE_RULE,
                        "id": "received_after_sent",
                        "severity": "warn",
                        "implementation": {
                            "rule": "compare",
                            "column": "received_at",
                            "operator": ">=",
                            "other": "sent_at",
                        },
                    }
                ],
            }
        ],
    }


def changed(path: str, value: Any) -> dict[str, Any]:
    """The contract with another value at a dotted path (numbers index lists); REMOVED takes the key away."""
    document = copy.deepcopy(a_contract())
    *steps, last = [int(step) if step.isdecimal() else step for step in path.split(".")]
    place: Any = document
    for step in steps:
        place = place[step]
    if value is REMOVED:
        del place[last]
    else:
        place[last] = value
    return document


def as_yaml(document: Any) -> str:
    """The text of a contract file."""
    return yaml.safe_dump(document, sort_keys=False)
