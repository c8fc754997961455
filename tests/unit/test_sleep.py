"""Falling asleep and waking: what is kept, what goes, in which order, and what is refused."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from lakehouse.catalog import load_entities
from lakehouse.errors import InputError, RuntimeFault
from local.drained import PATIENCE, Drain
from local.sleep import Hands, fall_asleep, wake
from local.templates import read_settings
from stacks.naming import Names

DEV = read_settings("dev")
NAMES = Names("dev", DEV.bucket_prefix)
STACKS = ["storage", "network", "database", "catalog", "streaming", "processing", "ingest", "observability"]
NOW = datetime(2026, 11, 21, 12, tzinfo=UTC)


class FakeRds:
    """Remembers snapshots with their keys; there is a database, or not."""

    class exceptions:  # noqa: N801 - boto3's own name
        class DBInstanceNotFoundFault(Exception):
            """What boto3 raises."""

    def __init__(self, there: bool) -> None:
        self.there, self.snapshots = there, {}  # type: tuple[bool, dict[str, dict[str, Any]]]
        self.done: list[str] = []

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
        }


@dataclass
class Rehearsal:
    """Hands that only write down what they would do."""

    rds: FakeRds
    done: list[str] = field(default_factory=list)
    drain: Callable[[], None] | None = None

    def hands(self) -> Hands:
        def cdk(arguments: Sequence[str]) -> None:
            self.done.append(" ".join(arguments))

        drain = self.drain or (lambda: self.done.append("drain"))
        return Hands(rds=self.rds, drain=drain, cdk=cdk, now=lambda: NOW, say=lambda _: None)


def test_sleep_drains_keeps_the_ledger_and_destroys_what_is_paid_by_the_hour() -> None:
    played = Rehearsal(FakeRds(there=True))
    fall_asleep(DEV, STACKS, played.hands())
    drained, deployed, destroyed = played.done
    assert drained == "drain"
    assert deployed.startswith("deploy --exclusively")
    assert destroyed == (
        "destroy --exclusively --force -c env=dev -c destroy=dev "
        "Observability Ingest Processing Streaming Database Network"
    )
    assert "Storage" not in deployed + destroyed
    assert "Catalog" not in deployed + destroyed


def test_sleep_keeps_the_ledger_under_a_key_that_stays() -> None:
    rds = FakeRds(there=True)
    fall_asleep(DEV, STACKS, Rehearsal(rds).hands())
    [kept] = rds.snapshots.values()
    assert kept["DBSnapshotIdentifier"] == "nexus-dev-ledger-asleep-20261121-120000"
    assert kept["key"] == "alias/nexus-dev-lake"


def test_sleep_again_after_a_failure_takes_no_ledger_that_is_not_there() -> None:
    played = Rehearsal(FakeRds(there=False))
    fall_asleep(DEV, STACKS, played.hands())
    assert len(played.done) == 2
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
