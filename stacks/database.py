"""The ledger's PostgreSQL: the instance, its proxy where there is one, who may sign in, and its migrations."""

from pathlib import Path

from aws_cdk import CustomResource, Duration, Fn, RemovalPolicy
from aws_cdk import aws_ec2 as ec2
from aws_cdk import aws_iam as iam
from aws_cdk import aws_kms as kms
from aws_cdk import aws_logs as logs
from aws_cdk import aws_rds as rds
from constructs import Construct

from stacks.assets import Assets
from stacks.base import NexusStack, acknowledge, statement
from stacks.functions import FunctionSpec, Place, add_function, log_retention
from stacks.ledger_proxy import add_proxy
from stacks.ledger_restore import let_restore
from stacks.ledger_users import USERS, known
from stacks.network import NetworkStack
from stacks.security_groups import POSTGRES
from stacks.settings import Settings

DATABASE = "ledger"
OWNER = "nexus_owner"
_CONNECTION = "LedgerConnectionId"


class DatabaseStack(NexusStack):
    """`ledger_url(user)` and `may_connect(user)` are all that others need; their security groups are let in already."""

    def __init__(
        self, scope: Construct, settings: Settings, assets: Assets, *, network: NetworkStack
    ) -> None:
        super().__init__(
            scope, settings, "database", "PostgreSQL of the ledger, its users and migrations", stateful=True
        )
        self._network = network
        self._key = self._add_key()
        self.instance = self._add_instance()
        let_restore(self, self.instance)
        self.proxy = self._add_proxy() if settings.database.proxy else None
        self._add_migration(assets)
        self.add_output("LedgerHost", self._host(), "Address of the ledger inside the network")
        self.add_output(_CONNECTION, self._connection_id(), "What IAM calls the thing that users sign in to")
        self.add_output(
            "LedgerOwnerSecretArn",
            self._owner_secret(),
            "Secret of the database's owner; RDS rotates it every week",
        )

    def ledger_url(self, user: str) -> str:
        """NEXUS_LEDGER_URL of a user: through the proxy where there is one, with a token instead of a password."""
        return f"postgresql://{known(user)}@{self._host()}:{POSTGRES}/{DATABASE}?sslmode=verify-full&auth=iam"

    def may_connect(self, user: str) -> iam.PolicyStatement:
        """For roles of other stacks: to sign in as that user, and no other.

        They read an output: CloudFormation takes no reference apart that points to another stack.
        """
        connection_id = Fn.get_stack_output(self.stack_name, _CONNECTION, self.settings.region)
        return self._signs_in(connection_id, [known(user)])

    def _signs_in(self, connection_id: str, users: list[str]) -> iam.PolicyStatement:
        place = f"arn:aws:rds-db:{self.settings.region}:{self.settings.account}:dbuser:{connection_id}"
        return statement("SignInToLedger", ["rds-db:connect"], [f"{place}/{user}" for user in users])

    def _add_key(self) -> kms.Key:
        return kms.Key(
            self,
            "LedgerKey",
            alias=f"alias/{self.names.of('ledger')}",
            description=f"Encrypts the ledger of {self.settings.environment}, its backups and its owner's secret",
            enable_key_rotation=True,
            removal_policy=self.removal,
        )

    def _add_instance(self) -> rds.DatabaseInstance:
        sizes, key = self.settings.database, self._key
        engine = rds.DatabaseInstanceEngine.postgres(version=rds.PostgresEngineVersion.VER_17_9)
        instance = rds.DatabaseInstance(
            self,
            "Ledger",
            instance_identifier=self.names.ledger_instance,
            database_name=DATABASE,
            engine=engine,
            instance_type=ec2.InstanceType(sizes.instance),
            credentials=rds.Credentials.from_username(OWNER, encryption_key=key),
            manage_master_user_password=True,  # RDS keeps the secret and rotates it by itself
            iam_authentication=True,
            ca_certificate=rds.CaCertificate.RDS_CA_RSA2048_G1,  # adapters/ledger/rds_roots.pem has its roots
            parameters={"rds.force_ssl": "1", "log_min_duration_statement": "1000"},
            vpc=self._network.vpc,
            vpc_subnets=ec2.SubnetSelection(subnet_group_name="private"),
            security_groups=[self._network.groups.database],
            port=POSTGRES,
            multi_az=sizes.multi_az,
            allocated_storage=sizes.storage_gib,
            max_allocated_storage=sizes.most_storage_gib,
            storage_type=rds.StorageType.GP3,
            storage_encrypted=True,
            storage_encryption_key=key,
            backup_retention=Duration.days(sizes.backup_days),
            copy_tags_to_snapshot=True,
            delete_automated_backups=self.settings.destroys,
            auto_minor_version_upgrade=True,
            deletion_protection=not self.settings.destroys,
            cloudwatch_logs_exports=["postgresql"],
            removal_policy=self.removal,
        )
        instance.node.add_dependency(self._add_log_group())
        self._accept_rules(instance)
        return instance

    def _add_log_group(self) -> logs.LogGroup:
        """Made before RDS would make it, without an end to what it keeps."""
        return logs.LogGroup(
            self,
            "LedgerLogs",
            log_group_name=f"/aws/rds/instance/{self.names.ledger_instance}/postgresql",
            retention=log_retention(self.settings.observability.log_days),
            removal_policy=RemovalPolicy.DESTROY,
        )

    def _add_proxy(self) -> rds.CfnDBProxy:
        signs_in = self._signs_in(self._resource_id(), sorted(USERS))
        return add_proxy(self, self.instance.instance_identifier, signs_in, self._network)

    def _add_migration(self, assets: Assets) -> None:
        """Runs at every deployment that brings a migration or a user, and fails it if it cannot."""
        function = add_function(
            self,
            "MigrateLedger",
            FunctionSpec(
                package="migrate_ledger",
                description="Brings the ledger's tables and users to this version while it is deployed",
                timeout=Duration.minutes(5),
                environment={
                    "NEXUS_LEDGER_SECRET": self._owner_secret(),
                    "NEXUS_LEDGER_HOST": self.instance.db_instance_endpoint_address,
                    "NEXUS_LEDGER_PORT": str(POSTGRES),
                    "NEXUS_LEDGER_DATABASE": DATABASE,
                },
                may=self._may_read_owner_secret(),
                place=Place(self._network.vpc, self._network.groups.functions),
            ),
            assets,
        )
        CustomResource(
            self,
            "LedgerSchema",
            resource_type="Custom::LedgerSchema",
            service_token=function.function_arn,
            service_timeout=Duration.minutes(10),
            properties={"Migrations": _migrations(), "Users": dict(USERS)},
        )

    def _may_read_owner_secret(self) -> list[iam.PolicyStatement]:
        through_secrets = {
            "StringEquals": {"kms:ViaService": f"secretsmanager.{self.settings.region}.amazonaws.com"}
        }
        return [
            statement("ReadOwnerSecret", ["secretsmanager:GetSecretValue"], [self._owner_secret()]),
            statement("ReadWithLedgerKey", ["kms:Decrypt"], [self._key.key_arn], through_secrets),
        ]

    def _owner_secret(self) -> str:
        secret = self.instance.secret
        assert secret is not None, "RDS manages the owner's password"
        return secret.secret_arn

    def _host(self) -> str:
        return self.proxy.attr_endpoint if self.proxy else self.instance.db_instance_endpoint_address

    def _resource_id(self) -> str:
        found = self.instance.instance_resource_id
        assert found is not None, "an instance made here has one"
        return found

    def _connection_id(self) -> str:
        """What IAM calls the thing that users sign in to: the last part of the proxy's ARN, or the instance's id."""
        if self.proxy is None:
            return self._resource_id()
        return Fn.select(6, Fn.split(":", self.proxy.attr_db_proxy_arn))

    def _accept_rules(self, instance: rds.DatabaseInstance) -> None:
        acknowledge(
            instance, "AwsSolutions-RDS11", "Only the security groups of its clients reach the port at all."
        )
        if not self.settings.database.multi_az:
            acknowledge(
                instance,
                "AwsSolutions-RDS3",
                "This environment may wait for a restore; production has two zones.",
            )
        if self.settings.destroys:
            acknowledge(
                instance, "AwsSolutions-RDS10", "Two switches agree that this environment is to be destroyed."
            )


def _migrations() -> list[str]:
    folder = Path(__file__).parents[1] / "adapters" / "ledger" / "migrations"
    return sorted(path.name for path in folder.glob("*.sql"))
