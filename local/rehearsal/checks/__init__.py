"""What is read back from the local AWS by boto3 after the deployment, one module per part of the stacks.

A check looks at what an API answers, never at the template: that is asserted elsewhere.
"""

from collections.abc import Callable

from local.rehearsal.checks import catalog, hosts, network, processing, storage, streaming, watching
from local.rehearsal.scene import Scene

Check = Callable[[Scene], str]

CHECKS: tuple[tuple[str, Check], ...] = (
    ("buckets", storage.buckets),
    ("what buckets refuse", storage.policies),
    ("roles stay within the boundary", storage.boundary),
    ("network", network.subnets),
    ("security groups", network.groups),
    ("ledger", network.ledger),
    ("tables", catalog.tables),
    ("schema versions", catalog.schemas),
    ("workgroups", catalog.workgroups),
    ("Kafka", streaming.cluster),
    ("topics", streaming.topics),
    ("queues", processing.queues),
    ("announcements", processing.rule),
    ("functions", processing.functions),
    ("check function's alias", processing.alias),
    ("hosts", hosts.groups),
    ("balancer", hosts.balancer),
    ("alarms", watching.alarms),
    ("alarm topic", watching.topic),
    ("budget", watching.budget),
)
