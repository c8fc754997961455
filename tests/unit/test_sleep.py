"""Falling asleep and waking: what is kept, what goes, in which order, and what is refused."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any

import boto3
import pytest
from botocore.exceptions import ClientError
from moto import mock_aws

from lakehouse.catalog import load_entities
from lakehouse.errors import InputError, RuntimeFault
from local.drained import PATIENCE, Drain
from local.sleep import Hands, fall_asleep, keep_ledger, newest_snapshot, wake
from local.templates import read_settings
from stacks.naming import Names

DEV = read_settings("dev")
NAMES = Names("dev", DEV.bucket_prefix)
KEEPING = {"Resources": {"Data": {"Type": "AWS::S3::Bucket", "DeletionPolicy": "Retain"}}}
PLAIN: dict[str, Any] = {"Resources": {"Alarm": {"Type": "AWS::CloudWatch::Alarm"}}}
STACKS = {
    "storage": KEEPING,
    "network": PLAIN,
    "database": KEEPING,
    "catalog": KEEPING,
    "streaming": KEEPING,
    "processing": PLAIN,
    "ingest": PLAIN,
    "observability": KEEPING,
}
NOW = datetime(2026, 11, 21, 12, tzinfo=UTC)


class FakeRds:
    """Remembers snapshots with their keys; there is a database, or not."""

    class exceptions:  # noqa: N801 - boto3's own name
        class DBInstanceNotFoundFault(Exception):
            """What boto3 raises."""

    def __init__(self, there: bool) -> None:
        self.there, self.snapshots = there, {}  # type: tuple[bool, dict[str, dict[str, Any]]]
        self.gib = DEV.database.storage_gib

    def describe_db_instances(self, **_: Any) -> None:
        if not self.there:
            raise self.exceptions.DBInstanceNotFoundFault

    def create_db_snapshot(self, *, DBInstanceIdentifier: str, DBSnapshotIdentifier: str) -> None:  # noqa: N803
        self._add(DBSnapshotIdentifier, "the ledger's key", [])

    def copy_db_snapshot(self, **asked: Any) -> None:
        assert asked["SourceDBSnapshotIdentifier"] in self.snapshots
        self._add(asked["TargetDBSnapshotIdentifier"], asked["KmsKeyId"], asked["Tags"])

    def delete_db_snapshot(self, *, DBSnapshotIdentifier: str) -> None:  # noqa: N803
        del self.snapshots[DBSnapshotIdentifier]

    def get_waiter(self, name: str) -> Any:
        assert name == "db_snapshot_available"
        return self

    def wait(self, *, DBSnapshotIdentifier: str) -> None:  # noqa: N803
        self.snapshots[DBSnapshotIdentifier]["Status"] = "available"

    def get_paginator(self, _: str) -> Any:
        return self

    def paginate(self, **_: Any) -> list[Any]:
        return [{"DBSnapshots": list(self.snapshots.values())}]

    def _add(self, name: str, key: str, tags: list[Any]) -> None:
        self.snapshots[name] = {
            "DBSnapshotIdentifier": name,
            "key": key,
            "TagList": tags,
            "Status": "creating",
            "AllocatedStorage": self.gib,
        }


class FakeSts:
    """Signed in to the account of dev."""

    def get_caller_identity(self) -> Any:
        return {"Account": DEV.account}


class FakeCloudFormation:
    """Only these stacks are there."""

    def __init__(self, there: Iterable[str]) -> None:
        self.there = set(there)

    def describe_stacks(self, *, StackName: str) -> None:  # noqa: N803
        if StackName.removeprefix("nexus-dev-") not in self.there:
            raise ClientError({"Error": {"Code": "ValidationError"}}, "DescribeStacks")


@dataclass
class Rehearsal:
    """Hands that only write down what they would do."""

    rds: FakeRds
    there: Iterable[str] = tuple(STACKS)
    done: list[str] = field(default_factory=list)
    drain: Callable[[], None] | None = None

    def hands(self) -> Hands:
        def cdk(arguments: Sequence[str]) -> None:
            self.done.append(" ".join(arguments))

        drain = self.drain or (lambda: self.done.append("drain"))
        return Hands(
            sts=FakeSts(),
            rds=self.rds,
            cloudformation=FakeCloudFormation(self.there),
            drain=drain,
            cdk=cdk,
            now=lambda: NOW,
            say=lambda _: None,
        )


def test_sleep_drains_keeps_the_ledger_and_destroys_what_is_paid_by_the_hour() -> None:
    played = Rehearsal(FakeRds(there=True))
    fall_asleep(DEV, STACKS, played.hands())
    drained, deployed, destroyed = played.done
    assert drained == "drain"
    assert deployed == (
        "deploy --exclusively --require-approval never -c env=dev -c destroy=dev "
        "Database Streaming Observability"
    )
    assert destroyed == (
        "destroy --exclusively --force -c env=dev -c destroy=dev "
        "Observability Ingest Processing Streaming Database Network"
    )


def test_sleep_keeps_the_ledger_under_a_key_that_stays() -> None:
    rds = FakeRds(there=True)
    fall_asleep(DEV, STACKS, Rehearsal(rds).hands())
    [kept] = rds.snapshots.values()
    assert kept["DBSnapshotIdentifier"] == "nexus-dev-ledger-asleep-20261121-120000"
    assert kept["key"] == "alias/nexus-dev-lake"


def test_sleep_again_after_a_failure_makes_nothing_anew_and_takes_up_where_it_was() -> None:
    played = Rehearsal(FakeRds(there=True), there=("storage", "network", "catalog", "database"))
    fall_asleep(DEV, STACKS, played.hands())
    deployed, destroyed = played.done
    assert deployed.endswith("destroy=dev Database")
    assert destroyed.endswith("destroy=dev Database Network")
    assert len(played.rds.snapshots) == 1


def test_sleep_does_not_wait_for_a_connector_that_is_gone() -> None:
    """By the connector nothing is landed any more: waiting for the lag would have no end."""
    by_connector = replace(DEV, land=replace(DEV.land, by="connect"))
    for there, drained in ((STACKS, False), ({**STACKS, "connect": PLAIN}, True)):
        played = Rehearsal(FakeRds(there=False), there=there)
        fall_asleep(by_connector, {**STACKS, "connect": PLAIN}, played.hands())
        assert ("drain" in played.done) == drained


def test_sleep_of_the_sleeping_does_nothing() -> None:
    played = Rehearsal(FakeRds(there=False), there=("storage", "catalog"))
    fall_asleep(DEV, STACKS, played.hands())
    assert played.done == []
    assert played.rds.snapshots == {}


def test_sleep_destroys_nothing_that_is_not_drained() -> None:
    def stuck() -> None:
        raise RuntimeFault("not drained")

    played = Rehearsal(FakeRds(there=True), drain=stuck)
    with pytest.raises(RuntimeFault):
        fall_asleep(DEV, STACKS, played.hands())
    assert played.done == []
    assert played.rds.snapshots == {}


def test_sleep_is_not_for_what_is_retained() -> None:
    played = Rehearsal(FakeRds(there=True))
    for act in (
        lambda: fall_asleep(read_settings("prod"), STACKS, played.hands()),
        lambda: wake(read_settings("prod"), played.hands()),
    ):
        with pytest.raises(InputError, match="prod does not sleep"):
            act()
    assert played.done == []


def asleep(log: str) -> Rehearsal:
    """What `fall_asleep` leaves, with the log id of the cluster that went."""
    rds = FakeRds(there=True)
    fall_asleep(DEV, STACKS, Rehearsal(rds).hands())
    rds.there = False
    [kept] = rds.snapshots.values()
    kept["TagList"] = [{"Key": "log", "Value": log}]
    return Rehearsal(rds)


def test_wake_brings_the_ledger_back_from_its_newest_snapshot() -> None:
    played = asleep("older")
    played.rds._add("nexus-dev-ledger-asleep-20250101-000000", "k", [])
    played.rds._add("nexus-prod-ledger-asleep-20991231-000000", "k", [])
    wake(DEV, played.hands())
    assert played.done == [
        "deploy --all --require-approval never -c env=dev "
        "--parameters nexus-dev-database:LedgerSnapshot=nexus-dev-ledger-asleep-20261121-120000"
    ]


def test_wake_refuses_the_log_id_of_the_cluster_that_went() -> None:
    played = asleep(DEV.streaming.log)
    with pytest.raises(InputError, match=r"dev\.streaming\.log"):
        wake(DEV, played.hands())
    assert played.done == []


def test_wake_refuses_a_disk_smaller_than_that_of_the_snapshot() -> None:
    played = asleep("older")
    [kept] = played.rds.snapshots.values()
    kept["AllocatedStorage"] = DEV.database.storage_gib + 1
    with pytest.raises(InputError, match=r"dev\.database\.storage_gib"):
        wake(DEV, played.hands())
    assert played.done == []


def test_wake_without_a_snapshot_says_what_to_do() -> None:
    with pytest.raises(InputError, match="rebuild the ledger"):
        wake(DEV, Rehearsal(FakeRds(there=False)).hands())


def test_wake_of_the_woken_only_deploys() -> None:
    played = Rehearsal(FakeRds(there=True))
    wake(DEV, played.hands())
    assert played.done == ["deploy --all --require-approval never -c env=dev"]


class FakeAccount:
    """Hosts, lag and queues that empty by one at each look; time passes while somebody sleeps."""

    def __init__(self, *, hosts: int = 0, lag: float | None = 0, messages: int = 0) -> None:
        self.hosts, self.lag, self.messages, self.time, self.limits = hosts, lag, messages, NOW, {}  # type: ignore[var-annotated]

    def drain(self, *forget: str) -> Drain:
        return Drain(
            self, self, self, NAMES, "writer", forget, lambda _: None, lambda: self.time, self._sleep
        )

    def _sleep(self, seconds: float) -> None:
        self.time += timedelta(seconds=seconds)
        self.hosts, self.messages = max(0, self.hosts - 1), max(0, self.messages - 1)
        self.lag = None if self.lag is None else max(0.0, self.lag - 1)

    def update_auto_scaling_group(self, **limits: Any) -> None:
        self.limits = limits

    def describe_auto_scaling_groups(self, **_: Any) -> Any:
        return {"AutoScalingGroups": [{"Instances": [{}] * self.hosts}]}

    def get_metric_statistics(self, **asked: Any) -> Any:
        assert {d["Name"] for d in asked["Dimensions"]} == {"Cluster Name", "Consumer Group", "Topic"}
        return {"Datapoints": [] if self.lag is None else [{"Timestamp": self.time, "Maximum": self.lag}]}

    def get_queue_url(self, *, QueueName: str) -> Any:  # noqa: N803
        return {"QueueUrl": QueueName}

    def get_queue_attributes(self, *, QueueUrl: str, AttributeNames: list[str]) -> Any:  # noqa: N803
        return {"Attributes": {name: str(self.messages) for name in AttributeNames}}


def test_drain_stops_the_intake_and_waits_for_all_that_is_on_its_way() -> None:
    account = FakeAccount(hosts=2, lag=5.0, messages=3)
    account.drain().run()
    assert account.limits == {"AutoScalingGroupName": "nexus-dev-ingest", "MinSize": 0, "DesiredCapacity": 0}
    assert (account.hosts, account.lag, account.messages) == (0, 0, 0)


def test_drain_gives_up_after_its_patience_and_names_what_is_left() -> None:
    account = FakeAccount(lag=1e9)
    with pytest.raises(RuntimeFault, match=r"records of orders to land.*Nothing is destroyed"):
        account.drain().run()
    assert account.time - NOW > PATIENCE


def test_drain_takes_no_lag_that_is_not_measured_for_none() -> None:
    assert any("a measured lag of orders" in end for end in FakeAccount(lag=None).drain().open_ends())
    streams = [entity.name for entity in load_entities().values() if entity.delivery == "stream"]
    assert FakeAccount(lag=None).drain(*streams).open_ends() == []


@pytest.fixture
def account(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """An account on moto, whose calls have the form of AWS's."""
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN"):
        monkeypatch.setenv(name, "none")
    monkeypatch.delenv("AWS_ENDPOINT_URL", raising=False)
    with mock_aws():
        yield


