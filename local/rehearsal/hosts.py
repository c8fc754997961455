"""A deployed host's service as a process here: what its user data names, from the bucket of assets, with its settings.

The artifact's libraries are for the hosts' processor: this machine's stand in for them, and only for those.
"""

import hashlib
import io
import subprocess
import sys
import tarfile
import urllib.error
import urllib.request
from base64 import b64decode
from collections.abc import Mapping
from dataclasses import dataclass
from http.client import HTTPException
from pathlib import Path

from local.processes import Child, Command, free_port, spawn, wait_ready
from local.rehearsal.cdk_command import aws_surroundings
from local.rehearsal.deployed import distributions, libraries
from local.rehearsal.findings import NotAsPromised, require
from local.rehearsal.scene import Scene
from stacks.user_data import SETUP

# All that differs from what the user data writes into service.env; docs/rehearsal.md says why
CHANGED = (
    "NEXUS_BROKER",
    "NEXUS_KAFKA_AUTH",
    "NEXUS_HEALTH_PORT",
    "NEXUS_GRPC_HOST",
    "NEXUS_GRPC_PORT",
    "NEXUS_READY_FILE",
    "NEXUS_FLUSH_SECONDS",
)
_SHELL = "/bin/bash"
_TOLD = ("SERVICE", "MODULE", "BUCKET", "KEY", "SHA256")
_READY_S = 60.0  # 3 s here
_ASK_S = 5.0


@dataclass(frozen=True)
class Host:
    """What every host of a group runs. `environment` is its service.env; `home` holds `app/`, `libraries` the rest."""

    service: str
    module: str
    environment: Mapping[str, str]
    home: Path
    libraries: Path


def find_host(scene: Scene, group: str) -> Host:
    """As the group's launch template says. NotAsPromised when its artifact is not what its user data expects."""
    folder = scene.folder / "hosts" / group
    told, environment = read_user_data(_user_data(scene, group), folder)
    body = scene.client("s3").get_object(Bucket=told["BUCKET"], Key=told["KEY"])["Body"].read()
    digest = hashlib.sha256(body).hexdigest()
    require(digest == told["SHA256"], f"{told['KEY']} has the hash {digest}: hosts would refuse it")
    with tarfile.open(fileobj=io.BytesIO(body)) as archive:
        ours = [member for member in archive.getmembers() if member.name.startswith("app/")]
        archive.extractall(folder, ours, filter="data")
        site = distributions(archive.getnames(), "site")
    require(site, f"{told['KEY']} brings no libraries")
    return Host(told["SERVICE"], told["MODULE"], environment, folder, libraries(folder / "libraries", site))


def _user_data(scene: Scene, group: str) -> str:
    """As EC2 would hand it to a new host of the group."""
    [found] = scene.client("autoscaling").describe_auto_scaling_groups(AutoScalingGroupNames=[group])[
        "AutoScalingGroups"
    ]
    template = found["LaunchTemplate"]
    [version] = scene.client("ec2").describe_launch_template_versions(
        LaunchTemplateId=template["LaunchTemplateId"], Versions=[template["Version"]]
    )["LaunchTemplateVersions"]
    return b64decode(version["LaunchTemplateData"]["UserData"]).decode()


def read_user_data(user_data: str, root: Path) -> tuple[dict[str, str], dict[str, str]]:
    """Runs what stands in front of host_setup.sh, with `root` as the host's disk: its facts, and its service.env."""
    setup = SETUP.read_text("utf-8")
    require(user_data.endswith(setup), f"the user data does not end with {SETUP.name}")
    values = " ".join(f'"$NEXUS_{name}"' for name in _TOLD)
    script = f"set -eu\n{user_data.removesuffix(setup)}\nprintf '%s\\n' {values}"
    root.mkdir(parents=True)
    done = subprocess.run(
        (_SHELL, "-c", script),
        env={"PATH": "/usr/bin:/bin", "NEXUS_ROOT": str(root)},
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        raise NotAsPromised(f"the user data fails in its first lines: {done.stderr}")
    lines = (root / "etc" / "nexus" / "service.env").read_text("utf-8").splitlines()
    environment = dict(line.split("=", 1) for line in lines if line)
    return dict(zip(_TOLD, done.stdout.splitlines(), strict=True)), environment


def start_host(scene: Scene, host: Host, changes: Mapping[str, str]) -> "Started":
    """Its process, as its systemd unit starts it, but for these changes and a port of its own for its health."""
    port = free_port()
    changes = {**changes, "NEXUS_HEALTH_PORT": str(port)}
    unsaid = changes.keys() - set(CHANGED)
    assert not unsaid, f"say in docs/rehearsal.md that {unsaid} differ"
    environment = {
        "PATH": "/usr/bin:/bin",
        "LANG": "C.UTF-8",
        "PYTHONPATH": f"{host.home / 'app'}:{host.libraries}",
        "PYTHONDONTWRITEBYTECODE": "1",
        "PYTHONUNBUFFERED": "1",
        **aws_surroundings(scene.endpoint, scene.settings.region, scene.folder),
        **host.environment,
        **changes,
    }
    # -S: nothing that is installed here is found unless the artifact brings it
    command = Command(
        f"host-{host.service}", (sys.executable, "-S", "-m", host.module), environment, host.home
    )
    return Started(spawn(command, scene.folder / "logs"), port)


@dataclass(frozen=True)
class Started:
    """A host's process, and where it tells of its health."""

    child: Child
    health_port: int

    def wait(self) -> None:
        """Until it is ready by the page that its deployment waits for. ChildFailed when it ends, or takes too long."""
        wait_ready(self.child, self._ready, _READY_S)

    def _ready(self) -> bool | None:
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self.health_port}/readyz", timeout=_ASK_S):
                return True
        except (urllib.error.URLError, HTTPException, TimeoutError, ConnectionError):
            return None
