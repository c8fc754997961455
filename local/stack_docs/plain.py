"""What a template says, in words that are the same in every environment and account."""

import json
import re
from collections.abc import Mapping
from typing import Any

from stacks.settings import Settings

# CDK puts eight hex digits behind an id; asset keys are named by 64 of them
_SUFFIX = re.compile(r"(?<=[a-zA-Z0-9])[0-9A-F]{8}\b")
_ASSET = re.compile(r"cdk-[a-z0-9]+-assets-<account>-<region>/[0-9a-f]{64}\.\w+")
_HASH = r"[0-9A-F]{8}"
_PUBLISHED = re.compile(rf"PublishOutput(?:Ref|FnGetAtt)(\w+){_HASH}")
_NAMED = re.compile(rf"(\w+?){_HASH}(\w*)")  # an id of CDK and an attribute
_IDENTITIES = ("", "Arn", "GroupId", "Id")  # attributes that say no more than the id


def text_of(value: Any) -> str:
    """A value as one text: references as logical ids, what other stacks give as `stack/id`."""
    if isinstance(value, str):
        return value
    if isinstance(value, Mapping) and len(value) == 1:
        [(function, argument)] = value.items()
        match function:
            case "Ref":
                return str(argument)
            case "Fn::GetAtt":
                return ".".join(argument)
            case "Fn::Join":
                return str(argument[0]).join(text_of(part) for part in argument[1])
            case "Fn::Select" | "Fn::Split":
                return text_of(argument[1])
            case "Fn::GetStackOutput":
                return f"{argument['StackName']}/{_published(argument['OutputName'])}"
    return json.dumps(_said(value), sort_keys=True)


def _said(value: Any) -> Any:
    """A structure with every reference inside as text."""
    if isinstance(value, list):
        return [_said(one) for one in value]
    if isinstance(value, Mapping):
        [first, *more] = value
        if not more and (first == "Ref" or first.startswith("Fn::")):
            return text_of(value)
        return {key: _said(inner) for key, inner in value.items()}
    return value


def plain(value: Any, settings: Settings) -> str:
    """The text without what sets one environment apart from another, and without CDK's hashes."""
    text = text_of(value)
    name = settings.environment
    for old, new in (
        (settings.account, "<account>"),
        (settings.region, "<region>"),
        (f"{settings.bucket_prefix}-", "<prefix>-"),
        (f"keystone-nexus-{name}", "keystone-nexus"),
        (f"nexus-{name}-", "nexus-"),
        (f"nexus_{name}_", "nexus_"),
    ):
        text = text.replace(old, new)
    text = _ASSET.sub("<asset>", text)
    text = text.replace(".Arn", "").replace("arn:aws:", "")
    return _SUFFIX.sub("", text)


def _published(output: str) -> str:
    """Weak references are outputs that CDK names by what they refer to."""
    found = _PUBLISHED.fullmatch(output)
    if found is None:
        return output
    named = _NAMED.fullmatch(found[1])
    name, attribute = named.groups() if named else (found[1].removesuffix("Arn"), "")
    return name if attribute in _IDENTITIES else f"{name}.{attribute}"
