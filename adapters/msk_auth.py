"""Signing in to MSK with the AWS role of this process: a signed URL is the OAUTHBEARER token of librdkafka's clients.

A token lives 15 minutes. librdkafka asks for the next one at four fifths of that, from poll(): whoever never polls
loses the connection.
"""

import base64
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from types import MappingProxyType
from typing import Any, Literal, cast
from urllib.parse import parse_qs, urlsplit

import boto3
from botocore.auth import SigV4QueryAuth
from botocore.awsrequest import AWSRequest

from lakehouse.errors import BrokerError, SettingsError

KafkaAuth = Literal["none", "iam"]
VARIABLE = "NEXUS_KAFKA_AUTH"
PLAIN: Mapping[str, Any] = MappingProxyType({})  # what a broker on this machine wants

_SERVICE = "kafka-cluster"
# the longest that MSK takes
_TOKEN_S = 900
# without it MSK refuses the token; the value is for AWS's own statistics
_AGENT = "keystone-nexus"

Token = tuple[str, float]


def read_kafka_auth(environment: Mapping[str, str]) -> KafkaAuth:
    """NEXUS_KAFKA_AUTH: `none` (also when unset) or `iam`."""
    found = environment.get(VARIABLE) or "none"
    if found not in ("none", "iam"):
        raise SettingsError(f"{VARIABLE} is {found!r}: give iam (MSK with the role of this process) or none")
    return cast(KafkaAuth, found)


def kafka_security(auth: KafkaAuth, region: str) -> Mapping[str, Any]:
    """The librdkafka properties of an authentication, for a producer, consumer or admin client."""
    if auth == "none":
        return PLAIN
    session = boto3.Session(region_name=region)

    def token(_config: str | None) -> Token:
        return sign_token(region, session.get_credentials)

    return {"security.protocol": "SASL_SSL", "sasl.mechanisms": "OAUTHBEARER", "oauth_cb": token}


def sign_token(region: str, credentials: Callable[[], Any]) -> Token:
    """Token, and when it ends in seconds since 1970. BrokerError when this process has no credentials."""
    found = credentials()
    if found is None:
        raise BrokerError("Kafka wants the AWS role of this process, which has none: give it one")
    request = AWSRequest(
        "GET", f"https://kafka.{region}.amazonaws.com/", params={"Action": "kafka-cluster:Connect"}
    )
    SigV4QueryAuth(found.get_frozen_credentials(), _SERVICE, region, expires=_TOKEN_S).add_auth(request)
    url = f"{request.url}&User-Agent={_AGENT}"
    return base64.urlsafe_b64encode(url.encode()).rstrip(b"=").decode(), _signed_at(url) + _TOKEN_S


def _signed_at(url: str) -> float:
    text = parse_qs(urlsplit(url).query)["X-Amz-Date"][0]
    return datetime.strptime(text, "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC).timestamp()
