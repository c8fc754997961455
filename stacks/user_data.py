"""What a new host runs first: its settings, then `host_setup.sh`. Holds no secret: anybody on the host can read it."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

SETUP = Path(__file__).with_name("host_setup.sh")
_END = "NEXUS_END"
# EC2 takes 16 KB; what CloudFormation puts in for references is longer than their names here
LONGEST = 14_000


@dataclass(frozen=True)
class HostFacts:
    """All that differs between hosts. Texts may be references that CloudFormation resolves.

    `environment` is the service's own; `files` go to /etc/nexus by name. `stays_down`: exit codes after which a
    restart would change nothing. `settle_s`: how long a host that is ready waits before it says so.
    """

    service: str
    module: str
    region: str
    stack: str
    group: str  # logical id of the auto scaling group
    bucket: str
    key: str
    sha256: str
    health_port: int
    ready_within_s: int
    settle_s: int
    stop_s: int
    stays_down: tuple[int, ...] = ()
    environment: Mapping[str, str] = field(default_factory=dict)
    files: Mapping[str, str] = field(default_factory=dict)


def render(facts: HostFacts) -> str:
    """The script, for cloud-init."""
    names = {
        "SERVICE": facts.service,
        "MODULE": facts.module,
        "REGION": facts.region,
        "STACK": facts.stack,
        "GROUP": facts.group,
        "BUCKET": facts.bucket,
        "KEY": facts.key,
        "SHA256": facts.sha256,
        "HEALTH_PORT": str(facts.health_port),
        "READY_WITHIN": str(facts.ready_within_s),
        "SETTLE": str(facts.settle_s),
        "STOP_SECONDS": str(facts.stop_s),
        "STAYS_DOWN": " ".join(map(str, facts.stays_down)),
    }
    environment = "\n".join(f"{name}={value}" for name, value in sorted(facts.environment.items()))
    lines = ["#!/bin/bash"]
    lines += [f"NEXUS_{name}='{value}'" for name, value in names.items()]
    lines.append('mkdir -p "${NEXUS_ROOT:-}/etc/nexus"')
    for name, text in {"service.env": environment, **facts.files}.items():
        lines += [f"cat >\"${{NEXUS_ROOT:-}}/etc/nexus/{name}\" <<'{_END}'", text, _END]
    script = "\n".join([*lines, SETUP.read_text("utf-8")])
    if len(script) > LONGEST:
        raise ValueError(f"the user data of {facts.service} has {len(script)} characters; EC2 takes 16 KB")
    return script
