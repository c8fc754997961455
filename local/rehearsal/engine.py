"""Puts our models of resources under moto's CloudFormation, which keeps stacks, change sets, conditions and functions.

moto's own models skip what they do not know; ours refuse it. A stack that cannot be made ends in ROLLBACK_COMPLETE
with the reason in its events, where the CDK command line looks for it. Nothing is rolled back: a failed rehearsal ends.
"""

import json
import logging
import time
from collections.abc import Mapping
from typing import Any

import yaml
from moto.cloudformation import parsing
from moto.cloudformation.exceptions import ValidationError
from moto.cloudformation.models import (
    ChangeSet,
    CloudFormationBackend,
    Event,
    Stack,
    cloudformation_backends,
)
from moto.cloudformation.parsing import OutputMap, ResourceMap

from local.moto_hooks import Hook, Original
from local.rehearsal.journal import Entry, Journal
from local.rehearsal.wanted import Home, Made, TemplateRefused, Wanted, make

_log = logging.getLogger(__name__)
# AWS's own public parameters, which moto does not let anybody write
_PUBLIC_PARAMETERS = "/aws/service/"
_IMAGE = "ami-0123456789abcdef0"


class Resource:
    """What moto's stack holds of a resource of ours."""

    def __init__(self, type_: str, logical_id: str, made: Made) -> None:
        self.cf_resource_type = type_
        self.logical_resource_id = logical_id
        self.physical_resource_id = made.ref
        self.attributes = made.attributes

    @classmethod
    def has_cfn_attr(cls, _name: str) -> bool:
        """Known once it is made."""
        return True

    def is_created(self) -> bool:
        """Models return when all is done."""
        return True

    def get_cfn_attribute(self, name: str) -> Any:
        """For `Fn::GetAtt`."""
        if name not in self.attributes:
            raise ValidationError(
                self.logical_resource_id, f"{self.cf_resource_type} has no attribute {name} in the local AWS"
            )
        return self.attributes[name]


class Engine:
    """Makes resources with the models, and writes down what it made."""

    def __init__(self, home: Home, journal: Journal) -> None:
        self._home = home
        self._journal = journal

    def hooks(self) -> tuple[Hook, ...]:
        """All that is wrapped in moto."""
        return (
            Hook(parsing, "parse_and_create_resource", self._create),
            Hook(parsing, "parse_and_update_resource", _refuse_update),
            Hook(parsing, "resource_class_from_type", lambda _original, _type: Resource),
            Hook(parsing, "clean_json", _clean),
            Hook(ResourceMap, "parse_ssm_parameter", _read_parameter),
            Hook(Stack, "create_resources", _create_or_fail),
            Hook(ChangeSet, "apply", _apply),
            Hook(CloudFormationBackend, "execute_change_set", _execute_or_fail),
            Hook(yaml, "load", _load_faster),
        )

    def _create(
        self,
        _original: Original,
        logical_id: str,
        resource: Mapping[str, Any],
        resources: Any,
        account_id: str,
        region_name: str,
    ) -> Resource | None:
        condition = resource.get("Condition")
        if condition and not resources.lazy_condition_map[condition]:
            return None
        started = time.monotonic()
        properties = parsing.clean_json(resource.get("Properties", {}), resources)
        stack = (resources["AWS::StackName"], resources.stack_id)
        wanted = Wanted(self._home, resource["Type"], logical_id, stack, properties)
        try:
            made = make(wanted)
        except Exception as error:
            if not getattr(error, "told", False):
                error.told = True  # type: ignore[attr-defined]  # resources that need this one fail with the same
                _tell_failure(resources.stack_id, account_id, region_name, wanted, error)
            raise
        seconds = round(time.monotonic() - started, 3)
        self._journal.add(
            Entry(
                wanted.stack_name,
                wanted.type,
                logical_id,
                made.ref,
                made.attributes,
                properties,
                tuple(wanted.unheld),
                seconds,
            )
        )
        return Resource(wanted.type, logical_id, made)


