"""Defects in what keeps data: buckets, the ledger, the catalog."""

from tests.stacks.mutations import Defect
from tests.stacks.seeding import (
    allow,
    drop,
    plain_http,
    properties,
    put,
    renamed,
    statement_of,
    unkept,
    without_policy_of,
    without_statement,
)

BUCKET = "AWS::S3::Bucket"
KEY = "AWS::KMS::Key"
DB = "AWS::RDS::DBInstance"
BRONZE = {"BucketName": "olist-data-lake-dev-bronze"}

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
        "anybody may use the key of the lake",
        "storage",
        put(KEY, "KeyPolicy.Statement.0.Principal", {"AWS": "*"}),
        "test_iam::test_iam_keys_are_for_roles_of_the_account_and_for_services_that_must",
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
        "the balancer's log is refused",
        "storage",
        without_statement("BalancerLogs"),
        "test_storage::test_storage_lets_the_balancer_write_its_log_and_nobody_else_from_outside",
    ),
    Defect(
        "a bucket says not whose it is",
        "storage",
        drop(BUCKET, "Tags", **BRONZE),
        "test_app::test_stacks_tags_say_product_environment_and_subject",
    ),
    Defect(
        "the erasure role may delete buckets",
        "storage",
        allow("EraseBronze", actions=["s3:DeleteBucket"]),
        "test_iam::test_iam_lets_nobody_give_rights_or_take_away_what_keeps_the_lake",
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
        "the ledger's owner has a password in the template",
        "database",
        put(DB, "MasterUserPassword", "postgres"),
        "test_app::test_stacks_hold_no_secret_but_the_one_of_the_document",
    ),
    Defect(
        "the ledger's backups end with it",
        "database",
        put(DB, "DeleteAutomatedBackups", True),
        "test_database::test_database_keeps_backups_as_long_as_the_environment_says",
    ),
    Defect(
        "the ledger is in the group of the hosts",
        "database",
        put(DB, "VPCSecurityGroups", [{"Ref": "IngestHostsGroup"}]),
        "test_database::test_database_is_reached_by_its_clients_alone",
    ),
    Defect(
        "the migration's policy is nobody's",
        "database",
        put("AWS::IAM::Policy", "Roles", []),
        "test_iam::test_iam_roles_may_something",
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
        "a deployment does not wait for a schema version",
        "catalog",
        lambda t: next(properties(t, "Custom::SchemasAvailable"))["Versions"].popitem(),
        "test_catalog::test_catalog_deployment_asks_for_every_version",
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
        environment="prod",
        arguments={"entity": "category_translation"},
    ),
    Defect(
        "a role names an action with a wildcard",
        "catalog",
        allow("ReadTables", actions=["glue:Get*"]),
        "test_iam::test_iam_names_actions_one_by_one",
    ),
]
