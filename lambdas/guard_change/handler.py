"""The Lambda behind custom resources that others wait for: it fails the deployment before anything is changed."""

from collections.abc import Mapping
from typing import Any

import boto3

from adapters.custom_resource import RequestKind, answering
from lakehouse.errors import SettingsError
from lambdas.guard_change.rules import refusals

_GOES_BACK = "ROLLBACK"


def guard(event: Mapping[str, Any], stacks: Any) -> Mapping[str, str]:
    """Compares the property `Things` with what was deployed before; `GrowOnly` names what never gets less.

    A stack that rolls back is let through: it returns to what was there, in as many ways as it left it.
    """
    before = event.get("OldResourceProperties", {}).get("Things", {})
    properties = event.get("ResourceProperties", {})
    found = refusals(before, properties.get("Things", {}), properties.get("GrowOnly", []))
    if found and not _rolls_back(stacks, event["StackId"]):
        raise SettingsError("; ".join(found))
    return {"Things": str(len(properties.get("Things", {})))}


def _rolls_back(stacks: Any, stack: str) -> bool:
    [found] = stacks.describe_stacks(StackName=stack)["Stacks"]
    return _GOES_BACK in found["StackStatus"]


def lambda_handler(event: Mapping[str, Any], context: Any) -> None:
    """Only an update changes something that is there."""

    def work(kind: RequestKind, _properties: Mapping[str, Any]) -> Mapping[str, str]:
        return guard(event, boto3.client("cloudformation")) if kind == "Update" else {}

    answering("change-guard", work)(event, context)
