"""The Lambda behind a custom resource of the streaming stack."""

from collections.abc import Mapping
from typing import Any

import boto3

from adapters.custom_resource import RequestKind, answering
from lakehouse.errors import BrokerError


def find(kind: RequestKind, properties: Mapping[str, Any]) -> Mapping[str, str]:
    """Of the cluster `ClusterArn`: `Brokers`, addresses for IAM authentication (host:port,…), and `Incarnation`."""
    if kind == "Delete":
        return {}
    cluster = properties["ClusterArn"]
    return {"Brokers": brokers(boto3.client("kafka"), cluster), "Incarnation": incarnation(cluster)}


def brokers(kafka: Any, cluster: str) -> str:
    """In order of their names: MSK tells them in another order each time, and hosts are replaced when it changes."""
    found = kafka.get_bootstrap_brokers(ClusterArn=cluster).get("BootstrapBrokerStringSaslIam", "")
    if not found:
        raise BrokerError(f"{cluster} has no address for IAM authentication: is that switched on?")
    return ",".join(sorted(found.split(",")))


def incarnation(cluster: str) -> str:
    """The id at the end of a cluster's ARN, which is part of the ARNs of its topics and groups.

    Other stacks take it from here: a reference to an output of this stack cannot be taken apart there.
    """
    return cluster.split("/")[2]


lambda_handler = answering("brokers", find)
