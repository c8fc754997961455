"""The order of a rehearsal: account, bootstrap, deployment, nothing left to deploy, parts, life."""

import shutil
import signal
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from lakehouse.errors import NexusError
from local.aws_setup import local_client
from local.postgres import start_postgres, stop_postgres
from local.processes import Command, read_when_written, spawn, stop, wait_ready
from local.rehearsal.cdk_command import ROOT, Cdk, require_command
from local.rehearsal.checks import CHECKS
from local.rehearsal.checks.storage import BOUNDARY
from local.rehearsal.findings import Finding, examine, require
from local.rehearsal.journal import JOURNAL
from local.rehearsal.ledger import RehearsalLedger
from local.rehearsal.life import Life
from local.rehearsal.scene import Scene, set_scene
from local.rehearsal.smoke_test import SmokeTest
from local.rehearsal.unproven import NO_SMOKE, not_proven
from local.rehearsal.wanted import ACCOUNT
from local.templates import read_settings
from stacks.settings import Settings

_READY_S = 60.0  # 3 s here; a machine whose disk is cold needs some more for moto's imports
_STOP_S = 10.0
_METHOD = ("--all", "--require-approval", "never", "--method=direct")

Tell = Callable[[Finding], None]


class Rehearsal:
    """One environment, once, from an empty account."""

    def __init__(self, environment: str, tell: Tell) -> None:
        require_command()
        self._settings: Settings = read_settings(environment, account=ACCOUNT)
        self._tell = tell
        self.findings: list[Finding] = []

    def run(self, folder: Path) -> None:
        """All steps; what fails stops those that need it. Processes are stopped however it ends."""
        with ExitStack() as ends:
            ledger = ends.enter_context(_ledger(folder))
            endpoint = ends.enter_context(_local_aws(folder, ledger.owner_url, self._settings.region))
            if not self._deploy(Cdk.of(self._settings, folder, endpoint), endpoint):
                return
            scene = set_scene(self._settings, endpoint, folder, folder / JOURNAL, ledger)
            for subject, check in CHECKS:
                self._step(subject, lambda check=check: check(scene))  # type: ignore[misc]
            self._live(scene)
            for finding in not_proven(scene.entries):
                self._note(finding)

    def _deploy(self, cdk: Cdk, endpoint: str) -> bool:
        settings = self._settings
        return (
            self._step("the account's own stack", lambda: _open_account(endpoint, settings))
            and self._step("cdk bootstrap", lambda: cdk.bootstrap(BOUNDARY))
            and self._step("cdk deploy --all", lambda: cdk.deploy(*_METHOD))
            and self._step("cdk deploy --all, again", lambda: cdk.deploy_again(*_METHOD))
            and self._step("cdk diff", cdk.diff)
        )

    def _live(self, scene: Scene) -> None:
        """Each needs the one before."""
        life = Life(scene)
        _ = (
            self._step("events into Bronze", life.put)
            and self._step("announced, queued, checked", life.check)
            and self._step("forgotten, swept, checked", life.forget)
            and self._step("Bronze = Silver + Quarantine", life.balance)
            and self._step("Quarantine, mended and replayed", life.requeue)
            and self._smoke(scene)
        )

    def _smoke(self, scene: Scene) -> bool:
        """`make smoke`, with hosts that run here. Where a connector lands there is none to run."""
        if scene.settings.land.by != "writer":
            self._note(NO_SMOKE)
            return True
        with ExitStack() as ends:
            smoke = SmokeTest(scene, ends)
            return (
                self._step("hosts, from their artifacts", smoke.start)
                and self._step("make smoke", smoke.well)
                and self._step("make smoke, in an alarm", smoke.alarmed)
                and self._step("hosts drain", smoke.drain)
            )

    def _step(self, subject: str, look: Callable[[], str]) -> bool:
        finding = examine(subject, look)
        self._note(finding)
        return finding.state == "proven"

    def _note(self, finding: Finding) -> None:
        self.findings.append(finding)
        self._tell(finding)


def _open_account(endpoint: str, settings: Settings) -> str:
    """As docs/deploy.md says, by hand, before everything else."""
    cloudformation = local_client("cloudformation", endpoint, settings.region)
    parameters = {"Environment": settings.environment, "Repository": "owner/repository"}
    cloudformation.create_stack(
        StackName="nexus-account",
        TemplateBody=(ROOT / "stacks" / "account.yaml").read_text("utf-8"),
        Capabilities=["CAPABILITY_NAMED_IAM"],
        Parameters=[{"ParameterKey": k, "ParameterValue": v} for k, v in parameters.items()],
    )
    [stack] = cloudformation.describe_stacks(StackName="nexus-account")["Stacks"]
    if stack["StackStatus"] != "CREATE_COMPLETE":
        events = cloudformation.describe_stack_events(StackName="nexus-account")["StackEvents"]
        reasons = [e["ResourceStatusReason"] for e in events if e["ResourceStatus"] == "CREATE_FAILED"]
        require(False, f"stacks/account.yaml: {stack['StackStatus']}: {'; '.join(reasons)}")
    return f"stacks/account.yaml: the boundary {BOUNDARY} and the workflow's role"


@contextmanager
def _ledger(folder: Path) -> Iterator[RehearsalLedger]:
    server = start_postgres(folder / "pg", folder / "logs")
    sys.stderr.writelines(f"{note}\n" for note in server.notes)
    try:
        yield RehearsalLedger(server)
    finally:
        stop_postgres(server.child)


@contextmanager
def _local_aws(folder: Path, ledger_url: str, region: str) -> Iterator[str]:
    """Its endpoint. By name: the command line takes a loopback address by name for one that knows paths of buckets."""
    port_file = folder / "aws.port"
    arguments = ("--folder", str(folder), "--port-file", str(port_file), "--region", region)
    command = Command(
        "aws",
        (sys.executable, "-m", "local.rehearsal.server", *arguments, "--ledger-url", ledger_url),
        # the role of CDK's lookups is given a policy of AWS's own
        {"PATH": "/usr/bin:/bin", "HOME": str(folder), "MOTO_IAM_LOAD_MANAGED_POLICIES": "true"},
        ROOT,
    )
    server = spawn(command, folder / "logs")
    try:
        port = wait_ready(server, lambda: read_when_written(port_file), _READY_S)
        yield f"http://localhost:{port}"
    finally:
        stop(server, signal.SIGTERM, _STOP_S)


def rehearse(environment: str, tell: Tell) -> tuple[list[Finding], float]:
    """Findings and seconds. What it wrote is removed, unless something failed: then it is left for a look."""
    started = time.monotonic()
    rehearsal = Rehearsal(environment, tell)
    folder = Path(tempfile.mkdtemp(prefix=f"nexus-rehearsal-{environment}-"))
    try:
        rehearsal.run(folder)
    except NexusError as error:
        rehearsal.findings.append(Finding("the rehearsal itself", "failed", str(error)))
    finally:
        if any(finding.state == "failed" for finding in rehearsal.findings):
            rehearsal.findings.append(Finding("logs", "failed", f"all of them are in {folder}"))
        else:
            shutil.rmtree(folder)
    return rehearsal.findings, time.monotonic() - started
