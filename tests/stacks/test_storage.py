"""Buckets: closed, encrypted, versioned where it protects; Bronze is written once."""

import json

import pytest

from local.templates import read_settings
from tests.stacks.conftest import Compose
from tests.stacks.reading import Raw, bucket_statements, named, only, resources, statements, text_of, whole

LAKE = ("landing", "bronze", "silver", "quarantine", "gold")
PREFIXES = {"dev": "olist-data-lake-dev", "staging": "olist-data-lake-staging", "prod": "olist-data-lake"}


def storage(raw_templates: Compose, environment: str, **more: object) -> Raw:
    template: Raw = raw_templates(environment, **more)["storage"]
    return template


def bucket(template: Raw, environment: str, layer: str) -> Raw:
    found: Raw = named(
        resources(template, "AWS::S3::Bucket"), "BucketName", f"{PREFIXES[environment]}-{layer}"
    )
    return found


def rules(found: Raw) -> dict[str, Raw]:
    return {rule["Id"]: rule for rule in found["LifecycleConfiguration"]["Rules"]}


def test_storage_has_every_bucket_of_the_lake_and_three_more(
    raw_templates: Compose, environment: str
) -> None:
    names = {
        b["BucketName"] for b in resources(storage(raw_templates, environment), "AWS::S3::Bucket").values()
    }
    layers = {*LAKE, "artifacts", "athena-results", "logs"}
    assert names == {f"{PREFIXES[environment]}-{layer}" for layer in layers}


def test_storage_buckets_are_closed_and_owned(raw_templates: Compose, environment: str) -> None:
    for found in resources(storage(raw_templates, environment), "AWS::S3::Bucket").values():
        assert set(found["PublicAccessBlockConfiguration"].values()) == {True}
        assert len(found["PublicAccessBlockConfiguration"]) == 4
        assert found["OwnershipControls"]["Rules"] == [{"ObjectOwnership": "BucketOwnerEnforced"}]


def test_storage_buckets_refuse_anything_but_tls(raw_templates: Compose, environment: str) -> None:
    template = storage(raw_templates, environment)
    for found in resources(template, "AWS::S3::Bucket").values():
        denied = [
            one
            for one in bucket_statements(template, found["BucketName"])
            if one.effect == "Deny" and one.principal == "*"
        ]
        conditions = [json.loads(one.conditions) for one in denied if one.actions == ("s3:*",)]
        assert {"Bool": {"aws:SecureTransport": "false"}} in conditions
        assert {"NumericLessThan": {"s3:TlsVersion": 1.2}} in conditions


def test_storage_encrypts_with_one_key_of_ours_but_the_logs(raw_templates: Compose, environment: str) -> None:
    template = storage(raw_templates, environment)
    [key] = resources(template, "AWS::KMS::Key")
    for found in resources(template, "AWS::S3::Bucket").values():
        [rule] = found["BucketEncryption"]["ServerSideEncryptionConfiguration"]
        how = rule["ServerSideEncryptionByDefault"]
        if found["BucketName"].endswith("-logs"):
            assert how == {"SSEAlgorithm": "AES256"}  # S3 writes access logs to no other bucket
        else:
            assert how["SSEAlgorithm"] == "aws:kms"
            assert text_of(how["KMSMasterKeyID"]) == f"{key}.Arn"
            assert rule["BucketKeyEnabled"]
    assert resources(template, "AWS::KMS::Key")[key]["EnableKeyRotation"]


def test_storage_keeps_old_versions_where_it_protects(raw_templates: Compose, environment: str) -> None:
    template = storage(raw_templates, environment)
    versioned = {
        b["BucketName"].removeprefix(f"{PREFIXES[environment]}-")
        for b in resources(template, "AWS::S3::Bucket").values()
        if b.get("VersioningConfiguration") == {"Status": "Enabled"}
    }
    assert versioned == {"bronze", "silver", "quarantine", "gold", "artifacts"}


def test_storage_expires_nothing_that_the_ledger_counts(raw_templates: Compose, environment: str) -> None:
    template = storage(raw_templates, environment)
    for layer in ("bronze", "silver", "quarantine", "gold"):
        for rule in rules(bucket(template, environment, layer)).values():
            assert "ExpirationInDays" not in rule
            assert "ExpirationDate" not in rule


def test_storage_lifecycle_of_each_layer(raw_templates: Compose, environment: str) -> None:
    template, days_of = storage(raw_templates, environment), read_settings(environment).storage
    for found in resources(template, "AWS::S3::Bucket").values():
        leftovers = rules(found)["upload-leftovers"]["AbortIncompleteMultipartUpload"]
        assert leftovers == {"DaysAfterInitiation": 2}
    for layer in ("bronze", "quarantine"):
        [move] = rules(bucket(template, environment, layer))["cold"]["Transitions"]
        assert move == {"StorageClass": "GLACIER_IR", "TransitionInDays": days_of.cold_after_days}
    for layer, days in (("landing", days_of.landing_days), ("athena-results", 14), ("logs", 365)):
        assert rules(bucket(template, environment, layer))["expiry"]["ExpirationInDays"] == days
    for layer in ("bronze", "silver", "quarantine", "gold", "artifacts"):
        undo = rules(bucket(template, environment, layer))["undo"]
        days = 90 if layer == "artifacts" else days_of.undo_days
        assert undo["NoncurrentVersionExpiration"] == {"NoncurrentDays": days}
    every = [
        rule for found in resources(template, "AWS::S3::Bucket").values() for rule in rules(found).values()
    ]
    assert {rule["Status"] for rule in every} == {"Enabled"}


