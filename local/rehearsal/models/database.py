"""The ledger's database: RDS. What it holds is another one, on this machine."""

from typing import Any

from local.rehearsal.wanted import Made, Wanted, model


@model("AWS::RDS::DBSubnetGroup")
def make_subnet_group(wanted: Wanted) -> Made:
    """Where it may live."""
    name = wanted.get("DBSubnetGroupName") or wanted.given_name().lower()
    wanted.client("rds").create_db_subnet_group(
        DBSubnetGroupName=name, Tags=wanted.tags(), **wanted.pick("DBSubnetGroupDescription", "SubnetIds")
    )
    return Made(name)


@model("AWS::RDS::DBParameterGroup")
def make_parameter_group(wanted: Wanted) -> Made:
    """How it is set."""
    rds, name = wanted.client("rds"), wanted.get("DBParameterGroupName") or wanted.given_name().lower()
    rds.create_db_parameter_group(
        DBParameterGroupName=name,
        DBParameterGroupFamily=wanted["Family"],
        Description=wanted["Description"],
        Tags=wanted.tags(),
    )
    parameters = [
        {"ParameterName": key, "ParameterValue": str(value), "ApplyMethod": "pending-reboot"}
        for key, value in wanted.get("Parameters", {}).items()
    ]
    if parameters:
        rds.modify_db_parameter_group(DBParameterGroupName=name, Parameters=parameters)
    return Made(name)


# What is told by the names that were used to ask for it, or nearly
_INSTANCE = (
    "AllocatedStorage",
    "AutoMinorVersionUpgrade",
    "BackupRetentionPeriod",
    "CACertificateIdentifier",
    "CopyTagsToSnapshot",
    "DBInstanceClass",
    "DBName",
    "DeletionProtection",
    "EnableCloudwatchLogsExports",
    "EnableIAMDatabaseAuthentication",
    "Engine",
    "EngineVersion",
    "KmsKeyId",
    "MasterUsername",
    "MaxAllocatedStorage",
    "MultiAZ",
    "PubliclyAccessible",
    "StorageEncrypted",
    "StorageType",
)


@model("AWS::RDS::DBInstance")
def make_instance(wanted: Wanted) -> Made:
    """With its owner's secret, which RDS keeps and turns."""
    more: dict[str, Any] = {}
    if secret := wanted.get("MasterUserSecret"):
        more["MasterUserSecretKmsKeyId"] = secret["KmsKeyId"]
    made = wanted.client("rds").create_db_instance(
        VpcSecurityGroupIds=wanted["VPCSecurityGroups"],
        Tags=wanted.tags(),
        **more,
        **wanted.pick(
            "AutoMinorVersionUpgrade",
            "CACertificateIdentifier",
            "CopyTagsToSnapshot",
            "DBInstanceClass",
            "DBInstanceIdentifier",
            "DBName",
            "DBParameterGroupName",
            "DBSubnetGroupName",
            "DeletionProtection",
            "EnableIAMDatabaseAuthentication",
            "Engine",
            "EngineVersion",
            "KmsKeyId",
            "ManageMasterUserPassword",
            "MasterUsername",
            "MultiAZ",
            "PubliclyAccessible",
            "StorageEncrypted",
            "StorageType",
        ),
        **wanted.integers("AllocatedStorage", "BackupRetentionPeriod", "MaxAllocatedStorage", "Port"),
        EnableCloudwatchLogsExports=wanted.get("EnableCloudwatchLogsExports", []),
    )["DBInstance"]
    told = {
        **made,
        "EnableIAMDatabaseAuthentication": made.get("IAMDatabaseAuthenticationEnabled"),
        "EnableCloudwatchLogsExports": made.get("EnabledCloudwatchLogsExports"),
    }
    wanted.read_back(told, *_INSTANCE)
    # there is nothing to delete here, and no snapshot to begin with
    wanted.note("DeleteAutomatedBackups", "DBSnapshotIdentifier")
    return Made(
        made["DBInstanceIdentifier"],
        {
            "DBInstanceArn": made["DBInstanceArn"],
            "DbiResourceId": made["DbiResourceId"],
            "Endpoint.Address": made["Endpoint"]["Address"],
            "Endpoint.Port": str(made["Endpoint"]["Port"]),
            "MasterUserSecret.SecretArn": made.get("MasterUserSecret", {}).get("SecretArn"),
        },
    )


@model("AWS::RDS::DBProxy")
def make_proxy(wanted: Wanted) -> Made:
    """What keeps the functions' connections few."""
    # moto knows sign-in by secrets alone, and wants to hear of one
    wanted.note("DefaultAuthScheme")
    auth = wanted.get("Auth") or [{"IAMAuth": "REQUIRED"}]
    made = wanted.client("rds").create_db_proxy(
        Auth=auth,
        **wanted.pick(
            "DBProxyName",
            "EngineFamily",
            "IdleClientTimeout",
            "RequireTLS",
            "RoleArn",
            "VpcSecurityGroupIds",
            "VpcSubnetIds",
        ),
        Tags=wanted.tags(),
    )["DBProxy"]
    return Made(
        made["DBProxyName"],
        {"DBProxyArn": made["DBProxyArn"], "Endpoint": made["Endpoint"], "VpcId": made.get("VpcId", "")},
    )


@model("AWS::RDS::DBProxyTargetGroup")
def make_proxy_targets(wanted: Wanted) -> Made:
    """Which database is behind it, by how many connections."""
    rds, proxy, group = wanted.client("rds"), wanted["DBProxyName"], wanted["TargetGroupName"]
    if pool := wanted.get("ConnectionPoolConfigurationInfo"):
        rds.modify_db_proxy_target_group(DBProxyName=proxy, TargetGroupName=group, ConnectionPoolConfig=pool)
    rds.register_db_proxy_targets(
        DBProxyName=proxy,
        TargetGroupName=group,
        **wanted.pick("DBInstanceIdentifiers", "DBClusterIdentifiers"),
    )
    [found] = rds.describe_db_proxy_target_groups(DBProxyName=proxy, TargetGroupName=group)["TargetGroups"]
    return Made(found["TargetGroupArn"], {"TargetGroupArn": found["TargetGroupArn"]})