def test_snapshot_is_kept_and_found_again(account: None) -> None:
    rds, kms = (boto3.client(name, region_name=DEV.region) for name in ("rds", "kms"))
    lake = kms.create_key()["KeyMetadata"]["KeyId"]
    kms.create_alias(AliasName="alias/nexus-dev-lake", TargetKeyId=lake)
    with pytest.raises(InputError, match="no snapshot nexus-dev-ledger-asleep-"):
        newest_snapshot(rds, NAMES)
    rds.create_db_instance(
        DBInstanceIdentifier=NAMES.ledger_instance,
        DBInstanceClass="db.t4g.micro",
        Engine="postgres",
        AllocatedStorage=20,
        MasterUsername="nexus_owner",
        MasterUserPassword="a password of moto",
    )
    older = keep_ledger(rds, NAMES, "dev-1", NOW)
    newer = keep_ledger(rds, NAMES, "dev-2", NOW + timedelta(days=1))
    assert older < newer
    assert newest_snapshot(rds, NAMES) == (newer, "dev-2", 20)
    left = rds.describe_db_snapshots(SnapshotType="manual")["DBSnapshots"]
    assert sorted(one["DBSnapshotIdentifier"] for one in left) == [older, newer]
    assert all(lake in one["KmsKeyId"] for one in left)


