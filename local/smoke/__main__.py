"""`python -m local.smoke dev`: runs the canary, tries what only an account can prove, prints one table.

Exit codes: 0 nothing failed; 1 a check failed; 3 it could not be run, with what to do.
"""

import argparse
import json
import sys
import time
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from typing import Any

import boto3
from botocore.config import Config
from botocore.exceptions import ClientError, NoCredentialsError, PartialCredentialsError

from lakehouse.errors import InputError, NexusError, RuntimeFault
from lambdas.canary.checks import Check
from local.account import in_words, require_account
from local.smoke.proofs import Clients, proofs, prove
from local.smoke.table import to_text
from local.templates import read_settings
from stacks.naming import Names
from stacks.settings import ENVIRONMENTS, Settings

# The function's own longest, and a little: whoever hangs up early learns nothing. A repeated call would send again.
# Networks forget connections that are silent for minutes, hence keepalive.
_PATIENT = Config(read_timeout=15 * 60 + 30, retries={"total_max_attempts": 1}, tcp_keepalive=True)
_NOT_THERE = "ResourceNotFoundException"


def run_canary(lambda_: Any, name: str, environment: str) -> list[Check]:
    """The canary's checks. InputError when there is no such function; RuntimeFault when it broke."""
    try:
        answer = lambda_.invoke(FunctionName=name, Payload=b"{}")
    except ClientError as error:
        if error.response["Error"]["Code"] != _NOT_THERE:
            raise
        raise InputError(f"there is no function {name}: `make deploy ENV={environment}` first") from error
    said = json.loads(answer["Payload"].read())
    if "FunctionError" in answer:
        what = f"{said.get('errorType', 'error')}: {said.get('errorMessage', said)}"
        raise RuntimeFault(f"the canary broke ({what}); its log is the group /aws/lambda/{name}")
    return [Check(**one) for one in said["checks"]]


def run_proofs(settings: Settings, clients: Clients, now: datetime) -> Iterator[Check]:
    """The account's proofs, one by one."""
    for name, proof in proofs(settings, clients, now):
        start = time.monotonic()
        found = prove(proof)
        yield Check(name, found.state, found.detail, round(time.monotonic() - start, 1))


def require_credentials(sts: Any, settings: Settings) -> None:
    """InputError when there are none, or those of another account."""
    try:
        require_account(sts, settings)
    except (NoCredentialsError, PartialCredentialsError) as error:
        raise InputError(
            f"there are no AWS credentials: sign in to account {settings.account} and export them, or AWS_PROFILE"
        ) from error


def main(arguments: Sequence[str] | None = None) -> int:
    """See the module."""
    parser = argparse.ArgumentParser(prog="python -m local.smoke", description=__doc__)
    parser.add_argument("environment", choices=ENVIRONMENTS)
    parser.add_argument(
        "--account", default="", help="another account than cdk.json's, as `-c account=` says it"
    )
    given = parser.parse_args(arguments)
    try:
        settings = read_settings(given.environment, **({"account": given.account} if given.account else {}))
        function = Names(settings.environment, settings.bucket_prefix).function("canary")
        with in_words():
            require_credentials(boto3.client("sts", region_name=settings.region), settings)
            sys.stderr.write(
                f"{function} runs: a minute and landing's flush of {settings.land.flush_seconds} s\n"
            )
            lambda_ = boto3.client("lambda", region_name=settings.region, config=_PATIENT)
            checks = run_canary(lambda_, function, settings.environment)
            checks += run_proofs(settings, Clients.connect(settings.region), datetime.now(UTC))
    except NexusError as error:
        sys.stderr.write(f"{error}\n")
        return 3
    sys.stdout.write(to_text(settings, checks))
    return 1 if any(check.state == "failed" for check in checks) else 0


if __name__ == "__main__":
    sys.exit(main())
