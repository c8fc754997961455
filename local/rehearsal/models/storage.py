"""Buckets, their policies, images' repositories, parameters, and what CDK tells of itself."""

from collections.abc import Callable, Mapping
from typing import Any

from local.rehearsal.wanted import Made, TemplateRefused, Wanted, model


@model("AWS::S3::Bucket")
def make_bucket(wanted: Wanted) -> Made:
    """All that makes a bucket of the lake what it is, each part by its own call."""
    s3, region = wanted.client("s3"), wanted.home.region
    name = wanted.get("BucketName") or wanted.given_name(63).lower()
    place = {} if region == "us-east-1" else {"CreateBucketConfiguration": {"LocationConstraint": region}}
    s3.create_bucket(Bucket=name, **place)
    if encryption := wanted.get("BucketEncryption"):
        rules = [_encryption_rule(rule) for rule in encryption["ServerSideEncryptionConfiguration"]]
        s3.put_bucket_encryption(Bucket=name, ServerSideEncryptionConfiguration={"Rules": rules})
    if versioning := wanted.get("VersioningConfiguration"):
        s3.put_bucket_versioning(Bucket=name, VersioningConfiguration=versioning)
    if block := wanted.get("PublicAccessBlockConfiguration"):
        s3.put_public_access_block(Bucket=name, PublicAccessBlockConfiguration=block)
    if ownership := wanted.get("OwnershipControls"):
        s3.put_bucket_ownership_controls(Bucket=name, OwnershipControls=ownership)
    if lifecycle := wanted.get("LifecycleConfiguration"):
        rules = [_lifecycle_rule(rule) for rule in lifecycle["Rules"]]
        s3.put_bucket_lifecycle_configuration(Bucket=name, LifecycleConfiguration={"Rules": rules})
    # moto does what it says, and does not tell of it
    _notify(s3, name, wanted.note("NotificationConfiguration").get("NotificationConfiguration", {}))
    if tags := wanted.tags():
        s3.put_bucket_tagging(Bucket=name, Tagging={"TagSet": tags})
    # moto wants the grants of access logs by ACL, which AWS no longer does; AccessControl is CDK's own bucket's
    wanted.note("LoggingConfiguration", "AccessControl")
    regional = f"{name}.s3.{region}.amazonaws.com"
    return Made(name, {"Arn": f"arn:aws:s3:::{name}", "RegionalDomainName": regional})


def _encryption_rule(rule: Mapping[str, Any]) -> dict[str, Any]:
    default = rule["ServerSideEncryptionByDefault"]
    ours = {"SSEAlgorithm": default["SSEAlgorithm"]}
    if "KMSMasterKeyID" in default:
        ours["KMSMasterKeyID"] = default["KMSMasterKeyID"]
    return {
        "ApplyServerSideEncryptionByDefault": ours,
        "BucketKeyEnabled": rule.get("BucketKeyEnabled", False),
    }


_LIFECYCLE: dict[str, Callable[[Any], dict[str, Any]]] = {
    "Id": lambda value: {"ID": value},
    "Status": lambda value: {"Status": value},
    "Prefix": lambda value: {"Filter": {"Prefix": value}},
    "AbortIncompleteMultipartUpload": lambda value: {"AbortIncompleteMultipartUpload": value},
    "ExpirationInDays": lambda value: {"Expiration": {"Days": int(value)}},
    "ExpiredObjectDeleteMarker": lambda value: {"Expiration": {"ExpiredObjectDeleteMarker": value}},
    "NoncurrentVersionExpiration": lambda value: {"NoncurrentVersionExpiration": value},
    "Transitions": lambda value: {
        "Transitions": [
            {"StorageClass": t["StorageClass"], "Days": int(t["TransitionInDays"])} for t in value
        ]
    },
}


def _lifecycle_rule(rule: Mapping[str, Any]) -> dict[str, Any]:
    """CloudFormation's names are not the API's."""
    if unknown := set(rule) - set(_LIFECYCLE):
        raise TemplateRefused(
            f"a lifecycle rule has {', '.join(sorted(unknown))}: teach it to models/storage.py"
        )
    found: dict[str, Any] = {"Filter": {"Prefix": ""}}
    for name, value in rule.items():
        found |= _LIFECYCLE[name](value)
    return found


def _notify(s3: Any, name: str, configuration: Mapping[str, Any]) -> None:
    if unknown := set(configuration) - {"EventBridgeConfiguration"}:
        raise TemplateRefused(
            f"{name} notifies by {', '.join(sorted(unknown))}: the lake does by EventBridge alone"
        )
    if configuration.get("EventBridgeConfiguration", {}).get("EventBridgeEnabled"):
        s3.put_bucket_notification_configuration(
            Bucket=name, NotificationConfiguration={"EventBridgeConfiguration": {}}
        )


@model("AWS::S3::BucketPolicy")
def make_bucket_policy(wanted: Wanted) -> Made:
    """Kept; nobody is refused anything by it here."""
    wanted.client("s3").put_bucket_policy(Bucket=wanted["Bucket"], Policy=wanted.document("PolicyDocument"))
    return Made(wanted["Bucket"])


@model("AWS::ECR::Repository")
def make_repository(wanted: Wanted) -> Made:
    """CDK's own, for images that we have none of."""
    repository = wanted.client("ecr").create_repository(repositoryName=wanted["RepositoryName"])["repository"]
    wanted.note("ImageTagMutability", "LifecyclePolicy", "RepositoryPolicyText", "ImageScanningConfiguration")
    return Made(wanted["RepositoryName"], {"Arn": repository["repositoryArn"]})


@model("AWS::SSM::Parameter")
def make_parameter(wanted: Wanted) -> Made:
    """The version of the bootstrap, for one."""
    wanted.client("ssm").put_parameter(**wanted.pick("Name", "Type", "Value", "Description"))
    return Made(wanted["Name"], {"Value": wanted["Value"], "Type": wanted["Type"]})


@model("AWS::CDK::Metadata")
def make_metadata(wanted: Wanted) -> Made:
    """Which constructs made the template; means nothing to AWS."""
    wanted.get("Analytics")
    return Made(wanted.given_name())
