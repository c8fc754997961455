"""The function that judges rows of Quarantine once more: a person invokes it when a contract or rows were mended."""

from collections.abc import Mapping

from aws_cdk import Duration
from aws_cdk import aws_lambda as lambda_

from stacks.assets import Assets
from stacks.base import NexusStack
from stacks.database import DatabaseStack
from stacks.functions import FunctionSpec, Place, add_function
from stacks.storage import StorageStack

PACKAGE = "requeue_quarantine"
_TIME = Duration.minutes(15)  # as long as a function runs; what is left then, the next call does


def add_requeue(
    stack: NexusStack,
    assets: Assets,
    *,
    storage: StorageStack,
    database: DatabaseStack,
    place: Place,
    memory_mib: int,
    environment: Mapping[str, str],
) -> lambda_.Function:
    """It needs what a check needs, and reads Quarantine besides; it removes nothing."""
    spec = FunctionSpec(
        package=PACKAGE,
        description="Judges rows of Quarantine once more and moves those that pass to Silver",
        timeout=_TIME,
        memory_mib=memory_mib,
        environment=environment,
        may=[
            *storage.may_list("bronze"),
            *storage.may_read("bronze"),
            *storage.may_list("quarantine"),
            *storage.may_read("quarantine"),
            *storage.may_write("silver"),
            *storage.may_write("quarantine"),
            database.may_connect(PACKAGE),
        ],
        place=place,
    )
    return add_function(stack, "RequeueQuarantine", spec, assets)
