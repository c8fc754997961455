"""Runs what was deployed: a package from the bucket of assets, with its function's environment, in its own process.

Only the ledger's address is another one. The runtime's Python is 3.13 on arm64; here it is whatever runs this.
"""

import base64
import hashlib
import io
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from importlib.metadata import distribution
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from lakehouse.errors import RuntimeFault
from local.processes import tail
from local.rehearsal.cdk_command import aws_surroundings
from local.rehearsal.journal import Entry

_PROCESS = Path(__file__).with_name("function_process.py")
# What functions find without bringing it: in Lambda's runtime, and in AWS's own layer for pandas
RUNTIME = ("boto3", "botocore", "jmespath", "python-dateutil", "s3transfer", "six", "urllib3")
# Which of them AWS publishes, in which version and region, only AWS knows
AWS_LAYERS = ":336392948345:layer:AWSSDKPandas-"
PANDAS_LAYER = ("numpy", "pyarrow")  # and much more, which we do not use
_END_S = 10.0  # a function that does nothing ends at once


@dataclass(frozen=True)
class Deployed:
    """A function as Lambda has it, and where its package is unpacked."""

    name: str
    arn: str
    handler: str
    environment: Mapping[str, str]
    timeout_s: int
    memory_mib: int
    pandas: bool
    brought: frozenset[str]  # distributions in layers of ours
    package: Path


Find = Callable[[str, str, str], Entry | None]


def fetch(
    functions: Any, s3: Any, find: Find, entry: Entry, folder: Path, qualifier: str = "$LATEST"
) -> Deployed:
    """What Lambda says of it, with the package that its stack named. RuntimeFault when that is not what Lambda has.

    `find` gives the newest resource of a type whose attribute is this.
    """
    found = functions.get_function_configuration(FunctionName=entry.physical_id, Qualifier=qualifier)
    code = entry.properties["Code"]
    body = s3.get_object(Bucket=code["S3Bucket"], Key=code["S3Key"])["Body"].read()
    digest = base64.b64encode(hashlib.sha256(body).digest()).decode()
    if found["CodeSha256"] != digest:
        raise RuntimeFault(f"{entry.physical_id} has other code than {code['S3Key']}, which its stack names")
    package = folder / "functions" / code["S3Key"].removesuffix(".zip")
    if not package.exists():
        with zipfile.ZipFile(io.BytesIO(body)) as archive:
            archive.extractall(package)
    layers = [layer["Arn"] for layer in found.get("Layers", [])]
    ours = [layer for layer in layers if AWS_LAYERS not in layer]
    return Deployed(
        entry.physical_id,
        found["FunctionArn"],
        found["Handler"],
        found.get("Environment", {}).get("Variables", {}),
        found["Timeout"],
        found["MemorySize"],
        len(ours) < len(layers),
        frozenset().union(*(_in_layer(s3, find, layer) for layer in ours)),
        package,
    )


def _in_layer(s3: Any, find: Find, arn: str) -> frozenset[str]:
    """What a layer of ours holds is for Lambda's processor: here this machine's stand in, and only those."""
    entry = find("AWS::Lambda::LayerVersion", "LayerVersionArn", arn)
    if entry is None:
        raise RuntimeFault(f"no stack has made the layer {arn}")
    content = entry.properties["Content"]
    body = s3.get_object(Bucket=content["S3Bucket"], Key=content["S3Key"])["Body"].read()
    with zipfile.ZipFile(io.BytesIO(body)) as archive:
        return distributions(archive.namelist(), "python")


def distributions(files: Iterable[str], folder: str) -> frozenset[str]:
    """Names of the libraries that are installed in a folder of an archive."""
    marks = (re.fullmatch(rf"{folder}/([^/]+)-[^-/]+\.dist-info/METADATA", file) for file in files)
    return frozenset(mark.group(1) for mark in marks if mark)


class Running:
    """A function's process, kept for several events, as Lambda keeps it. Not for several threads."""

    def __init__(
        self, deployed: Deployed, folder: Path, endpoint: str, region: str, more: Mapping[str, str]
    ) -> None:
        self._deployed = deployed
        self.log = folder / "logs" / f"{deployed.name}.log"
        self.log.parent.mkdir(parents=True, exist_ok=True)
        reads, writes = os.pipe()
        surroundings = {
            "PATH": os.defpath,
            "LANG": "C.UTF-8",
            "AWS_LAMBDA_FUNCTION_NAME": deployed.name,
            "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": str(deployed.memory_mib),
            **aws_surroundings(endpoint, region, folder),
        }
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(
                [sys.executable, "-I", "-S", "-B", str(_PROCESS), str(writes)],
                env={**surroundings, **deployed.environment, **more},
                stdin=subprocess.PIPE,
                stdout=log,
                stderr=subprocess.STDOUT,
                pass_fds=(writes,),
                text=True,
            )
        os.close(writes)
        self._answers = os.fdopen(reads, encoding="utf-8")
        self._say(self._about(folder))

    def call(self, event: Mapping[str, Any]) -> Any:
        """What it answers to an event. RuntimeFault when it fails, or takes longer than it may."""
        self._say(event)
        line = self._answers.readline()
        told = json.loads(line) if line else {"error": "it ended, or took longer than its timeout"}
        if "error" in told:
            raise RuntimeFault(
                f"{self._deployed.name}: {told['error']}. The end of {self.log}:\n{tail(self.log)}"
            )
        return told["answer"]

    def _about(self, folder: Path) -> Mapping[str, Any]:
        deployed = self._deployed
        path = [deployed.package, libraries(folder / "runtime", RUNTIME)]
        if deployed.pandas:
            path.append(libraries(folder / "layer", PANDAS_LAYER))
        if deployed.brought:
            path.append(libraries(folder / f"layers-of-{deployed.name}", deployed.brought))
        return {
            "name": deployed.name,
            "arn": deployed.arn,
            "handler": deployed.handler,
            "timeout": deployed.timeout_s,
            "memory": deployed.memory_mib,
            "path": [str(one) for one in path],
        }

    def _say(self, what: Mapping[str, Any]) -> None:
        assert self._process.stdin
        try:
            self._process.stdin.write(json.dumps(what) + "\n")
            self._process.stdin.flush()
        except BrokenPipeError:  # it has ended: the missing answer tells
            return

    def kill(self) -> None:
        """Ends it at once, from whatever thread; who waits for an answer learns that there is none."""
        self._process.kill()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Ends the process: its stdin ends, and what it does not end by itself then is killed."""
        self._answers.close()
        try:
            self._process.communicate(timeout=_END_S)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()


def libraries(folder: Path, names: Iterable[str]) -> Path:
    """A folder with links to these distributions alone, made once."""
    if folder.exists():
        return folder
    part = Path(tempfile.mkdtemp(dir=folder.parent, prefix=folder.name))
    for name in names:
        found = distribution(name)
        tops = {file.parts[0] for file in found.files or [] if file.parts[0] != ".."}
        for top in tops - {"__pycache__"}:
            (part / top).symlink_to(Path(str(found.locate_file(top))))
    try:
        part.rename(folder)
    except OSError:  # another function made it meanwhile
        shutil.rmtree(part)
    return folder
