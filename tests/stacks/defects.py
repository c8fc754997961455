"""The defects that are seeded, each with the test that must see it. Whoever adds a promise adds its defect."""

from typing import Any

from tests.stacks.mutations import Change, Defect, allow, drop, properties, put, remove, statement_of

BUCKET, POLICY, KEY = "AWS::S3::Bucket", "AWS::S3::BucketPolicy", "AWS::KMS::Key"
DB, FUNCTION, QUEUE = "AWS::RDS::DBInstance", "AWS::Lambda::Function", "AWS::SQS::Queue"
CLUSTER, TOPIC, ALARM = "AWS::MSK::Cluster", "AWS::MSK::Topic", "AWS::CloudWatch::Alarm"
GROUP, TEMPLATE = "AWS::AutoScaling::AutoScalingGroup", "AWS::EC2::LaunchTemplate"
BRONZE = {"BucketName": "olist-data-lake-dev-bronze"}


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
        for name in [n for n, r in resources.items() if r["Type"] == POLICY and n.startswith(bucket)]:
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
        if resource["Type"] == POLICY and name.startswith("Bronze"):
            document = resource["Properties"]["PolicyDocument"]
            document["Statement"] = [
                s
                for s in document["Statement"]
                if "Bool" not in s.get("Condition", {}) or s["Action"] != "s3:*"
            ]


