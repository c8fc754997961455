"""An EC2 instance as its first script sees it: metadata, S3, CloudFormation, systemd, and a service that gets ready.

The script runs for real, with the real curl, in a folder. AWS checks each signature by its own calculation.
"""

import hashlib
import hmac
import json
import os
import shutil
import ssl
import subprocess
import sys
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, quote, urlsplit

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

KEYS = {
    "AccessKeyId": "ASIAEXAMPLE",
    "SecretAccessKey": "sec/ret+key",
    "Token": "tok/en+==",
}  # pragma: allowlist secret
INSTANCE = "i-0123456789"
DEADLINE_S = 60


@dataclass
class Instance:
    """What surrounds the script, and what became of it."""

    root: Path
    objects: dict[str, bytes] = field(default_factory=dict)  # s3 key → bytes
    ready_after: int | None = 2  # questions that the service answers with 503; None: all of them
    refuse_first: int = 0  # how many signed requests AWS refuses, as it does with a role that is new
    takes_signals: bool = True  # CloudFormation refuses them when it is not deploying
    signals: list[dict[str, str]] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)
    asked: int = 0
    ports: dict[str, int] = field(default_factory=dict)

    def run(self, script: str) -> subprocess.CompletedProcess[str]:
        """Runs a script as cloud-init would."""
        path = self.root / "user-data"
        path.write_text(script, "utf-8")
        environment = {
            "PATH": f"{self.root / 'shims'}:{os.environ['PATH']}",
            "HOME": str(self.root),
            "NEXUS_ROOT": str(self.root),
            "NEXUS_ASK_EVERY": "0.05",
            "NEXUS_RETRIES": "2",
        }
        return subprocess.run(
            ["bash", str(path)],
            env=environment,
            capture_output=True,
            text=True,
            check=False,
            timeout=DEADLINE_S,
        )

    def calls(self, command: str) -> list[str]:
        """Arguments of each call of a command that the instance has and this machine must not touch."""
        log = self.root / f"{command}.log"
        return log.read_text("utf-8").splitlines() if log.exists() else []


@contextmanager
def an_instance(root: Path, **state: Any) -> Iterator[Instance]:
    """Serves until the block ends."""
    instance = Instance(root, **state)
    for folder in ("etc/systemd/system", "etc/logrotate.d", "shims"):
        (root / folder).mkdir(parents=True)
    for command in ("systemctl", "shutdown"):
        _shim(root, command, f'echo "$@" >>{root / command}.log')
    _shim(root, "curl", f'echo "$@" >>{root / "curl.log"}\nexec {shutil.which("curl")} "$@"')
    # whichever Python this machine has, it stands for the one of the image
    _shim(root, "python3", f'case "$2" in *version_info*) exit 0 ;; esac\nexec {sys.executable} "$@"')
    servers = [
        _serve(instance, "metadata", _Metadata),
        _serve(instance, "service", _Service),
        _serve(instance, "aws", _Aws, _certificate(root)),
    ]
    ports = instance.ports
    (root / ".curlrc").write_text(
        f'connect-to = "169.254.169.254:80:127.0.0.1:{ports["metadata"]}"\n'
        f'connect-to = ":443:127.0.0.1:{ports["aws"]}"\ninsecure\nretry-delay = 0\n'
    )
    try:
        yield instance
    finally:
        for server in servers:
            server.shutdown()
            server.server_close()


class _Quiet(BaseHTTPRequestHandler):
    def __init__(self, instance: Instance, *connection: Any) -> None:
        self.instance = instance
        super().__init__(*connection)

    def log_message(self, *_: object) -> None:
        pass

    def answer(self, status: int, body: bytes = b"") -> None:
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


class _Metadata(_Quiet):
    def do_PUT(self) -> None:
        wanted = self.headers.get("X-aws-ec2-metadata-token-ttl-seconds")
        self.answer(200 if wanted and self.path == "/latest/api/token" else 400, b"imds-token")

    def do_GET(self) -> None:
        if self.headers.get("X-aws-ec2-metadata-token") != "imds-token":
            self.answer(401)
            return
        roles = "/latest/meta-data/iam/security-credentials/"
        texts = {
            roles: "the-role",
            f"{roles}the-role": json.dumps(KEYS),
            "/latest/meta-data/instance-id": INSTANCE,
        }
        self.answer(200 if self.path in texts else 404, texts.get(self.path, "").encode())


