"""The Lambda behind a custom resource of the orchestration stack: from the deployment's own bucket to the artifacts'.

A file goes under a key that names its content. A folder arrives as a zip and replaces what stood under its prefix.
"""

import io
import zipfile
from collections.abc import Mapping
from typing import Any

import boto3

from adapters.custom_resource import RequestKind, answering
from lakehouse.errors import InputError


def place(kind: RequestKind, properties: Mapping[str, Any]) -> Mapping[str, str]:
    """`Bucket`, `Files` (key → asset) and `Folders` (prefix → asset), an asset being `bucket/key`. May be repeated.

    A deleted stack leaves all of it: whoever deploys again finds what ran before.
    """
    if kind == "Delete":
        return {}
    return put_all(boto3.client("s3"), properties)


def put_all(s3: Any, properties: Mapping[str, Any]) -> Mapping[str, str]:
    """How many objects were put and removed."""
    bucket = properties["Bucket"]
    put, removed = 0, 0
    for key, asset in properties["Files"].items():
        s3.put_object(Bucket=bucket, Key=key, Body=_bytes(s3, asset))
        put += 1
    for prefix, asset in properties["Folders"].items():
        if not prefix.endswith("/"):
            raise InputError(f"{prefix!r} is no folder: end it with /")
        members = _members(_bytes(s3, asset))
        for name, body in members.items():
            s3.put_object(Bucket=bucket, Key=prefix + name, Body=body)
        put += len(members)
        removed += _remove_others(s3, bucket, prefix, members)
    return {"Put": str(put), "Removed": str(removed)}


def _bytes(s3: Any, asset: str) -> bytes:
    bucket, _, key = asset.partition("/")
    return bytes(s3.get_object(Bucket=bucket, Key=key)["Body"].read())


def _members(body: bytes) -> dict[str, bytes]:
    with zipfile.ZipFile(io.BytesIO(body)) as archive:
        names = [name for name in archive.namelist() if not name.endswith("/")]
        for name in names:
            if name.startswith("/") or ".." in name.split("/"):
                raise InputError(f"{name!r} would leave its folder")
        return {name: archive.read(name) for name in names}


def _remove_others(s3: Any, bucket: str, prefix: str, members: Mapping[str, bytes]) -> int:
    """After everything new is there, so that Airflow never sees an empty folder."""
    removed = 0
    for page in s3.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=prefix):
        for found in page.get("Contents", []):
            if found["Key"].removeprefix(prefix) not in members:
                s3.delete_object(Bucket=bucket, Key=found["Key"])
                removed += 1
    return removed


lambda_handler = answering("placed-files", place)
