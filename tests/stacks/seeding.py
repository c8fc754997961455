"""Ways to spoil a template: what the seeded defects are made of."""

from collections.abc import Callable, Iterator
from typing import Any

Change = Callable[[dict[str, Any]], None]


def properties(template: dict[str, Any], kind: str, **where: Any) -> Iterator[dict[str, Any]]:
    """Properties of the resources of a type, to be changed in place; `where` holds what some of them must be."""
    for resource in template["Resources"].values():
        held = resource.setdefault("Properties", {})
        if resource["Type"] == kind and all(held.get(key) == value for key, value in where.items()):
            yield held


def put(kind: str, path: str, value: Any, **where: Any) -> Change:
    """Sets what lies under a dotted path, in the first resource of the type."""

    def change(template: dict[str, Any]) -> None:
        held: Any = next(properties(template, kind, **where))
        *way, last = path.split(".")
        for step in way:
            held = held[int(step)] if isinstance(held, list) else held.setdefault(step, {})
        if isinstance(held, list):
            held[int(last)] = value
        else:
            held[last] = value

    return change


def drop(kind: str, path: str, **where: Any) -> Change:
    """Removes what lies under a dotted path, in the first resource of the type."""

    def change(template: dict[str, Any]) -> None:
        held: Any = next(properties(template, kind, **where))
        *way, last = path.split(".")
        for step in way:
            held = held[int(step)] if isinstance(held, list) else held[step]
        del held[int(last) if isinstance(held, list) else last]

    return change


def remove(kind: str, **where: Any) -> Change:
    """Removes the first resource of the type."""

    def change(template: dict[str, Any]) -> None:
        held = next(properties(template, kind, **where))
        resources = template["Resources"]
        del resources[next(name for name, one in resources.items() if one.get("Properties") is held)]

    return change


def statement_of(template: dict[str, Any], sid: str, owner: str = "") -> dict[str, Any]:
    """The first statement with this Sid in any policy of the template, of a resource whose id begins with `owner`."""
    for name, resource in template["Resources"].items():
        for key in ("PolicyDocument", "KeyPolicy"):
            for one in resource.get("Properties", {}).get(key, {}).get("Statement", []):
                if one.get("Sid") == sid and name.startswith(owner):
                    found: dict[str, Any] = one
                    return found
    raise KeyError(f"no statement {sid} of {owner or 'anything'}")


def allow(sid: str, *, owner: str = "", actions: list[str] | None = None, resource: Any = None) -> Change:
    """Widens a statement: more actions, another resource."""

    def change(template: dict[str, Any]) -> None:
        found = statement_of(template, sid, owner)
        known = found["Action"] if isinstance(found["Action"], list) else [found["Action"]]
        found["Action"] = [*known, *(actions or [])]
        if resource is not None:
            found["Resource"] = resource

    return change


def without_statement(sid: str) -> Change:
    """Removes a statement from whatever policy holds it."""

    def change(template: dict[str, Any]) -> None:
        found = statement_of(template, sid)
        for resource in template["Resources"].values():
            for key in ("PolicyDocument", "KeyPolicy"):
                statements = resource.get("Properties", {}).get(key, {}).get("Statement", [])
                if found in statements:
                    statements.remove(found)

    return change


def without_policy_of(bucket: str) -> Change:
    """A bucket loses its whole policy."""

    def change(template: dict[str, Any]) -> None:
        resources = template["Resources"]
        for name in [
            n for n, r in resources.items() if r["Type"] == "AWS::S3::BucketPolicy" and n.startswith(bucket)
        ]:
            del resources[name]

    return change


def unkept(kind: str) -> Change:
    """What must stay when its stack goes is deleted with it."""

    def change(template: dict[str, Any]) -> None:
        found = next(r for r in template["Resources"].values() if r["Type"] == kind)
        found["DeletionPolicy"] = found["UpdateReplacePolicy"] = "Delete"

    return change


def renamed(kind: str) -> Change:
    """A logical id changes: CloudFormation would make a new one and drop the old."""

    def change(template: dict[str, Any]) -> None:
        resources = template["Resources"]
        name = next(n for n, r in resources.items() if r["Type"] == kind)
        resources[f"{name}X"] = resources.pop(name)

    return change


def opened(port: int) -> Change:
    """A security group lets in the whole world."""

    def change(template: dict[str, Any]) -> None:
        found = next(properties(template, "AWS::EC2::SecurityGroupIngress", ToPort=port))
        found.pop("SourceSecurityGroupId", None)
        found["CidrIp"] = "0.0.0.0/0"

    return change


def server_property(name: str, value: str) -> Change:
    """A line of the brokers' configuration."""

    def change(template: dict[str, Any]) -> None:
        found = next(properties(template, "AWS::MSK::Configuration"))
        lines = found["ServerProperties"].splitlines()
        found["ServerProperties"] = "\n".join(
            f"{name}={value}" if line.startswith(f"{name}=") else line for line in lines
        )

    return change


def plain_http(template: dict[str, Any]) -> None:
    """Bronze's policy no longer refuses what comes without TLS."""
    for name, resource in template["Resources"].items():
        if resource["Type"] == "AWS::S3::BucketPolicy" and name.startswith("Bronze"):
            document = resource["Properties"]["PolicyDocument"]
            document["Statement"] = [
                s
                for s in document["Statement"]
                if "Bool" not in s.get("Condition", {}) or s["Action"] != "s3:*"
            ]