class _Service(_Quiet):
    def do_GET(self) -> None:
        self.instance.asked += 1
        after = self.instance.ready_after
        ready = after is not None and self.instance.asked > after and self.path == "/readyz"
        self.answer(200 if ready else 503)


class _Aws(_Quiet):
    def do_GET(self) -> None:
        self._handle(b"")

    def do_POST(self) -> None:
        self._handle(self.rfile.read(int(self.headers["Content-Length"])))

    def _handle(self, body: bytes) -> None:
        if self.instance.refuse_first > 0:
            self.instance.refuse_first -= 1
            self.answer(403, b"the role is not known yet")
            return
        service = "s3" if ".s3." in self.headers["Host"] else "cloudformation"
        wrong = signature_problem(self.command, self.path, dict(self.headers.items()), body, service)
        if wrong:
            self.instance.problems.append(wrong)
            self.answer(403, wrong.encode())
        elif service == "cloudformation" and not self.instance.takes_signals:
            self.answer(400, b"the stack cannot be signaled")
        elif service == "cloudformation":
            self.instance.signals.append({k: v[0] for k, v in parse_qs(body.decode()).items()})
            self.answer(200, b"<ok/>")
        else:
            found = self.instance.objects.get(self.path.lstrip("/"))
            self.answer(404 if found is None else 200, found or b"")


def signature_problem(method: str, path: str, headers: Mapping[str, str], body: bytes, service: str) -> str:
    """AWS Signature Version 4, from its description; "" when it is right."""
    given = {name.lower(): value for name, value in headers.items()}
    if given.get("x-amz-security-token") != KEYS["Token"]:
        return "the session token is missing"
    scheme, _, rest = given.get("authorization", "").partition(" ")
    parts = dict(part.strip().split("=", 1) for part in rest.split(",") if "=" in part)
    if scheme != "AWS4-HMAC-SHA256" or not {"Credential", "SignedHeaders", "Signature"} <= parts.keys():
        return "it is not signed"
    signed = parts["SignedHeaders"].split(";")
    if not {"host", "x-amz-date", "x-amz-security-token"} <= set(signed):
        return f"signed are only {signed}"
    content = given.get("x-amz-content-sha256", hashlib.sha256(body).hexdigest())
    if content not in ("UNSIGNED-PAYLOAD", hashlib.sha256(body).hexdigest()):
        return "the body is another"
    url = urlsplit(path)
    canonical = "\n".join(
        [method, quote(url.path), url.query, *(f"{name}:{given[name].strip()}" for name in signed), "",
         ";".join(signed), content]
    )  # fmt: skip
    key_id, *scope = parts["Credential"].split("/")
    if key_id != KEYS["AccessKeyId"] or scope[2:] != [service, "aws4_request"]:
        return f"the scope is {scope}"
    text = "\n".join(
        [
            "AWS4-HMAC-SHA256",
            given["x-amz-date"],
            "/".join(scope),
            hashlib.sha256(canonical.encode()).hexdigest(),
        ]
    )
    key = ("AWS4" + KEYS["SecretAccessKey"]).encode()
    for part in scope:
        key = hmac.new(key, part.encode(), hashlib.sha256).digest()
    right = hmac.new(key, text.encode(), hashlib.sha256).hexdigest()
    return "" if right == parts["Signature"] else "the signature is wrong"


def _serve(
    instance: Instance, name: str, handler: type[_Quiet], context: ssl.SSLContext | None = None
) -> ThreadingHTTPServer:
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(handler, instance))
    if context:
        server.socket = context.wrap_socket(server.socket, server_side=True)
    instance.ports[name] = server.server_address[1]
    threading.Thread(target=server.serve_forever, daemon=True).start()
    return server


def _shim(root: Path, command: str, script: str) -> None:
    path = root / "shims" / command
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(0o755)


def _certificate(root: Path) -> ssl.SSLContext:
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "aws")])
    now = datetime.now(UTC)
    builder = x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(key.public_key())
    builder = builder.serial_number(1).not_valid_before(now).not_valid_after(now + timedelta(days=1))
    pem = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    path = root / "aws.pem"
    path.write_bytes(pem + builder.sign(key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(path)
    return context
