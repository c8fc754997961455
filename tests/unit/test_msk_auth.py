"""The token that MSK is given, checked by an own calculation of its signature."""

import base64
import hashlib
import hmac
from datetime import UTC, datetime
from urllib.parse import parse_qsl, quote, urlsplit

import pytest
from botocore.credentials import Credentials

from adapters.msk_auth import PLAIN, kafka_security, read_kafka_auth, sign_token
from lakehouse.errors import BrokerError, SettingsError

KEY, SECRET, SESSION = (
    "AKIAEXAMPLE",
    "very/secret+key",
    "session/token+with=signs",
)  # pragma: allowlist secret


def url_of(token: str) -> str:
    return base64.urlsafe_b64decode(token + "=" * (-len(token) % 4)).decode()


def hmac_of(key: bytes, text: str) -> bytes:
    return hmac.new(key, text.encode(), hashlib.sha256).digest()


def signature_of(url: str, region: str) -> str:
    """AWS Signature Version 4 of a presigned GET, from its description."""
    parts = urlsplit(url)
    query = dict(parse_qsl(parts.query))
    moment = query["X-Amz-Date"]
    scope = f"{moment[:8]}/{region}/kafka-cluster/aws4_request"
    signed = {k: v for k, v in query.items() if k not in ("X-Amz-Signature", "User-Agent")}
    canonical = "&".join(
        f"{quote(k, safe='-_.~')}={quote(v, safe='-_.~')}" for k, v in sorted(signed.items())
    )
    empty = hashlib.sha256(b"").hexdigest()
    request = f"GET\n/\n{canonical}\nhost:{parts.netloc}\n\nhost\n{empty}"
    text = f"AWS4-HMAC-SHA256\n{moment}\n{scope}\n{hashlib.sha256(request.encode()).hexdigest()}"
    key = ("AWS4" + SECRET).encode()
    for part in scope.split("/"):
        key = hmac_of(key, part)
    return hmac_of(key, text).hex()


@pytest.mark.parametrize("session", [None, SESSION])
def test_token_is_a_signed_url_of_the_cluster_connection(session: str | None) -> None:
    token, _ends = sign_token("eu-west-3", lambda: Credentials(KEY, SECRET, session))
    url = url_of(token)
    query = dict(parse_qsl(urlsplit(url).query))
    assert urlsplit(url).netloc == "kafka.eu-west-3.amazonaws.com"
    assert query["Action"] == "kafka-cluster:Connect"
    assert query["X-Amz-Expires"] == "900"
    assert query.get("X-Amz-Security-Token") == session
    assert query["User-Agent"]
    assert query["X-Amz-Signature"] == signature_of(url, "eu-west-3")


def test_token_has_no_padding_and_ends_a_quarter_of_an_hour_after_its_signature_in_seconds() -> None:
    before = datetime.now(UTC).timestamp()
    token, ends = sign_token("us-east-1", lambda: Credentials(KEY, SECRET))
    assert "=" not in token
    assert before - 1 <= ends - 900 <= datetime.now(UTC).timestamp()  # signatures are of whole seconds


def test_without_credentials_the_error_says_what_is_missing() -> None:
    with pytest.raises(BrokerError, match="role"):
        sign_token("us-east-1", lambda: None)


def test_clients_of_a_plain_broker_get_nothing() -> None:
    assert kafka_security("none", "us-east-1") is PLAIN
    assert not PLAIN


def test_clients_of_msk_speak_tls_and_are_given_tokens(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", KEY)
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", SECRET)
    security = kafka_security("iam", "us-east-1")
    assert security["security.protocol"] == "SASL_SSL"
    assert security["sasl.mechanisms"] == "OAUTHBEARER"
    token, _ends = security["oauth_cb"](None)
    assert "kafka.us-east-1.amazonaws.com" in url_of(token)


def test_setting_is_none_when_unset_and_names_the_choices_when_wrong() -> None:
    assert read_kafka_auth({}) == "none"
    assert read_kafka_auth({"NEXUS_KAFKA_AUTH": "iam"}) == "iam"
    with pytest.raises(SettingsError, match="NEXUS_KAFKA_AUTH is 'scram': give iam"):
        read_kafka_auth({"NEXUS_KAFKA_AUTH": "scram"})
