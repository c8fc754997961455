"""The AWS of one machine by boto3: S3's rules, announcements, queues and the registry."""

import hashlib
import http.client
import inspect
import json
import socket
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import moto
import pytest
from botocore.exceptions import ClientError
from moto.glue.models import FakeRegistry, FakeSchema, FakeSchemaVersion
from moto.s3.models import FakeBucket, FakeKey, FakeMultipart
from moto.s3.utils import _VersionedKeyStore
from moto.sqs.models import Queue

from local import aws_server, object_events
from local.aws_setup import DEAD_LETTER_QUEUE, local_client, prepare_aws, register_schemas
from local.lake_store import LakeFiles
from local.registry_store import RegistryFile
from local.write_through import LakeOverS3
from tests.flow.aws_process import ROOT, AwsProcess

PREFIX = "shop"
BRONZE = f"{PREFIX}-bronze"


@pytest.fixture(scope="module")
def aws(tmp_path_factory: pytest.TempPathFactory) -> Iterator[AwsProcess]:
    with AwsProcess(tmp_path_factory.mktemp("aws") / "lake") as server:
        yield server


@pytest.fixture
def s3(aws: AwsProcess) -> Any:
    return aws.client("s3")


@pytest.fixture
def queue(aws: AwsProcess) -> str:
    """The check queue, emptied."""
    url = prepare_aws(aws.endpoint, PREFIX, visibility_timeout_s=0)
    while messages := receive(aws, url):
        for message in messages:
            aws.client("sqs").delete_message(QueueUrl=url, ReceiptHandle=message["ReceiptHandle"])
    return prepare_aws(aws.endpoint, PREFIX)


def error_of(call: Any, **arguments: Any) -> tuple[int, str]:
    with pytest.raises(ClientError) as caught:
        call(**arguments)
    answer = caught.value.response
    return answer["ResponseMetadata"]["HTTPStatusCode"], answer["Error"]["Code"]


def receive(aws: AwsProcess, url: str, wait_s: int = 0) -> list[dict[str, Any]]:
    answer = aws.client("sqs").receive_message(QueueUrl=url, MaxNumberOfMessages=10, WaitTimeSeconds=wait_s)
    found: list[dict[str, Any]] = answer.get("Messages", [])
    return found


@pytest.mark.parametrize(
    "key",
    ["a/b+c d%20é%2F=ü.parquet", "orders/year=2018/log+0+00000000000000000007.parquet", "x&y?z#1.parquet"],
)
def test_announcement_is_the_event_aws_sends(aws: AwsProcess, s3: Any, queue: str, key: str) -> None:
    etag = s3.put_object(Bucket=BRONZE, Key=key, Body=b"PAR1", Metadata={"rows": "4"})["ETag"]
    (message,) = receive(aws, queue)
    event = json.loads(message["Body"])
    detail = event.pop("detail")
    assert {name: event[name] for name in ("version", "detail-type", "source", "account", "resources")} == {
        "version": "0",
        "detail-type": "Object Created",
        "source": "aws.s3",
        "account": "123456789012",
        "resources": [f"arn:aws:s3:::{BRONZE}"],
    }
    assert set(event) == {"version", "id", "detail-type", "source", "account", "time", "region", "resources"}
    assert detail["bucket"] == {"name": BRONZE}
    assert detail["object"].pop("sequencer")
    assert detail["object"] == {"key": key, "size": 4, "etag": etag.strip('"')}
    assert detail["reason"] == "PutObject"
    assert s3.head_object(Bucket=BRONZE, Key=key)["Metadata"] == {"rows": "4"}


def test_only_new_parquet_in_bronze_is_announced(aws: AwsProcess, s3: Any, queue: str) -> None:
    s3.put_object(Bucket=BRONZE, Key="orders/_loads/1.json", Body=b"{}")
    s3.put_object(Bucket=f"{PREFIX}-silver", Key="silver.parquet", Body=b"1")
    s3.put_object(Bucket=BRONZE, Key="once.parquet", Body=b"1", IfNoneMatch="*")
    assert error_of(s3.put_object, Bucket=BRONZE, Key="once.parquet", Body=b"2", IfNoneMatch="*")[0] == 412
    s3.delete_object(Bucket=BRONZE, Key="once.parquet")
    assert [json.loads(m["Body"])["detail"]["object"]["key"] for m in receive(aws, queue)] == ["once.parquet"]


