"""The custom resource that puts Airflow's files: keys, folders, what it removes, what it refuses."""

import io
import zipfile
from typing import Any

import pytest

from lakehouse.errors import InputError
from lambdas.place_files.handler import place, put_all


class FakeS3:
    """Objects by (bucket, key), in the order of their writing."""

    def __init__(self, **objects: bytes) -> None:
        self.objects = {("assets", key): body for key, body in objects.items()}
        self.log: list[str] = []

    def get_object(self, *, Bucket: str, Key: str) -> Any:  # noqa: N803
        return {"Body": io.BytesIO(self.objects[Bucket, Key])}

    def put_object(self, *, Bucket: str, Key: str, Body: bytes) -> None:  # noqa: N803
        self.log.append(f"put {Key}")
        self.objects[Bucket, Key] = Body

    def delete_object(self, *, Bucket: str, Key: str) -> None:  # noqa: N803
        self.log.append(f"delete {Key}")
        del self.objects[Bucket, Key]

    def get_paginator(self, _: str) -> Any:
        return self

    def paginate(self, *, Bucket: str, Prefix: str) -> list[Any]:  # noqa: N803
        keys = [key for bucket, key in self.objects if bucket == Bucket and key.startswith(Prefix)]
        return [{"Contents": [{"Key": key} for key in keys]}, {}]

    def held(self) -> dict[str, bytes]:
        return {key: body for (bucket, key), body in self.objects.items() if bucket == "artifacts"}


def zipped(**members: str) -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        for name, text in members.items():
            archive.writestr(name.replace("__", "/"), text)
    return file.getvalue()


def asked(folders: dict[str, str] | None = None, **files: str) -> dict[str, Any]:
    return {"Bucket": "artifacts", "Files": files, "Folders": folders or {}}


def test_files_are_put_under_their_keys() -> None:
    s3 = FakeS3(hash1=b"boto3\n")
    assert put_all(s3, asked(requirements="assets/hash1")) == {"Put": "1", "Removed": "0"}
    assert s3.held() == {"requirements": b"boto3\n"}


def test_folder_holds_what_its_zip_holds_and_is_never_empty() -> None:
    s3 = FakeS3(old=zipped(gone="1", kept="1"), new=zipped(kept="2", sub__added="2"))
    put_all(s3, asked({"dags/": "assets/old"}))
    s3.log.clear()
    put_all(s3, asked({"dags/": "assets/new"}))
    assert s3.held() == {"dags/kept": b"2", "dags/sub/added": b"2"}
    assert s3.log[-1] == "delete dags/gone"


def test_folder_leaves_its_neighbours_alone() -> None:
    s3 = FakeS3(zip=zipped(a="1"))
    s3.objects["artifacts", "dags-of-others/b"] = b"2"
    put_all(s3, asked({"dags/": "assets/zip"}))
    assert "dags-of-others/b" in s3.held()


def test_folder_put_twice_is_the_same_as_once() -> None:
    s3 = FakeS3(zip=zipped(a="1"))
    for _ in range(2):
        assert put_all(s3, asked({"dags/": "assets/zip"})) == {"Put": "1", "Removed": "0"}


@pytest.mark.parametrize("name", ["..__x", "/x", "a__..__..__x"])
def test_zip_that_leaves_its_folder_is_refused(name: str) -> None:
    s3 = FakeS3(zip=zipped(**{name: "1"}))
    with pytest.raises(InputError, match="would leave its folder"):
        put_all(s3, asked({"dags/": "assets/zip"}))
    assert s3.held() == {}


def test_prefix_that_is_no_folder_is_refused() -> None:
    with pytest.raises(InputError, match="end it with /"):
        put_all(FakeS3(zip=zipped(a="1")), asked({"dags": "assets/zip"}))


def test_deleted_stack_leaves_its_files() -> None:
    assert place("Delete", asked(requirements="assets/hash1")) == {}
