"""What every stack of ours has: a place, a name, a description, tags, and protection where it holds state."""

from collections.abc import Iterable, Sequence
from typing import Any

from aws_cdk import Acknowledgment, App, CfnOutput, Environment, RemovalPolicy, Stack, Tags, Validations
from aws_cdk import aws_iam as iam
from cdk_nag import AwsSolutionsChecks
from constructs import Construct, IConstruct

from stacks.naming import PRODUCT, Names
from stacks.settings import Settings

__all__ = ["App", "NexusStack", "acknowledge", "check_by_rules", "give", "statement"]

_OBJECTS = "All objects under this prefix: their keys are not known before they are written."
# CDK believes that they take tags; CloudFormation does not
_WITHOUT_TAGS = ["AWS::RDS::DBProxyTargetGroup"]


class NexusStack(Stack):
    """`name` is the stack's subject (network, storage, ...): its id in the app is the same with a capital letter.

    A stateful stack cannot be deleted in CloudFormation, and its `removal` is RETAIN, unless `settings.destroys`.
    """

    def __init__(
        self, scope: Construct, settings: Settings, name: str, description: str, *, stateful: bool = False
    ) -> None:
        self.settings = settings
        self.name = name
        self.names = Names(settings.environment, settings.bucket_prefix)
        super().__init__(
            scope,
            name.capitalize(),
            stack_name=self.names.stack(name),
            env=Environment(account=settings.account, region=settings.region),
            description=f"Keystone Nexus {settings.environment}, {name}: {description}",
            termination_protection=stateful and not settings.destroys,
        )
        self.removal = RemovalPolicy.DESTROY if settings.destroys else RemovalPolicy.RETAIN
        for key, value in (("product", PRODUCT), ("environment", settings.environment), ("part", name)):
            Tags.of(self).add(key, value, exclude_resource_types=_WITHOUT_TAGS)

    @property
    def availability_zones(self) -> list[str]:
        """The zones of the settings: CDK would ask AWS, and so need credentials for every synthesis."""
        return self.settings.zones

    def add_output(self, id_: str, value: str, description: str) -> None:
        """What a person or a script reads after the deployment; never a way from stack to stack."""
        CfnOutput(self, id_, value=value, description=description)


def statement(
    sid: str, actions: Sequence[str], resources: Sequence[str], conditions: Any = None
) -> iam.PolicyStatement:
    """What a role may do: actions one by one, never with a wildcard."""
    if vague := [action for action in actions if "*" in action]:
        raise ValueError(f"{sid}: name the actions instead of {', '.join(vague)}")
    return iam.PolicyStatement(
        sid=sid, actions=list(actions), resources=list(resources), conditions=conditions
    )


def acknowledge(construct: IConstruct, rule: str, reason: str) -> None:
    """Accepts a finding of cdk-nag (`AwsSolutions-…`, with its part in brackets if it has one), for a reason."""
    Validations.of(construct).acknowledge(Acknowledgment(id=rule, reason=reason))


def give(role: iam.Role, statements: Iterable[iam.PolicyStatement], why_so_wide: str = "") -> None:
    """Lets the role do this. Resources with a wildcard need a reason; all objects under an S3 prefix have one."""
    for may in statements:
        role.add_to_policy(may)
        for resource in may.resources:
            if "*" in resource:
                reason = why_so_wide or (_OBJECTS if resource.startswith("arn:aws:s3:::") else "")
                if not reason:
                    raise ValueError(f"{may.sid}: say why {resource} cannot be narrower")
                acknowledge(role, f"AwsSolutions-IAM5[Resource::{resource}]", reason)


def check_by_rules(app: App) -> None:
    """Makes synthesis fail on every finding of AWS's solutions rules that nobody accepted with a reason."""
    Validations.of(app).add_plugins(AwsSolutionsChecks(app))
