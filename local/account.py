"""The account that an environment lives in: whether these credentials are of it, and which of its stacks are there."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

from lakehouse.errors import InputError, RuntimeFault
from local.templates import Template
from stacks.naming import Names
from stacks.settings import Settings

_NO_SUCH_STACK = "ValidationError"  # CloudFormation's word for it


@contextmanager
def in_words() -> Iterator[None]:
    """What AWS refuses, or that it cannot be asked, as a RuntimeFault that says what to look at."""
    try:
        yield
    except (BotoCoreError, ClientError) as error:
        raise RuntimeFault(f"AWS: {error}. Check credentials and region, then run the same again") from error


def require_account(sts: Any, settings: Settings) -> None:
    """InputError when the credentials are of another account than the environment's."""
    found = str(sts.get_caller_identity()["Account"])
    if found != settings.account:
        raise InputError(
            f"these credentials are of account {found}; {settings.environment} lives in {settings.account} (cdk.json)"
        )


def holds_state(template: Template) -> bool:
    """Whether CloudFormation keeps something of it when the stack goes, until it is told otherwise."""
    return any(one.get("DeletionPolicy") == "Retain" for one in template["Resources"].values())


def deployed(cloudformation: Any, names: Names, stacks: Sequence[str]) -> list[str]:
    """Those of the stacks that are there, in the same order."""
    return [stack for stack in stacks if _is_there(cloudformation, names.stack(stack))]


def _is_there(cloudformation: Any, name: str) -> bool:
    try:
        cloudformation.describe_stacks(StackName=name)
    except ClientError as error:
        if error.response["Error"]["Code"] != _NO_SUCH_STACK:
            raise
        return False
    return True
