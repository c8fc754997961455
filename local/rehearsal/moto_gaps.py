"""Where moto knows less than AWS, or another thing: it would refuse what AWS takes, or do what AWS does not."""

import json
from types import SimpleNamespace
from typing import Any

from moto.awslambda.models import LambdaBackend
from moto.cloudtrail.responses import CloudTrailResponse
from moto.elbv2 import models as elbv2_models
from moto.events.models import Rule
from moto.iam.access_control import PermissionResult
from moto.s3.models import FakeBucket
from moto.sqs.models import sqs_backends

from local.moto_hooks import Hook, Original
from local.rehearsal.deployed import AWS_LAYERS


def install() -> None:
    """What the command line asks after a failure: who did what else meanwhile. Nobody did."""
    CloudTrailResponse.lookup_events = lambda _response: json.dumps({"Events": []})


def hooks() -> tuple[Hook, ...]:
    """All that is wrapped."""
    return (
        Hook(FakeBucket, "get_permission", _refuse_nobody),
        Hook(LambdaBackend, "layers_versions_by_arn", _know_layer),
        Hook(LambdaBackend, "create_event_source_mapping", _leave_messages),
        Hook(Rule, "send_to_targets", _send_by_pattern),
        # a person makes the certificate, before the first deployment
        Hook(elbv2_models, "register_certificate", lambda _original, **_certificate: None),
    )


def _refuse_nobody(_original: Original, *_args: Any) -> PermissionResult:
    """moto reads bucket policies without their conditions: it would refuse everything that comes without TLS."""
    return PermissionResult.NEUTRAL


def _know_layer(original: Original, backend: LambdaBackend, arn: str) -> Any:
    if AWS_LAYERS in arn:
        return SimpleNamespace(arn=arn, code_size=0)
    return original(backend, arn)


def _send_by_pattern(original: Original, rule: Rule, *args: Any, **kwargs: Any) -> None:
    """To moto every event matches a rule that has only a schedule, or is switched off."""
    if rule.scheduled_expression is None and rule.state == "ENABLED":
        original(rule, *args, **kwargs)


def _leave_messages(original: Original, backend: LambdaBackend, *args: Any, **kwargs: Any) -> Any:
    """moto would call the function by Docker, inside of the call that sends a message; our runner does it."""
    made = original(backend, *args, **kwargs)
    for queue in sqs_backends[backend.account_id][backend.region_name].queues.values():
        queue.lambda_event_source_mappings.clear()
    return made
