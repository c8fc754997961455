"""What the local AWS cannot hold, and what proves it on a real account. Never counted as proven."""

from collections.abc import Iterable

from local.rehearsal.findings import Finding
from local.rehearsal.journal import Entry
from local.rehearsal.wanted import TemplateRefused

# Whatever is deployed, by subject. The names in quotes are lines of the table of `make smoke`.
ALWAYS: tuple[tuple[str, str], ...] = (
    ("what buckets and keys refuse", 'nobody is refused anything here: smoke "Bronze refuses overwriting"'),
    (
        "what roles may do",
        'every call is allowed here: smoke "events checked" and "verdicts" run with the real roles',
    ),
    ("who reaches whom", 'no network is here: smoke "events acknowledged" goes through groups and balancer'),
    ("certificate and TLS of the edge", 'smoke "certificate" and "events acknowledged"'),
    (
        "Kafka's brokers",
        'an embedded one stood in, without sign-in or replicas: smoke "topics lose nothing" and "events acknowledged"',
    ),
    ("hosts install and become healthy", "first deployment, stack ingest: it waits for their signals"),
    (
        "Python and libraries for arm64",
        'functions and hosts ran with this machine\'s: smoke "events acknowledged" and "events checked"',
    ),
    (
        "minutes of landing",
        'it landed every 2 s here: smoke "events checked" waits as long as the setting says',
    ),
    (
        "AWS's layer of this version",
        "first deployment, stack database: Lambda refuses a version that is not there",
    ),
    ("tokens and TLS of the ledger", 'smoke "ledger is private" and "events checked"'),
    (
        "PostgreSQL of RDS",
        "first deployment, stack database: the migration runs there, here on PostgreSQL 18",
    ),
    (
        "compatible schema versions",
        'first deployment, stack catalog: the registry compares; smoke "schema versions"',
    ),
    ("Athena's SQL and limits", 'smoke "analysts\' workgroup", and the named queries of docs/deploy.md'),
    ("alarms fire and reach somebody", 'smoke "alarms reach somebody" and "alarms"'),
    ("going back on an alarm", "the second deployment: CodeDeploy moves the alias in steps"),
    ("canary's schedule", "first deployment, a quarter of an hour later: the canary's alarms and its log"),
    ("changing and destroying", "the second deployment, and docs/deploy.md, back to an empty account"),
)
NO_SMOKE = Finding(
    "make smoke",
    "not proven here",
    'MSK Connect lands here, of which this machine has none: smoke "connector"',
)
_ALL = "*"
# Properties and types that were taken and are held by no API here; `*` stands for all of a type.
UNHELD: dict[tuple[str, str], str] = {
    ("AWS::Athena::WorkGroup", _ALL): 'smoke "analysts\' workgroup"',
    ("AWS::AutoScaling::AutoScalingGroup", _ALL): "first deployment, stack ingest",
    ("AWS::Budgets::Budget", "ResourceTags"): "first deployment, stack observability",
    ("AWS::CloudWatch::Dashboard", "Tags"): "first deployment, stack observability",
    ("AWS::ECR::Repository", _ALL): "CDK's own, we have no images",
    ("AWS::KMS::Key", "PendingWindowInDays"): "docs/deploy.md, back to an empty account",
    (
        "AWS::Lambda::Function",
        "LoggingConfig",
    ): "first deployment, stack database: what the migration says is there",
    (
        "AWS::Lambda::Function",
        "RecursiveLoop",
    ): "first deployment, stack processing: `aws lambda get-function-recursion-config`",
    ("AWS::RDS::DBInstance", _ALL): "docs/deploy.md, sleep and wake",
    ("AWS::RDS::DBProxy", "DefaultAuthScheme"): 'smoke "events checked": functions sign in through the proxy',
    ("AWS::S3::Bucket", "AccessControl"): "CDK's own bucket",
    (
        "AWS::S3::Bucket",
        "LoggingConfiguration",
    ): "first deployment, a day later: access logs in the bucket of logs",
    (
        "AWS::S3::Bucket",
        "NotificationConfiguration",
    ): "Bronze's by the events above; Landing's by its first load",
    ("AWS::SSM::Association", _ALL): 'first deployment: metrics of hosts on the dashboard; smoke "alarms"',
    ("AWS::SSM::Document", "UpdateMethod"): "the second deployment",
}


def not_proven(entries: Iterable[Entry]) -> list[Finding]:
    """Findings for all of it. TemplateRefused for what nobody has said a proof for."""
    held_by_nobody: dict[str, set[str]] = {}
    for entry in entries:
        if entry.unheld:
            held_by_nobody.setdefault(entry.type, set()).update(entry.unheld)
    findings = [Finding(subject, "not proven here", proof) for subject, proof in ALWAYS]
    for type_, names in sorted(held_by_nobody.items()):
        proofs = {name: _proof(type_, name) for name in sorted(names)}
        what = "; ".join(
            f"{', '.join(n for n, p in proofs.items() if p == proof)}: {proof}" for proof in _each(proofs)
        )
        findings.append(Finding(type_.removeprefix("AWS::"), "not proven here", what))
    return findings


def _each(proofs: dict[str, str]) -> list[str]:
    return list(dict.fromkeys(proofs.values()))


def _proof(type_: str, name: str) -> str:
    found = UNHELD.get((type_, name)) or UNHELD.get((type_, _ALL))
    if found is None:
        raise TemplateRefused(
            f"{type_} {name} is held by no API of the local AWS: say in local/rehearsal/unproven.py what proves it"
        )
    return found