def test_copy_and_multipart_are_announced_once_with_their_metadata(
    aws: AwsProcess, s3: Any, queue: str
) -> None:
    parts = [b"a" * 5 * 2**20, b"b" * 2**20]
    upload = s3.create_multipart_upload(Bucket=BRONZE, Key="big.parquet", Metadata={"rows": "9"})["UploadId"]
    where = {"Bucket": BRONZE, "Key": "big.parquet", "UploadId": upload}
    done = [
        {"PartNumber": n, "ETag": s3.upload_part(**where, PartNumber=n, Body=part)["ETag"]}
        for n, part in enumerate(parts, 1)
    ]
    s3.complete_multipart_upload(**where, MultipartUpload={"Parts": done})
    s3.copy_object(Bucket=BRONZE, Key="copy.parquet", CopySource={"Bucket": BRONZE, "Key": "big.parquet"})
    details = [json.loads(m["Body"])["detail"] for m in receive(aws, queue)]
    assert [(d["object"]["key"], d["reason"], d["object"]["size"]) for d in details] == [
        ("big.parquet", "CompleteMultipartUpload", 6 * 2**20),
        ("copy.parquet", "CopyObject", 6 * 2**20),
    ]
    for key in ("big.parquet", "copy.parquet"):
        got = s3.get_object(Bucket=BRONZE, Key=key)
        assert (got["Metadata"], got["Body"].read()) == ({"rows": "9"}, b"".join(parts))
    ranged = s3.get_object(Bucket=BRONZE, Key="big.parquet", Range="bytes=-8")
    assert (ranged["Body"].read(), ranged["ContentRange"]) == (
        b"b" * 8,
        f"bytes {6 * 2**20 - 8}-{6 * 2**20 - 1}/{6 * 2**20}",
    )


def test_sixteen_racing_conditional_puts_have_one_winner(aws: AwsProcess, s3: Any, queue: str) -> None:
    clients = [aws.client("s3") for _ in range(16)]

    def put(number: int, key: str) -> int | None:
        try:
            clients[number].put_object(Bucket=BRONZE, Key=key, Body=f"{number}".encode(), IfNoneMatch="*")
        except ClientError as error:
            return None if error.response["ResponseMetadata"]["HTTPStatusCode"] == 412 else -1
        return number

    with ThreadPoolExecutor(16) as pool:
        for race in range(10):
            key = f"race/{race}.parquet"
            winners = [n for n in pool.map(put, range(16), [key] * 16) if n is not None]
            assert [s3.get_object(Bucket=BRONZE, Key=key)["Body"].read()] == [
                f"{n}".encode() for n in winners
            ]
    assert len(receive(aws, queue)) == 10


def test_message_received_too_often_is_set_aside(aws: AwsProcess, s3: Any, queue: str) -> None:
    assert prepare_aws(aws.endpoint, PREFIX, visibility_timeout_s=0, max_receives=2) == queue
    s3.put_object(Bucket=BRONZE, Key="poison.parquet", Body=b"1")
    assert [len(receive(aws, queue)) for _ in range(3)] == [1, 1, 0]
    dead = aws.client("sqs").get_queue_url(QueueName=DEAD_LETTER_QUEUE)["QueueUrl"]
    (message,) = receive(aws, dead)
    assert json.loads(message["Body"])["detail"]["object"]["key"] == "poison.parquet"
    prepare_aws(aws.endpoint, PREFIX)
    asked = aws.client("sqs").get_queue_attributes(QueueUrl=queue, AttributeNames=["All"])["Attributes"]
    assert asked["MessageRetentionPeriod"] == "1209600", "14 days"
    assert asked["VisibilityTimeout"] == "60", "made again with other timeouts"


@pytest.mark.parametrize("key", ["../../escape", "a/../b", "a//b", "/a", "dir/", "x" * 251, "./a"])
def test_key_that_cannot_be_a_file_is_refused(aws: AwsProcess, s3: Any, queue: str, key: str) -> None:
    before = sorted(aws.lake.parent.rglob("*"))
    assert error_of(s3.put_object, Bucket=BRONZE, Key=key, Body=b"1") == (400, "InvalidRequest")
    connection = http.client.HTTPConnection("127.0.0.1", int(aws.endpoint.rsplit(":", 1)[1]))
    for bucket in ("..", "%2e%2e"):
        connection.request("PUT", f"/{bucket}", headers={"Authorization": "x Credential=a/b/us-east-1/s3/c"})
        assert connection.getresponse().status >= 400
        assert sorted(aws.lake.parent.rglob("*")) == before
        connection.close()


