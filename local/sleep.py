"""`make sleep ENV=dev` destroys what is paid by the hour; `make wake ENV=dev` brings it back. Lake and ledger stay.

Kept: the stacks storage and catalog (lake, keys, registry) and a snapshot of the ledger under the lake's key. Kafka is
not kept: so intake is stopped and everything in it is landed and checked first.
"""

import argparse
import shlex
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from typing import Any, Self

import boto3

from lakehouse.errors import InputError, NexusError, RuntimeFault
from local.account import deployed, holds_state, in_words, require_account
from local.drained import Drain
from local.templates import Template, read_settings, read_templates
from stacks.naming import Names
from stacks.settings import ENVIRONMENTS, Settings

KEPT = ("storage", "catalog")
# What draining needs; without one of them nothing comes in.
_WAY_IN = ("streaming", "processing", "ingest")
_LOG_TAG = "log"
# Of the database stack; CloudFormation remembers it at later deployments.
SNAPSHOT_PARAMETER = "LedgerSnapshot"


@dataclass(frozen=True)
class Hands:
    """What acts: AWS's clients, the CDK command line, time, and where to tell of it."""

    sts: Any
    rds: Any
    cloudformation: Any
    drain: Callable[[], None]
    cdk: Callable[[Sequence[str]], None]
    now: Callable[[], datetime]
    say: Callable[[str], None]

    @classmethod
    def of(cls, settings: Settings, cdk: str, forget: Sequence[str]) -> Self:
        """With the credentials of this process. `cdk` is how the CLI is called here."""
        command, say = shlex.split(cdk), partial(print, flush=True)
        return cls(
            sts=boto3.client("sts", region_name=settings.region),
            rds=boto3.client("rds", region_name=settings.region),
            cloudformation=boto3.client("cloudformation", region_name=settings.region),
            drain=Drain.connect(settings, forget, say, _now, time.sleep).run,
            cdk=lambda arguments: _run([*command, *arguments]),
            now=_now,
            say=say,
        )


def fall_asleep(settings: Settings, templates: Mapping[str, Template], hands: Hands) -> None:
    """Drains, keeps the ledger, destroys. `templates` in the order of their deployment. May be run again."""
    _require_sleeper(settings)
    require_account(hands.sts, settings)
    names = Names(settings.environment, settings.bucket_prefix)
    there = deployed(hands.cloudformation, names, [name for name in templates if name not in KEPT])
    way_in = {*_WAY_IN, *(["connect"] if settings.land.by == "connect" else [])}
    if way_in <= set(there):
        hands.drain()
    else:
        hands.say("nothing comes in any more: not drained again")
    if _has_ledger(hands.rds, names):
        kept = keep_ledger(hands.rds, names, settings.streaming.log, hands.now())
        hands.say(f"the ledger is kept as {kept}")
    switches = ["-c", f"env={settings.environment}", "-c", f"destroy={settings.environment}"]
    # first, so that CloudFormation's own copies of the templates say that what is stateful may go
    if stateful := [name.capitalize() for name in there if holds_state(templates[name])]:
        hands.cdk(["deploy", "--exclusively", "--require-approval", "never", *switches, *stateful])
    if there:
        going = [name.capitalize() for name in reversed(there)]
        hands.cdk(["destroy", "--exclusively", "--force", *switches, *going])
    hands.say(f"asleep. Lake and registry stay; `make wake ENV={settings.environment}` brings the rest back")


def wake(settings: Settings, hands: Hands) -> None:
    """Deploys everything, the ledger from its newest snapshot. InputError while the log id is the old cluster's."""
    _require_sleeper(settings)
    require_account(hands.sts, settings)
    names = Names(settings.environment, settings.bucket_prefix)
    arguments = ["deploy", "--all", "--require-approval", "never", "-c", f"env={settings.environment}"]
    if _has_ledger(hands.rds, names):
        hands.say("the ledger is awake already")
    else:
        snapshot, log, grown = newest_snapshot(hands.rds, names)
        if grown > settings.database.storage_gib:
            raise InputError(
                f"the ledger's disk has grown to {grown} GiB: give {settings.environment}.database.storage_gib in "
                f"cdk.json at least {grown}"
            )
        if log == settings.streaming.log:
            raise InputError(
                f"{settings.environment}.streaming.log in cdk.json is still {log}: the new cluster counts "
                "from 0 again, and the writer would stop. Give another id"
            )
        hands.say(f"the ledger comes back from {snapshot}")
        arguments += ["--parameters", f"{names.stack('database')}:{SNAPSHOT_PARAMETER}={snapshot}"]
    hands.cdk(arguments)
    hands.say(f"awake. `make smoke ENV={settings.environment}` sends the first events")


