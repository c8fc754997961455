"""The buckets of the lake and of what runs beside it, their keys, and what a role may do with them."""

from collections.abc import Iterable, Mapping, Sequence

from aws_cdk import Duration
from aws_cdk import aws_iam as iam
from aws_cdk import aws_kms as kms
from aws_cdk import aws_s3 as s3
from constructs import Construct

from stacks.base import NexusStack, acknowledge, give, statement
from stacks.bucket_policies import deny_removal, deny_rewrites, lifecycle, take_balancer_logs
from stacks.bucket_specs import BucketSpec, specs
from stacks.settings import Settings

_ACCESS_LOG_DAYS = 365  # who read what is asked months later


class StorageStack(NexusStack):
    """Buckets by layer, the key of the lake, the role that may erase, and statements of what a role may do."""

    def __init__(self, scope: Construct, settings: Settings) -> None:
        super().__init__(
            scope, settings, "storage", "buckets of the lake, their keys and who may erase", stateful=True
        )
        self.lake_key = kms.Key(
            self,
            "LakeKey",
            alias=f"alias/{self.names.of('lake')}",
            description=f"Encrypts every object of the lake of {settings.environment}",
            enable_key_rotation=True,
            removal_policy=self.removal,
        )
        self._logs = self._add_logs_bucket()
        self._buckets = {layer: self._add_bucket(layer, spec) for layer, spec in specs(settings).items()}
        self.erasure_role = self._add_erasure_role()
        deny_rewrites(self._buckets["bronze"], self.erasure_role)
        if not settings.destroys:
            deny_removal(self._buckets["bronze"], self.erasure_role)
        for layer, spec in specs(settings).items():
            self.add_output(f"{_title(layer)}Bucket", self.bucket(layer).bucket_name, spec.holds)
        self.add_output(
            "LogsBucket", self._logs.bucket_name, "Access logs of the buckets and of the balancer"
        )
        self.add_output("ErasureRoleArn", self.erasure_role.role_arn, "Assume it to erase a person's rows")

    def bucket(self, layer: str) -> s3.Bucket:
        """landing, bronze, silver, gold, quarantine, artifacts, athena-results or logs."""
        return self._all()[layer]

    def arn(self, layer: str) -> str:
        """ARN of a bucket, in words: what a role may do reads the same in every template."""
        return f"arn:aws:s3:::{self.settings.bucket_prefix}-{layer}"

    def may_read(self, layer: str, *prefixes: str) -> list[iam.PolicyStatement]:
        """To get objects under the prefixes (all, without any)."""
        actions = ["s3:GetObject"]
        return [
            self._on_objects("Read", layer, actions, prefixes),
            self._with_key("Read", layer, ["kms:Decrypt"]),
        ]

    def may_write(self, layer: str, *prefixes: str) -> list[iam.PolicyStatement]:
        """To put objects, in parts as well."""
        actions = ["s3:AbortMultipartUpload", "s3:ListMultipartUploadParts", "s3:PutObject"]
        key_actions = ["kms:Decrypt", "kms:GenerateDataKey"]  # decrypt: the parts of an upload are read again
        return [
            self._on_objects("Write", layer, actions, prefixes),
            self._with_key("Write", layer, key_actions),
        ]

    def may_delete(self, layer: str, *prefixes: str) -> list[iam.PolicyStatement]:
        """To delete the current version of objects."""
        return [self._on_objects("Delete", layer, ["s3:DeleteObject"], prefixes)]

    def may_list(self, layer: str) -> list[iam.PolicyStatement]:
        """To list keys; without it S3 answers 403 instead of 404 for an object that is not there."""
        actions = ["s3:GetBucketLocation", "s3:ListBucket"]
        return [statement(f"List{_title(layer)}", actions, [self.arn(layer)])]

    def _on_objects(
        self, verb: str, layer: str, actions: Sequence[str], prefixes: Iterable[str]
    ) -> iam.PolicyStatement:
        keys = [f"{prefix}*" for prefix in prefixes] or ["*"]
        return statement(f"{verb}{_title(layer)}", actions, [f"{self.arn(layer)}/{key}" for key in keys])

    def _with_key(self, verb: str, layer: str, actions: Sequence[str]) -> iam.PolicyStatement:
        if self.bucket(layer).encryption_key is None:
            raise ValueError(f"{layer} has no key of ours")
        through_s3 = {"StringEquals": {"kms:ViaService": f"s3.{self.settings.region}.amazonaws.com"}}
        return statement(f"{verb}WithLakeKey", actions, [self.lake_key.key_arn], through_s3)

    def _all(self) -> Mapping[str, s3.Bucket]:
        return {**self._buckets, "logs": self._logs}

    def _add_bucket(self, layer: str, spec: BucketSpec) -> s3.Bucket:
        bucket = s3.Bucket(
            self,
            _title(layer),
            bucket_name=f"{self.settings.bucket_prefix}-{layer}",
            encryption=s3.BucketEncryption.KMS,
            encryption_key=self.lake_key,
            bucket_key_enabled=True,  # one call to KMS for many objects
            block_public_access=s3.BlockPublicAccess.BLOCK_ALL,
            object_ownership=s3.ObjectOwnership.BUCKET_OWNER_ENFORCED,
            enforce_ssl=True,
            minimum_tls_version=1.2,
            versioned=spec.undo_days > 0,
            lifecycle_rules=lifecycle(spec.undo_days, spec.cold_after_days, spec.expires_after_days),
            server_access_logs_bucket=self._logs,
            server_access_logs_prefix=f"s3/{layer}/",
            removal_policy=self.removal,
        )
        if spec.announces:
            # CDK's event_bridge_enabled makes a Lambda for it; the template's own property does not
            resource = bucket.node.default_child
            assert isinstance(resource, s3.CfnBucket)
            resource.add_property_override(
                "NotificationConfiguration.EventBridgeConfiguration.EventBridgeEnabled", True
            )
        return bucket

    def _add_logs_bucket(self) -> s3.Bucket:
        """Access logs arrive only where S3 itself holds the key."""
        bucket = s3.Bucket(
            self,
            "Logs",
            bucket_name=self.names.logs_bucket,
            encryption=s3.BucketEncryption.S3_MANAGED,
            block_public_access=s3.BlockPublicAccess.BLOCK_ALL,
            object_ownership=s3.ObjectOwnership.BUCKET_OWNER_ENFORCED,
            enforce_ssl=True,
            minimum_tls_version=1.2,
            lifecycle_rules=lifecycle(expires_after_days=_ACCESS_LOG_DAYS),
            removal_policy=self.removal,
        )
        take_balancer_logs(bucket, self.settings)
        acknowledge(
            bucket, "AwsSolutions-S1", "It receives the access logs; logging them would feed on itself."
        )
        return bucket

    def _add_erasure_role(self) -> iam.Role:
        """Whoever is allowed to assume it may replace and remove objects of the lake: for requests to be forgotten."""
        role = iam.Role(
            self,
            "ErasureRole",
            role_name=self.names.of("erasure"),
            assumed_by=iam.AccountPrincipal(self.account),
            description="Erases a person's rows from the lake; the only one that may change Bronze objects",
            max_session_duration=Duration.hours(1),
        )
        erase = ["s3:DeleteObject", "s3:DeleteObjectVersion", "s3:GetObjectVersion"]
        for layer in ("bronze", "silver", "quarantine"):
            give(role, [*self.may_list(layer), *self.may_read(layer), *self.may_write(layer)])
            give(role, [self._on_objects("Erase", layer, erase, ())])
        return role


def _title(layer: str) -> str:
    return "".join(part.capitalize() for part in layer.split("-"))
