"""Signing in to the ledger on AWS: a fresh token for every connection, and a server that can prove who it is."""

import ssl
from collections.abc import Callable
from datetime import UTC, datetime
from importlib import resources
from urllib.parse import parse_qs, urlsplit

import pytest

from adapters.ledger import connection
from adapters.ledger.connection import Connection, access_token, connect_arguments
from lakehouse.errors import LedgerError
from stacks.layers import VERSIONS


def test_sign_in_by_token_takes_a_new_one_for_every_connection(
    make_database: Callable[[], str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The local server's password stands for the token: both are what the server accepts now."""
    url = make_database()
    address = urlsplit(url)
    asked: list[tuple[str, int, str]] = []

    def token(host: str, port: int, user: str) -> str:
        asked.append((host, port, user))
        return address.password or ""

    monkeypatch.setattr(connection, "access_token", token)
    without_password = url.replace(f":{address.password}@", "@")
    with Connection(f"{without_password}?auth=iam") as ledger:
        ledger.transaction(lambda db: db.run("select 1"))
        ledger.transaction(lambda db: db.run("select 1"))
        assert asked == [(address.hostname, address.port, address.username)]
        ledger.close()
        ledger.transaction(lambda db: db.run("select 1"))
        assert len(asked) == 2


def test_sign_in_token_is_signed_for_the_user_and_server(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
    token = access_token("db.example", 5432, "check_rows")
    signed = parse_qs(urlsplit(f"https://{token}").query)
    assert token.startswith("db.example:5432/?")
    assert signed["DBUser"] == ["check_rows"]
    assert signed["Action"] == ["connect"]
    assert int(signed["X-Amz-Expires"][0]) == 900


def test_sign_in_refuses_another_way() -> None:
    with pytest.raises(LedgerError, match=r"auth=password.*auth=iam"):
        connect_arguments("postgresql://db/x?auth=password")


def test_roots_of_rds_are_there_for_every_region_that_can_be_deployed() -> None:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.load_verify_locations(
        cadata=(resources.files("adapters.ledger") / "rds_roots.pem").read_text("ascii")
    )
    roots = {dict(part[0] for part in root["subject"])["commonName"]: root for root in context.get_ca_certs()}
    for region in VERSIONS:
        root = roots[f"Amazon RDS {region} Root CA RSA2048 G1"]
        assert root["subject"] == root["issuer"]
        ends = datetime.fromtimestamp(ssl.cert_time_to_seconds(str(root["notAfter"])), UTC)
        assert ends.year >= 2060
    assert all(name.startswith("Amazon RDS ") for name in roots)


def test_address_that_verifies_trusts_rds_and_the_systems_roots() -> None:
    verifies = connect_arguments("postgresql://db/x?sslmode=verify-full")["ssl_context"]
    names = {
        dict(part[0] for part in root["subject"]).get("commonName", "") for root in verifies.get_ca_certs()
    }
    assert "Amazon RDS us-east-1 Root CA RSA2048 G1" in names
    assert verifies.verify_mode is ssl.CERT_REQUIRED
    assert verifies.check_hostname
