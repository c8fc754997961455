"""No key, token or password stands in the repository."""

from collections.abc import Iterable
from pathlib import Path

import pytest
from detect_secrets import SecretsCollection
from detect_secrets.settings import transient_settings

from tests.docs.sources import our_files

# Detectors of things that look like nothing else. Those that go by entropy or by names such as "password" are left
# out: hashes in the locks and the dummy credentials of local servers set them off.
DETECTORS = (
    "ArtifactoryDetector",
    "AWSKeyDetector",
    "AzureStorageKeyDetector",
    "BasicAuthDetector",
    "DiscordBotTokenDetector",
    "GitHubTokenDetector",
    "GitLabTokenDetector",
    "JwtTokenDetector",
    "MailchimpDetector",
    "NpmDetector",
    "OpenAIDetector",
    "PrivateKeyDetector",
    "PypiTokenDetector",
    "SendGridDetector",
    "SlackDetector",
    "SquareOAuthDetector",
    "StripeDetector",
    "TelegramBotTokenDetector",
    "TwilioKeyDetector",
)
# Passwords of made-up databases in tests and documents.
EXAMPLES = {"password", "secret", "pass", "p%40ss", "x"}


def secrets_in(paths: Iterable[Path]) -> list[str]:
    """`file:line: kind` of everything that looks like a secret."""
    chosen = {
        "plugins_used": [{"name": name} for name in DETECTORS],
        # the default filters would ask the service behind a token whether it is alive
        "filters_used": [{"path": "detect_secrets.filters.allowlist.is_line_allowlisted"}],
    }
    found = SecretsCollection()
    with transient_settings(chosen):
        for path in paths:
            found.scan_file(str(path))
    return [f"{path}:{s.line_number}: {s.type}" for path, s in found if not _is_made_up(str(s.secret_value))]


def _is_made_up(value: str) -> bool:
    return value in EXAMPLES or (
        value.startswith("{") and value.endswith("}")
    )  # the place of a value in an f-string


def test_no_secret_is_committed() -> None:
    found = secrets_in(our_files())
    assert not found, "\n".join(found)


@pytest.mark.parametrize(
    "parts",
    [
        ("AKIA", "IOSFODNN7QXAMPLE"),
        ("-----BEGIN RSA ", "PRIVATE KEY-----"),
        ("ghp_", "0123456789abcdefghijklmnopqrstuvwxyz"),
        ("postgresql://nexus:", "Tr0ub4dor3@db.example/x"),
        ("xoxb-", "123456789012-123456789012-abcdefghijklmnopqrstuvwx"),
    ],
)
def test_secrets_are_found(tmp_path: Path, parts: tuple[str, str]) -> None:
    file = tmp_path / "settings.txt"
    file.write_text("# settings\nvalue = " + "".join(parts) + "\n")
    assert [line.split(":")[1] for line in secrets_in([file])] == ["2"]
