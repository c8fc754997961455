"""The way back to an empty account: what is asked first, in which order things go, that versions go too."""

from collections.abc import Iterable, Sequence
from typing import Any

import pytest
from botocore.exceptions import ClientError

from lakehouse.errors import InputError, RuntimeFault
from local import teardown
from local.teardown import Hands, destroy_all, empty
from local.templates import read_settings

DEV = read_settings("dev")
KEEPING = {"Resources": {"Data": {"Type": "AWS::S3::Bucket", "DeletionPolicy": "Retain"}}}
PLAIN: dict[str, Any] = {"Resources": {"Vpc": {"Type": "AWS::EC2::VPC"}}}
STACKS = {"storage": KEEPING, "network": PLAIN, "database": KEEPING, "catalog": KEEPING}


class FakeS3:
    """Versions by bucket; keeps what it is told to keep."""

    class exceptions:  # noqa: N801 - boto3's own name
        class NoSuchBucket(Exception):
            """What boto3 raises."""

    def __init__(self, versions: dict[str, int], keeps: str = "") -> None:
        self.versions, self.keeps, self.requests = dict(versions), keeps, 0

    def get_paginator(self, _: str) -> Any:
        return self

    def paginate(self, *, Bucket: str) -> list[Any]:  # noqa: N803
        if Bucket not in self.versions:
            raise self.exceptions.NoSuchBucket
        numbers = range(self.versions[Bucket])
        found = [{"Key": f"k{n}", "VersionId": f"v{n}"} for n in numbers]
        return [{"Versions": found[1:]}, {"DeleteMarkers": found[:1]}]

    def delete_objects(self, *, Bucket: str, Delete: Any) -> Any:  # noqa: N803
        self.requests += 1
        assert len(Delete["Objects"]) <= 1000
        if self.keeps == Bucket:
            return {"Errors": [{"Key": "k0", "Message": "Access Denied"}]}
        self.versions[Bucket] -= len(Delete["Objects"])
        return {}


class FakeRds:
    """One snapshot of this environment, one of another."""

    def __init__(self) -> None:
        self.left = ["nexus-dev-ledger-asleep-20261121-120000", "nexus-staging-ledger-asleep-20261121-120000"]

    def get_paginator(self, _: str) -> Any:
        return self

    def paginate(self, **_: Any) -> list[Any]:
        return [
            {
                "DBSnapshots": [
                    {"DBSnapshotIdentifier": n, "Status": "available", "TagList": []} for n in self.left
                ]
            }
        ]

    def delete_db_snapshot(self, *, DBSnapshotIdentifier: str) -> None:  # noqa: N803
        self.left.remove(DBSnapshotIdentifier)


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


def hands(s3: FakeS3, done: list[str], there: Iterable[str] = tuple(STACKS)) -> Hands:
    def cdk(arguments: Sequence[str]) -> None:
        done.append(f"{arguments[0]} {' '.join(a for a in arguments if a[0].isupper())}")

    return Hands(FakeSts(), s3, FakeRds(), FakeCloudFormation(there), cdk, done.append)


def test_teardown_empties_the_buckets_when_nothing_writes_any_more() -> None:
    done: list[str] = []
    s3 = FakeS3({f"{DEV.bucket_prefix}-bronze": 2500, f"{DEV.bucket_prefix}-logs": 3})
    used = hands(s3, done)
    destroy_all(DEV, STACKS, "dev", used)
    assert done[0] == "deploy Storage Database Catalog"
    assert done[1] == "destroy Catalog Database Network"
    assert f"{DEV.bucket_prefix}-bronze: 2,500 object versions deleted" in done
    assert done.index("destroy Storage") > done.index(f"{DEV.bucket_prefix}-logs: 3 object versions deleted")
    assert set(s3.versions.values()) == {0}
    assert used.rds.left == ["nexus-staging-ledger-asleep-20261121-120000"]


def test_teardown_of_the_sleeping_makes_nothing_anew() -> None:
    done: list[str] = []
    destroy_all(DEV, STACKS, "dev", hands(FakeS3({}), done, there=("storage", "catalog")))
    assert [line for line in done if line.startswith(("deploy", "destroy"))] == [
        "deploy Storage Catalog",
        "destroy Catalog",
        "destroy Storage",
    ]


@pytest.mark.parametrize(
    ("environment", "confirmed", "said"),
    [
        ("prod", "prod", "its removal is retain"),
        ("dev", "", "CONFIRM=dev"),
        ("dev", "staging", "CONFIRM=dev"),
    ],
)
def test_teardown_touches_nothing_unless_it_is_allowed_and_confirmed(
    environment: str, confirmed: str, said: str
) -> None:
    done: list[str] = []
    with pytest.raises(InputError, match=said):
        destroy_all(read_settings(environment), STACKS, confirmed, hands(FakeS3({}), done))
    assert done == []


def test_empty_deletes_versions_and_markers_in_batches() -> None:
    s3 = FakeS3({"b": 2500})
    assert empty(s3, "b") == 2500
    assert s3.requests == 3


def test_empty_stops_at_what_the_bucket_keeps() -> None:
    with pytest.raises(RuntimeFault, match="b keeps k0: Access Denied"):
        empty(FakeS3({"b": 1}, keeps="b"), "b")


def test_teardown_without_a_synthesized_app_says_what_to_do(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(
        teardown, "read_templates", lambda _: (_ for _ in ()).throw(InputError("run `make synth`"))
    )
    assert teardown.main(["dev", "--confirm", "dev"]) == 3
    assert "make synth" in capsys.readouterr().err
