"""What a template promises and only AWS can keep: read back, or tried with a call that is refused either way.

A proof that these credentials may not ask for is `not checked`, and says so.
"""

import base64
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Self

import boto3
from botocore.config import Config
from botocore.exceptions import ClientError

from lakehouse.catalog import load_entities
from lambdas.canary.checks import Found
from stacks.naming import Names
from stacks.settings import Settings

# Not under any entity, and no name that is announced: even if S3 kept it, nothing would read it.
PROBE_KEY = "_smoke/overwrite-probe"
# MD5 of nothing, sent with a body that is something: S3 asks for permission first, then compares, and keeps neither.
_WRONG_MD5 = base64.b64encode(bytes.fromhex("d41d8cd98f00b204e9800998ecf8427e")).decode()
# A certificate of ACM that renews itself does so 60 days before its end; one that was imported needs a person.
_CERTIFICATE_LEFT = timedelta(days=30)
_NOT_ALLOWED = ("AccessDenied", "AccessDeniedException", "AuthorizationError", "UnauthorizedOperation", "403")


@dataclass(frozen=True)
class Clients:
    """boto3's, with the credentials of whoever runs this."""

    s3: Any
    athena: Any
    rds: Any
    kafka: Any
    acm: Any
    sns: Any

    @classmethod
    def connect(cls, region: str) -> Self:
        """In the environment's region."""
        config = Config(retries={"mode": "standard", "total_max_attempts": 4}, connect_timeout=10)
        names = ("s3", "athena", "rds", "kafka", "acm", "sns")
        return cls(*(boto3.client(name, region_name=region, config=config) for name in names))


def proofs(settings: Settings, clients: Clients, now: datetime) -> list[tuple[str, Callable[[], Found]]]:
    """Each with its name, in the order of the way of the data."""
    names = Names(settings.environment, settings.bucket_prefix)
    return [
        ("certificate", lambda: certificate(clients.acm, settings, now)),
        ("topics lose nothing", lambda: topics(clients.kafka, names.cluster)),
        ("Bronze refuses overwriting", lambda: overwriting(clients.s3, names.buckets.bronze)),
        ("ledger is private", lambda: ledger(clients.rds, names.ledger_instance)),
        ("analysts' workgroup", lambda: workgroup(clients.athena, names.workgroup("analysts"))),
        ("alarms reach somebody", lambda: subscriptions(clients.sns, settings, names.alarm_topic)),
    ]


def prove(proof: Callable[[], Found]) -> Found:
    """The proof's own answer; `not checked` where these credentials may not ask, `failed` where nothing is there."""
    try:
        return proof()
    except ClientError as error:
        code, said = error.response["Error"]["Code"], str(error)
        if code in _NOT_ALLOWED:
            return Found("not checked", f"these credentials may not ask: {said}")
        return Found("failed", said)


def certificate(acm: Any, settings: Settings, now: datetime) -> Found:
    """The listener's certificate must be issued, for the name that clients use, and last."""
    place = f"arn:aws:acm:{settings.region}:{settings.account}:certificate/{settings.ingest.certificate_id}"
    found = acm.describe_certificate(CertificateArn=place)["Certificate"]
    domain, named = settings.ingest.domain, {found["DomainName"], *found.get("SubjectAlternativeNames", ())}
    if found["Status"] != "ISSUED":
        return Found("failed", f"its status is {found['Status']}, not ISSUED")
    if not named & {domain, f"*.{domain.partition('.')[2]}"}:
        return Found("failed", f"it is for {', '.join(sorted(named))}, not for {domain} (ingest.domain)")
    if (left := found["NotAfter"] - now) < _CERTIFICATE_LEFT:
        return Found("failed", f"it ends in {left.days} days")
    return Found("ok", f"{domain}, {left.days} days left")