def test_storage_announces_new_objects_without_a_function_of_cdk(
    raw_templates: Compose, environment: str
) -> None:
    template = storage(raw_templates, environment)
    for layer in ("landing", "bronze"):
        configuration = bucket(template, environment, layer)["NotificationConfiguration"]
        assert configuration == {"EventBridgeConfiguration": {"EventBridgeEnabled": True}}
    assert not resources(template, "AWS::Lambda::Function")


def test_storage_bronze_objects_are_written_only_if_nothing_stands_there(
    raw_templates: Compose, environment: str
) -> None:
    template = storage(raw_templates, environment)
    name = f"{PREFIXES[environment]}-bronze"
    [eraser] = [
        i for i, r in resources(template, "AWS::IAM::Role").items() if r["RoleName"].endswith("erasure")
    ]
    [rule] = [one for one in bucket_statements(template, name) if one.sid == "DenyRewrites"]
    assert (rule.effect, rule.actions) == ("Deny", ("s3:PutObject",))
    [resource] = rule.resources
    assert resource.endswith(".Arn/*")
    conditions = json.loads(rule.conditions)
    assert conditions.pop("Null") == {"s3:if-none-match": "true"}
    assert conditions.pop("Bool") == {
        "s3:ObjectCreationOperation": "true"
    }  # parts of an upload carry no condition
    assert conditions == {"ArnNotEquals": {"aws:PrincipalArn": {"Fn::GetAtt": [eraser, "Arn"]}}}


def test_storage_bronze_objects_are_removed_by_the_erasure_role_alone(
    raw_templates: Compose, environment: str
) -> None:
    template = storage(raw_templates, environment)
    name = f"{PREFIXES[environment]}-bronze"
    [rule] = [one for one in bucket_statements(template, name) if one.sid == "DenyRemoval"]
    assert rule.actions == ("s3:DeleteObject", "s3:DeleteObjectVersion")
    assert list(json.loads(rule.conditions)) == ["ArnNotEquals"]


def test_storage_erasure_role_reaches_three_layers_and_no_more(
    raw_templates: Compose, environment: str
) -> None:
    template = storage(raw_templates, environment)
    owners = {one.owner for one in statements(template)}
    assert len(owners) == 1
    objects = {
        resource
        for one in statements(template)
        for resource in one.resources
        if any(action.startswith("s3:") for action in one.actions)
    }
    prefix = PREFIXES[environment]
    layers = ("bronze", "silver", "quarantine")
    assert objects == {f"arn:aws:s3:::{prefix}-{layer}{tail}" for layer in layers for tail in ("", "/*")}
    role = only(resources(template, "AWS::IAM::Role"))
    assert role["MaxSessionDuration"] == 3600
    assert text_of(role["AssumeRolePolicyDocument"]["Statement"][0]["Principal"]["AWS"]).endswith(":root")


@pytest.mark.parametrize("kind", ["AWS::S3::Bucket", "AWS::KMS::Key"])
def test_storage_stays_when_its_stack_goes(raw_templates: Compose, environment: str, kind: str) -> None:
    for found in whole(storage(raw_templates, environment), kind).values():
        assert (found["DeletionPolicy"], found["UpdateReplacePolicy"]) == ("Retain", "Retain")


def test_storage_goes_when_both_switches_agree(raw_templates: Compose) -> None:
    template = storage(raw_templates, "dev", context={"destroy": "dev"})
    for found in whole(template, "AWS::S3::Bucket").values():
        assert found["DeletionPolicy"] == "Delete"
    denied = {
        one.sid for one in bucket_statements(template, "olist-data-lake-dev-bronze") if one.effect == "Deny"
    }
    assert "DenyRemoval" not in denied  # a bucket that nobody may empty cannot go
    assert "DenyRewrites" in denied


def test_storage_logs_who_reads_and_writes(raw_templates: Compose, environment: str) -> None:
    template = storage(raw_templates, environment)
    [logs] = [
        i for i, b in resources(template, "AWS::S3::Bucket").items() if b["BucketName"].endswith("-logs")
    ]
    for found in resources(template, "AWS::S3::Bucket").values():
        if not found["BucketName"].endswith("-logs"):
            assert text_of(found["LoggingConfiguration"]["DestinationBucketName"]) == logs


def test_storage_lets_the_balancer_write_its_log_and_nobody_else_from_outside(
    raw_templates: Compose, environment: str
) -> None:
    template = storage(raw_templates, environment)
    from_services = [
        (bucket_name, one)
        for bucket_name in (b["BucketName"] for b in resources(template, "AWS::S3::Bucket").values())
        for one in bucket_statements(template, bucket_name)
        if one.effect == "Allow"
    ]
    writes = {
        (name.removeprefix(f"{PREFIXES[environment]}-"), json.loads(one.principal)["Service"], one.actions)
        for name, one in from_services
    }
    balancer, access = "delivery.logs.amazonaws.com", "logging.s3.amazonaws.com"
    assert writes == {
        ("logs", balancer, ("s3:PutObject",)),
        ("logs", balancer, ("s3:GetBucketAcl",)),
        ("logs", access, ("s3:PutObject",)),
    }
    assert all("aws:SourceAccount" in one.conditions for _, one in from_services)
