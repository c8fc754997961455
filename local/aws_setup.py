"""What AWS provisioning does for a deployment, for the AWS of one machine: made again at every start, idempotent."""

import json
from collections.abc import Mapping
from typing import Any

import boto3
from botocore.config import Config
from botocore.exceptions import ClientError

from lakehouse.errors import RegistryError, RuntimeFault
from lakehouse.paths import Buckets

CHECK_QUEUE = "check-rows"
DEAD_LETTER_QUEUE = "check-rows-dead"
CHECK_RULE = "bronze-object-created"
RETENTION_S = (
    14 * 24 * 3600
)  # the longest SQS offers: a stopped check hop loses no announcement for two weeks
VISIBILITY_TIMEOUT_S = 60  # a killed check runner's objects come back after it; one batch takes seconds
MAX_RECEIVES = 5  # attempts before a message is set aside; the sweeper and the ledger still know the object


def local_client(service: str, endpoint: str, region: str = "us-east-1") -> Any:
    """A boto3 client for the local server: path-style addresses, any keys, no checksums of its own on loopback."""
    config = Config(
        s3={"addressing_style": "path"},
        request_checksum_calculation="when_required",
        response_checksum_validation="when_required",
        retries={"mode": "standard", "max_attempts": 3},
    )
    return boto3.client(
        service,
        endpoint_url=endpoint,
        region_name=region,
        aws_access_key_id="local",
        aws_secret_access_key="local",  # noqa: S106 - moto takes any
        config=config,
    )


def prepare_aws(
    endpoint: str,
    bucket_prefix: str,
    *,
    region: str = "us-east-1",
    visibility_timeout_s: int = VISIBILITY_TIMEOUT_S,
    max_receives: int = MAX_RECEIVES,
) -> str:
    """Make the five buckets and S3 → EventBridge → SQS for Bronze; returns the URL of the check queue.

    Idempotent, also with other timeouts. The region is the server's. A message is one EventBridge event
    (`Object Created`, keys ending in `.parquet`); after `max_receives` receives it goes to `check-rows-dead`.
    """
    buckets = Buckets.of(bucket_prefix)
    _make_buckets(local_client("s3", endpoint, region), buckets, region)
    sqs = local_client("sqs", endpoint, region)
    dead = sqs.create_queue(QueueName=DEAD_LETTER_QUEUE)["QueueUrl"]
    sqs.set_queue_attributes(QueueUrl=dead, Attributes={"MessageRetentionPeriod": str(RETENTION_S)})
    url: str = sqs.create_queue(QueueName=CHECK_QUEUE)["QueueUrl"]
    redrive = {"deadLetterTargetArn": _queue_arn(sqs, dead), "maxReceiveCount": max_receives}
    sqs.set_queue_attributes(
        QueueUrl=url,
        Attributes={
            "VisibilityTimeout": str(visibility_timeout_s),
            "MessageRetentionPeriod": str(RETENTION_S),
            "RedrivePolicy": json.dumps(redrive),
        },
    )
    _send_bronze_events(local_client("events", endpoint, region), buckets.bronze, _queue_arn(sqs, url))
    return url


def register_schemas(
    endpoint: str, registry: str, definitions: Mapping[str, str], *, region: str = "us-east-1"
) -> dict[str, str]:
    """Register the protobuf definition of each entity; returns entity → schema version id.

    A definition that is known keeps its id, a changed one becomes the schema's next version. RegistryError if
    the registry takes one but does not make it available.
    """
    glue = local_client("glue", endpoint, region)
    if registry not in {r["RegistryName"] for r in glue.list_registries()["Registries"]}:
        glue.create_registry(RegistryName=registry)
    return {entity: _register(glue, registry, entity, text) for entity, text in definitions.items()}


def _make_buckets(s3: Any, buckets: Buckets, region: str) -> None:
    there = {bucket["Name"] for bucket in s3.list_buckets()["Buckets"]}
    place = {} if region == "us-east-1" else {"CreateBucketConfiguration": {"LocationConstraint": region}}
    for name in (buckets.landing, buckets.bronze, buckets.silver, buckets.quarantine, buckets.gold):
        if name not in there:
            s3.create_bucket(Bucket=name, **place)
    s3.put_bucket_notification_configuration(
        Bucket=buckets.bronze, NotificationConfiguration={"EventBridgeConfiguration": {}}
    )


def _send_bronze_events(events: Any, bucket: str, queue_arn: str) -> None:
    pattern = {
        "source": ["aws.s3"],
        "detail-type": ["Object Created"],
        "detail": {"bucket": {"name": [bucket]}, "object": {"key": [{"suffix": ".parquet"}]}},
    }
    events.put_rule(Name=CHECK_RULE, EventPattern=json.dumps(pattern), State="ENABLED")
    answer = events.put_targets(Rule=CHECK_RULE, Targets=[{"Id": CHECK_QUEUE, "Arn": queue_arn}])
    if answer["FailedEntryCount"]:
        raise RuntimeFault(f"rule {CHECK_RULE} did not take its queue: {answer['FailedEntries']}")


def _queue_arn(sqs: Any, url: str) -> str:
    answer = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])
    arn: str = answer["Attributes"]["QueueArn"]
    return arn


def _register(glue: Any, registry: str, entity: str, definition: str) -> str:
    schema = {"RegistryName": registry, "SchemaName": entity}
    try:
        version = glue.register_schema_version(SchemaId=schema, SchemaDefinition=definition)
    except ClientError as error:
        if error.response["Error"]["Code"] != "EntityNotFoundException":
            raise
        made = glue.create_schema(
            RegistryId={"RegistryName": registry},
            SchemaName=entity,
            DataFormat="PROTOBUF",
            Compatibility="BACKWARD",
            SchemaDefinition=definition,
        )
        version = {"SchemaVersionId": made["SchemaVersionId"], "Status": made["SchemaVersionStatus"]}
    if version["Status"] != "AVAILABLE":
        raise RegistryError(
            f"registry {registry} did not accept the definition of {entity} ({version['Status']}): "
            "it is not compatible with the versions before it"
        )
    found: str = version["SchemaVersionId"]
    return found
