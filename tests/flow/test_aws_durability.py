"""What the local AWS keeps: restarts, kill -9 under load, a full disk, large objects."""

import hashlib
import random
import resource
import socket
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import psutil
import pytest
from botocore.exceptions import BotoCoreError, ClientError

from local.aws_setup import prepare_aws, register_schemas
from tests.flow.aws_process import AwsProcess

BRONZE = "shop-bronze"
MB = 2**20


@pytest.fixture
def aws(tmp_path: Path) -> Iterator[AwsProcess]:
    with AwsProcess(tmp_path / "lake") as server:
        prepare_aws(server.endpoint, "shop")
        yield server


def listing(s3: Any) -> dict[str, tuple[str, int, str]]:
    pages = s3.get_paginator("list_objects_v2").paginate(Bucket=BRONZE, PaginationConfig={"PageSize": 25})
    found = [item for page in pages for item in page.get("Contents", [])]
    return {item["Key"]: (item["ETag"], item["Size"], str(item["LastModified"])) for item in found}


def test_objects_buckets_and_ids_survive_a_restart(aws: AwsProcess) -> None:
    s3 = aws.client("s3")
    for number in range(60):
        s3.put_object(Bucket=BRONZE, Key=f"many/{number}", Body=b"%d" % number)
    s3.put_object(Bucket=BRONZE, Key="a b+ü/=.parquet", Body=b"first", Metadata={"rows": "1"})
    s3.put_object(
        Bucket=BRONZE,
        Key="a b+ü/=.parquet",
        Body=b"second",
        Metadata={"rows": "2", "topic-id": "x_y"},
        ContentType="a/b",
    )
    s3.put_object(Bucket=BRONZE, Key="gone", Body=b"1")
    s3.delete_objects(Bucket=BRONZE, Delete={"Objects": [{"Key": "gone"}, {"Key": "many/7"}]})
    s3.create_bucket(Bucket="short-lived")
    s3.delete_bucket(Bucket="short-lived")
    ids = register_schemas(aws.endpoint, "keystone-nexus", {"orders": "message A {}"})
    before = listing(s3)
    buckets = [b["Name"] for b in s3.list_buckets()["Buckets"]]
    url = prepare_aws(aws.restart().endpoint, "shop")

    s3 = aws.client("s3")
    assert len(before) == 60
    assert listing(s3) == before
    assert sorted(b["Name"] for b in s3.list_buckets()["Buckets"]) == sorted(buckets)
    got = s3.get_object(Bucket=BRONZE, Key="a b+ü/=.parquet")
    assert (got["Body"].read(), got["Metadata"], got["ContentType"]) == (
        b"second",
        {"rows": "2", "topic-id": "x_y"},
        "a/b",
    )
    assert register_schemas(aws.endpoint, "keystone-nexus", {"orders": "message A {}"}) == ids
    with pytest.raises(ClientError, match="PreconditionFailed"):
        s3.put_object(Bucket=BRONZE, Key="a b+ü/=.parquet", Body=b"third", IfNoneMatch="*")
    s3.put_object(Bucket=BRONZE, Key="gone", Body=b"2", IfNoneMatch="*")
    assert "Messages" not in aws.client("sqs").receive_message(QueueUrl=url), "loading announces nothing"


def test_every_answered_put_survives_kill_under_load(aws: AwsProcess) -> None:
    """New keys and overwrites of the same size from eight threads; killed twice."""
    acknowledged: dict[str, list[bytes]] = {}
    for round_number in range(2):
        busy = threading.Barrier(9)
        with ThreadPoolExecutor(8) as pool:
            workers = [pool.submit(put_until_killed, aws, busy, round_number, n) for n in range(8)]
            busy.wait()
            aws.kill()
            for worker in workers:
                acknowledged |= worker.result()
        s3 = aws.start().client("s3")
        there = listing(s3)
        assert len(acknowledged) > 80
        assert acknowledged.keys() <= there.keys()
        for key in there:
            got = s3.get_object(Bucket=BRONZE, Key=key)
            body = got["Body"].read()
            assert body in acknowledged.get(key, [body]), f"{key}: neither answered last nor in flight"
            assert got["Metadata"] == {"md5": hashlib.md5(body).hexdigest()}
            assert got["ETag"] == f'"{got["Metadata"]["md5"]}"'
    assert "ERROR" not in aws.log


def put_until_killed(
    aws: AwsProcess, barrier: threading.Barrier, round_number: int, worker: int
) -> dict[str, list[bytes]]:
    """Key → values it may hold: the last one answered, and one more if a PUT was in flight."""
    s3, generator = aws.client("s3"), random.Random(f"{round_number}/{worker}")
    held: dict[str, list[bytes]] = {}
    for count in range(100_000):
        own = f"overwritten/{worker}" if count % 3 == 0 else f"{round_number}/{worker}/{count}"
        value = generator.randbytes(1000)
        try:
            s3.put_object(
                Bucket=BRONZE, Key=own, Body=value, Metadata={"md5": hashlib.md5(value).hexdigest()}
            )
        except (BotoCoreError, ClientError):
            if own in held:
                held[own].append(value)
            return held
        held[own] = [value]
        if count == 15:
            barrier.wait()
    raise AssertionError("the server was never killed")


