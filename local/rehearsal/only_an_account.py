"""Questions of `make smoke` that a local AWS could only answer with a lie: refused, as to somebody who may not ask.

`make smoke` says `not checked` then, and needs to know nothing of rehearsals.
"""

from typing import Any

from moto.acm.responses import AWSCertificateManagerResponse
from moto.core.exceptions import AWSError
from moto.s3.exceptions import S3ClientError
from moto.s3.models import S3Backend
from moto.sns.exceptions import SNSException
from moto.sns.responses import SNSResponse

from local.moto_hooks import Hook, Original
from local.smoke.proofs import PROBE_KEY


def hooks() -> tuple[Hook, ...]:
    """All that is refused."""
    return (
        Hook(AWSCertificateManagerResponse, "describe_certificate", _no_certificates),
        Hook(S3Backend, "put_object", _no_policies),
        Hook(SNSResponse, "list_subscriptions_by_topic", _no_mail),
    )


def _no_certificates(_original: Original, _response: Any) -> None:
    raise AWSError("nobody makes certificates in a rehearsal", "AccessDeniedException")


def _no_policies(
    original: Original, backend: S3Backend, bucket_name: str, key_name: str, *args: Any, **more: Any
) -> Any:
    """moto keeps bucket policies, and here refuses nobody by them: it would take what AWS must refuse."""
    if key_name == PROBE_KEY:
        raise S3ClientError("AccessDenied", "nobody is refused by a policy in a rehearsal")
    return original(backend, bucket_name, key_name, *args, **more)


def _no_mail(_original: Original, _response: Any) -> None:
    """moto takes every subscription for confirmed, though no mail was ever sent."""
    raise SNSException("AuthorizationError", "nobody gets mail in a rehearsal")