STORAGE = [
    Defect(
        "bronze loses its policy",
        "storage",
        without_policy_of("Bronze"),
        "test_storage::test_storage_buckets_refuse_anything_but_tls",
    ),
    Defect(
        "bronze takes plain HTTP",
        "storage",
        plain_http,
        "test_storage::test_storage_buckets_refuse_anything_but_tls",
    ),
    Defect(
        "a bucket is open to the public",
        "storage",
        put(BUCKET, "PublicAccessBlockConfiguration.BlockPublicPolicy", False),
        "test_storage::test_storage_buckets_are_closed_and_owned",
    ),
    Defect(
        "a bucket is no longer encrypted with our key",
        "storage",
        drop(BUCKET, "BucketEncryption", **BRONZE),
        "test_storage::test_storage_encrypts_with_one_key_of_ours_but_the_logs",
    ),
    Defect(
        "bronze is not versioned",
        "storage",
        drop(BUCKET, "VersioningConfiguration", **BRONZE),
        "test_storage::test_storage_keeps_old_versions_where_it_protects",
    ),
    Defect(
        "bronze expires after a month",
        "storage",
        put(BUCKET, "LifecycleConfiguration.Rules.0.ExpirationInDays", 30, **BRONZE),
        "test_storage::test_storage_expires_nothing_that_the_ledger_counts",
    ),
    Defect(
        "bronze no longer announces its objects",
        "storage",
        drop(BUCKET, "NotificationConfiguration", **BRONZE),
        "test_storage::test_storage_announces_new_objects_without_a_function_of_cdk",
    ),
    Defect(
        "the key of the lake does not rotate",
        "storage",
        put(KEY, "EnableKeyRotation", False),
        "test_storage::test_storage_encrypts_with_one_key_of_ours_but_the_logs",
    ),
    Defect(
        "the key of the lake is deleted with its stack",
        "storage",
        unkept(KEY),
        "test_app::test_stacks_keep_what_is_precious",
    ),
    Defect(
        "a bucket is deleted with its stack",
        "storage",
        unkept(BUCKET),
        "test_app::test_stacks_keep_what_is_precious",
    ),
    Defect(
        "a bucket has another id",
        "storage",
        renamed(BUCKET),
        "test_app::test_stacks_keep_the_ids_of_what_holds_state",
    ),
    Defect(
        "a bucket logs no access",
        "storage",
        drop(BUCKET, "LoggingConfiguration", **BRONZE),
        "test_storage::test_storage_logs_who_reads_and_writes",
    ),
    Defect(
        "the erasure role may delete buckets",
        "storage",
        allow("EraseBronze", actions=["s3:DeleteBucket"]),
        "test_iam::test_iam_lets_nobody_give_rights_or_take_away_what_keeps_the_lake",
    ),
]
NETWORK = [
    Defect(
        "postgres is open to the world",
        "network",
        opened(5432),
        "test_network::test_network_lets_nobody_in_from_everywhere",
    ),
    Defect(
        "kafka is open to the world",
        "network",
        opened(9098),
        "test_network::test_network_lets_nobody_in_from_everywhere",
    ),
    Defect(
        "a rule between groups is missing",
        "network",
        remove("AWS::EC2::SecurityGroupIngress", ToPort=5432),
        "test_network::test_network_opens_these_ways_in_both_directions_and_no_others",
        arguments={
            "kind": "AWS::EC2::SecurityGroupIngress",
            "own": "GroupId",
            "other": "SourceSecurityGroupId",
        },
    ),
    Defect(
        "flows are not logged",
        "network",
        remove("AWS::EC2::FlowLog"),
        "test_network::test_network_logs_all_flows_with_an_end",
    ),
    Defect(
        "flow logs are kept for ever",
        "network",
        drop("AWS::Logs::LogGroup", "RetentionInDays"),
        "test_observability::test_logs_are_kept_as_long_as_the_environment_says",
    ),
    Defect(
        "production gets a way to the internet",
        "network",
        lambda t: t["Resources"].update(Out={"Type": "AWS::EC2::InternetGateway"}),
        "test_network::test_network_with_endpoints_has_no_way_to_the_internet",
        environment="prod",
    ),
]
DATABASE = [
    Defect(
        "the ledger has a public address",
        "database",
        put(DB, "PubliclyAccessible", True),
        "test_database::test_database_is_closed_and_encrypted_with_a_key_of_ours",
    ),
    Defect(
        "the ledger's disk is not encrypted",
        "database",
        put(DB, "StorageEncrypted", False),
        "test_database::test_database_is_closed_and_encrypted_with_a_key_of_ours",
    ),
    Defect(
        "the ledger keeps backups for a day in production",
        "database",
        put(DB, "BackupRetentionPeriod", 1),
        "test_database::test_database_of_production_survives_a_zone_and_a_mistake",
        environment="prod",
    ),
    Defect(
        "the ledger of production has no standby",
        "database",
        put(DB, "MultiAZ", False),
        "test_database::test_database_of_production_survives_a_zone_and_a_mistake",
        environment="prod",
    ),
    Defect(
        "the ledger takes passwords only",
        "database",
        put(DB, "EnableIAMDatabaseAuthentication", False),
        "test_database::test_database_users_sign_in_by_iam",
    ),
    Defect(
        "a restored ledger is given an owner again",
        "database",
        put(DB, "MasterUsername", "nexus_owner"),
        "test_database::test_database_comes_back_from_a_snapshot_only_when_told",
    ),
    Defect(
        "the migration reads every secret",
        "database",
        allow("ReadOwnerSecret", resource="*"),
        "test_iam::test_iam_roles_may_what_the_list_says_and_no_more",
    ),
]
CATALOG = [
    Defect(
        "analysts read bronze",
        "catalog",
        allow("ReadGold", resource="arn:aws:s3:::olist-data-lake-dev-bronze/*"),
        "test_iam::test_iam_roles_may_what_the_list_says_and_no_more",
    ),
    Defect(
        "analysts read objects past Athena",
        "catalog",
        lambda t: statement_of(t, "ReadGold").pop("Condition"),
        "test_catalog::test_catalog_analysts_read_objects_through_athena_alone",
    ),
    Defect(
        "a schema version is deleted with its stack",
        "catalog",
        unkept("AWS::Glue::SchemaVersion"),
        "test_catalog::test_catalog_registers_every_published_version_for_ever",
    ),
    Defect(
        "a workgroup's limits are no longer enforced",
        "catalog",
        put("AWS::Athena::WorkGroup", "WorkGroupConfiguration.EnforceWorkGroupConfiguration", False),
        "test_catalog::test_catalog_workgroups_are_enforced_and_encrypted",
    ),
    Defect(
        "a table has lost its partitions",
        "catalog",
        drop("AWS::Glue::Table", "TableInput.PartitionKeys"),
        "test_catalog::test_catalog_tables_project_the_partitions_of_the_lakes_keys",
        arguments={"entity": "category_translation"},
    ),
    Defect(
        "a role names an action with a wildcard",
        "catalog",
        allow("ReadTables", actions=["glue:Get*"]),
        "test_iam::test_iam_names_actions_one_by_one",
    ),
]
STREAMING = [
    Defect(
        "kafka elects unclean leaders",
        "streaming",
        server_property("unclean.leader.election.enable", "true"),
        "test_streaming::test_streaming_configuration_loses_nothing",
    ),
    Defect(
        "one copy is enough for an acknowledgement",
        "streaming",
        server_property("min.insync.replicas", "1"),
        "test_streaming::test_streaming_configuration_loses_nothing",
    ),
    Defect(
        "kafka lets in whoever comes",
        "streaming",
        put(CLUSTER, "ClientAuthentication.Unauthenticated.Enabled", True),
        "test_streaming::test_streaming_lets_in_only_roles_and_only_by_tls",
    ),
    Defect(
        "kafka takes plain text",
        "streaming",
        put(CLUSTER, "EncryptionInfo.EncryptionInTransit.ClientBroker", "TLS_PLAINTEXT"),
        "test_streaming::test_streaming_lets_in_only_roles_and_only_by_tls",
    ),
    Defect(
        "a topic has one copy",
        "streaming",
        put(TOPIC, "ReplicationFactor", 1),
        "test_streaming::test_every_entity_has_a_topic_of_three_replicas",
    ),
    Defect(
        "a topic is missing",
        "streaming",
        remove(TOPIC),
        "test_streaming::test_every_entity_has_a_topic_of_three_replicas",
    ),
    Defect(
        "the cluster is deleted with its stack",
        "streaming",
        unkept(CLUSTER),
        "test_app::test_stacks_keep_what_is_precious",
    ),
]
PROCESSING = [
    Defect(
        "announcements are kept for four days",
        "processing",
        put(QUEUE, "MessageRetentionPeriod", 345600),
        "test_processing::test_every_queue_keeps_messages_for_fourteen_days_and_encrypts_them",
    ),
    Defect(
        "the check queue has no dead letters",
        "processing",
        drop(QUEUE, "RedrivePolicy", QueueName="nexus-dev-check-rows"),
        "test_processing::test_message_that_fails_is_set_aside_after_the_check_could_give_it_up",
    ),
    Defect(
        "a failed message fails its whole batch",
        "processing",
        drop("AWS::Lambda::EventSourceMapping", "FunctionResponseTypes"),
        "test_processing::test_queue_feeds_the_alias_and_takes_back_single_messages",
    ),
    Defect(
        "checks are unbounded",
        "processing",
        drop("AWS::Lambda::EventSourceMapping", "ScalingConfig"),
        "test_processing::test_checks_at_once_are_bounded_by_what_the_ledger_takes",
    ),
    Defect(
        "the check may delete bronze",
        "processing",
        allow("ReadBronze", owner="CheckRows", actions=["s3:DeleteObject"]),
        "test_iam::test_iam_roles_may_what_the_list_says_and_no_more",
    ),
    Defect(
        "a role has lost its boundary",
        "processing",
        drop("AWS::IAM::Role", "PermissionsBoundary"),
        "test_iam::test_iam_roles_stay_within_the_boundary",
    ),
    Defect(
        "a property is misspelt",
        "processing",
        put(QUEUE, "MessageRetentionPeriods", 1),
        "test_schemas::test_schemas_of_all_resources_are_kept",
    ),
]
INGEST = [
    Defect(
        "a host answers to the old metadata protocol",
        "ingest",
        put(TEMPLATE, "LaunchTemplateData.MetadataOptions.HttpTokens", "optional"),
        "test_ingest::test_hosts_have_closed_metadata_encrypted_disks_and_no_address",
        arguments={"service": "ingest"},
    ),
    Defect(
        "a host's disk is not encrypted",
        "ingest",
        put(TEMPLATE, "LaunchTemplateData.BlockDeviceMappings.0.Ebs.Encrypted", False),
        "test_ingest::test_hosts_have_closed_metadata_encrypted_disks_and_no_address",
        arguments={"service": "ingest"},
    ),
    Defect(
        "the balancer faces the internet",
        "ingest",
        put("AWS::ElasticLoadBalancingV2::LoadBalancer", "Scheme", "internet-facing"),
        "test_ingest::test_balancer_is_inside_the_network_and_speaks_http2_by_tls",
    ),
    Defect(
        "the balancer speaks no HTTP2",
        "ingest",
        drop("AWS::ElasticLoadBalancingV2::Listener", "AlpnPolicy"),
        "test_ingest::test_balancer_is_inside_the_network_and_speaks_http2_by_tls",
    ),
    Defect(
        "gRPC hosts read topics",
        "ingest",
        allow("WriteTopics", actions=["kafka-cluster:ReadData"]),
        "test_iam::test_iam_roles_may_what_the_list_says_and_no_more",
    ),
]
OBSERVABILITY = [
    Defect(
        "CloudWatch may not use the key of the topic",
        "observability",
        without_statement("AlarmsMayEncrypt"),
        "test_observability::test_alarms_are_encrypted_with_a_key_that_their_sender_may_use",
        arguments={"service": "cloudwatch"},
    ),
    Defect(
        "an alarm tells nobody",
        "observability",
        put(ALARM, "AlarmActions", []),
        "test_observability::test_alarms_tell_when_they_begin_and_when_they_are_over",
    ),
    Defect(
        "an alarm has no runbook",
        "observability",
        put(ALARM, "AlarmDescription", "Something is wrong."),
        "test_observability::test_alarms_have_a_runbook_with_its_address",
    ),
    Defect(
        "dead letters are not watched",
        "observability",
        remove(ALARM, AlarmName="nexus-dev-check-dead-letters"),
        "test_observability::test_alarms_watch_every_dead_letter_queue",
    ),
    Defect(
        "an alarm watches a queue that is not there",
        "observability",
        put(ALARM, "Dimensions.0.Value", "nexus-dev-old", AlarmName="nexus-dev-check-queue-late"),
        "test_observability::test_alarms_watch_what_is_deployed_by_its_name",
    ),
    Defect(
        "the lag of a topic is not watched",
        "observability",
        remove(ALARM, AlarmName="nexus-dev-landing-behind-orders-v1"),
        "test_observability::test_alarms_watch_the_lag_of_every_topic_well_before_its_end",
    ),
    Defect(
        "an alarm reads a metric that nobody emits",
        "observability",
        put(ALARM, "MetricName", "MessagesOverlapping", AlarmName="nexus-dev-objects-overlap"),
        "test_observability::test_alarms_read_metrics_that_our_code_emits",
    ),
    Defect(
        "the budget warns nobody",
        "observability",
        drop("AWS::Budgets::Budget", "NotificationsWithSubscribers"),
        "test_observability::test_budget_warns_before_it_is_spent",
    ),
    Defect(
        "a stack takes from one that comes after it",
        "network",
        lambda t: t["Outputs"].update(
            Late={
                "Value": {
                    "Fn::GetStackOutput": {
                        "StackName": "nexus-dev-database",
                        "Region": "us-east-1",
                        "OutputName": "LedgerHost",
                    }
                },
                "Description": "x",
            }
        ),
        "test_graph::test_graph_has_no_edge_but_the_allowed",
    ),
    Defect(
        "an output is exported",
        "network",
        lambda t: t["Outputs"]["VpcId"].update(Export={"Name": "vpc"}),
        "test_graph::test_graph_uses_no_exports",
    ),
]
DEFECTS = [*STORAGE, *NETWORK, *DATABASE, *CATALOG, *STREAMING, *PROCESSING, *INGEST, *OBSERVABILITY]
