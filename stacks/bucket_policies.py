"""What buckets refuse whatever a role may do, and what becomes of old objects."""

from aws_cdk import Duration
from aws_cdk import aws_iam as iam
from aws_cdk import aws_s3 as s3

from stacks.settings import Settings

BALANCER_LOGS = "balancer"


def deny_rewrites(bucket: s3.Bucket, eraser: iam.IRole) -> None:
    """An object once written is not replaced, but by the erasure role.

    Every write must say `If-None-Match`, so that S3 itself refuses the second one. Parts of a multipart upload carry
    no condition; the call that makes the object of them does.
    """
    _deny(
        bucket,
        "DenyRewrites",
        ["s3:PutObject"],
        {
            "Null": {"s3:if-none-match": "true"},
            "Bool": {"s3:ObjectCreationOperation": "true"},
            **_but(eraser),
        },
    )


def deny_removal(bucket: s3.Bucket, eraser: iam.IRole) -> None:
    """An object once written is not removed, but by the erasure role: removing it would free its key."""
    _deny(bucket, "DenyRemoval", ["s3:DeleteObject", "s3:DeleteObjectVersion"], _but(eraser))


def _but(role: iam.IRole) -> dict[str, dict[str, str]]:
    return {"ArnNotEquals": {"aws:PrincipalArn": role.role_arn}}


def _deny(bucket: s3.Bucket, sid: str, actions: list[str], conditions: dict[str, dict[str, str]]) -> None:
    bucket.add_to_resource_policy(
        iam.PolicyStatement(
            sid=sid,
            effect=iam.Effect.DENY,
            principals=[iam.AnyPrincipal()],
            actions=actions,
            resources=[bucket.arn_for_objects("*")],
            conditions=conditions,
        )
    )


def take_balancer_logs(bucket: s3.Bucket, settings: Settings) -> None:
    """Lets the log service of this account and region write the balancer's access logs under `balancer/`."""
    service = iam.ServicePrincipal("delivery.logs.amazonaws.com")
    ours = {
        "StringEquals": {"aws:SourceAccount": settings.account},
        "ArnLike": {"aws:SourceArn": f"arn:aws:logs:{settings.region}:{settings.account}:*"},
    }
    for sid, action, resource in (
        (
            "BalancerLogs",
            "s3:PutObject",
            bucket.arn_for_objects(f"{BALANCER_LOGS}/AWSLogs/{settings.account}/*"),
        ),
        ("BalancerLogsAcl", "s3:GetBucketAcl", bucket.bucket_arn),
    ):
        bucket.add_to_resource_policy(
            iam.PolicyStatement(
                sid=sid, principals=[service], actions=[action], resources=[resource], conditions=ours
            )
        )


def lifecycle(
    undo_days: int = 0, cold_after_days: int = 0, expires_after_days: int = 0
) -> list[s3.LifecycleRule]:
    """Rules of a bucket; 0 leaves one out. Leftovers of uploads always go."""
    rules = [
        s3.LifecycleRule(
            id="upload-leftovers",
            # an upload takes minutes: what is older belongs to a writer that died
            abort_incomplete_multipart_upload_after=Duration.days(2),
        )
    ]
    if undo_days:
        rules.append(
            s3.LifecycleRule(
                id="undo",
                noncurrent_version_expiration=Duration.days(undo_days),
                expired_object_delete_marker=True,
            )
        )
    if cold_after_days:
        # S3 leaves objects below 128 KB where they are: moving them would cost more than it saves
        cold = s3.Transition(
            storage_class=s3.StorageClass.GLACIER_INSTANT_RETRIEVAL,
            transition_after=Duration.days(cold_after_days),
        )
        rules.append(s3.LifecycleRule(id="cold", transitions=[cold]))
    if expires_after_days:
        rules.append(s3.LifecycleRule(id="expiry", expiration=Duration.days(expires_after_days)))
    return rules