def keep_ledger(rds: Any, names: Names, log: str, at: datetime) -> str:
    """Id of a snapshot that outlives the database stack: its copy has the lake's key, not the ledger's.

    It carries the log id of the cluster that goes with it.
    """
    stamp = f"{at:%Y%m%d-%H%M%S}"
    first, kept = f"{names.of('ledger')}-{stamp}", f"{_prefix(names)}{stamp}"
    rds.create_db_snapshot(DBInstanceIdentifier=names.ledger_instance, DBSnapshotIdentifier=first)
    rds.get_waiter("db_snapshot_available").wait(DBSnapshotIdentifier=first)
    rds.copy_db_snapshot(
        SourceDBSnapshotIdentifier=first,
        TargetDBSnapshotIdentifier=kept,
        KmsKeyId=f"alias/{names.of('lake')}",
        Tags=[{"Key": "environment", "Value": names.environment}, {"Key": _LOG_TAG, "Value": log}],
    )
    rds.get_waiter("db_snapshot_available").wait(DBSnapshotIdentifier=kept)
    rds.delete_db_snapshot(DBSnapshotIdentifier=first)
    return kept


def newest_snapshot(rds: Any, names: Names) -> tuple[str, str, int]:
    """Id, log id and GiB of the newest snapshot that `keep_ledger` made; InputError when there is none."""
    found = snapshots_asleep(rds, names)
    if not found:
        raise InputError(
            f"no snapshot {_prefix(names)}… is there: deploy with `make deploy`, and rebuild the ledger from the lake "
            "(docs/recovery.md)"
        )
    newest = max(found, key=lambda one: str(one["DBSnapshotIdentifier"]))
    tags = {tag["Key"]: str(tag["Value"]) for tag in newest.get("TagList", [])}
    return str(newest["DBSnapshotIdentifier"]), tags.get(_LOG_TAG, ""), int(newest["AllocatedStorage"])


def snapshots_asleep(rds: Any, names: Names) -> list[Mapping[str, Any]]:
    """All snapshots that `keep_ledger` made, as RDS describes them; their ids tell when."""
    pages = rds.get_paginator("describe_db_snapshots").paginate(SnapshotType="manual")
    return [
        snapshot
        for page in pages
        for snapshot in page["DBSnapshots"]
        if snapshot["DBSnapshotIdentifier"].startswith(_prefix(names)) and snapshot["Status"] == "available"
    ]


def _prefix(names: Names) -> str:
    return f"{names.of('ledger-asleep')}-"


def _has_ledger(rds: Any, names: Names) -> bool:
    try:
        rds.describe_db_instances(DBInstanceIdentifier=names.ledger_instance)
    except rds.exceptions.DBInstanceNotFoundFault:
        return False
    return True


def _require_sleeper(settings: Settings) -> None:
    if settings.removal != "destroy":
        raise InputError(
            f"{settings.environment} does not sleep: its removal is {settings.removal} in cdk.json"
        )


def _now() -> datetime:
    return datetime.now(UTC)


def _run(command: Sequence[str]) -> None:
    if subprocess.run(command, check=False).returncode:
        raise RuntimeFault(f"{shlex.join(command)} failed: see above; mend it and run the same again")


def main(arguments: list[str] | None = None) -> int:
    """Exit code 3 when it cannot go on, with what to do."""
    parser = argparse.ArgumentParser(prog="python -m local.sleep", description=__doc__)
    parser.add_argument("environment", choices=ENVIRONMENTS)
    parser.add_argument("--wake", action="store_true", help="the way back")
    parser.add_argument("--cdk", default="cdk", help="how the CDK command line is called")
    parser.add_argument(
        "--forget", nargs="*", default=[], metavar="ENTITY", help="entities that never had an event"
    )
    given = parser.parse_args(arguments)
    try:
        settings = read_settings(given.environment)
        with in_words():
            hands = Hands.of(settings, given.cdk, given.forget)
            if given.wake:
                wake(settings, hands)
            else:
                fall_asleep(settings, read_templates(given.environment), hands)
    except NexusError as error:
        sys.stderr.write(f"{error}\n")
        return 3
    return 0


if __name__ == "__main__":
    sys.exit(main())
