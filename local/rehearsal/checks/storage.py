"""Buckets, keys and the boundary of roles."""

import json
from typing import Any

from botocore.exceptions import ClientError

from local.rehearsal.findings import require
from local.rehearsal.scene import Scene

LAYERS = ("landing", "bronze", "silver", "quarantine", "gold")
_VERSIONED = ("bronze", "silver", "quarantine", "gold")
BOUNDARY = "nexus-boundary"


def buckets(scene: Scene) -> str:
    """Of the lake: encrypted with its key, private, owned by the account, versioned where promised."""
    s3, key = scene.client("s3"), _lake_key(scene)
    for layer in LAYERS:
        name = getattr(scene.names.buckets, layer)
        [rule] = s3.get_bucket_encryption(Bucket=name)["ServerSideEncryptionConfiguration"]["Rules"]
        default = rule["ApplyServerSideEncryptionByDefault"]
        require(
            default == {"SSEAlgorithm": "aws:kms", "KMSMasterKeyID": key}, f"{name} is encrypted by {default}"
        )
        block = s3.get_public_access_block(Bucket=name)["PublicAccessBlockConfiguration"]
        require(all(block.values()) and len(block) == 4, f"{name} may become public: {block}")
        owners = s3.get_bucket_ownership_controls(Bucket=name)["OwnershipControls"]["Rules"]
        require(owners == [{"ObjectOwnership": "BucketOwnerEnforced"}], f"{name} is owned by {owners}")
        _require_lifecycle(s3, name)
        versioned = s3.get_bucket_versioning(Bucket=name).get("Status") == "Enabled"
        require(versioned == (layer in _VERSIONED), f"{name} is versioned: {versioned}")
    return f"{len(LAYERS)} of the lake: encrypted by its key, private; versioned: {', '.join(_VERSIONED)}"


def _lake_key(scene: Scene) -> str:
    aliases = scene.client("kms").list_aliases()["Aliases"]
    wanted = f"alias/{scene.names.of('lake')}"
    found = [alias["TargetKeyId"] for alias in aliases if alias["AliasName"] == wanted]
    require(found, f"there is no key {wanted}")
    return f"arn:aws:kms:{scene.settings.region}:{scene.settings.account}:key/{found[0].split('/')[-1]}"


def _require_lifecycle(s3: Any, name: str) -> None:
    rules = s3.get_bucket_lifecycle_configuration(Bucket=name)["Rules"]
    leftovers = [rule for rule in rules if "AbortIncompleteMultipartUpload" in rule]
    require(leftovers, f"{name} keeps the leftovers of uploads for ever")


def policies(scene: Scene) -> str:
    """That they say it; whether S3 does it is proven elsewhere."""
    s3 = scene.client("s3")
    for layer in LAYERS:
        name = getattr(scene.names.buckets, layer)
        denied = [s for s in _statements(s3, name) if s["Effect"] == "Deny"]
        conditions = [json.dumps(s.get("Condition", {})) for s in denied]
        require(
            any('"aws:SecureTransport": "false"' in c for c in conditions),
            f"{name} takes requests without TLS",
        )
    bronze = {s.get("Sid"): s for s in _statements(s3, scene.names.buckets.bronze)}
    require("DenyRewrites" in bronze, "Bronze does not refuse overwriting")
    condition = bronze["DenyRewrites"]["Condition"]
    require(condition["Null"] == {"s3:if-none-match": "true"}, f"Bronze refuses overwriting on {condition}")
    return "every bucket denies what comes without TLS, Bronze a PutObject without If-None-Match"


def _statements(s3: Any, name: str) -> list[dict[str, Any]]:
    try:
        found: list[dict[str, Any]] = json.loads(s3.get_bucket_policy(Bucket=name)["Policy"])["Statement"]
    except ClientError as error:
        require(False, f"{name} has no policy: {error}")
        raise
    return found


def boundary(scene: Scene) -> str:
    """Every role of the stacks, and the one that CloudFormation deploys with."""
    iam, prefix = scene.client("iam"), scene.names.stack("")
    ours = {e.physical_id for e in scene.entries if e.type == "AWS::IAM::Role" and e.stack.startswith(prefix)}
    deployer = f"cdk-hnb659fds-cfn-exec-role-{scene.settings.account}-{scene.settings.region}"
    for name in sorted({*ours, deployer}):
        role = iam.get_role(RoleName=name)["Role"]
        found = role.get("PermissionsBoundary", {}).get("PermissionsBoundaryArn", "none")
        require(found.endswith(f":policy/{BOUNDARY}"), f"the boundary of {name} is {found}")
    return f"{len(ours)} roles of the stacks and CloudFormation's own"
