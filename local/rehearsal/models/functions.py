"""Functions and what belongs to them: Lambda, CodeDeploy, log groups, and custom resources, which functions make."""

from typing import Any

from local.rehearsal.custom import answer_of
from local.rehearsal.models.letters import with_small_letters
from local.rehearsal.wanted import Made, Wanted, model

_FUNCTION = (
    "Architectures",
    "Code",
    "Description",
    "Environment",
    "EphemeralStorage",
    "Handler",
    "Layers",
    "LoggingConfig",
    "Role",
    "Runtime",
    "TracingConfig",
    "VpcConfig",
)


@model("AWS::Lambda::Function")
def make_function(wanted: Wanted) -> Made:
    """Its code is taken from the bucket of assets, as on AWS."""
    functions, name = wanted.client("lambda"), wanted.get("FunctionName") or wanted.given_name(64)
    arn = functions.create_function(
        FunctionName=name,
        Tags=wanted.tag_map(),
        **wanted.pick(*_FUNCTION),
        **wanted.integers("MemorySize", "Timeout"),
    )["FunctionArn"]
    for most in wanted.integers("ReservedConcurrentExecutions").values():
        functions.put_function_concurrency(FunctionName=name, ReservedConcurrentExecutions=most)
    wanted.note("RecursiveLoop")
    wanted.read_back(
        functions.get_function_configuration(FunctionName=name),
        *(part for part in _FUNCTION if part not in {"Code", "Layers"}),
        "MemorySize",
        "Timeout",
    )
    return Made(name, {"Arn": arn})


@model("AWS::Lambda::LayerVersion")
def make_layer(wanted: Wanted) -> Made:
    """Libraries beside a function."""
    version = wanted.client("lambda").publish_layer_version(
        LayerName=wanted.get("LayerName") or wanted.given_name(64),
        **wanted.pick(
            "CompatibleArchitectures", "CompatibleRuntimes", "Content", "Description", "LicenseInfo"
        ),
    )
    arn = version["LayerVersionArn"]
    return Made(arn, {"LayerVersionArn": arn})


@model("AWS::Lambda::Version")
def make_version(wanted: Wanted) -> Made:
    """The function as it is now."""
    version = wanted.client("lambda").publish_version(**wanted.pick("FunctionName", "Description"))
    return Made(
        version["FunctionArn"], {"Version": version["Version"], "FunctionArn": version["FunctionArn"]}
    )


@model("AWS::Lambda::Alias")
def make_alias(wanted: Wanted) -> Made:
    """A name for a version."""
    alias = wanted.client("lambda").create_alias(
        **wanted.pick("FunctionName", "FunctionVersion", "Name", "Description")
    )
    return Made(alias["AliasArn"], {"AliasArn": alias["AliasArn"]})


@model("AWS::Lambda::EventSourceMapping")
def make_mapping(wanted: Wanted) -> Made:
    """From a queue to a function; the rehearsal's own runner does what it says."""
    mapping = wanted.client("lambda").create_event_source_mapping(
        **wanted.pick("EventSourceArn", "FunctionName", "FunctionResponseTypes", "ScalingConfig", "Enabled"),
        **wanted.integers("BatchSize", "MaximumBatchingWindowInSeconds"),
        Tags=wanted.tag_map(),
    )
    told = wanted.client("lambda").get_event_source_mapping(UUID=mapping["UUID"])
    wanted.read_back(told, "BatchSize", "EventSourceArn", "FunctionResponseTypes", "ScalingConfig")
    return Made(mapping["UUID"], {"Id": mapping["UUID"]})


@model("AWS::Lambda::Permission")
def make_permission(wanted: Wanted) -> Made:
    """Who may call a function."""
    more: dict[str, Any] = wanted.pick("Action", "FunctionName", "Principal", "SourceArn", "SourceAccount")
    wanted.client("lambda").add_permission(StatementId=wanted.logical_id, **more)
    return Made(wanted.logical_id)


@model("AWS::Lambda::EventInvokeConfig")
def make_invoke_config(wanted: Wanted) -> Made:
    """How often a failed call by an event is repeated."""
    wanted.client("lambda").put_function_event_invoke_config(
        **wanted.pick("FunctionName", "Qualifier", "DestinationConfig"),
        **wanted.integers("MaximumRetryAttempts", "MaximumEventAgeInSeconds"),
    )
    return Made(wanted.given_name())


@model("AWS::CodeDeploy::Application")
def make_application(wanted: Wanted) -> Made:
    """What deploys an alias."""
    name = wanted.get("ApplicationName") or wanted.given_name(100)
    wanted.client("codedeploy").create_application(
        applicationName=name, computePlatform=wanted["ComputePlatform"], tags=wanted.tags()
    )
    return Made(name)


@model("AWS::CodeDeploy::DeploymentGroup")
def make_deployment_group(wanted: Wanted) -> Made:
    """How it does: in which steps, and back on which alarm."""
    name = wanted.get("DeploymentGroupName") or wanted.given_name(100)
    picked = wanted.pick(
        "AlarmConfiguration",
        "ApplicationName",
        "AutoRollbackConfiguration",
        "DeploymentConfigName",
        "DeploymentStyle",
        "ServiceRoleArn",
    )
    wanted.client("codedeploy").create_deployment_group(
        deploymentGroupName=name, tags=wanted.tags(), **with_small_letters(picked)
    )
    return Made(name)


@model("AWS::Logs::LogGroup")
def make_log_group(wanted: Wanted) -> Made:
    """With its retention."""
    logs, name = wanted.client("logs"), wanted.get("LogGroupName") or wanted.given_name()
    more: dict[str, Any] = {"kmsKeyId": wanted["KmsKeyId"]} if wanted.get("KmsKeyId") else {}
    logs.create_log_group(logGroupName=name, tags=wanted.tag_map(), **more)
    for days in wanted.integers("RetentionInDays").values():
        logs.put_retention_policy(logGroupName=name, retentionInDays=days)
    return Made(name, {"Arn": wanted.home.arn("logs", f"log-group:{name}:*")})


@model("AWS::Logs::MetricFilter")
def make_metric_filter(wanted: Wanted) -> Made:
    """A metric out of log lines."""
    name = wanted.get("FilterName") or wanted.given_name()
    changes = [with_small_letters(change) for change in wanted["MetricTransformations"]]
    wanted.client("logs").put_metric_filter(
        logGroupName=wanted["LogGroupName"],
        filterName=name,
        filterPattern=wanted["FilterPattern"],
        metricTransformations=changes,
    )
    return Made(name)


@model("Custom")
def make_custom(wanted: Wanted) -> Made:
    """What its function answers."""
    for name in wanted.properties():
        wanted.get(name)  # all of them go to the function
    answer = answer_of(wanted)
    return Made(answer["PhysicalResourceId"], answer.get("Data", {}))
