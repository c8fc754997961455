"""A new version of a function takes a tenth of the work first; an alarm brings the one before back."""

from aws_cdk import Duration
from aws_cdk import aws_cloudwatch as cloudwatch
from aws_cdk import aws_codedeploy as codedeploy
from aws_cdk import aws_iam as iam
from aws_cdk import aws_lambda as lambda_

from stacks.alarm_spec import described
from stacks.base import NexusStack, give, statement


def deploy_carefully(stack: NexusStack, id_: str, alias: lambda_.Alias, failed: cloudwatch.Metric) -> None:
    """A tenth for five minutes, then all; at the first failure back to the version before.

    `failed` counts what the function itself reports as failed: a batch of which it hands messages back is no error of
    Lambda's.
    """
    minute = Duration.minutes(1)
    failing = cloudwatch.Alarm(
        stack,
        f"{id_}Fails",
        alarm_name=stack.names.of(f"{alias.lambda_.node.id.lower()}-deployment"),
        alarm_description=described(
            stack.settings,
            "The function fails: CodeDeploy, if it is deploying it, goes back to the version before.",
            "check-deployment",
        ),
        metric=cloudwatch.MathExpression(
            expression="FILL(errors, 0) + FILL(failed, 0)",
            using_metrics={
                "errors": alias.metric_errors(statistic="Sum", period=minute),
                "failed": failed.with_(statistic="Sum", period=minute),
            },
            period=minute,
        ),
        threshold=0,
        evaluation_periods=1,
        comparison_operator=cloudwatch.ComparisonOperator.GREATER_THAN_THRESHOLD,
        treat_missing_data=cloudwatch.TreatMissingData.NOT_BREACHING,
    )
    codedeploy.LambdaDeploymentGroup(
        stack,
        f"{id_}Deployment",
        application=codedeploy.LambdaApplication(stack, f"{id_}Application"),
        alias=alias,
        deployment_config=codedeploy.LambdaDeploymentConfig.CANARY_10_PERCENT_5_MINUTES,
        alarms=[failing],
        auto_rollback=codedeploy.AutoRollbackConfig(deployment_in_alarm=True, failed_deployment=True),
        role=_deployer(stack, id_, alias).without_policy_updates(),
    )


def _deployer(stack: NexusStack, id_: str, alias: lambda_.Alias) -> iam.Role:
    """Without AWS's managed policy, which also reads every bucket and publishes to every topic."""
    role = iam.Role(
        stack,
        f"{id_}Deployer",
        assumed_by=iam.ServicePrincipal("codedeploy.amazonaws.com"),
        description=f"Moves the alias of the function {id_} of {stack.settings.environment} to a new version",
    )
    moves = ["lambda:GetAlias", "lambda:GetProvisionedConcurrencyConfig", "lambda:UpdateAlias"]
    give(role, [statement("MoveAlias", moves, [alias.lambda_.function_arn, alias.function_arn])])
    looks = statement("SeeAlarms", ["cloudwatch:DescribeAlarms"], ["*"])
    give(role, [looks], "CodeDeploy looks at all alarms to find its own; it only reads their state.")
    return role
