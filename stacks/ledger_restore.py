"""The way for a ledger to come back from a snapshot: a parameter of the database stack, empty in the daily work.

A parameter, not a setting: CloudFormation remembers it at every later deployment. Forgotten, it would replace the
restored instance by an empty one.
"""

from aws_cdk import CfnCondition, CfnParameter, Fn
from aws_cdk import aws_rds as rds

from stacks.base import NexusStack

# A restored instance has them from its snapshot, and CloudFormation takes them not again.
_FROM_SNAPSHOT = ("DBName", "KmsKeyId", "MasterUsername")


def let_restore(stack: NexusStack, instance: rds.DatabaseInstance) -> None:
    """Adds `LedgerSnapshot`: the id of a snapshot that a new instance is made from."""
    snapshot = CfnParameter(
        stack,
        "LedgerSnapshot",
        type="String",
        default="",
        description="Id of the snapshot that the ledger is made from; empty: an empty ledger. Never change it later.",
    )
    restored = CfnCondition(
        stack,
        "LedgerIsRestored",
        expression=Fn.condition_not(Fn.condition_equals(snapshot.value_as_string, "")),
    )
    resource = instance.node.default_child
    assert isinstance(resource, rds.CfnDBInstance)

    def if_restored(value: object, otherwise: object) -> object:
        return {"Fn::If": [restored.logical_id, value, otherwise]}

    nothing = {"Ref": "AWS::NoValue"}
    resource.add_property_override("DBSnapshotIdentifier", if_restored({"Ref": snapshot.logical_id}, nothing))
    given = {
        "DBName": resource.db_name,
        "KmsKeyId": resource.kms_key_id,
        "MasterUsername": resource.master_username,
    }
    for name in _FROM_SNAPSHOT:
        resource.add_property_override(name, if_restored(nothing, given[name]))