def test_what_the_lake_cannot_keep_is_refused(s3: Any, queue: str) -> None:
    enabled = {"Status": "Enabled"}
    assert (
        error_of(s3.put_bucket_versioning, Bucket=BRONZE, VersioningConfiguration=enabled)[1]
        == "NotImplemented"
    )
    nothing = {"Parts": [{"PartNumber": 1, "ETag": "x"}]}
    gone = {"Bucket": BRONZE, "Key": "k", "UploadId": "before-a-restart", "MultipartUpload": nothing}
    assert error_of(s3.complete_multipart_upload, **gone) == (404, "NoSuchUpload")


def test_schemas_keep_their_ids(aws: AwsProcess) -> None:
    text = 'syntax = "proto3";\npackage nexus.v1;\nmessage Order {\n  optional string order_id = 10;\n}\n'
    first = register_schemas(aws.endpoint, "keystone-nexus", {"orders": text, "items": text})
    assert len(set(first.values())) == 2
    newer = register_schemas(aws.endpoint, "keystone-nexus", {"orders": text + "// 1.1\n"})
    assert newer["orders"] != first["orders"]
    assert register_schemas(aws.endpoint, "keystone-nexus", {"orders": text, "items": text}) == first
    glue = aws.client("glue")
    schema = {"RegistryName": "keystone-nexus", "SchemaName": "orders"}
    found = glue.get_schema_by_definition(SchemaId=schema, SchemaDefinition=text)
    assert (found["SchemaVersionId"], found["Status"], found["DataFormat"]) == (
        first["orders"],
        "AVAILABLE",
        "PROTOBUF",
    )
    version = glue.get_schema_version(SchemaVersionId=newer["orders"])
    assert (version["SchemaDefinition"], version["VersionNumber"]) == (text + "// 1.1\n", 2)
    latest = glue.get_schema_version(SchemaId=schema, SchemaVersionNumber={"LatestVersion": True})
    assert latest["SchemaVersionId"] == newer["orders"]
    unknown = "00000000-0000-4000-8000-000000000000"
    assert error_of(glue.get_schema_version, SchemaVersionId=unknown) == (400, "EntityNotFoundException")
    elsewhere = local_client("glue", aws.endpoint, "sa-east-1")
    assert error_of(elsewhere.create_registry, RegistryName="r") == (400, "InvalidInputException")


def test_lake_or_port_in_use_is_one_clear_message(aws: AwsProcess, tmp_path: Path) -> None:
    command = [sys.executable, "-m", "local.aws_server", "--lake"]
    second = subprocess.run([*command, str(aws.lake)], cwd=ROOT, capture_output=True, text=True, check=False)
    assert (second.returncode, "nexus down" in second.stderr, "Traceback" in second.stderr) == (
        1,
        True,
        False,
    )
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        other = [*command, str(tmp_path), "--port", port]
        third = subprocess.run(other, cwd=ROOT, capture_output=True, text=True, check=False)
    assert (third.returncode, f"port {port} cannot be used" in third.stderr) == (1, True)
    assert "Traceback" not in third.stderr


def test_moto_is_the_one_that_was_read(tmp_path: Path) -> None:
    """Fails when moto changes what is wrapped or relied on: read those parts again, then renew the digest."""
    hooks = (
        *LakeOverS3(LakeFiles(tmp_path), "us-east-1").hooks(),
        *RegistryFile(tmp_path / "registry.json", "us-east-1").hooks(),
        *object_events.hooks(),
        aws_server.FASTER,
    )
    relied_on = (_VersionedKeyStore, FakeKey, FakeBucket.__init__, FakeMultipart, Queue.wait_for_messages)
    relied_on += (FakeRegistry, FakeSchema, FakeSchemaVersion)
    sources = [inspect.getsource(getattr(hook.owner, hook.name)) for hook in hooks]
    sources += [inspect.getsource(part) for part in relied_on]
    digest = hashlib.sha256("".join(sources).encode()).hexdigest()[:16]
    assert (moto.__version__, len(hooks), digest) == ("5.2.5", 19, "c7048b3eb986e96d")
