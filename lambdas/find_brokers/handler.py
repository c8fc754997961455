"""The Lambda behind a custom resource of the streaming stack."""

from collections.abc import Mapping
from typing import Any

import boto3

from adapters.custom_resource import RequestKind, answering
from lakehouse.errors import BrokerError


def find(kind: RequestKind, properties: Mapping[str, Any]) -> Mapping[str, str]:
    """The attribute `Brokers`: addresses of the cluster `ClusterArn` that take IAM authentication, host:port,…"""
    if kind == "Delete":
        return {}
    return {"Brokers": brokers(boto3.client("kafka"), properties["ClusterArn"])}


def brokers(kafka: Any, cluster: str) -> str:
    """In order of their names: MSK tells them in another order each time, and hosts are replaced when it changes."""
    found = kafka.get_bootstrap_brokers(ClusterArn=cluster).get("BootstrapBrokerStringSaslIam", "")
    if not found:
        raise BrokerError(f"{cluster} has no address for IAM authentication: is that switched on?")
    return ",".join(sorted(found.split(",")))


lambda_handler = answering("brokers", find)