def _refuse_update(_original: Original, logical_id: str, *_args: Any, **_kwargs: Any) -> None:
    raise TemplateRefused(f"{logical_id} would change: the rehearsal deploys into an empty account, once")


def _tell_failure(stack_id: str, account: str, region: str, wanted: Wanted, error: Exception) -> None:
    stack = cloudformation_backends[account][region].get_stack(stack_id)
    reason = f"{type(error).__name__}: {error}"
    _log.error("%s %s: %s", wanted.type, wanted.logical_id, reason, exc_info=error)
    stack.events.append(
        Event(stack_id, stack.name, wanted.logical_id, "", wanted.type, "CREATE_FAILED", reason, None)
    )


def _create_or_fail(original: Original, stack: Stack) -> None:
    try:
        original(stack)
        stack.outputs  # noqa: B018 - computed when asked for; an output that cannot be computed fails its stack
    except Exception as error:  # noqa: BLE001 - outermost of a deployment: the reason belongs into the events
        _fail(stack, error)


def _apply(original: Original, change_set: ChangeSet) -> None:
    """As in `Stack.create_resources`, which moto does not call for change sets."""
    stack = change_set.stack
    stack.template, stack.template_dict = change_set.template, change_set.template_dict
    stack.description = stack.template_dict.get("Description")
    original(change_set)
    stack.output_map = stack._create_output_map()
    stack.outputs  # noqa: B018 - as above


def _execute_or_fail(
    original: Original, backend: CloudFormationBackend, change_set_name: str, stack_name: str | None = None
) -> None:
    try:
        original(backend, change_set_name, stack_name)
    except Exception as error:  # noqa: BLE001 - as above
        _fail(backend.describe_change_set(change_set_name).stack, error)


def _fail(stack: Stack, error: Exception) -> None:
    _log.error("stack %s: %s", stack.name, error, exc_info=error)
    resources = stack.resource_map
    made = set(resources._parsed_resources)
    # moto makes what is missing when somebody asks for it, or for an output
    resources._resource_json_map = {k: v for k, v in resources._resource_json_map.items() if k in made}
    stack.output_map = OutputMap(resources, {}, stack.stack_id)
    stack.status = "ROLLBACK_COMPLETE"
    stack._add_stack_event("ROLLBACK_IN_PROGRESS", f"{type(error).__name__}: {error}")
    stack._add_stack_event("ROLLBACK_COMPLETE")


def _clean(original: Original, value: Any, resources: Any) -> Any:
    if isinstance(value, dict) and "Fn::GetStackOutput" in value:
        return _stack_output(parsing.clean_json(value["Fn::GetStackOutput"], resources), resources)
    return original(value, resources)


def _stack_output(wanted: Mapping[str, str], resources: Any) -> Any:
    """A weak reference: the output of a stack that may later go, or change, without asking."""
    account, region = resources["AWS::AccountId"], wanted.get("Region") or resources["AWS::Region"]
    for stack in cloudformation_backends[account][region].stacks.values():
        if stack.name == wanted["StackName"] and stack.status.endswith("COMPLETE"):
            for output in stack.outputs or []:
                if output["OutputKey"] == wanted["OutputName"]:
                    return output["OutputValue"]
    raise TemplateRefused(f"stack {wanted['StackName']} has no output {wanted['OutputName']} (yet)")


def _read_parameter(original: Original, resources: ResourceMap, name: str, kind: str) -> Any:
    if name.startswith(_PUBLIC_PARAMETERS) and "AWS::EC2::Image::Id" in kind:
        return _IMAGE
    return original(resources, name, kind)


def _load_faster(original: Original, text: Any, *args: Any, **kwargs: Any) -> Any:
    """Templates of CDK are JSON, which is YAML too, but YAML takes seconds for them."""
    if isinstance(text, str) and text.lstrip().startswith("{"):
        return json.loads(text)
    return original(text, *args, **kwargs)
