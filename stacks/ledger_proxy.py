"""RDS Proxy in front of the ledger: many short connections of functions on few of the database."""

from aws_cdk import aws_iam as iam
from aws_cdk import aws_rds as rds

from stacks.base import NexusStack, give
from stacks.network import NetworkStack


def add_proxy(
    stack: NexusStack, instance: str, signs_in: iam.PolicyStatement, network: NetworkStack
) -> rds.CfnDBProxy:
    """Signs in to the database by tokens, as its clients do to it: no user has a secret."""
    role = iam.Role(
        stack,
        "ProxyRole",
        assumed_by=iam.ServicePrincipal("rds.amazonaws.com"),
        description=f"Lets the proxy of {stack.settings.environment} sign in to the ledger as its users",
    )
    give(role, [signs_in])
    proxy = rds.CfnDBProxy(
        stack,
        "Proxy",
        db_proxy_name=stack.names.ledger_proxy,
        engine_family="POSTGRESQL",
        default_auth_scheme="IAM_AUTH",
        require_tls=True,
        role_arn=role.role_arn,
        vpc_subnet_ids=network.vpc.select_subnets(subnet_group_name="private").subnet_ids,
        vpc_security_group_ids=[network.groups.proxy.security_group_id],
        idle_client_timeout=900,  # Lambda reuses a connection for minutes; tokens only matter when it opens
    )
    proxy.node.add_dependency(role)
    rds.CfnDBProxyTargetGroup(
        stack,
        "ProxyTarget",
        db_proxy_name=proxy.ref,
        target_group_name="default",
        db_instance_identifiers=[instance],
        connection_pool_configuration_info=rds.CfnDBProxyTargetGroup.ConnectionPoolConfigurationInfoFormatProperty(
            max_connections_percent=80,  # the rest is for the migration and for people
            max_idle_connections_percent=20,
            connection_borrow_timeout=20,  # seconds; a check gives its message back before it runs out of time
        ),
    )
    return proxy