def test_drain_asks_an_account_in_aws_own_words(account: None) -> None:
    """No host, no message; no lag is measured where nothing ran."""
    autoscaling, cloudwatch, sqs, ec2 = (
        boto3.client(name, region_name=DEV.region) for name in ("autoscaling", "cloudwatch", "sqs", "ec2")
    )
    zone = ec2.describe_availability_zones()["AvailabilityZones"][0]["ZoneName"]
    autoscaling.create_launch_configuration(
        LaunchConfigurationName="any", ImageId="ami-12c6146b", InstanceType="t4g.small"
    )
    autoscaling.create_auto_scaling_group(
        AutoScalingGroupName=NAMES.ingest_hosts,
        LaunchConfigurationName="any",
        MinSize=1,
        MaxSize=2,
        AvailabilityZones=[zone],
    )
    for queue in (NAMES.check_queue, NAMES.check_dead_letters, NAMES.rule_dead_letters):
        sqs.create_queue(QueueName=queue)
    streams = ("orders", "order_items", "payments", "reviews")
    drain = Drain(autoscaling, cloudwatch, sqs, NAMES, "writer", streams, print, lambda: NOW, lambda _: None)
    assert drain.open_ends() == ["1 gRPC hosts to stop"]
    drain.run()
    assert drain.open_ends() == []
    sqs.send_message(QueueUrl=sqs.get_queue_url(QueueName=NAMES.check_queue)["QueueUrl"], MessageBody="{}")
    assert drain.open_ends() == [f"1 messages in {NAMES.check_queue}"]