def topics(kafka: Any, cluster: str) -> Found:
    """As the cluster has them now: three replicas, of which two must have a record before it is acknowledged."""
    found = kafka.list_clusters_v2(ClusterNameFilter=cluster)["ClusterInfoList"]
    arns = [one["ClusterArn"] for one in found if one["ClusterName"] == cluster]
    if not arns:
        return Found("failed", f"there is no cluster {cluster}")
    wrong = []
    for entity in load_entities().values():
        topic = kafka.describe_topic(ClusterArn=arns[0], TopicName=entity.topic)
        configs = _configs(topic.get("Configs", ""))
        replicas, in_sync = topic["ReplicationFactor"], configs.get("min.insync.replicas")
        if replicas != 3 or in_sync != "2":
            wrong.append(f"{entity.topic}: {replicas} replicas, min.insync.replicas {in_sync or 'not told'}")
    if wrong:
        return Found("failed", "; ".join(wrong))
    return Found("ok", f"{len(load_entities())} topics with 3 replicas and min.insync.replicas 2")


def _configs(encoded: str) -> dict[str, str]:
    """MSK tells a topic's configuration as base64 of `name=value` lines."""
    lines = base64.b64decode(encoded).decode().splitlines()
    pairs = (line.partition("=") for line in lines if "=" in line)
    return {name.strip(): value.strip() for name, _, value in pairs}


def overwriting(s3: Any, bucket: str) -> Found:
    """A PutObject without If-None-Match must be refused by the bucket's own policy, whoever asks."""
    try:
        s3.put_object(Bucket=bucket, Key=PROBE_KEY, Body=b"not nothing", ContentMD5=_WRONG_MD5)
    except ClientError as error:
        code, said = error.response["Error"]["Code"], error.response["Error"].get("Message", "")
        if code == "AccessDenied" and "explicit deny in a resource-based policy" in said:
            return Found("ok", "a PutObject without If-None-Match is denied by the bucket's policy")
        if code == "BadDigest":
            return Found(
                "failed",
                "a PutObject without If-None-Match passed the policy: only its checksum was refused",
            )
        if code == "AccessDenied":
            return Found(
                "not checked", "these credentials may not write to Bronze anyway, so its policy was not asked"
            )
        raise
    return Found("failed", f"a PutObject without If-None-Match was taken: remove s3://{bucket}/{PROBE_KEY}")


def ledger(rds: Any, instance: str) -> Found:
    """No way in but from the network, by token, over TLS to an encrypted disk."""
    [found] = rds.describe_db_instances(DBInstanceIdentifier=instance)["DBInstances"]
    wanted = {
        "PubliclyAccessible": False,
        "StorageEncrypted": True,
        "IAMDatabaseAuthenticationEnabled": True,
    }
    wrong = [f"{name} is {found.get(name)}" for name, value in wanted.items() if found.get(name) is not value]
    if wrong:
        return Found("failed", f"{instance}: {', '.join(wrong)}")
    return Found("ok", "not public, encrypted, signed in to by token")


def workgroup(athena: Any, name: str) -> Found:
    """Analysts' own settings must not lead answers elsewhere, nor scans beyond the limit."""
    found = athena.get_work_group(WorkGroup=name)["WorkGroup"]["Configuration"]
    output = found.get("ResultConfiguration", {}).get("OutputLocation")
    limit = found.get("BytesScannedCutoffPerQuery")
    if not (found.get("EnforceWorkGroupConfiguration") and output and limit):
        said = f"enforced {found.get('EnforceWorkGroupConfiguration')}, output {output}, limit {limit}"
        return Found("failed", f"{name}: {said}")
    return Found("ok", f"answers go to {output}, {limit / 1024**3:,.0f} GiB a statement")


def subscriptions(sns: Any, settings: Settings, topic: str) -> Found:
    """A subscription by mail counts once somebody has confirmed it."""
    arn = f"arn:aws:sns:{settings.region}:{settings.account}:{topic}"
    address = settings.observability.alarm_address
    pages = sns.get_paginator("list_subscriptions_by_topic").paginate(TopicArn=arn)
    found = {one["Endpoint"]: one["SubscriptionArn"] for page in pages for one in page["Subscriptions"]}
    if address not in found:
        return Found("failed", f"{address} is not subscribed")
    if not found[address].startswith("arn:"):
        return Found("failed", f"{address} has not confirmed the mail that AWS sent at the deployment")
    return Found("ok", f"{address} has confirmed")
