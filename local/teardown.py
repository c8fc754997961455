"""`make destroy ENV=dev CONFIRM=dev`: the way back to an empty account. All of the environment goes, data too."""

import argparse
import shlex
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import boto3

from lakehouse.errors import InputError, NexusError, RuntimeFault
from local.account import deployed, holds_state, in_words, require_account
from local.sleep import snapshots_asleep
from local.templates import Template, read_settings, read_templates
from stacks.naming import EXTRA_BUCKETS, Names
from stacks.settings import ENVIRONMENTS, Settings

_BATCH = 1000  # the most that S3 deletes in one request


@dataclass(frozen=True)
class Hands:
    """What acts: AWS's clients, the CDK command line, and where to tell of it."""

    sts: Any
    s3: Any
    rds: Any
    cloudformation: Any
    cdk: Callable[[Sequence[str]], None]
    say: Callable[[str], None]


def destroy_all(settings: Settings, templates: Mapping[str, Template], confirmed: str, hands: Hands) -> None:
    """`templates` in the order of their deployment. May be run again after a failure, and while it is asleep.

    InputError unless the environment may be destroyed and its name was typed twice.
    """
    environment = settings.environment
    if settings.removal != "destroy":
        raise InputError(f"{environment} is not destroyed: its removal is {settings.removal} in cdk.json")
    if confirmed != environment:
        raise InputError(f"this deletes all data of {environment}: say so by CONFIRM={environment}")
    require_account(hands.sts, settings)
    switches = ["-c", f"env={environment}", "-c", f"destroy={environment}"]
    names = Names(environment, settings.bucket_prefix)
    there = deployed(hands.cloudformation, names, list(templates))
    # first, so that CloudFormation's own copies of the templates, and the buckets' policies, say that all may go
    if stateful := [name.capitalize() for name in there if holds_state(templates[name])]:
        hands.cdk(["deploy", "--exclusively", "--require-approval", "never", *switches, *stateful])
    if going := [name.capitalize() for name in reversed(there) if name != "storage"]:
        hands.cdk(["destroy", "--exclusively", "--force", *switches, *going])
    for bucket in buckets(names):
        hands.say(f"{bucket}: {empty(hands.s3, bucket):,} object versions deleted")
    if "storage" in there:
        hands.cdk(["destroy", "--exclusively", "--force", *switches, "Storage"])
    for snapshot in snapshots_asleep(hands.rds, names):
        hands.rds.delete_db_snapshot(DBSnapshotIdentifier=snapshot["DBSnapshotIdentifier"])
        hands.say(f"{snapshot['DBSnapshotIdentifier']} deleted")
    hands.say(
        "Destroyed. Keys wait for their end for as long as AWS makes them; until then they cost nothing."
    )


def buckets(names: Names) -> list[str]:
    """Every bucket of an environment; that of the logs last, for deleting is logged."""
    lake = names.buckets
    layers = (lake.landing, lake.bronze, lake.silver, lake.quarantine, lake.gold)
    return [*layers, *(f"{names.bucket_prefix}-{extra}" for extra in EXTRA_BUCKETS)]


def empty(s3: Any, bucket: str) -> int:
    """Deletes every version and marker; how many. 0 for a bucket that is not there."""
    deleted = 0
    for batch in _batches(_versions(s3, bucket)):
        answer = s3.delete_objects(Bucket=bucket, Delete={"Objects": batch, "Quiet": True})
        if errors := answer.get("Errors"):
            first = errors[0]
            raise RuntimeFault(
                f"{bucket} keeps {first['Key']}: {first['Message']}. Mend that and run it again"
            )
        deleted += len(batch)
    return deleted


def _versions(s3: Any, bucket: str) -> Iterator[dict[str, str]]:
    try:
        for page in s3.get_paginator("list_object_versions").paginate(Bucket=bucket):
            for found in [*page.get("Versions", []), *page.get("DeleteMarkers", [])]:
                yield {"Key": found["Key"], "VersionId": found["VersionId"]}
    except s3.exceptions.NoSuchBucket:
        return


def _batches(objects: Iterator[dict[str, str]]) -> Iterator[list[dict[str, str]]]:
    batch: list[dict[str, str]] = []
    for one in objects:
        batch.append(one)
        if len(batch) == _BATCH:
            yield batch
            batch = []
    if batch:
        yield batch


def _run(command: Sequence[str]) -> None:
    if subprocess.run(command, check=False).returncode:
        raise RuntimeFault(f"{shlex.join(command)} failed: see above; mend it and run the same again")


def main(arguments: list[str] | None = None) -> int:
    """Exit code 3 when it cannot go on, with what to do."""
    parser = argparse.ArgumentParser(prog="python -m local.teardown", description=__doc__)
    parser.add_argument("environment", choices=ENVIRONMENTS)
    parser.add_argument("--confirm", default="", help="the environment's name once more")
    parser.add_argument("--cdk", default="cdk", help="how the CDK command line is called")
    given = parser.parse_args(arguments)
    try:
        settings = read_settings(given.environment)
        templates = read_templates(given.environment)
        command = shlex.split(given.cdk)
        with in_words():
            sts, s3, rds, cloudformation = (
                boto3.client(service, region_name=settings.region)
                for service in ("sts", "s3", "rds", "cloudformation")
            )
            hands = Hands(
                sts,
                s3,
                rds,
                cloudformation,
                cdk=lambda more: _run([*command, *more]),
                say=partial(print, flush=True),
            )
            destroy_all(settings, templates, given.confirm, hands)
    except NexusError as error:
        sys.stderr.write(f"{error}\n")
        return 3
    return 0


if __name__ == "__main__":
    sys.exit(main())
