"""Where moto knows less than AWS, and would refuse what AWS takes."""

import json
from types import SimpleNamespace
from typing import Any

from moto.awslambda.models import LambdaBackend
from moto.cloudtrail.responses import CloudTrailResponse
from moto.elbv2 import models as elbv2_models
from moto.iam.access_control import PermissionResult
from moto.s3.models import FakeBucket

from local.moto_hooks import Hook, Original

# Which layers AWS publishes, in which version and region, is told by its documentation alone: not proven here
AWS_LAYERS = ":336392948345:layer:AWSSDKPandas-"


def install() -> None:
    """What the command line asks after a failure: who did what else meanwhile. Nobody did."""
    CloudTrailResponse.lookup_events = lambda _response: json.dumps({"Events": []})


def hooks() -> tuple[Hook, ...]:
    """All that is wrapped."""
    return (
        Hook(FakeBucket, "get_permission", _refuse_nobody),
        Hook(LambdaBackend, "layers_versions_by_arn", _know_layer),
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
