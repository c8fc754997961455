"""Airflow on MWAA: what it runs on, what it installs, and what its DAGs may do.

A stack of its own because an update of the environment takes half an hour. It is composed when `dags/` exists.
"""

from aws_cdk import CustomResource, Duration, RemovalPolicy
from aws_cdk import aws_iam as iam
from aws_cdk import aws_logs as logs
from aws_cdk import aws_mwaa as mwaa
from aws_cdk import aws_s3_assets as s3_assets
from constructs import Construct

from stacks.airflow_role import add_airflow_role, let_logs_use_key
from stacks.assets import Assets
from stacks.base import NexusStack, statement
from stacks.catalog import CatalogStack
from stacks.database import DatabaseStack
from stacks.functions import FunctionSpec, add_function, log_retention
from stacks.network import NetworkStack
from stacks.settings import Settings
from stacks.storage import StorageStack

# Built files, and under which key of the artifacts bucket each is put: a new content is a new key, which is what
# makes MWAA take it.
_FILES = {
    "requirements": "airflow-requirements.txt",
    "plugins": "airflow-plugins.zip",
    "startup": "airflow-startup.sh",
}
_DAGS = "airflow-dags.zip"
_DAG_FOLDER = "airflow/dags"
LOG_KINDS = ("DAGProcessing", "Scheduler", "Task", "WebServer", "Worker")


class OrchestrationStack(NexusStack):
    """`environment` is MWAA's."""

    def __init__(
        self,
        scope: Construct,
        settings: Settings,
        assets: Assets,
        *,
        network: NetworkStack,
        storage: StorageStack,
        catalog: CatalogStack,
        database: DatabaseStack,
    ) -> None:
        super().__init__(
            scope, settings, "orchestration", "Airflow (MWAA), what it installs, what its DAGs may do"
        )
        self._network = network
        self._storage = storage
        self._keys: dict[str, str] = {}
        placed = self._place_files(assets)
        role = add_airflow_role(self, storage=storage, catalog=catalog, database=database)
        let_logs_use_key(storage.lake_key, self)
        groups = self._add_log_groups()
        self.environment_ = self._add_environment(role)
        self.environment_.node.add_dependency(placed, role, *groups)
        self.add_output("AirflowUrl", self.environment_.attr_webserver_url, "Airflow's page, by IAM sign-in")

    def _place_files(self, assets: Assets) -> CustomResource:
        """Through a function of ours, since CloudFormation itself puts no objects."""
        files: dict[str, s3_assets.Asset] = {}
        for purpose, name in _FILES.items():
            asset = s3_assets.Asset(self, purpose.capitalize(), path=str(assets.file(name)))
            stem, _, ending = name.rpartition(".")
            self._keys[purpose] = f"airflow/{stem.removeprefix('airflow-')}-{asset.asset_hash[:16]}.{ending}"
            files[self._keys[purpose]] = asset
        dags = s3_assets.Asset(self, "Dags", path=str(assets.file(_DAGS)))
        artifacts = self._storage
        function = add_function(
            self,
            "PlaceFiles",
            FunctionSpec(
                package="place_files",
                description="Puts DAGs and what Airflow installs into the artifacts bucket while it is deployed",
                timeout=Duration.minutes(5),
                memory_mib=512,  # plugins with their wheels are held whole
                may=[
                    self._may_read_assets([*files.values(), dags]),
                    *artifacts.may_list("artifacts"),
                    *artifacts.may_write("artifacts", "airflow/"),
                    *artifacts.may_delete("artifacts", f"{_DAG_FOLDER}/"),
                ],
                pandas=False,
            ),
            assets,
        )
        return CustomResource(
            self,
            "Files",
            resource_type="Custom::PlacedFiles",
            service_token=function.function_arn,
            service_timeout=Duration.minutes(6),
            properties={
                "Bucket": self.names.artifacts_bucket,
                "Files": {
                    key: f"{asset.s3_bucket_name}/{asset.s3_object_key}" for key, asset in files.items()
                },
                "Folders": {f"{_DAG_FOLDER}/": f"{dags.s3_bucket_name}/{dags.s3_object_key}"},
            },
        )

    def _may_read_assets(self, assets: list[s3_assets.Asset]) -> iam.PolicyStatement:
        objects = [asset.bucket.arn_for_objects(asset.s3_object_key) for asset in assets]
        return statement("ReadAssets", ["s3:GetObject"], objects)

    def _add_log_groups(self) -> list[logs.LogGroup]:
        """Made before MWAA would make them, without an end to what they keep."""
        return [
            logs.LogGroup(
                self,
                f"{kind}Logs",
                log_group_name=f"airflow-{self.names.airflow}-{kind}",
                retention=log_retention(self.settings.observability.log_days),
                encryption_key=self._storage.lake_key,
                removal_policy=RemovalPolicy.DESTROY,
            )
            for kind in LOG_KINDS
        ]

    def _add_environment(self, role: iam.Role) -> mwaa.CfnEnvironment:
        sizes = self.settings.orchestration
        micro = sizes.environment_class == "mw1.micro"
        subnets = self._network.vpc.select_subnets(subnet_group_name="private").subnet_ids
        told = mwaa.CfnEnvironment.ModuleLoggingConfigurationProperty(enabled=True, log_level="INFO")
        return mwaa.CfnEnvironment(
            self,
            "Airflow",
            name=self.names.airflow,
            airflow_version=sizes.airflow_version,
            environment_class=sizes.environment_class,
            execution_role_arn=role.role_arn,
            kms_key=self._storage.lake_key.key_arn,  # MWAA wants the key that its bucket has
            source_bucket_arn=self._storage.bucket("artifacts").bucket_arn,
            dag_s3_path=_DAG_FOLDER,
            requirements_s3_path=self._keys["requirements"],
            plugins_s3_path=self._keys["plugins"],
            startup_script_s3_path=self._keys["startup"],
            network_configuration=mwaa.CfnEnvironment.NetworkConfigurationProperty(
                subnet_ids=subnets[:2],  # exactly two
                security_group_ids=[self._network.groups.airflow.security_group_id],
            ),
            # without a way to the internet its page is inside the network too; sign-in is by IAM either way
            webserver_access_mode="PRIVATE_ONLY"
            if self.settings.network.egress == "endpoints"
            else "PUBLIC_ONLY",
            min_workers=1,
            max_workers=sizes.most_workers,
            schedulers=1 if micro else 2,
            min_webservers=1 if micro else 2,
            max_webservers=1 if micro else 2,
            worker_replacement_strategy="GRACEFUL",
            weekly_maintenance_window_start="SUN:03:30",  # UTC; between two runs of the nightly loads
            airflow_configuration_options={
                "core.default_task_retries": "2",  # deferred operators lose a race now and then
                "core.dags_are_paused_at_creation": "False",
            },
            logging_configuration=mwaa.CfnEnvironment.LoggingConfigurationProperty(
                dag_processing_logs=told,
                scheduler_logs=told,
                task_logs=told,
                webserver_logs=told,
                worker_logs=told,
            ),
        )
