"""boto3 clients; those of a server on this machine never carry a person's own keys, or need any."""

from typing import Any
from urllib.parse import urlsplit

import boto3
from botocore.config import Config

_LOOPBACK = {"127.0.0.1", "localhost", "::1"}
_LOCAL_KEYS = {"aws_access_key_id": "local", "aws_secret_access_key": "local"}


def connect(service: str, endpoint: str | None, region: str, config: Config) -> Any:
    """A client of AWS (endpoint None), of another endpoint, or of a local server."""
    local = endpoint is not None and urlsplit(endpoint).hostname in _LOOPBACK
    keys = _LOCAL_KEYS if local else {}
    return boto3.client(service, endpoint_url=endpoint, region_name=region, config=config, **keys)