def test_fault_63_full_disk_is_an_error_and_not_a_false_success(aws: AwsProcess) -> None:
    s3 = aws.client("s3")
    s3.put_object(Bucket=BRONZE, Key="k", Body=b"old", Metadata={"n": "1"})
    limits = resource.prlimit(aws.pid, resource.RLIMIT_FSIZE, (MB, resource.RLIM_INFINITY))
    for key in ("k", "new"):
        with pytest.raises(ClientError) as caught:
            s3.put_object(Bucket=BRONZE, Key=key, Body=b"x" * 2 * MB, Metadata={"n": "2"})
        assert caught.value.response["ResponseMetadata"]["HTTPStatusCode"] == 500
        assert caught.value.response["Error"]["Code"] == "InternalError"
    assert list(listing(s3)) == ["k"]
    assert s3.get_object(Bucket=BRONZE, Key="k")["Body"].read() == b"old"
    resource.prlimit(aws.pid, resource.RLIMIT_FSIZE, limits)
    s3.put_object(Bucket=BRONZE, Key="new", Body=b"x" * 2 * MB, IfNoneMatch="*")
    s3 = aws.restart().client("s3")
    assert (s3.head_object(Bucket=BRONZE, Key="k")["Metadata"], sorted(listing(s3))) == (
        {"n": "1"},
        ["k", "new"],
    )


def test_registry_that_cannot_be_written_promises_no_id(aws: AwsProcess) -> None:
    limits = resource.prlimit(aws.pid, resource.RLIMIT_FSIZE, (10_000, resource.RLIM_INFINITY))
    with pytest.raises(ClientError, match="InternalServiceException"):
        register_schemas(aws.endpoint, "r", {"orders": "x" * 20_000})
    resource.prlimit(aws.pid, resource.RLIMIT_FSIZE, limits)
    schema = {"RegistryName": "r", "SchemaName": "orders"}
    with pytest.raises(ClientError, match="EntityNotFound"):
        aws.client("glue").get_schema_by_definition(SchemaId=schema, SchemaDefinition="x" * 20_000)
    ids = register_schemas(aws.endpoint, "r", {"orders": "x" * 20_000})
    assert register_schemas(aws.restart().endpoint, "r", {"orders": "x" * 20_000}) == ids


def test_large_objects_hold_neither_memory_nor_descriptors(aws: AwsProcess) -> None:
    s3 = aws.client("s3")
    process = psutil.Process(aws.pid)
    s3.put_object(Bucket=BRONZE, Key="0", Body=b"x" * 6 * MB)
    descriptors, memory = process.num_fds(), process.memory_info().rss
    for number in range(20):
        s3.put_object(Bucket=BRONZE, Key=f"{number}", Body=bytes([number]) * 6 * MB)
    assert process.num_fds() <= descriptors + 1
    assert process.memory_info().rss < memory + 15 * MB, "120 MB were put"
    s3 = aws.restart().client("s3")
    process = psutil.Process(aws.pid)
    assert process.memory_info().rss < memory + 15 * MB, "120 MB were loaded"
    assert s3.get_object(Bucket=BRONZE, Key="19")["Body"].read() == bytes([19]) * 6 * MB
    assert process.num_fds() <= descriptors + 1


def test_fault_23_upload_cut_off_by_its_client_leaves_nothing(aws: AwsProcess) -> None:
    with socket.create_connection(("127.0.0.1", int(aws.endpoint.rsplit(":", 1)[1]))) as connection:
        head = f"PUT /{BRONZE}/cut HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 1000\r\n"
        head += "Authorization: AWS4-HMAC-SHA256 Credential=a/20260101/us-east-1/s3/aws4_request, Signature=b\r\n\r\n"
        connection.sendall(head.encode() + b"only these bytes")
        connection.shutdown(socket.SHUT_WR)
        answer = connection.recv(1000)
    assert b" 200 " not in answer.split(b"\r\n")[0]
    assert listing(aws.client("s3")) == {}


def test_folder_tells_what_does_not_belong_there(aws: AwsProcess) -> None:
    s3 = aws.client("s3")
    s3.put_object(Bucket=BRONZE, Key="removed", Body=b"1")
    assert aws.stop() == 0
    (aws.lake / "lake" / BRONZE / "removed").unlink()
    stray = aws.lake / "lake" / BRONZE / "stray"
    stray.write_bytes(b"by hand")
    s3 = aws.start().client("s3")
    assert listing(s3) == {}
    assert f"{stray} has no sidecar" in aws.log
    assert "removed.json has no bytes beside it" in aws.log
    with pytest.raises(ClientError, match="stands in the way"):
        s3.put_object(Bucket=BRONZE, Key="stray", Body=b"2", IfNoneMatch="*")
    assert stray.read_bytes() == b"by hand"
